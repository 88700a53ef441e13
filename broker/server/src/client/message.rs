//! Messages on their way out and in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pintle_mqtt::{Properties, Property, PropertyBuffer, Publish, QoS};
use serde_json::{Map, Value, json};

/// A message to publish.
#[derive(Clone, Debug)]
pub(crate) struct OutgoingMessage {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) properties: OutgoingProperties,
}

/// What MQTT 5.0 may say of a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutgoingProperties {
    pub(crate) expiry_secs: Option<u32>,
    pub(crate) content_type: Option<String>,
    pub(crate) response_topic: Option<String>,
    pub(crate) correlation_data: Option<String>,
    pub(crate) user_properties: Vec<(String, String)>,
}

impl OutgoingProperties {
    pub(super) fn to_buffer(&self) -> PropertyBuffer {
        let mut buffer = PropertyBuffer::new();
        buffer.push_some(self.expiry_secs.map(Property::MessageExpiryInterval));
        buffer.push_some(self.content_type.as_deref().map(Property::ContentType));
        buffer.push_some(self.response_topic.as_deref().map(Property::ResponseTopic));
        let data = self.correlation_data.as_deref().map(str::as_bytes);
        buffer.push_some(data.map(Property::CorrelationData));
        for (name, value) in &self.user_properties {
            buffer.push(Property::UserProperty((name, value)));
        }
        buffer
    }

    /// The strings, which must not be longer than MQTT allows.
    pub(super) fn strings(&self) -> impl Iterator<Item = &str> {
        let pairs = self.user_properties.iter();
        let single = [&self.content_type, &self.response_topic, &self.correlation_data];
        single
            .into_iter()
            .flatten()
            .chain(pairs.flat_map(|(name, value)| [name, value]))
            .map(String::as_str)
    }
}

/// A received message as one line of JSON.
pub(crate) fn json(publish: &Publish<'_>, now: SystemTime) -> String {
    let mut object = Map::new();
    object.insert("tst".to_owned(), timestamp(now).into());
    let topic = publish.topic.map_or("", |topic| topic.as_str());
    object.insert("topic".to_owned(), topic.into());
    object.insert("qos".to_owned(), (publish.flags.qos as u8).into());
    object.insert("retain".to_owned(), publish.flags.retain.into());
    object.insert("payloadlen".to_owned(), publish.payload.len().into());
    match std::str::from_utf8(publish.payload) {
        Ok(text) => object.insert("payload".to_owned(), text.into()),
        Err(_) => object.insert("payload_hex".to_owned(), hex(publish.payload).into()),
    };
    let properties = properties_json(publish.properties);
    if !properties.is_empty() {
        object.insert("properties".to_owned(), Value::Object(properties));
    }
    Value::Object(object).to_string()
}

fn properties_json(properties: Properties<'_>) -> Map<String, Value> {
    let mut object = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        value.map(|value| object.insert(name.to_owned(), value));
    };
    let utf8 = properties.payload_format_indicator();
    set("payload-format-indicator", utf8.map(|utf8| u8::from(utf8).into()));
    set("message-expiry-interval", properties.message_expiry_interval().map(Value::from));
    set("content-type", properties.content_type().map(Value::from));
    set("response-topic", properties.response_topic().map(Value::from));
    let data = properties.correlation_data();
    set(
        "correlation-data",
        data.map(|data| match std::str::from_utf8(data) {
            Ok(text) => text.into(),
            Err(_) => hex(data).into(),
        }),
    );
    let ids: Vec<Value> = properties
        .iter()
        .filter_map(|property| match property {
            Property::SubscriptionIdentifier(id) => Some(id.into()),
            _ => None,
        })
        .collect();
    set("subscription-identifier", (!ids.is_empty()).then(|| ids.into()));
    let user: Vec<Value> =
        properties.user_properties().map(|(name, value)| json!([name, value])).collect();
    set("user-properties", (!user.is_empty()).then(|| user.into()));
    object
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A moment as in RFC 3339, in UTC.
fn timestamp(moment: SystemTime) -> String {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (year, month, day) = date(since.as_secs() / 86_400);
    let second = since.as_secs() % 86_400;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        since.subsec_micros()
    )
}

/// The date that is `days` days after 1970-01-01, in the Gregorian calendar; years are counted from
/// March, so that the leap day is their last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use pintle_mqtt::{PublishFlags, TopicName};

    use super::*;

    fn at(secs: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(secs)
    }

    #[test]
    fn moments_are_written_as_in_rfc_3339() {
        assert_eq!(timestamp(at(0)), "1970-01-01T00:00:00.000000Z");
        assert_eq!(timestamp(at(1_709_164_799)), "2024-02-28T23:59:59.000000Z");
        assert_eq!(timestamp(at(1_709_164_800)), "2024-02-29T00:00:00.000000Z");
        assert_eq!(timestamp(at(1_735_689_599)), "2024-12-31T23:59:59.000000Z");
    }

    #[test]
    fn a_message_is_one_object_with_its_properties() {
        let mut properties = PropertyBuffer::new();
        properties.push(Property::ContentType("text/plain"));
        properties.push(Property::UserProperty(("a", "1")));
        let publish = Publish {
            flags: PublishFlags::default(),
            topic: Some(TopicName::new("t/1").unwrap()),
            packet_id: None,
            properties: properties.as_properties(),
            payload: b"hello \"you\"",
        };

        let object: Value = serde_json::from_str(&json(&publish, at(0))).unwrap();

        let expected = json!({
            "tst": "1970-01-01T00:00:00.000000Z",
            "topic": "t/1",
            "qos": 0,
            "retain": false,
            "payloadlen": 11,
            "payload": "hello \"you\"",
            "properties": { "content-type": "text/plain", "user-properties": [["a", "1"]] },
        });
        assert_eq!(object, expected);
    }

    #[test]
    fn a_payload_that_is_no_text_is_told_in_hex() {
        let publish = Publish {
            flags: PublishFlags::default(),
            topic: Some(TopicName::new("t").unwrap()),
            packet_id: None,
            properties: Properties::EMPTY,
            payload: &[0xff, 0x00],
        };
        let object: Value = serde_json::from_str(&json(&publish, at(0))).unwrap();
        assert_eq!(object["payload_hex"], "ff00");
        assert!(object.get("payload").is_none());
    }
}
