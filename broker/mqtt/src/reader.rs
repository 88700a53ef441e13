use crate::Violation;

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
            return Err(Violation::malformed("a field runs past the end of its packet"));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(Violation::malformed("a field runs past the end of its packet"));
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
                    return Err(Violation::malformed("an integer is longer than it needs to be"));
                }
                return Ok(value);
            }
        }
        Err(Violation::malformed("a Variable Byte Integer has a fifth byte"))
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
            Err(Violation::malformed("bytes are left over after the last field"))
        }
    }
}

pub(crate) fn checked_string(bytes: &[u8]) -> Result<&str, Violation> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(Violation::malformed("a string is not valid UTF-8"));
    };
    let plain = bytes.iter().fold(true, |plain, byte| plain & (0x20..0x7f).contains(byte));
    if plain || !text.chars().any(is_refused) {
        Ok(text)
    } else {
        Err(Violation::malformed("a string holds a control character or a non-character"))
    }
}

fn is_refused(c: char) -> bool {
    c.is_control() || matches!(c, '\u{fdd0}'..='\u{fdef}') || (c as u32) & 0xfffe == 0xfffe
}
