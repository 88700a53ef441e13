use std::sync::Arc;

/// Which Network Connection of a session: rises with each, so that a late call of an old one is
/// told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u32);

/// A Network Connection as the engine sees it; the server implements it. Any thread may call.
pub trait Link: Send + Sync {
    /// Sends bytes before a session is attached: AUTH during CONNECT.
    fn send(&self, bytes: &[u8]);

    /// From now on what is to be sent is taken from `outbox`, with `epoch`.
    fn attach(&self, outbox: Arc<dyn Outbox>, epoch: Epoch);

    /// The outbox has bytes and did not have any before: send them by the end of the turn.
    ///
    /// Called under the lock of the outbox, so it must not call back; it notes the link down. It is
    /// not called again before [`Outbox::take`] was.
    fn ready(self: Arc<Self>);

    /// An empty buffer for the outbox to begin in, which leaves with its bytes. Called under locks.
    fn spare_buffer(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Takes a buffer back that the outbox had no use for. Called under locks.
    fn recycle(&self, _buffer: Vec<u8>) {}

    /// Sends `last` after everything taken so far, then closes. Later calls change nothing.
    /// Nothing is taken from the outbox any more. Called under locks: it must not call back.
    fn close(&self, last: Vec<u8>);
}

/// Where the encoded bytes for one Network Connection wait; the engine implements it.
pub trait Outbox: Send + Sync {
    /// Moves what waits into `into`, which is empty; its allocation goes to the outbox in exchange.
    ///
    /// Nothing is taken if `epoch` is not that of the present connection.
    fn take(&self, epoch: Epoch, into: &mut Vec<u8>) -> Taken;
}

/// What [`Outbox::take`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Nothing waits, or the epoch is over. The next byte calls [`Link::ready`] again.
    Nothing,
    /// Bytes were moved; the next byte calls [`Link::ready`] again.
    Bytes,
    /// Bytes were moved, and messages wait that had no room: once these are sent, let the
    /// connection's owner call `Connection::on_room`.
    BytesAndMoreWaits,
}
