use std::sync::Arc;

use pintle_mqtt::{Publication, Run};
use pintle_ports::{Action, CohortId, DeliverRuling, Epoch, Verdict};
use pintle_session::{Delivery, Hooked, Waiting};

use crate::deliver::{Totals, to_one};
use crate::retained_backlog::{Next, RetainedTerms};
use crate::retained_store::Retained;
use crate::session::SessionRef;
use crate::worker::Worker;

/// What a packet may grow by when it is delivered: identifiers, a longer length.
const DELIVERY_GROWTH: usize = 16;

/// Messages taken from a queue at once when hooks have to see them.
const HOOKED_AT_ONCE: usize = 64;

impl Worker {
    /// Sends on what waits for a session: retained messages that were asked for, then the queue, as
    /// far as the outbox and the client's quota have room.
    pub(crate) fn pump(&mut self, session: &SessionRef, epoch: Epoch) {
        let (backlog, queue, asks) = {
            let mut state = session.lock();
            if state.epoch != epoch {
                return;
            }
            let asks = self.queue_meets_hooks() || state.identity.rules.is_some();
            state.outbound.set_queue_meets_hooks(asks);
            (state.backlog.is_some(), state.outbound.has_waiting(), asks)
        };
        if queue {
            self.pump_queue(session, epoch);
            if asks {
                self.pump_queue_through_hooks(session, epoch);
            }
        }
        if backlog {
            self.pump_backlog(session, epoch);
        }
    }

    /// Whether what leaves a queue has to be asked about.
    pub(crate) fn queue_meets_hooks(&self) -> bool {
        self.interest().authorize || self.interest().deliver
    }

    fn pump_queue(&mut self, session: &SessionRef, epoch: Epoch) {
        let mut totals = Totals::default();
        {
            let mut state = session.lock();
            if state.epoch != epoch {
                return;
            }
            let terms = self.delivery_terms();
            let limits = terms.limits_for(state.queue_messages_max);
            let before = state.outbox_len();
            totals.tally =
                state.write(|outbound, outbox| outbound.drain(&limits, terms.now, outbox));
            totals.bytes = state.outbox_len().saturating_sub(before) as u64;
        }
        totals.count(self);
    }

    /// Queued messages meet the rights and the hooks of the moment they are given out.
    fn pump_queue_through_hooks(&mut self, session: &SessionRef, epoch: Epoch) {
        loop {
            let waiting = {
                let mut state = session.lock();
                if state.epoch != epoch {
                    return;
                }
                let terms = self.delivery_terms();
                let limits = terms.limits_for(state.queue_messages_max);
                let outbox_len = state.outbox_len();
                state.outbound.take_for_hooks(HOOKED_AT_ONCE, &limits, terms.now, outbox_len)
            };
            if waiting.is_empty() {
                return;
            }
            let identity = session.identity();
            let cohort = self.cohort_of(session);
            let hooked: Vec<(Waiting, Hooked)> = waiting
                .into_iter()
                .map(|waiting| {
                    let hooked = self.hooked(&waiting, &identity, cohort);
                    (waiting, hooked)
                })
                .collect();
            let mut totals = Totals::default();
            {
                let mut state = session.lock();
                let terms = self.delivery_terms();
                let limits = terms.limits_for(state.queue_messages_max);
                let before = state.outbox_len();
                totals.tally = state.write(|outbound, outbox| {
                    outbound.send_hooked(hooked, &limits, terms.now, outbox)
                });
                totals.bytes = state.outbox_len().saturating_sub(before) as u64;
            }
            totals.count(self);
        }
    }

    /// May the client still be given this, and as what?
    fn hooked(
        &self,
        waiting: &Waiting,
        identity: &pintle_ports::Identity,
        cohort: CohortId,
    ) -> Hooked {
        let publish = waiting.publish();
        if !self.may_receive(identity, &publish).0 {
            return Hooked::Drop;
        }
        let Some(topic) = publish.topic else {
            return Hooked::Drop;
        };
        if cohort == CohortId::NONE || !self.hooks().wants_deliver(topic) {
            return Hooked::Send;
        }
        match self.hooks().on_deliver(cohort, &publish, self.now) {
            DeliverRuling::Pass => Hooked::Send,
            DeliverRuling::Drop => Hooked::Drop,
            DeliverRuling::Rewrite(frame) => match frame.as_run() {
                Ok(run) => {
                    let received_at = waiting.run().received_at();
                    let kept = Publication::new(run, received_at).kept(&self.engine().budget);
                    Hooked::Replace(kept)
                }
                Err(_) => Hooked::Drop,
            },
        }
    }

    /// Retained messages: as many as there is room for now.
    fn pump_backlog(&mut self, session: &SessionRef, epoch: Epoch) {
        loop {
            let (retained, terms, identity) = {
                let mut guard = session.lock();
                let state = &mut *guard;
                if state.epoch != epoch {
                    return;
                }
                let delivery = self.delivery_terms();
                let limits = delivery.limits_for(state.queue_messages_max);
                let outbox_len = state.outbox_len();
                let Some(backlog) = &mut state.backlog else {
                    return;
                };
                let outbound = &state.outbound;
                let next = backlog.pop(|retained, terms| {
                    let bytes = retained.message.frames().len() + DELIVERY_GROWTH;
                    outbound.would_send_all(terms.qos, 1, bytes, &limits, outbox_len)
                });
                match next {
                    Next::Give(retained, terms) => (retained, terms, Arc::clone(&state.identity)),
                    Next::NoRoom => return,
                    Next::Nothing => {
                        state.backlog = None;
                        return;
                    }
                }
            };
            self.give_retained(session, &identity, &retained, terms);
        }
    }

    /// One retained message to one subscriber, if its author still has the right to publish it and
    /// the subscriber the right to receive it.
    fn give_retained(
        &self,
        session: &SessionRef,
        identity: &pintle_ports::Identity,
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
        if !self.may_receive(identity, &head).0 || !self.may_still_publish(retained, &publication) {
            return;
        }
        let id = terms.identifier;
        let delivery = Delivery { qos: terms.qos, retain: true, subscription_ids: id.as_slice() };
        to_one(self, &mut publication, &session.0, &delivery);
    }

    fn may_still_publish(&self, retained: &Retained, publication: &Publication<'_>) -> bool {
        let Some(author) = &retained.author else {
            return true;
        };
        let run: &Run<'_> = publication.run();
        let ruling = self.authorize(author, Action::Publish(run.head()));
        ruling.verdict == Verdict::Allow
    }
}
