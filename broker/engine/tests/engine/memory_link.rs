use std::sync::Arc;
use std::sync::Mutex;

use pintle_ports::{Epoch, Link, Outbox, Taken};

/// A Network Connection that ends in memory: it keeps what was sent until the test looks.
#[derive(Default)]
pub(crate) struct MemoryLink {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    outbox: Option<(Arc<dyn Outbox>, Epoch)>,
    is_ready: bool,
    sent: Vec<u8>,
    is_closed: bool,
    buffer: Vec<u8>,
    lent: usize,
}

impl MemoryLink {
    /// Takes what waits in the outbox, once. `None` if the engine has not said that anything does.
    pub(crate) fn take(&self) -> Option<Taken> {
        let (outbox, epoch, mut buffer) = {
            let mut state = self.state.lock().unwrap();
            if !state.is_ready || state.is_closed {
                return None;
            }
            state.is_ready = false;
            let (outbox, epoch) = state.outbox.clone()?;
            (outbox, epoch, std::mem::take(&mut state.buffer))
        };
        let taken = outbox.take(epoch, &mut buffer);
        let mut state = self.state.lock().unwrap();
        state.sent.extend_from_slice(&buffer);
        buffer.clear();
        state.buffer = buffer;
        Some(taken)
    }

    /// Everything sent since the last call.
    pub(crate) fn sent(&self) -> Vec<u8> {
        std::mem::take(&mut self.state.lock().unwrap().sent)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().unwrap().is_closed
    }

    /// Whether the engine has said that bytes wait which have not been taken.
    pub(crate) fn is_ready(&self) -> bool {
        self.state.lock().unwrap().is_ready
    }

    /// Buffers that the engine was lent, and has not given back empty.
    pub(crate) fn lent(&self) -> usize {
        self.state.lock().unwrap().lent
    }

    pub(crate) fn outbox(&self) -> (Arc<dyn Outbox>, Epoch) {
        self.state.lock().unwrap().outbox.clone().unwrap()
    }
}

impl Link for MemoryLink {
    fn send(&self, bytes: &[u8]) {
        let mut state = self.state.lock().unwrap();
        assert!(state.outbox.is_none(), "sent past the outbox");
        state.sent.extend_from_slice(bytes);
    }

    fn attach(&self, outbox: Arc<dyn Outbox>, epoch: Epoch) {
        self.state.lock().unwrap().outbox = Some((outbox, epoch));
    }

    fn ready(self: Arc<Self>) {
        let mut state = self.state.lock().unwrap();
        assert!(!state.is_ready, "told twice that bytes wait");
        state.is_ready = true;
    }

    fn spare_buffer(&self) -> Vec<u8> {
        self.state.lock().unwrap().lent += 1;
        Vec::with_capacity(64)
    }

    fn recycle(&self, buffer: Vec<u8>) {
        assert!(buffer.is_empty(), "bytes are lost");
        if buffer.capacity() > 0 {
            self.state.lock().unwrap().lent -= 1;
        }
    }

    fn close(&self, last: Vec<u8>) {
        let mut state = self.state.lock().unwrap();
        if !state.is_closed {
            state.is_closed = true;
            state.sent.extend_from_slice(&last);
        }
    }
}
