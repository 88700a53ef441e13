use std::io;

use pintle_mqtt::{ReasonCode, Violation};
use thiserror::Error;

use crate::tls::TlsError;

/// Why the client could not do what it was asked for, and what may help.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    #[error(
        "nobody listens at {address}. Is the broker running? Start one with `pintle`, or name another with -h and -p"
    )]
    NobodyListens { address: String },
    #[error("cannot connect to {address}: {error}")]
    Unreachable { address: String, error: io::Error },
    #[error(
        "the broker does not answer at {address} within {secs} s. Does it speak {protocol} there?"
    )]
    Silent { address: String, protocol: &'static str, secs: u64 },
    #[error("no certificates to trust: {0}. Name the file of the broker's CA with --cafile")]
    NoTrust(String),
    #[error("{0}")]
    CaFile(#[from] TlsError),
    #[error(
        "TLS with {address} failed: {error}. If its certificate is of a CA of your own, name that with --cafile"
    )]
    Tls { address: String, error: String },
    #[error(
        "the WebSocket handshake with {address} failed: {error}. Is that a WebSocket listener?"
    )]
    WebSocket { address: String, error: String },
    #[error("the broker refused the connection: {}{}", reason_text(*.reason), hint(*.reason))]
    Refused { reason: ReasonCode },
    #[error("the broker ended the connection: {}{}", reason_text(*.reason), said(.text.as_deref()))]
    Disconnected { reason: ReasonCode, text: Option<String> },
    #[error(
        "{address} does not answer as an MQTT broker. Perhaps it speaks TLS (--cafile) or \
         WebSocket (--ws) there"
    )]
    ClosedEarly { address: String },
    #[error("the broker closed the connection")]
    Closed,
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    #[error("the broker did not take the message for {topic}: {}{}", reason_text(*.reason), hint(*.reason))]
    NotPublished { topic: String, reason: ReasonCode },
    #[error("the broker did not take the subscription {filter}: {}{}", reason_text(*.reason), hint(*.reason))]
    NotSubscribed { filter: String, reason: ReasonCode },
    #[error("{text:?} is no Topic Name: {why}")]
    Topic { text: String, why: &'static str },
    #[error("a packet of {bytes} bytes is larger than the {max} that the broker takes")]
    TooLarge { bytes: usize, max: u32 },
    #[error("{what} is longer than the 65535 bytes that MQTT allows")]
    TooLong { what: &'static str },
    #[error("the broker sent what is no MQTT: {0}")]
    NoMqtt(#[from] Violation),
    #[error("the broker answered with a packet that does not belong there")]
    Unexpected,
}

/// A Reason Code in words, with its number.
pub(crate) fn reason_text(reason: ReasonCode) -> String {
    let mut words = String::new();
    for letter in format!("{reason:?}").chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
            words.extend(letter.to_lowercase());
        } else {
            words.push(letter);
        }
    }
    format!("{words} (0x{:02x})", reason.as_u8())
}

fn hint(reason: ReasonCode) -> &'static str {
    match reason {
        ReasonCode::BadUserNameOrPassword => ". Give a user with -u and a password with -P",
        ReasonCode::NotAuthorized => {
            ". The broker's log says what decided; `pintle plugin explain` says it beforehand"
        }
        ReasonCode::UnsupportedProtocolVersion => ". Try another version with -V",
        _ => "",
    }
}

fn said(text: Option<&str>) -> String {
    text.map(|text| format!(", {text:?}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_codes_are_told_in_words() {
        assert_eq!(reason_text(ReasonCode::NotAuthorized), "Not authorized (0x87)");
        assert_eq!(reason_text(ReasonCode::Banned), "Banned (0x8a)");
    }
}
