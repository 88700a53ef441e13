use crate::{Reader, ReasonCode, Violation, variable_byte_integer_len};

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
