use crate::{ReasonCode, Violation, variable_byte_integer_len};

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
        let Some((header_len, remaining)) = header(buffer)? else {
            return Ok(None);
        };
        let total = header_len + remaining;
        if total > packet_bytes_max as usize {
            return Err(Violation::new(
                ReasonCode::PacketTooLarge,
                "a packet is larger than the server takes",
            ));
        }
        let Some(bytes) = buffer.get(..total) else {
            return Ok(None);
        };
        let (Some(&first_byte), Some(body)) = (bytes.first(), bytes.get(header_len..)) else {
            return Ok(None);
        };
        Ok(Some(Self { first_byte, body, bytes }))
    }

    /// Whether the Remaining Length took no more bytes than it needs.
    pub fn is_minimal(&self) -> bool {
        self.bytes.len() - self.body.len() - 1 == variable_byte_integer_len(self.body.len() as u32)
    }
}

/// Length of the Fixed Header at the front and the Remaining Length in it, if it is all there.
#[inline]
fn header(buffer: &[u8]) -> Result<Option<(usize, usize)>, Violation> {
    match *buffer {
        [_, len, ..] if len < 0x80 => Ok(Some((2, usize::from(len)))),
        [_, low, high, ..] if high < 0x80 => {
            Ok(Some((3, usize::from(low & 0x7f) | usize::from(high) << 7)))
        }
        _ => long_header(buffer),
    }
}

fn long_header(buffer: &[u8]) -> Result<Option<(usize, usize)>, Violation> {
    let mut remaining = 0;
    for (at, byte) in buffer.iter().enumerate().skip(1).take(4) {
        remaining |= usize::from(byte & 0x7f) << (7 * (at - 1));
        if byte & 0x80 == 0 {
            return Ok(Some((at + 1, remaining)));
        }
    }
    if buffer.len() > 4 {
        return Err(Violation::malformed("the Remaining Length has a fifth byte"));
    }
    Ok(None)
}
