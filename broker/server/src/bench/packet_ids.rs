//! Packet Identifiers of messages that wait for their acknowledgement.

/// Gives out Packet Identifiers from 1 to 65,535 in turn and remembers which are in use.
#[derive(Default)]
pub(super) struct PacketIds {
    /// One bit for each; empty until the first is taken.
    taken: Vec<u64>,
    last: u16,
    in_use: u32,
}

impl PacketIds {
    pub(super) const fn in_use(&self) -> u32 {
        self.in_use
    }

    /// The next one that is free; `None` if that one is still in use, and so are most.
    #[inline]
    pub(super) fn take(&mut self) -> Option<u16> {
        if self.taken.is_empty() {
            self.taken = vec![0; (usize::from(u16::MAX) + 1) / 64];
        }
        let id = self.last.checked_add(1).unwrap_or(1);
        let bits = self.taken.get_mut(usize::from(id / 64))?;
        let bit = 1 << (id % 64);
        if *bits & bit != 0 {
            return None;
        }
        *bits |= bit;
        self.last = id;
        self.in_use += 1;
        Some(id)
    }

    /// Frees one; false if it was not in use.
    #[inline]
    pub(super) fn release(&mut self, id: u16) -> bool {
        let Some(bits) = self.taken.get_mut(usize::from(id / 64)) else {
            return false;
        };
        let bit = 1 << (id % 64);
        let was_taken = *bits & bit != 0;
        *bits &= !bit;
        self.in_use -= u32::from(was_taken);
        was_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_used_again_only_when_released() {
        let mut ids = PacketIds::default();
        let all: Vec<u16> = std::iter::from_fn(|| ids.take()).collect();

        assert_eq!(all, (1..=u16::MAX).collect::<Vec<_>>());
        assert_eq!(ids.in_use(), 65_535);

        assert!(ids.release(1));
        assert_eq!(ids.take(), Some(1));
        assert_eq!(ids.take(), None);
    }

    #[test]
    fn what_was_not_taken_cannot_be_released() {
        let mut ids = PacketIds::default();

        assert!(!ids.release(1));
        assert_eq!(ids.take(), Some(1));
        assert!(ids.release(1));
        assert!(!ids.release(1));
        assert_eq!(ids.in_use(), 0);
    }
}
