use std::{fmt, mem};

use super::desk;
use super::tls::{Tls, TlsState};
use super::websocket::{WebSocket, WebSocketState};

/// What lies between the bytes of the socket and those of MQTT: TLS, WebSocket, or both.
///
/// Works over memory; only the task that owns the connection has it.
pub(super) struct Codec {
    tls: Option<Tls>,
    websocket: Option<WebSocket>,
}

/// How a codec has fared with what the peer sent.
#[derive(Debug)]
pub(super) enum CodecState {
    Open,
    /// The peer has ended the stream as TLS or WebSocket have it.
    Closed,
    /// The peer broke the rules of TLS or WebSocket; it has been told in the bytes to send.
    Broken(CodecViolation),
}

/// What the peer did against the rules.
#[derive(Debug)]
pub(super) enum CodecViolation {
    Tls(rustls::Error),
    WebSocket(&'static str),
}

impl fmt::Display for CodecViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::WebSocket(what) => write!(f, "WebSocket: {what}"),
        }
    }
}

impl Codec {
    pub(super) fn new(tls: Option<Tls>, websocket: Option<WebSocket>) -> Self {
        Self { tls, websocket }
    }

    /// Unwraps the socket's `bytes` onto `mqtt`. What the layers have to answer goes onto `wire`.
    pub(super) fn decode(
        &mut self,
        bytes: &mut [u8],
        mqtt: &mut Vec<u8>,
        wire: &mut Vec<u8>,
    ) -> CodecState {
        match (&mut self.tls, &mut self.websocket) {
            (None, None) => {
                mqtt.extend_from_slice(bytes);
                CodecState::Open
            }
            (Some(tls), None) => decode_tls(tls, bytes, mqtt, wire),
            (None, Some(websocket)) => decode_websocket(websocket, bytes, mqtt, wire),
            (Some(tls), Some(websocket)) => {
                let mut plain = desk::spare_buffer();
                let of_tls = decode_tls(tls, bytes, &mut plain, wire);
                let mut answers = Vec::new();
                let of_websocket = decode_websocket(websocket, &mut plain, mqtt, &mut answers);
                tls.seal(&answers, wire);
                desk::recycle(plain);
                of_websocket.or(of_tls)
            }
        }
    }

    /// Wraps the bytes of whole MQTT packets onto `wire`.
    pub(super) fn encode(&mut self, mqtt: &[u8], wire: &mut Vec<u8>) {
        match (&mut self.tls, &self.websocket) {
            (None, None) => wire.extend_from_slice(mqtt),
            (Some(tls), None) => tls.seal(mqtt, wire),
            (None, Some(_)) => WebSocket::seal(mqtt, wire),
            (Some(tls), Some(_)) => {
                let mut message = desk::spare_buffer();
                WebSocket::seal(mqtt, &mut message);
                tls.seal(&message, wire);
                desk::recycle(message);
            }
        }
    }

    /// Puts onto `wire` what ends the layers' streams; nothing the second time.
    pub(super) fn finish(&mut self, wire: &mut Vec<u8>) {
        let mut plain = Vec::new();
        if let Some(websocket) = &mut self.websocket {
            websocket.finish(&mut plain);
        }
        match &mut self.tls {
            None => wire.append(&mut plain),
            Some(tls) => {
                tls.seal(&mem::take(&mut plain), wire);
                tls.finish(wire);
            }
        }
    }
}

impl CodecState {
    fn or(self, other: Self) -> Self {
        if matches!(self, Self::Open) { other } else { self }
    }
}

fn decode_tls(tls: &mut Tls, bytes: &[u8], plain: &mut Vec<u8>, wire: &mut Vec<u8>) -> CodecState {
    match tls.open(bytes, plain, wire) {
        Ok(TlsState::Open) => CodecState::Open,
        Ok(TlsState::Closed) => CodecState::Closed,
        Err(error) => CodecState::Broken(CodecViolation::Tls(error)),
    }
}

fn decode_websocket(
    websocket: &mut WebSocket,
    bytes: &mut [u8],
    mqtt: &mut Vec<u8>,
    wire: &mut Vec<u8>,
) -> CodecState {
    match websocket.open(bytes, mqtt, wire) {
        WebSocketState::Open => CodecState::Open,
        WebSocketState::Closed => CodecState::Closed,
        WebSocketState::Broken(what) => CodecState::Broken(CodecViolation::WebSocket(what)),
    }
}
