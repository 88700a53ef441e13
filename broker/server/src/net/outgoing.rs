use std::mem;

/// What goes out on one Network Connection, and whose turn it is to send it.
///
/// Pure: it is kept under the connection's lock, and neither the socket nor the outbox is touched
/// while the lock is held. Whoever is told to send calls [`Outgoing::next`] again when all of it
/// has gone, or [`Outgoing::block`] with what the socket did not take.
///
/// No wake-up is lost, because each way for bytes to appear ends in one of these:
/// - `Idle`: [`Outgoing::begin`] makes the caller the only writer.
/// - `Writing`: `begin` leaves `again`, or bytes in `given`, under the lock. The writer looks at
///   both under the same lock before it becomes `Idle`, and no later.
/// - `Blocked`: the owner was signalled by the writer that blocked. It alone resumes, once the
///   socket is writable, and `resume` sets `again`.
///
/// The outbox tells of its first byte after each `take`, so a byte that comes after the take of a
/// running writer calls `begin` and is seen by the second case.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone, PartialEq, Eq, Hash))]
pub(super) struct Outgoing {
    /// Nothing while nothing is held back, which is nearly always.
    held: Option<Box<Held>>,
    state: Sending,
    again: bool,
    closing: bool,
    more_waits: bool,
}

/// Bytes that wait here and not in the outbox.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone, PartialEq, Eq, Hash))]
struct Held {
    /// While blocked: socket bytes of which the first `sent` have gone.
    rest: Vec<u8>,
    sent: usize,
    /// MQTT bytes that do not come from the outbox: sent before a session, or the last ones.
    given: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
enum Sending {
    #[default]
    Idle,
    Writing,
    Blocked,
    Ended,
}

/// What the one writer does next.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, PartialEq, Eq, Hash))]
pub(super) enum Step {
    /// Send these socket bytes, from the given position on.
    Wire(Vec<u8>, usize),
    /// Encode and send these MQTT bytes.
    Mqtt(Vec<u8>),
    /// Take from the outbox, then encode and send.
    Take,
    /// Everything was sent and nothing will come: end the stream, then call [`Outgoing::end`].
    Finish,
    /// Nothing is left; the turn is over.
    Idle,
}

/// What happened to socket bytes given to [`Outgoing::begin_with`].
#[derive(Debug)]
pub(super) enum Begun {
    /// The caller is the writer now.
    Yes(Step),
    /// They are kept until the socket is writable, or of no use because the stream has ended.
    Kept,
    /// The peer makes us answer without taking the answers, beyond the bound.
    TooMuch,
}

/// Answers of the TLS and WebSocket layers that wait for a peer which does not read.
const KEPT_BYTES_MAX: usize = 64 * 1024;

impl Outgoing {
    /// Makes the caller the writer, or sees to it that the present writer does this caller's work.
    pub(super) fn begin(&mut self) -> Option<Step> {
        match self.state {
            Sending::Idle => {
                self.state = Sending::Writing;
                self.again = true;
                Some(self.next())
            }
            Sending::Writing => {
                self.again = true;
                None
            }
            Sending::Blocked | Sending::Ended => None,
        }
    }

    /// Like [`Outgoing::begin`], with socket bytes that go first.
    ///
    /// Only for connections that nobody but their owner writes on.
    pub(super) fn begin_with(&mut self, wire: Vec<u8>) -> Begun {
        match self.state {
            Sending::Idle => {
                self.state = Sending::Writing;
                Begun::Yes(Step::Wire(wire, 0))
            }
            Sending::Ended => Begun::Kept,
            Sending::Writing => Begun::TooMuch,
            Sending::Blocked => {
                let held = self.held.get_or_insert_default();
                if held.rest.len() - held.sent > KEPT_BYTES_MAX {
                    return Begun::TooMuch;
                }
                held.rest.extend_from_slice(&wire);
                Begun::Kept
            }
        }
    }

    /// The socket is writable again: makes the owner the writer.
    pub(super) fn resume(&mut self) -> Option<Step> {
        if self.state != Sending::Blocked {
            return None;
        }
        self.state = Sending::Writing;
        self.again = true;
        let (rest, sent) = self.held.as_mut().map(|held| held.take_rest()).unwrap_or_default();
        self.let_go();
        Some(Step::Wire(rest, sent))
    }

    /// The writer has sent what it was told to.
    pub(super) fn next(&mut self) -> Step {
        let given = self.held.as_mut().map(|held| mem::take(&mut held.given)).unwrap_or_default();
        if !given.is_empty() {
            self.let_go();
            Step::Mqtt(given)
        } else if self.closing {
            Step::Finish
        } else if mem::take(&mut self.again) {
            Step::Take
        } else {
            self.state = Sending::Idle;
            Step::Idle
        }
    }

    /// The socket took only the first `sent` bytes of `rest`. The writer then signals the owner.
    ///
    /// `more_waits` is kept for the writer that sends the rest.
    pub(super) fn block(&mut self, rest: Vec<u8>, sent: usize, more_waits: bool) {
        self.state = Sending::Blocked;
        let held = self.held.get_or_insert_default();
        held.rest = rest;
        held.sent = sent;
        self.more_waits |= more_waits;
    }

    /// Whether messages waited for the room that is there now.
    pub(super) fn take_more_waits(&mut self) -> bool {
        mem::take(&mut self.more_waits)
    }

    /// Adds bytes to be sent that do not come from the outbox.
    pub(super) fn give(&mut self, bytes: &[u8]) {
        if !self.closing && self.state != Sending::Ended {
            self.held.get_or_insert_default().given.extend_from_slice(bytes);
        }
    }

    /// Adds the last bytes, once; false if that was done before.
    pub(super) fn close(&mut self, last: Vec<u8>) -> bool {
        if self.closing || self.state == Sending::Ended {
            return false;
        }
        self.closing = true;
        if !last.is_empty() {
            self.held.get_or_insert_default().given.extend_from_slice(&last);
        }
        true
    }

    /// The stream is ended, or broken: nothing is sent any more.
    pub(super) fn end(&mut self) {
        *self = Self { state: Sending::Ended, closing: self.closing, ..Self::default() };
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state == Sending::Ended
    }

    /// Gives the memory back that held nothing.
    fn let_go(&mut self) {
        if self.held.as_ref().is_some_and(|held| held.rest.is_empty() && held.given.is_empty()) {
            self.held = None;
        }
    }
}

impl Held {
    fn take_rest(&mut self) -> (Vec<u8>, usize) {
        (mem::take(&mut self.rest), mem::take(&mut self.sent))
    }
}

#[cfg(test)]
#[path = "outgoing_tests.rs"]
mod tests;
