use std::cell::Cell;

use parking_lot::MutexGuard;
use pintle_mqtt::{Publication, Publish, QoS, Run, Timestamp};
use pintle_ports::{CohortId, DeliverRuling, DropCause, Epoch, Event, EventKind};
use pintle_router::{Grant, Member, OwnGrant, SharedGroup};
use pintle_session::{Delivery, Tally};

use crate::admit::Authorized;
use crate::counters::add;
use crate::route::{Route, RouteTarget};
use crate::session::{Session, SessionRef, SessionState};
use crate::store::Unsaved;
use crate::worker::{Standing, Worker};

/// Gives an authorised publication to all receivers of its route.
pub(crate) fn deliver(
    worker: &Worker,
    message: &mut Authorized<Publication<'_>>,
    route: &Route,
    publisher: Option<&SessionRef>,
) {
    let mut totals = Totals::default();
    if route.has_cohorts {
        to_cohorts(worker, message, &route.targets, publisher, &mut totals);
    } else {
        let mut forms = Forms::Same(message.publication());
        to_targets(worker, &mut forms, &route.targets, publisher, &mut totals);
    }
    for group in &route.groups {
        to_group(worker, message, group, &mut totals);
    }
    totals.count(worker);
}

/// Receivers in the order of their cohorts: hooks see each message once a cohort.
fn to_cohorts(
    worker: &Worker,
    message: &mut Authorized<Publication<'_>>,
    targets: &[RouteTarget],
    publisher: Option<&SessionRef>,
    totals: &mut Totals,
) {
    for targets in targets.chunk_by(|one, other| one.cohort == other.cohort) {
        let cohort = targets.first().map_or(CohortId::NONE, |first| first.cohort);
        if cohort == CohortId::NONE {
            let mut forms = Forms::Same(message.publication());
            to_targets(worker, &mut forms, targets, publisher, totals);
        } else {
            let run = *message.run();
            transformed(worker, &run, cohort, |forms| {
                to_targets(worker, forms, targets, publisher, totals);
            });
        }
    }
}

fn to_targets(
    worker: &Worker,
    message: &mut Forms<'_, '_>,
    targets: &[RouteTarget],
    publisher: Option<&SessionRef>,
    totals: &mut Totals,
) {
    for RouteTarget { target, .. } in targets {
        let own = publisher.is_some_and(|publisher| *publisher == target.subscriber);
        let grant = match (&target.own, own) {
            (_, false) | (OwnGrant::Same, true) => &target.grant,
            (OwnGrant::Other(grant), true) => grant,
            (OwnGrant::Nothing, true) => continue,
        };
        to_session(worker, message, &target.subscriber, (grant, false), totals);
    }
}

/// Each message of the run to one member of a shared group, in turn.
fn to_group(
    worker: &Worker,
    message: &mut Authorized<Publication<'_>>,
    group: &SharedGroup<SessionRef>,
    totals: &mut Totals,
) {
    let run = *message.run();
    if run.count() == 1 || group.len() == 1 {
        to_some_member(worker, message.publication(), group, totals);
        return;
    }
    for (publish, frame) in run.iter() {
        let single = Run::new(publish, run.layout(), frame, 1);
        to_some_member(worker, &mut Publication::new(single, worker.now), group, totals);
    }
}

/// A message, or a run that is not to be shared out, to the member whose turn it is.
pub(crate) fn to_some_member(
    worker: &Worker,
    publication: &mut Publication<'_>,
    group: &SharedGroup<SessionRef>,
    totals: &mut Totals,
) {
    if let Some(member) = choose(worker, group, publication.run().head()) {
        to_member(worker, publication, member, totals);
    }
}

/// The next member that is connected and may receive the message, or else one whose session keeps
/// it.
fn choose<'g>(
    worker: &Worker,
    group: &'g SharedGroup<SessionRef>,
    publish: &Publish<'_>,
) -> Option<&'g Member<SessionRef>> {
    let pick = |fits: &dyn Fn(Standing) -> bool| {
        let found = Cell::new(false);
        let member = group.pick(|session: &SessionRef| {
            found.set(fits(worker.standing(session, publish)));
            found.get()
        });
        member.filter(|_| found.get())
    };
    pick(&|standing| standing == Standing::Connected)
        .or_else(|| pick(&|standing| standing != Standing::Excluded))
}

fn to_member(
    worker: &Worker,
    publication: &mut Publication<'_>,
    member: &Member<SessionRef>,
    totals: &mut Totals,
) {
    let run = *publication.run();
    let (session, grant) = (&member.subscriber, Grant::new(member.options));
    let cohort = worker.cohort_for(session, run.topic());
    if cohort == CohortId::NONE {
        let same = &mut Forms::Same(publication);
        return to_session(worker, same, session, (&grant, true), totals);
    }
    transformed(worker, &run, cohort, |forms| {
        to_session(worker, forms, session, (&grant, true), totals);
    });
}

/// What an `on_deliver` hook made of a publication. Who can not be sent it at once gets it queued
/// as it was before, since the hook is to see it when it leaves the queue.
enum Forms<'a, 'b> {
    /// Nothing.
    Same(&'a mut Publication<'b>),
    Changed {
        sent: &'a mut Publication<'b>,
        queued: &'a mut Publication<'b>,
    },
    /// It is not for this cohort now.
    Dropped {
        queued: &'a mut Publication<'b>,
    },
}

impl<'b> Forms<'_, 'b> {
    fn run(&self) -> &Run<'b> {
        match self {
            Self::Same(publication) => publication.run(),
            Self::Changed { sent, .. } => sent.run(),
            Self::Dropped { queued } => queued.run(),
        }
    }
}

/// Lets the hook see each message of a run, once for all members of the cohort.
fn transformed(
    worker: &Worker,
    run: &Run<'_>,
    cohort: CohortId,
    then: impl FnMut(&mut Forms<'_, '_>),
) {
    transformed_from(worker, run, worker.now, cohort, then);
}

/// The same for a run that the broker took at `received_at`, from where its expiry counts.
fn transformed_from(
    worker: &Worker,
    run: &Run<'_>,
    received_at: Timestamp,
    cohort: CohortId,
    mut then: impl FnMut(&mut Forms<'_, '_>),
) {
    for (publish, frame) in run.iter() {
        let single = Run::new(publish, run.layout(), frame, 1);
        let mut before = Publication::new(single, received_at);
        match worker.hooks().on_deliver(cohort, &publish, worker.now) {
            DeliverRuling::Pass => then(&mut Forms::Same(&mut before)),
            DeliverRuling::Drop => then(&mut Forms::Dropped { queued: &mut before }),
            DeliverRuling::Rewrite(frame) => match frame.as_run() {
                Ok(single) => {
                    let mut sent = Publication::new(single, received_at);
                    then(&mut Forms::Changed { sent: &mut sent, queued: &mut before });
                }
                Err(_) => then(&mut Forms::Dropped { queued: &mut before }),
            },
        }
    }
}

fn to_session(
    worker: &Worker,
    message: &mut Forms<'_, '_>,
    session: &Session,
    (grant, shared): (&Grant, bool),
    totals: &mut Totals,
) {
    let retain = message.run().retain() && grant.retain_as_published;
    let subscription_ids = &grant.identifiers;
    let delivery = Delivery { qos: grant.qos, retain, subscription_ids, shared };
    give(worker, message, session, session.lock(), &delivery, totals);
}

/// Sends or queues one form of the message.
fn give(
    worker: &Worker,
    message: &mut Forms<'_, '_>,
    session: &Session,
    mut state: MutexGuard<'_, SessionState>,
    delivery: &Delivery<'_>,
    totals: &mut Totals,
) {
    if state.ended {
        return;
    }
    let terms = worker.delivery_terms();
    let before = state.outbox_len();
    let mut dropped_by_hook = 0;
    let tally = match message {
        Forms::Same(publication) => state.deliver(publication, delivery, &terms),
        Forms::Changed { sent, queued } if state.would_queue(sent, delivery, &terms) => {
            state.queue(queued, delivery, &terms)
        }
        Forms::Changed { sent, .. } => state.deliver(sent, delivery, &terms),
        Forms::Dropped { queued } if state.would_queue(queued, delivery, &terms) => {
            state.queue(queued, delivery, &terms)
        }
        Forms::Dropped { queued } => {
            dropped_by_hook = queued.run().count();
            Tally::default()
        }
    };
    totals.bytes += state.outbox_len().saturating_sub(before) as u64;
    if let Some(ledger) = worker.engine().ledger()
        && delivery.qos.min(message.run().qos()) > QoS::AtMostOnce
        && state.is_lasting()
    {
        ledger.note(session, Unsaved::OUTBOUND);
    }
    drop(state);
    totals.tally.merge(tally);
    totals.dropped_by_hook += dropped_by_hook;
    let dropped = tally.dropped() + dropped_by_hook;
    if dropped > 0 && worker.interest().events.contains(EventKind::Dropped) {
        tell_drops(worker, session, message.run().head(), tally, dropped_by_hook);
    }
}

/// Tells the plugins that asked what a session did not get.
fn tell_drops(
    worker: &Worker,
    session: &Session,
    head: &Publish<'_>,
    tally: Tally,
    dropped_by_hook: u32,
) {
    let identity = session.identity();
    let topic = head.topic.map_or("", |topic| topic.as_str());
    let causes = [
        (tally.queue_full, DropCause::QueueFull),
        (tally.too_large, DropCause::TooLarge),
        (tally.expired, DropCause::Expired),
        (tally.slow_consumer, DropCause::SlowConsumer),
        (dropped_by_hook, DropCause::Plugin),
    ];
    for (count, cause) in causes {
        for _ in 0..count {
            worker.hooks().event(Event::Dropped { who: &identity, topic, cause });
        }
    }
}

/// What the deliveries of one run came to.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) tally: Tally,
    /// Bytes appended to outboxes.
    pub(crate) bytes: u64,
    pub(crate) dropped_by_hook: u32,
}

impl Totals {
    pub(crate) fn count(&self, worker: &Worker) {
        let counts = worker.counts();
        let sent = u64::from(self.tally.sent);
        if sent > 0 {
            counts.sent(&counts.publish_sent, sent);
            add(&counts.publishes_sent, sent);
            add(&counts.publish_bytes_sent, self.bytes);
            add(&counts.bytes_sent, self.bytes);
        }
        let dropped = self.tally.dropped() + self.dropped_by_hook;
        if dropped > 0 {
            add(&counts.publishes_dropped, u64::from(dropped));
        }
    }
}

/// A message to one client, past its `on_deliver` hooks, whatever it subscribed to.
pub(crate) fn to_client(worker: &Worker, publication: &mut Publication<'_>, session: &SessionRef) {
    let mut totals = Totals::default();
    let run = *publication.run();
    let delivery = Delivery { qos: run.qos(), retain: false, subscription_ids: &[], shared: false };
    let mut give_form = |forms: &mut Forms<'_, '_>| {
        give(worker, forms, session, session.lock(), &delivery, &mut totals);
    };
    let cohort = worker.cohort_for(session, run.topic());
    if cohort == CohortId::NONE {
        give_form(&mut Forms::Same(publication));
    } else {
        transformed(worker, &run, cohort, give_form);
    }
    totals.count(worker);
}

/// A retained message to the connection that asked for it, past its `on_deliver` hooks.
pub(crate) fn to_one(
    worker: &Worker,
    publication: &mut Publication<'_>,
    session: &SessionRef,
    epoch: Epoch,
    delivery: &Delivery<'_>,
) {
    let mut totals = Totals::default();
    let run = *publication.run();
    let mut give_form = |forms: &mut Forms<'_, '_>| {
        if let Some(state) = session.lock_as(epoch) {
            give(worker, forms, session, state, delivery, &mut totals);
        }
    };
    let cohort = worker.cohort_for(session, run.topic());
    if cohort == CohortId::NONE {
        give_form(&mut Forms::Same(publication));
    } else {
        let received_at = publication.received_at();
        transformed_from(worker, &run, received_at, cohort, give_form);
    }
    totals.count(worker);
}
