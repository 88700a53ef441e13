use std::sync::atomic::{AtomicU8, Ordering};

/// What other threads, the sweep and writers tell the task that owns a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Signal {
    /// Nothing but that a look around is due: the socket took less than there was.
    Look = 1,
    /// There are bytes that only the owner can send.
    Flush = 1 << 1,
    /// The last bytes have been given: send them and close.
    Close = 1 << 2,
    /// Messages waited for room in the outbox, and it has been sent.
    Room = 1 << 3,
    /// The peer has been silent for too long.
    Silent = 1 << 4,
    /// A pause is over.
    Retry = 1 << 5,
    /// Nothing is sent any more: the stream out was ended, or broke.
    Ended = 1 << 6,
}

/// The signals that a connection's owner has not looked at.
#[derive(Debug, Default)]
pub(super) struct Signals {
    raised: AtomicU8,
}

/// The signals raised at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raised(u8);

impl Signals {
    pub(super) fn raise(&self, signal: Signal) {
        self.raised.fetch_or(signal as u8, Ordering::AcqRel);
    }

    /// Takes them down. Whoever raises one wakes the owner afterwards, so none is overlooked.
    pub(super) fn take(&self) -> Raised {
        if self.raised.load(Ordering::Relaxed) == 0 {
            return Raised(0);
        }
        Raised(self.raised.swap(0, Ordering::AcqRel))
    }
}

impl Raised {
    pub(super) const fn any(self) -> bool {
        self.0 != 0
    }

    pub(super) const fn has(self, signal: Signal) -> bool {
        self.0 & signal as u8 != 0
    }
}
