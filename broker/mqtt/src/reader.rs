use crate::{ReasonCode, Violation};

/// A cursor over the bytes of one packet; every read that finds too little is malformed.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from the front.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Violation> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(Violation::malformed(
                "a field runs past the end of its packet",
            ));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(Violation::malformed(
                "a field runs past the end of its packet",
            ));
        };
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Violation> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// A Two Byte Integer.
    pub fn u16(&mut self) -> Result<u16, Violation> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// A Four Byte Integer.
    pub fn u32(&mut self) -> Result<u32, Violation> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A Variable Byte Integer in its shortest form [MQTT-1.5.5-1].
    pub fn variable_byte_integer(&mut self) -> Result<u32, Violation> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(Violation::malformed(
                        "an integer is longer than it needs to be",
                    ));
                }
                return Ok(value);
            }
        }
        Err(Violation::malformed(
            "a Variable Byte Integer has a fifth byte",
        ))
    }

    /// Binary Data: a length of two bytes, then as many bytes.
    pub fn binary(&mut self) -> Result<&'a [u8], Violation> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// A UTF-8 Encoded String [MQTT-1.5.4-1] [MQTT-1.5.4-2].
    ///
    /// Control characters and non-characters, which the standard allows to be refused, are.
    pub fn string(&mut self) -> Result<&'a str, Violation> {
        checked_string(self.binary()?)
    }

    /// Nothing may be left over.
    pub fn finish(self) -> Result<(), Violation> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Violation::malformed(
                "bytes are left over after the last field",
            ))
        }
    }
}

pub(crate) fn checked_string(bytes: &[u8]) -> Result<&str, Violation> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(Violation::malformed("a string is not valid UTF-8"));
    };
    let plain = bytes
        .iter()
        .fold(true, |plain, byte| plain & (0x20..0x7f).contains(byte));
    if plain || !text.chars().any(is_refused) {
        Ok(text)
    } else {
        Err(Violation::malformed(
            "a string holds a control character or a non-character",
        ))
    }
}

fn is_refused(c: char) -> bool {
    c.is_control() || matches!(c, '\u{fdd0}'..='\u{fdef}') || (c as u32) & 0xfffe == 0xfffe
}

/// How many bytes a Variable Byte Integer takes.
pub const fn variable_byte_integer_len(value: u32) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

/// Appends a Variable Byte Integer; `value` is at most 268,435,455.
pub fn encode_variable_byte_integer(mut value: u32, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// One whole packet at the front of a buffer: its first byte, its body, its length.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Packet type in the high four bits, flags in the low four.
    pub first_byte: u8,
    /// Everything after the Fixed Header.
    pub body: &'a [u8],
    /// The whole packet, Fixed Header included.
    pub bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The packet at the front of `buffer`, or `None` if it is not all there yet.
    ///
    /// # Errors
    /// Malformed if the Remaining Length has a fifth byte; `PacketTooLarge` (0x95) if the whole
    /// packet would be longer than `packet_bytes_max`, told from the announced length alone
    /// [MQTT-3.2.2-15].
    #[inline]
    pub fn split(buffer: &'a [u8], packet_bytes_max: u32) -> Result<Option<Self>, Violation> {
        let mut reader = Reader::new(buffer);
        let Ok(first_byte) = reader.u8() else {
            return Ok(None);
        };
        let mut remaining = 0_u32;
        let mut shift = 0;
        loop {
            let Ok(byte) = reader.u8() else {
                return Ok(None);
            };
            remaining |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift > 21 {
                return Err(Violation::malformed(
                    "the Remaining Length has a fifth byte",
                ));
            }
        }
        let header_len = buffer.len() - reader.rest().len();
        let total = header_len + remaining as usize;
        if total > packet_bytes_max as usize {
            return Err(Violation::new(
                ReasonCode::PacketTooLarge,
                "a packet is larger than the server takes",
            ));
        }
        let Some(body) = reader.rest().get(..remaining as usize) else {
            return Ok(None);
        };
        let Some(bytes) = buffer.get(..total) else {
            return Ok(None);
        };
        Ok(Some(Self {
            first_byte,
            body,
            bytes,
        }))
    }

    /// Whether the Remaining Length took no more bytes than it needs.
    pub fn is_minimal(&self) -> bool {
        self.bytes.len() - self.body.len() - 1 == variable_byte_integer_len(self.body.len() as u32)
    }
}
