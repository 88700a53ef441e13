use std::mem;
use std::sync::Arc;

use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::origin::OriginPolicy;
use super::websocket_frames::{FrameReader, Incoming, close_payload, put_frame};
use super::websocket_handshake::{Handshake, Progress};

/// The server's side of a WebSocket over memory (RFC 6455, and chapter 6 of the standard).
///
/// Frames are a stream to it: packets may be split over them and joined in them anywhere
/// [MQTT-6.0.0-2], and payload is passed on as it comes. So nothing but half a frame header or
/// control frame is ever kept, however long a frame is said to be.
pub(super) struct WebSocket {
    stage: Stage,
}

enum Stage {
    Handshake(Box<Handshake>),
    Open(FrameReader),
    Over,
}

/// How a WebSocket has fared with what the peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WebSocketState {
    Open,
    /// The peer has closed, and our answer to that is in the bytes to send.
    Closed,
    /// The peer broke a rule, and has been told in the bytes to send.
    Broken(&'static str),
}

impl WebSocket {
    pub(super) fn new(origins: Arc<OriginPolicy>) -> Self {
        Self { stage: Stage::Handshake(Box::new(Handshake::new(origins))) }
    }

    /// Unwraps `bytes` onto `mqtt`. What the WebSocket itself has to answer goes onto `wire`.
    pub(super) fn open(
        &mut self,
        bytes: &mut [u8],
        mqtt: &mut Vec<u8>,
        wire: &mut Vec<u8>,
    ) -> WebSocketState {
        match &mut self.stage {
            Stage::Handshake(handshake) => {
                let progress = handshake.read(bytes, wire);
                self.after_handshake(progress, mqtt, wire)
            }
            Stage::Open(frames) => {
                let incoming = frames.read(bytes, mqtt, wire);
                self.after_frames(incoming, wire)
            }
            Stage::Over => WebSocketState::Closed,
        }
    }

    fn after_handshake(
        &mut self,
        progress: Progress,
        mqtt: &mut Vec<u8>,
        wire: &mut Vec<u8>,
    ) -> WebSocketState {
        match progress {
            Progress::Waiting => WebSocketState::Open,
            Progress::Refused(why) => {
                self.stage = Stage::Over;
                WebSocketState::Broken(why)
            }
            Progress::Done(mut behind) => {
                self.stage = Stage::Open(FrameReader::default());
                self.open(&mut behind, mqtt, wire)
            }
        }
    }

    fn after_frames(&mut self, incoming: Incoming, wire: &mut Vec<u8>) -> WebSocketState {
        match incoming {
            Incoming::Open => WebSocketState::Open,
            Incoming::Closed(code) => {
                self.close(code, wire);
                WebSocketState::Closed
            }
            Incoming::Broken { code, why } => {
                self.close(Some(code), wire);
                WebSocketState::Broken(why)
            }
        }
    }

    /// Wraps `mqtt` onto `wire`, as one message of one binary frame [MQTT-6.0.0-1].
    pub(super) fn seal(mqtt: &[u8], wire: &mut Vec<u8>) {
        put_frame(OpCode::Data(Data::Binary), mqtt, wire);
    }

    /// Puts our Close frame onto `wire`, once.
    pub(super) fn finish(&mut self, wire: &mut Vec<u8>) {
        self.close(Some(NORMAL), wire);
    }

    fn close(&mut self, code: Option<u16>, wire: &mut Vec<u8>) {
        if let Stage::Open(_) = mem::replace(&mut self.stage, Stage::Over) {
            put_frame(OpCode::Control(Control::Close), &close_payload(code), wire);
        }
    }
}

const NORMAL: u16 = 1000;

#[cfg(test)]
#[path = "websocket_tests.rs"]
mod tests;
