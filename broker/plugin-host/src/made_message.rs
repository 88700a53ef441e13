use pintle_mqtt::{
    Layout, Property, PropertyBuffer, Publish, PublishFlags, QoS, TopicName, is_mqtt_string,
};
use pintle_plugin_api::{MessagePatch, NewMessage};
use pintle_ports::MessageFrame;

use crate::fault::{ErrorKind, Fault};
use crate::message_view::{from_api_qos, no_topic};

/// What a message made or changed by a plugin is made of, before it is checked.
struct Parts<'a> {
    topic: TopicName<'a>,
    payload: &'a [u8],
    qos: QoS,
    retain: bool,
    is_utf8: bool,
    expiry_secs: Option<u32>,
    content_type: Option<&'a str>,
    response_topic: Option<&'a str>,
    correlation_data: Option<&'a [u8]>,
    user_properties: Vec<(&'a str, &'a str)>,
}

/// `publish` with what `patch` changes.
///
/// # Errors
/// If the result is not a message that MQTT can carry, or is longer than `bytes_max`.
pub(crate) fn patched(
    publish: &Publish<'_>,
    patch: &MessagePatch,
    bytes_max: usize,
) -> Result<MessageFrame, Fault> {
    let before = publish.properties;
    let payload = patch.payload.as_deref().unwrap_or(publish.payload);
    let said_utf8 = before.payload_format_indicator() == Some(true);
    let user_properties = match &patch.user_properties {
        Some(pairs) => borrowed(pairs),
        None => before.user_properties().collect(),
    };
    let parts = Parts {
        topic: match (&patch.topic, publish.topic) {
            (Some(topic), _) => checked_topic("topic", topic)?,
            (None, Some(topic)) => topic,
            (None, None) => return no_topic(),
        },
        payload,
        qos: patch.qos.map_or(publish.flags.qos, from_api_qos),
        retain: patch.retain.unwrap_or(publish.flags.retain),
        is_utf8: said_utf8 && (patch.payload.is_none() || std::str::from_utf8(payload).is_ok()),
        expiry_secs: patch.expiry_secs.unwrap_or_else(|| before.message_expiry_interval()),
        content_type: match &patch.content_type {
            Some(text) => text.as_deref(),
            None => before.content_type(),
        },
        response_topic: match &patch.response_topic {
            Some(text) => text.as_deref(),
            None => before.response_topic(),
        },
        correlation_data: match &patch.correlation_data {
            Some(data) => data.as_deref(),
            None => before.correlation_data(),
        },
        user_properties,
    };
    parts.encode(bytes_max)
}

/// A message that a plugin made from nothing.
///
/// # Errors
/// If it is not a message that MQTT can carry, or is longer than `bytes_max`.
pub(crate) fn made(message: &NewMessage, bytes_max: usize) -> Result<MessageFrame, Fault> {
    let parts = Parts {
        topic: checked_topic("topic", &message.topic)?,
        payload: &message.payload,
        qos: from_api_qos(message.qos),
        retain: message.retain,
        is_utf8: false,
        expiry_secs: message.expiry_secs,
        content_type: message.content_type.as_deref(),
        response_topic: message.response_topic.as_deref(),
        correlation_data: message.correlation_data.as_deref(),
        user_properties: borrowed(&message.user_properties),
    };
    parts.encode(bytes_max)
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    let text = String::as_str;
    pairs.iter().map(|(name, value)| (text(name), text(value))).collect()
}

impl Parts<'_> {
    fn encode(&self, bytes_max: usize) -> Result<MessageFrame, Fault> {
        let properties = self.properties(bytes_max)?;
        let publish = Publish {
            flags: PublishFlags { dup: false, qos: self.qos, retain: self.retain },
            topic: Some(self.topic),
            packet_id: None,
            properties: properties.as_properties(),
            payload: self.payload,
        };
        if publish.encoded_len(Layout::V5) > bytes_max.min(MQTT_BYTES_MAX) {
            return Err(too_large(bytes_max));
        }
        MessageFrame::new(&publish).map_err(|violation| Fault::invalid(violation.what))
    }

    fn properties(&self, bytes_max: usize) -> Result<PropertyBuffer, Fault> {
        let user_bytes = self.user_properties.iter().map(|(n, v)| n.len() + v.len());
        if self.payload.len() + user_bytes.sum::<usize>() > bytes_max {
            return Err(too_large(bytes_max));
        }
        let mut buffer = PropertyBuffer::new();
        buffer.push_some(self.is_utf8.then_some(Property::PayloadFormatIndicator(true)));
        buffer.push_some(self.expiry_secs.map(Property::MessageExpiryInterval));
        if let Some(text) = self.content_type {
            buffer.push(Property::ContentType(checked_string("content_type", text)?));
        }
        if let Some(text) = self.response_topic {
            let topic = checked_topic("response_topic", text)?;
            buffer.push(Property::ResponseTopic(topic.as_str()));
        }
        if let Some(data) = self.correlation_data {
            if data.len() > usize::from(u16::MAX) {
                let what = "correlation_data is longer than 65,535 bytes";
                return Err(Fault::invalid(what));
            }
            buffer.push(Property::CorrelationData(data));
        }
        for &(name, value) in &self.user_properties {
            let name = checked_string("user_properties", name)?;
            let value = checked_string("user_properties", value)?;
            buffer.push(Property::UserProperty((name, value)));
        }
        Ok(buffer)
    }
}

/// The largest packet of MQTT: five bytes of Fixed Header, and the largest Remaining Length.
const MQTT_BYTES_MAX: usize = 5 + 268_435_455;

fn too_large(bytes_max: usize) -> Fault {
    let what = format!("the message is larger than {bytes_max} bytes");
    Fault::new(ErrorKind::Bound, what)
}

fn checked_topic<'a>(field: &str, text: &'a str) -> Result<TopicName<'a>, Fault> {
    checked_string(field, text)?;
    TopicName::new(text).map_err(|violation| Fault::invalid(format!("{field}: {}", violation.what)))
}

fn checked_string<'a>(field: &str, text: &'a str) -> Result<&'a str, Fault> {
    if is_mqtt_string(text.as_bytes()) {
        Ok(text)
    } else {
        let what = format!("{field} is not a string that MQTT can carry");
        Err(Fault::invalid(what))
    }
}
