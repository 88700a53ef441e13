use super::bindings::pintle::plugin::message;
use super::bindings::pintle::plugin::types::Header;
use crate::Message;

/// Lets `ask` see a message whose header and payload are known. The broker is asked for its
/// properties if it has any.
pub(super) fn with_message<T>(
    header: &Header,
    payload: &[u8],
    ask: impl FnOnce(&Message<'_>) -> T,
) -> T {
    let message = Message {
        qos: header.qos.into(),
        retain: header.retain,
        expiry_secs: header.expiry_secs,
        payload_is_utf8: header.payload_is_utf8,
        ..Message::new(&header.topic, payload)
    };
    if !header.has_properties {
        return ask(&message);
    }
    let set = message::properties();
    let user_properties: Vec<(&str, &str)> =
        set.user_properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    ask(&Message {
        content_type: set.content_type.as_deref(),
        response_topic: set.response_topic.as_deref(),
        correlation_data: set.correlation_data.as_deref(),
        user_properties: &user_properties,
        ..message
    })
}

/// The payload of the message that the running hook is about; none for who does not want it.
pub(super) fn payload(inline: Option<Vec<u8>>, is_wanted: bool) -> Vec<u8> {
    match inline {
        Some(payload) => payload,
        None if is_wanted => message::payload(),
        None => Vec::new(),
    }
}
