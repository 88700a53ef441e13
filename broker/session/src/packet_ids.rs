use pintle_mqtt::PacketId;

/// Packet Identifiers in use, as ranges that do not wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdRange {
    pub(crate) first: PacketId,
    pub(crate) count: u16,
}

impl IdRange {
    /// The identifier `n` after the first.
    pub(crate) fn nth(self, n: u16) -> PacketId {
        PacketId::new(self.first.get().saturating_add(n)).unwrap_or(self.first)
    }

    /// Gives the identifiers one by one.
    pub(crate) fn in_turn(self) -> impl FnMut() -> PacketId {
        let mut next = self.first;
        move || {
            let id = next;
            next = id.next();
            id
        }
    }
}

/// Gives out Packet Identifiers in turn, never one that is in use.
///
/// Remembers only how many identifiers are free from the next one on. When used ones come close,
/// because a client leaves some unacknowledged while thousands pass by, it keeps a bit for each
/// until nothing is in flight any more.
#[derive(Debug)]
pub(crate) struct PacketIds {
    next: PacketId,
    free_ahead: u16,
    used: Option<Box<UsedIds>>,
}

impl PacketIds {
    const ALL: u16 = u16::MAX;
    /// With fewer free ahead, looking for them anew each time would cost more than the bits.
    const FREE_AHEAD_MIN: u16 = 4096;

    pub(crate) fn new() -> Self {
        Self { next: PacketId::FIRST, free_ahead: Self::ALL, used: None }
    }

    /// Some are in use already, `last` the last of them: which others, is found out when the next is
    /// asked for.
    pub(crate) fn after(last: PacketId) -> Self {
        Self { next: last.next(), free_ahead: 0, used: None }
    }

    /// The next free identifiers in a row, at most `wanted`; `None` if all are in use.
    ///
    /// `in_use` is asked only when the memory of what is free runs out.
    pub(crate) fn peek<I: Iterator<Item = IdRange>>(
        &mut self,
        wanted: u32,
        in_use: impl FnOnce() -> I,
    ) -> Option<IdRange> {
        if self.used.is_none() && self.free_ahead == 0 {
            self.look_ahead(in_use());
        }
        if let Some(used) = &self.used {
            self.next = used.first_free_from(self.next)?;
            self.free_ahead = used.free_from(self.next, wanted);
        }
        let before_wrap = Self::ALL - self.next.get() + 1;
        let most = self.free_ahead.min(before_wrap);
        Some(IdRange {
            first: self.next,
            count: u16::try_from(wanted).unwrap_or(u16::MAX).min(most),
        })
    }

    fn look_ahead(&mut self, in_use: impl Iterator<Item = IdRange>) {
        let mut used = Box::new(UsedIds::none());
        for range in in_use {
            used.set(range, true);
        }
        self.free_ahead = used.free_from(self.next, u32::from(Self::ALL));
        if self.free_ahead < Self::FREE_AHEAD_MIN {
            self.used = Some(used);
        }
    }

    /// The first `range.count` of the identifiers that [`PacketIds::peek`] gave are now in use.
    pub(crate) fn take(&mut self, range: IdRange) {
        if range.count == 0 {
            return;
        }
        let last = range.first.get() + (range.count - 1);
        self.next = PacketId::new(last).unwrap_or(PacketId::FIRST).next();
        self.free_ahead = self.free_ahead.saturating_sub(range.count);
        if let Some(used) = &mut self.used {
            used.set(range, true);
        }
    }

    /// One identifier is free again.
    #[inline]
    pub(crate) fn free(&mut self, id: PacketId) {
        if let Some(used) = &mut self.used {
            used.set(IdRange { first: id, count: 1 }, false);
        }
    }

    /// All identifiers are free again.
    pub(crate) fn free_all(&mut self) {
        self.free_ahead = Self::ALL;
        self.used = None;
    }
}

/// One bit for each identifier.
#[derive(Debug)]
struct UsedIds {
    words: [u64; Self::WORDS],
}

impl UsedIds {
    const WORDS: usize = 1 << 10;

    /// Identifier 0 does not exist, so it counts as used.
    fn none() -> Self {
        let mut words = [0; Self::WORDS];
        if let Some(first) = words.first_mut() {
            *first = 1;
        }
        Self { words }
    }

    fn set(&mut self, range: IdRange, used: bool) {
        let first = u32::from(range.first.get());
        for id in first..first + u32::from(range.count) {
            if let Some(word) = self.words.get_mut(id as usize / 64) {
                let bit = 1 << (id % 64);
                *word = if used { *word | bit } else { *word & !bit };
            }
        }
    }

    /// The first free identifier at or after `from`, or else from 1 on.
    fn first_free_from(&self, from: PacketId) -> Option<PacketId> {
        let (from_word, from_bit) = (from.get() as usize / 64, u32::from(from.get()) % 64);
        let upper = self.words.get(from_word..)?.iter().enumerate();
        for (at, word) in upper {
            let hidden = if at == 0 { (1 << from_bit) - 1 } else { 0 };
            let free = !(word | hidden);
            if free != 0 {
                return Self::id(from_word + at, free.trailing_zeros());
            }
        }
        let lower = self.words.iter().enumerate().take(from_word + 1);
        let (at, word) = lower.into_iter().find(|(_, word)| **word != u64::MAX)?;
        Self::id(at, (!word).trailing_zeros())
    }

    fn id(word: usize, bit: u32) -> Option<PacketId> {
        PacketId::new(u16::try_from(word as u32 * 64 + bit).ok()?)
    }

    /// How many identifiers are free from `from` on, going round; looks no further than `most`.
    fn free_from(&self, from: PacketId, most: u32) -> u16 {
        let mut id = from;
        let mut free = 0;
        while u32::from(free) < most && free < u16::MAX && !self.is_used(id) {
            free += 1;
            id = id.next();
        }
        free
    }

    fn is_used(&self, id: PacketId) -> bool {
        let id = u32::from(id.get());
        self.words.get(id as usize / 64).is_some_and(|word| word >> (id % 64) & 1 == 1)
    }
}
