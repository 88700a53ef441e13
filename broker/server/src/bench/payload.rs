//! What a message carries, so that its receiver can tell whether it came as it was sent.

/// Bytes of a stamp; no payload is shorter.
pub(super) const STAMP_BYTES: usize = 24;

/// How many places the filling may begin at.
const FILLING_OFFSETS: usize = 64;

/// Who a message is: the head of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The publisher and topic it belongs to.
    pub(super) stream: u32,
    /// Counts the messages of the stream from 0.
    pub(super) sequence: u64,
    /// When it was due, in nanoseconds of the generator's clock.
    pub(super) due_ns: u64,
}

/// Writes and checks the payloads of one run.
pub(super) struct Payloads {
    len: usize,
    salt: u64,
    filling: Vec<u8>,
}

impl Payloads {
    /// Payloads of `len` bytes, at least [`STAMP_BYTES`]; those of another `salt` count as damaged.
    pub(super) fn new(len: usize, salt: u64) -> Self {
        let len = len.max(STAMP_BYTES);
        let mut state = salt | 1;
        let filling = (0..len - STAMP_BYTES + FILLING_OFFSETS)
            .map(|_| {
                state = mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
                state.to_le_bytes()[0]
            })
            .collect();
        Self { len, salt, filling }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Appends the payload of one message.
    #[inline]
    pub(super) fn append(&self, stamp: &Stamp, out: &mut Vec<u8>) {
        let check = self.check(stamp);
        let mut head = [0; STAMP_BYTES];
        let (stream, rest) = head.split_at_mut(4);
        stream.copy_from_slice(&stamp.stream.to_le_bytes());
        let (sequence, rest) = rest.split_at_mut(8);
        sequence.copy_from_slice(&stamp.sequence.to_le_bytes());
        let (due_ns, check_field) = rest.split_at_mut(8);
        due_ns.copy_from_slice(&stamp.due_ns.to_le_bytes());
        check_field.copy_from_slice(&check.to_le_bytes());
        out.extend_from_slice(&head);
        out.extend_from_slice(self.filling(check));
    }

    /// The stamp of a payload, or `None` if a single byte of it is not as it was sent.
    #[inline]
    pub(super) fn read(&self, payload: &[u8]) -> Option<Stamp> {
        if payload.len() != self.len {
            return None;
        }
        let (stream, rest) = payload.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (due_ns, rest) = rest.split_first_chunk()?;
        let (check, filling) = rest.split_first_chunk()?;
        let stamp = Stamp {
            stream: u32::from_le_bytes(*stream),
            sequence: u64::from_le_bytes(*sequence),
            due_ns: u64::from_le_bytes(*due_ns),
        };
        let check = u32::from_le_bytes(*check);
        (check == self.check(&stamp) && filling == self.filling(check)).then_some(stamp)
    }

    /// The bytes behind a stamp. They differ between messages, so that halves of two do not pass
    /// for one.
    fn filling(&self, check: u32) -> &[u8] {
        let offset = check as usize % FILLING_OFFSETS;
        self.filling.get(offset..offset + self.len - STAMP_BYTES).unwrap_or_default()
    }

    fn check(&self, stamp: &Stamp) -> u32 {
        let sequence = mix(stamp.sequence ^ self.salt);
        (mix(sequence ^ stamp.due_ns ^ u64::from(stamp.stream) << 32) >> 32) as u32
    }
}

/// Spreads every bit of a number over all of it (the end of splitmix64).
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { stream: 7, sequence: 1 << 40, due_ns: 123_456_789 };

    fn payload(payloads: &Payloads, stamp: &Stamp) -> Vec<u8> {
        let mut bytes = Vec::new();
        payloads.append(stamp, &mut bytes);
        bytes
    }

    #[test]
    fn a_payload_gives_back_its_stamp() {
        for len in [STAMP_BYTES, STAMP_BYTES + 1, 64, 4096] {
            let payloads = Payloads::new(len, 5);

            let bytes = payload(&payloads, &STAMP);

            assert_eq!(bytes.len(), len);
            assert_eq!(payloads.read(&bytes), Some(STAMP));
        }
    }

    #[test]
    fn damage_to_any_bit_is_noticed() {
        let payloads = Payloads::new(80, 5);
        let good = payload(&payloads, &STAMP);

        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(payloads.read(&bad), None, "bit {bit}");
        }
    }

    #[test]
    fn a_payload_cut_short_or_grown_is_damaged() {
        let payloads = Payloads::new(64, 5);
        let mut bytes = payload(&payloads, &STAMP);

        assert_eq!(payloads.read(&bytes[..63]), None);
        assert_eq!(payloads.read(&[]), None);
        bytes.push(0);
        assert_eq!(payloads.read(&bytes), None);
    }

    #[test]
    fn the_halves_of_two_messages_are_not_a_message() {
        let payloads = Payloads::new(256, 5);
        let a = payload(&payloads, &STAMP);
        let b = payload(&payloads, &Stamp { sequence: 3, ..STAMP });

        let both = [&a[..STAMP_BYTES], &b[STAMP_BYTES..]].concat();

        assert_eq!(payloads.read(&both), None);
    }

    #[test]
    fn messages_of_another_run_count_as_damaged() {
        let bytes = payload(&Payloads::new(64, 5), &STAMP);

        assert_eq!(Payloads::new(64, 6).read(&bytes), None);
    }
}
