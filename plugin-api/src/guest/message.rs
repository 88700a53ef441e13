use super::bindings::pintle::plugin::message;
use super::bindings::pintle::plugin::types::Header;
use crate::Message;

/// Lets `ask` see a message whose header and payload are known. The broker is asked for its
/// properties if it has any.
#[inline]
pub(super) fn with_message<T>(
    header: &Header,
    payload: &[u8],
    ask: impl FnOnce(&Message<'_>) -> T,
) -> T {
    let set = header.has_properties.then(message::properties);
    let user_properties = set.as_ref().map(|set| pairs(&set.user_properties)).unwrap_or_default();
    ask(&Message {
        qos: header.qos.into(),
        retain: header.retain,
        expiry_secs: header.expiry_secs,
        payload_is_utf8: header.payload_is_utf8,
        content_type: set.as_ref().and_then(|set| set.content_type.as_deref()),
        response_topic: set.as_ref().and_then(|set| set.response_topic.as_deref()),
        correlation_data: set.as_ref().and_then(|set| set.correlation_data.as_deref()),
        user_properties: &user_properties,
        ..Message::new(&header.topic, payload)
    })
}

fn pairs(owned: &[(String, String)]) -> Vec<(&str, &str)> {
    owned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// The payload of the message that the running hook is about; none for who does not want it.
pub(super) fn payload(inline: Option<Vec<u8>>, is_wanted: bool) -> Vec<u8> {
    match inline {
        Some(payload) => payload,
        None if is_wanted => message::payload(),
        None => Vec::new(),
    }
}
