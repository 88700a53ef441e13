use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};
use pintle_mqtt::KeptRun;
use pintle_ports::{Space, StoreOp};
use pintle_session::Waiting;

use super::records::message_record;
use super::wall_clock::WallClock;

/// Where a message is in memory, which tells it from all others for as long as it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    run: usize,
    offset: u32,
}

impl Place {
    pub(crate) fn of(message: &Waiting) -> Self {
        Self { run: Arc::as_ptr(message.run()).addr(), offset: message.offset() }
    }
}

/// The messages that are stored, each once however many sessions have it.
pub(crate) struct Bodies {
    stored: HashMap<Place, Body>,
    /// Those that were let go, which somebody may have taken up again.
    let_go: Vec<Place>,
    next: u64,
}

struct Body {
    number: u64,
    uses: u32,
    /// While it is held no other run can be at its place.
    _run: Arc<KeptRun>,
}

impl Bodies {
    /// `next` is a number that none had yet.
    pub(crate) fn new(next: u64) -> Self {
        Self { stored: HashMap::new(), let_go: Vec::new(), next }
    }

    /// One that is stored already by this number, and that nobody uses yet.
    pub(crate) fn restore(&mut self, number: u64, run: Arc<KeptRun>) {
        let place = Place { run: Arc::as_ptr(&run).addr(), offset: 0 };
        self.stored.insert(place, Body { number, uses: 0, _run: run });
        self.let_go.push(place);
    }

    /// Somebody refers to a message that is stored.
    pub(crate) fn use_again(&mut self, place: Place) {
        if let Some(body) = self.stored.get_mut(&place) {
            body.uses += 1;
        }
    }

    /// Somebody refers to a message: gives its number. It is stored with `ops` if it was not.
    pub(crate) fn take_up(
        &mut self,
        message: &Waiting,
        clock: WallClock,
        ops: &mut Vec<StoreOp>,
    ) -> u64 {
        let next = &mut self.next;
        let body = self.stored.entry(Place::of(message)).or_insert_with(|| {
            let number = *next;
            *next += 1;
            ops.push(StoreOp::Put {
                space: Space::Messages,
                key: number.to_be_bytes().to_vec(),
                value: message_record(message.run(), message.frame(), clock),
                expires_at_ms: None,
            });
            Body { number, uses: 0, _run: Arc::clone(message.run()) }
        });
        body.uses += 1;
        body.number
    }

    /// Somebody who referred to a message no longer does.
    pub(crate) fn let_go(&mut self, place: Place) {
        if let Some(body) = self.stored.get_mut(&place) {
            body.uses = body.uses.saturating_sub(1);
            if body.uses == 0 {
                self.let_go.push(place);
            }
        }
    }

    /// Removes what nobody refers to.
    pub(crate) fn sweep(&mut self, ops: &mut Vec<StoreOp>) {
        for place in self.let_go.drain(..) {
            if self.stored.get(&place).is_some_and(|body| body.uses == 0)
                && let Some(body) = self.stored.remove(&place)
            {
                let key = body.number.to_be_bytes().to_vec();
                ops.push(StoreOp::Delete { space: Space::Messages, key });
            }
        }
    }
}
