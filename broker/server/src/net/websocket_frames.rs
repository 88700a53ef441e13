use std::io::Cursor;
use std::mem;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// Reads the client's frames from a stream that may be cut anywhere.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    /// A header that is not all there yet.
    head: [u8; HEADER_BYTES_MAX],
    head_len: usize,
    frame: Option<OpenFrame>,
    /// Payload of the control frame that is being read.
    control: Vec<u8>,
    /// Whether a message goes on in the next data frame.
    in_message: bool,
}

/// A frame whose payload is still coming.
#[derive(Debug)]
struct OpenFrame {
    kind: Kind,
    left: u64,
    /// Turned so that its first byte is for the next byte of payload.
    mask: [u8; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Payload,
    Close,
    Ping,
    Pong,
}

/// What came of a piece of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Open,
    /// A Close frame, and the code to answer it with.
    Closed(Option<u16>),
    /// The client broke a rule; the code to close with, and what it was.
    Broken {
        code: u16,
        why: &'static str,
    },
}

const HEADER_BYTES_MAX: usize = 14;
const CONTROL_BYTES_MAX: u64 = 125;
const PROTOCOL_ERROR: u16 = 1002;
const UNSUPPORTED_DATA: u16 = 1003;

const fn broken(why: &'static str) -> Incoming {
    Incoming::Broken { code: PROTOCOL_ERROR, why }
}

impl FrameReader {
    /// Unwraps `bytes` onto `mqtt`, unmasking them in place; answers to pings go onto `wire`.
    pub(super) fn read(
        &mut self,
        mut bytes: &mut [u8],
        mqtt: &mut Vec<u8>,
        wire: &mut Vec<u8>,
    ) -> Incoming {
        loop {
            let mut frame = match self.frame.take() {
                Some(frame) => frame,
                None => match self.read_header(&mut bytes) {
                    Ok(Some(frame)) => frame,
                    Ok(None) => return Incoming::Open,
                    Err(incoming) => return incoming,
                },
            };
            let len = usize::try_from(frame.left).unwrap_or(usize::MAX).min(bytes.len());
            let (payload, rest) = mem::take(&mut bytes).split_at_mut(len);
            bytes = rest;
            frame.unmask(payload);
            match frame.kind {
                Kind::Payload => mqtt.extend_from_slice(payload),
                Kind::Close | Kind::Ping | Kind::Pong => self.control.extend_from_slice(payload),
            }
            if frame.left > 0 {
                self.frame = Some(frame);
                return Incoming::Open;
            }
            if let Some(code) = self.end_frame(frame.kind, wire) {
                return Incoming::Closed(code);
            }
        }
    }

    /// The next frame's header, or `None` if it is not all there; takes its bytes.
    fn read_header(&mut self, bytes: &mut &mut [u8]) -> Result<Option<OpenFrame>, Incoming> {
        let had = self.head_len;
        for (to, from) in self.head.iter_mut().skip(had).zip(bytes.iter()) {
            *to = *from;
            self.head_len += 1;
        }
        let mut cursor = Cursor::new(self.head.get(..self.head_len).unwrap_or_default());
        let parsed = FrameHeader::parse(&mut cursor);
        let header_len = usize::try_from(cursor.position()).unwrap_or(HEADER_BYTES_MAX);
        let Some((header, len)) = parsed.map_err(|_| broken("an unknown kind of frame"))? else {
            // There was room for the longest header, so all bytes are in `head` now.
            *bytes = &mut [];
            return Ok(None);
        };
        self.head_len = 0;
        let taken = header_len.saturating_sub(had);
        *bytes = mem::take(bytes).get_mut(taken..).unwrap_or_default();
        self.open_frame(&header, len).map(Some)
    }

    /// Checks a header against the rules for clients.
    fn open_frame(&mut self, header: &FrameHeader, len: u64) -> Result<OpenFrame, Incoming> {
        let Some(mask) = header.mask else {
            return Err(broken("a frame without a mask"));
        };
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(broken("a reserved bit without an extension"));
        }
        if len > i64::MAX.unsigned_abs() {
            return Err(broken("a length of more than 63 bits"));
        }
        let kind = match header.opcode {
            OpCode::Data(data) => self.data_kind(data, header.is_final)?,
            OpCode::Control(control) => control_kind(control, header.is_final, len)?,
        };
        self.control.clear();
        Ok(OpenFrame { kind, left: len, mask })
    }

    fn data_kind(&mut self, data: Data, is_final: bool) -> Result<Kind, Incoming> {
        match (data, self.in_message) {
            (Data::Binary, false) | (Data::Continue, true) => {
                self.in_message = !is_final;
                Ok(Kind::Payload)
            }
            (Data::Text, _) => Err(Incoming::Broken {
                code: UNSUPPORTED_DATA,
                why: "a text frame, where MQTT has binary ones only",
            }),
            (Data::Binary, true) => Err(broken("a new message inside another")),
            (Data::Continue, false) => Err(broken("a continuation of nothing")),
            (Data::Reserved(_), _) => Err(broken("an unknown kind of frame")),
        }
    }

    /// Acts on a frame that is all there; `Some` if it was a Close.
    fn end_frame(&mut self, kind: Kind, wire: &mut Vec<u8>) -> Option<Option<u16>> {
        let payload = mem::take(&mut self.control);
        match kind {
            Kind::Payload | Kind::Pong => None,
            Kind::Ping => {
                put_frame(OpCode::Control(Control::Pong), &payload, wire);
                None
            }
            Kind::Close => Some(answer_to_close(&payload)),
        }
    }
}

impl OpenFrame {
    fn unmask(&mut self, payload: &mut [u8]) {
        let mask = u64::from(u32::from_ne_bytes(self.mask));
        let wide_mask = (mask | mask << 32).to_ne_bytes();
        let (words, rest) = payload.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ u64::from_ne_bytes(wide_mask)).to_ne_bytes();
        }
        for (byte, mask) in rest.iter_mut().zip(wide_mask) {
            *byte ^= mask;
        }
        self.mask.rotate_left(payload.len() % 4);
        self.left -= payload.len() as u64;
    }
}

fn control_kind(control: Control, is_final: bool, len: u64) -> Result<Kind, Incoming> {
    if !is_final {
        return Err(broken("a control frame in pieces"));
    }
    if len > CONTROL_BYTES_MAX {
        return Err(broken("a control frame of more than 125 bytes"));
    }
    match control {
        Control::Close => Ok(Kind::Close),
        Control::Ping => Ok(Kind::Ping),
        Control::Pong => Ok(Kind::Pong),
        Control::Reserved(_) => Err(broken("an unknown kind of frame")),
    }
}

/// The client's own code, if it may be used; none if it gave none.
fn answer_to_close(payload: &[u8]) -> Option<u16> {
    let (code, reason) = match payload {
        [] => return None,
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        [_] => return Some(PROTOCOL_ERROR),
    };
    let is_fine = CloseCode::from(code).is_allowed() && std::str::from_utf8(reason).is_ok();
    Some(if is_fine { code } else { PROTOCOL_ERROR })
}

pub(super) fn close_payload(code: Option<u16>) -> Vec<u8> {
    code.map(|code| code.to_be_bytes().to_vec()).unwrap_or_default()
}

/// Puts one whole frame of the server's onto `wire`.
pub(super) fn put_frame(opcode: OpCode, payload: &[u8], wire: &mut Vec<u8>) {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    wire.reserve(HEADER_BYTES_MAX + payload.len());
    // Memory takes everything, so this cannot fail.
    let _ = header.format(payload.len() as u64, wire);
    wire.extend_from_slice(payload);
}
