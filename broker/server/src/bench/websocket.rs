//! The client's side of a WebSocket over memory (RFC 6455).

use std::io::{self, Cursor};

use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// No answer to the handshake is longer.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Wraps MQTT bytes in binary frames, and unwraps those that come.
pub(super) struct WebSocketClient {
    stage: Stage,
    key: String,
    mask_state: u32,
}

enum Stage {
    Handshake {
        answer: Vec<u8>,
    },
    /// Between the bytes of a frame; `head` holds a header that is not all there.
    Open {
        head: Vec<u8>,
        frame: Option<OpenFrame>,
    },
}

struct OpenFrame {
    left: u64,
    control: Option<(Control, Vec<u8>)>,
}

impl WebSocketClient {
    pub(super) fn new() -> Self {
        let key = generate_key();
        let mask_state =
            key.bytes().fold(1, |state: u32, byte| state.wrapping_mul(31) ^ u32::from(byte));
        Self { stage: Stage::Handshake { answer: Vec::new() }, key, mask_state }
    }

    /// The bytes that begin the connection.
    pub(super) fn request(&self, authority: &str, path: &str) -> Vec<u8> {
        format!(
            "GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
            path = path.trim_start_matches('/'),
            key = self.key,
        )
        .into_bytes()
    }

    /// Whether the handshake is over.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open { .. })
    }

    /// Appends one masked binary frame around `mqtt` to `wire`.
    pub(super) fn wrap(&mut self, mqtt: &[u8], wire: &mut Vec<u8>) {
        self.put_frame(OpCode::Data(Data::Binary), mqtt, wire);
    }

    fn put_frame(&mut self, opcode: OpCode, payload: &[u8], wire: &mut Vec<u8>) {
        self.mask_state = self.mask_state.wrapping_mul(0x915f_77f5).wrapping_add(1);
        let mask = self.mask_state.to_le_bytes();
        let header = FrameHeader { opcode, mask: Some(mask), ..FrameHeader::default() };
        // Memory takes everything, so this cannot fail.
        let _ = header.format(payload.len() as u64, wire);
        let start = wire.len();
        wire.extend_from_slice(payload);
        let masked = wire.get_mut(start..).unwrap_or_default();
        let (words, rest) = masked.as_chunks_mut::<4>();
        for word in words {
            *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
        }
        for (byte, mask) in rest.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }

    /// Moves the MQTT bytes in `bytes` to its front and says how many they are. What the WebSocket
    /// itself has to answer goes onto `wire`.
    pub(super) fn unwrap(&mut self, bytes: &mut [u8], wire: &mut Vec<u8>) -> io::Result<usize> {
        let mut from = match &mut self.stage {
            Stage::Handshake { answer } => {
                let had = answer.len();
                answer.extend_from_slice(bytes);
                let Some(len) = end_of_answer(answer) else {
                    return refuse_if(answer.len() > ANSWER_BYTES_MAX, "has no end").map(|()| 0);
                };
                check_answer(answer.get(..len).unwrap_or_default(), &self.key)?;
                self.stage = Stage::Open { head: Vec::new(), frame: None };
                len.saturating_sub(had)
            }
            Stage::Open { .. } => 0,
        };
        let mut mqtt_len = 0;
        while from < bytes.len() {
            let Stage::Open { head, frame } = &mut self.stage else { break };
            let Some(open) = frame else {
                let (taken, opened) = read_header(head, bytes.get(from..).unwrap_or_default())?;
                from += taken;
                *frame = opened;
                continue;
            };
            let here = bytes.len() - from;
            let len = usize::try_from(open.left).map_or(here, |left| left.min(here));
            match &mut open.control {
                None => {
                    bytes.copy_within(from..from + len, mqtt_len);
                    mqtt_len += len;
                }
                Some((_, payload)) => {
                    payload.extend_from_slice(bytes.get(from..from + len).unwrap_or_default());
                }
            }
            from += len;
            open.left -= len as u64;
            self.end_frame_if_all_there(wire)?;
        }
        self.end_frame_if_all_there(wire)?;
        Ok(mqtt_len)
    }

    fn end_frame_if_all_there(&mut self, wire: &mut Vec<u8>) -> io::Result<()> {
        let Stage::Open { frame, .. } = &mut self.stage else { return Ok(()) };
        let Some(ended) = frame.take_if(|frame| frame.left == 0) else { return Ok(()) };
        match ended.control {
            Some((Control::Ping, payload)) => {
                self.put_frame(OpCode::Control(Control::Pong), &payload, wire);
                Ok(())
            }
            Some((Control::Close, _)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Some((Control::Pong | Control::Reserved(_), _)) | None => Ok(()),
        }
    }
}

/// Takes a header that may have begun before; says how many of `bytes` it took.
fn read_header(head: &mut Vec<u8>, bytes: &[u8]) -> io::Result<(usize, Option<OpenFrame>)> {
    let had = head.len();
    // No header of a server is longer than 10 bytes.
    head.extend(bytes.iter().take(10_usize.saturating_sub(had)));
    let mut cursor = Cursor::new(head.as_slice());
    let parsed = FrameHeader::parse(&mut cursor).map_err(io::Error::other)?;
    let Some((header, left)) = parsed else {
        return Ok((head.len() - had, None));
    };
    let header_len = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
    refuse_if(header.mask.is_some(), "masks its frames, which only clients do")?;
    let control = match header.opcode {
        OpCode::Data(Data::Binary | Data::Continue) => None,
        OpCode::Data(_) => {
            return refuse_if(true, "sent a frame that is not binary").map(|()| (0, None));
        }
        OpCode::Control(control) => Some((control, Vec::new())),
    };
    head.clear();
    Ok((header_len.saturating_sub(had), Some(OpenFrame { left, control })))
}

fn end_of_answer(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn check_answer(answer: &[u8], key: &str) -> io::Result<()> {
    let text = String::from_utf8_lossy(answer);
    let mut lines = text.lines();
    let status = lines.next().unwrap_or_default();
    refuse_if(
        status.split(' ').nth(1) != Some("101"),
        &format!("does not take up the WebSocket: {status}"),
    )?;
    let accept = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-accept"))
        .map(|(_, value)| value.trim());
    let is_right = accept == Some(derive_accept_key(key.as_bytes()).as_str());
    refuse_if(!is_right, "answers the WebSocket handshake with a wrong key")
}

fn refuse_if(is_wrong: bool, what: &str) -> io::Result<()> {
    if is_wrong { Err(io::Error::other(format!("the broker {what}"))) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted() -> (WebSocketClient, Vec<u8>) {
        let client = WebSocketClient::new();
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            derive_accept_key(client.key.as_bytes())
        );
        (client, answer.into_bytes())
    }

    /// Frames of a server: a short one, a ping, a continuation, and one with a two byte length.
    fn frames(answer: &mut Vec<u8>) -> Vec<u8> {
        answer.extend_from_slice(&[0x02, 2, 1, 2]);
        answer.extend_from_slice(&[0x89, 1, b'p']);
        answer.extend_from_slice(&[0x80, 1, 3]);
        answer.extend_from_slice(&[0x82, 126, 0, 200]);
        let long: Vec<u8> = (0..200).collect();
        answer.extend_from_slice(&long);
        answer.extend_from_slice(&[0x82, 0]);
        [&[1, 2, 3][..], &long].concat()
    }

    #[test]
    fn frames_split_at_any_byte_give_the_same_bytes() {
        let (_, mut whole) = accepted();
        let mqtt = frames(&mut whole);

        for at in 0..whole.len() {
            let (mut client, mut bytes) = accepted();
            frames(&mut bytes);
            let (mut got, mut wire) = (Vec::new(), Vec::new());
            let (first, second) = bytes.split_at_mut(at);
            for part in [first, second] {
                let len = client.unwrap(part, &mut wire).unwrap();
                got.extend_from_slice(&part[..len]);
            }

            assert_eq!(got, mqtt, "split at {at}");
            assert!(client.is_open());
            assert_eq!(wire.len(), 2 + 4 + 1, "one masked Pong");
        }
    }

    #[test]
    fn what_is_wrapped_is_masked() {
        let (mut client, _) = accepted();
        let mut wire = Vec::new();

        client.wrap(b"abcdefg", &mut wire);

        let (header, mask, masked) = (&wire[..2], &wire[2..6], &wire[6..]);
        assert_eq!(header, [0x82, 0x80 | 7]);
        let unmasked: Vec<u8> =
            masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!(unmasked, b"abcdefg");
    }

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_broker() {
        let mut client = WebSocketClient::new();
        let mut answer = b"HTTP/1.1 403 Forbidden\r\n\r\n".to_vec();

        let error = client.unwrap(&mut answer, &mut Vec::new()).unwrap_err();

        assert!(error.to_string().contains("403 Forbidden"), "{error}");
    }

    #[test]
    fn a_close_is_the_end() {
        let (mut client, mut bytes) = accepted();
        bytes.extend_from_slice(&[0x88, 0]);

        let error = client.unwrap(&mut bytes, &mut Vec::new()).unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
