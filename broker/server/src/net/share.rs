use super::desk::READ_BUFFER_BYTES;

/// What a connection may read in one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// Bytes at once, unless packets are bulky.
    bytes: usize,
    /// So many times.
    pub(super) reads: usize,
    /// So many times in all, with those that bring acknowledgements only. They end work of others: if
    /// they were held up behind those who publish, messages would pile up for who takes them in time.
    pub(super) reads_with_acks: usize,
}

/// What the engine was given last for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    OnlyAcks,
    /// A bulky packet in front, so probably more of them behind it.
    BulkyPackets,
    Others,
}

/// From which length a packet takes time by its bytes more than by being one.
const BULKY_PACKET_BYTES: usize = 1024;
/// These are fewer bulky packets than a share is small ones, and calls of the kernel cost. A packet
/// that is longer is read by itself.
const BULKY_BYTES: usize = 32 * 1024;

impl Share {
    const ALONE: Self = Self { bytes: READ_BUFFER_BYTES, reads: 4, reads_with_acks: 4 };
    /// Others wait no longer for one that floods than for a handful of sends.
    const IN_A_CROWD: Self = Self { bytes: 16 * 1024, reads: 1, reads_with_acks: 16 };

    pub(super) const fn among(is_crowded: bool) -> Self {
        if is_crowded { Self::IN_A_CROWD } else { Self::ALONE }
    }

    /// How many bytes to read at once after `brought`.
    pub(super) fn bytes_after(self, brought: Brought) -> usize {
        match brought {
            Brought::BulkyPackets => self.bytes.max(BULKY_BYTES),
            Brought::OnlyAcks | Brought::Others => self.bytes,
        }
    }
}

impl Brought {
    /// `packet_len` is the length of the first packet, if it is known.
    pub(super) const fn by(packet_len: Option<usize>, only_acks: bool) -> Self {
        match packet_len {
            _ if only_acks => Self::OnlyAcks,
            Some(BULKY_PACKET_BYTES..=BULKY_BYTES) => Self::BulkyPackets,
            _ => Self::Others,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_crowd_who_brings_bulky_packets_reads_more_of_them_at_once() {
        for len in [BULKY_PACKET_BYTES, BULKY_BYTES] {
            let brought = Brought::by(Some(len), false);

            assert_eq!(Share::among(true).bytes_after(brought), BULKY_BYTES);
        }
    }

    #[test]
    fn in_a_crowd_who_brings_anything_else_reads_a_little_at_once() {
        let small = Brought::by(Some(BULKY_PACKET_BYTES - 1), false);
        let read_by_itself = Brought::by(Some(BULKY_BYTES + 1), false);
        let unknown = Brought::by(None, false);
        let bulky_acks = Brought::by(Some(BULKY_PACKET_BYTES), true);

        assert_eq!(bulky_acks, Brought::OnlyAcks);
        for brought in [small, read_by_itself, unknown, bulky_acks] {
            assert_eq!(Share::among(true).bytes_after(brought), 16 * 1024);
        }
    }

    #[test]
    fn who_is_alone_reads_as_much_as_there_is_room_for() {
        for brought in [Brought::OnlyAcks, Brought::BulkyPackets, Brought::Others] {
            assert_eq!(Share::among(false).bytes_after(brought), READ_BUFFER_BYTES);
        }
    }
}
