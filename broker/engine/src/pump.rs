use std::sync::Arc;

use pintle_mqtt::{Publication, Publish};
use pintle_ports::{
    Action, CohortId, DeliverRuling, DropCause, Epoch, Event, EventKind, Identity, Verdict,
};
use pintle_session::{Delivery, Hooked, Tally, Waiting};

use crate::deliver::{Totals, to_one};
use crate::retained_backlog::{Next, RetainedTerms};
use crate::retained_store::Retained;
use crate::session::{DELIVERY_GROWTH, SessionRef};
use crate::store::Unsaved;
use crate::worker::{Worker, tell};

/// Messages taken from a queue at once when hooks have to see them.
const HOOKED_AT_ONCE: usize = 64;

impl Worker {
    /// Sends on what waits for a session: its queue, then retained messages that were asked for, as
    /// far as the outbox and the client's quota have room.
    pub(crate) fn pump(&self, session: &SessionRef, epoch: Epoch) {
        let (backlog, queue, meets_hooks) = {
            let Some(mut state) = session.lock_as(epoch) else { return };
            let meets_hooks = self.queue_meets_hooks(&state.identity);
            state.outbound.set_queue_meets_hooks(meets_hooks);
            (state.has_backlog(), state.outbound.has_waiting(), meets_hooks)
        };
        if queue {
            self.pump_queue(session, epoch);
            if meets_hooks {
                self.pump_queue_through_hooks(session, epoch);
            }
        }
        if backlog {
            self.pump_backlog(session, epoch);
        }
    }

    /// Whether what leaves the queue of this client has to be asked about.
    pub(crate) fn queue_meets_hooks(&self, who: &Identity) -> bool {
        self.interest().authorize || self.interest().deliver || who.rules().is_some()
    }

    fn pump_queue(&self, session: &SessionRef, epoch: Epoch) {
        let Some(mut state) = session.lock_as(epoch) else { return };
        let mut totals = Totals::default();
        let terms = self.delivery_terms();
        let limits = terms.limits_for(state.queue_messages_max);
        let before = state.outbox_len();
        totals.tally = state.write(|outbound, outbox| outbound.drain(&limits, terms.now, outbox));
        totals.bytes = state.outbox_len().saturating_sub(before) as u64;
        if totals.tally != Tally::default() && state.is_lasting() {
            self.engine().note(session, Unsaved::OUTBOUND);
        }
        drop(state);
        totals.count(self);
    }

    /// Queued messages meet the rights and the hooks of the moment they are given out.
    fn pump_queue_through_hooks(&self, session: &SessionRef, mut epoch: Epoch) {
        loop {
            let (waiting, identity) = {
                let Some(mut state) = session.lock_as(epoch) else { return };
                let terms = self.delivery_terms();
                let limits = terms.limits_for(state.queue_messages_max);
                let outbox_len = state.outbox_len();
                let waiting =
                    state.outbound.take_for_hooks(HOOKED_AT_ONCE, &limits, terms.now, outbox_len);
                (waiting, Arc::clone(&state.identity))
            };
            if waiting.is_empty() {
                return;
            }
            let mut totals = Totals::default();
            let cohort = self.cohort_of(session);
            let hooked: Vec<(Waiting, Hooked)> = waiting
                .into_iter()
                .map(|waiting| {
                    let hooked = self.hooked(&waiting, &identity, cohort);
                    totals.dropped_by_hook += u32::from(matches!(hooked, Hooked::Drop));
                    (waiting, hooked)
                })
                .collect();
            {
                let mut state = session.lock();
                let terms = self.delivery_terms();
                let limits = terms.limits_for(state.queue_messages_max);
                let before = state.outbox_len();
                totals.tally = state.write(|outbound, outbox| {
                    outbound.send_hooked(hooked, &limits, terms.now, outbox)
                });
                totals.bytes = state.outbox_len().saturating_sub(before) as u64;
                if state.is_lasting() {
                    self.engine().note(session, Unsaved::OUTBOUND);
                }
                // If the client has come back meanwhile, its new connection found these gone from
                // the queue; they are in it again, and nobody else would think of them.
                epoch = state.epoch;
            }
            totals.count(self);
        }
    }

    /// May the client still be given this, and as what?
    fn hooked(&self, waiting: &Waiting, identity: &Identity, cohort: CohortId) -> Hooked {
        let publish = waiting.publish();
        let Some(topic) = publish.topic else {
            return Hooked::Drop;
        };
        let dropped = |cause| {
            let topic = topic.as_str();
            tell(self, EventKind::Dropped, Event::Dropped { who: identity, topic, cause });
            Hooked::Drop
        };
        if !self.may_receive(identity, &publish).0 {
            return dropped(DropCause::Unauthorized);
        }
        if cohort == CohortId::NONE || !self.hooks().wants_deliver(topic) {
            return Hooked::Send;
        }
        match self.hooks().on_deliver(cohort, &publish, self.now) {
            DeliverRuling::Pass => Hooked::Send,
            DeliverRuling::Drop => dropped(DropCause::Plugin),
            DeliverRuling::Rewrite(frame) => match frame.as_run() {
                Ok(run) => {
                    let received_at = waiting.run().received_at();
                    let kept = Publication::new(run, received_at).kept(&self.engine().budget);
                    Hooked::Replace(kept)
                }
                Err(_) => dropped(DropCause::Plugin),
            },
        }
    }

    /// Retained messages: as many as there is room for now.
    fn pump_backlog(&self, session: &SessionRef, epoch: Epoch) {
        loop {
            let (retained, terms, identity) = {
                let Some(mut guard) = session.lock_as(epoch) else { return };
                let state = &mut *guard;
                let limits = self.delivery_terms().limits_for(state.queue_messages_max);
                let outbox_len = state.outbox_len();
                let Some(backlog) = state.aside.as_mut().and_then(|aside| aside.backlog.as_mut())
                else {
                    return;
                };
                let outbound = &state.outbound;
                let next = backlog.pop(|retained, terms| {
                    let qos = terms.qos.min(retained.qos());
                    let bytes = retained.message.frames().len() + DELIVERY_GROWTH;
                    outbound.would_send_all(qos, 1, bytes, &limits, outbox_len)
                });
                match next {
                    Next::Give(retained, terms) => (retained, terms, Arc::clone(&state.identity)),
                    Next::NoRoom => return,
                    Next::Nothing => {
                        state.end_backlog();
                        return;
                    }
                }
            };
            self.give_retained(session, epoch, &identity, &retained, terms);
        }
    }

    /// One retained message to one subscriber, if its author still has the right to publish it and
    /// the subscriber the right to receive it.
    fn give_retained(
        &self,
        session: &SessionRef,
        epoch: Epoch,
        identity: &Identity,
        retained: &Retained,
        terms: RetainedTerms,
    ) {
        let Some(mut publication) = Publication::of_kept(&retained.message) else {
            return;
        };
        if publication.expires_at() <= self.now {
            return;
        }
        let head = *publication.run().head();
        if !self.may_receive(identity, &head).0 || !self.may_still_publish(retained, &head) {
            return;
        }
        let id = terms.identifier;
        let subscription_ids = id.as_slice();
        let delivery = Delivery { qos: terms.qos, retain: true, subscription_ids, shared: false };
        to_one(self, &mut publication, session, epoch, &delivery);
    }

    fn may_still_publish(&self, retained: &Retained, publish: &Publish<'_>) -> bool {
        let Some(author) = &retained.author else {
            return true;
        };
        let action = if author.is_will { Action::Will(publish) } else { Action::Publish(publish) };
        self.authorize(&author.identity, action).verdict == Verdict::Allow
    }
}
