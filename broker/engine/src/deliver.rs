use std::sync::Arc;

use pintle_mqtt::{Publication, Publish, Run};
use pintle_ports::{CohortId, DeliverRuling, DropCause, Event, EventKind};
use pintle_router::{Grant, OwnGrant};
use pintle_session::{Delivery, Tally};

use crate::admit::Authorized;
use crate::counters::add;
use crate::route::{Route, RouteTarget};
use crate::session::{Session, SessionRef};
use crate::worker::Worker;

/// Gives an authorised publication to all receivers of its route.
pub(crate) fn deliver(
    worker: &mut Worker,
    message: &mut Authorized<Publication<'_>>,
    route: &Route,
    publisher: Option<&SessionRef>,
) {
    let mut totals = Totals::default();
    let mut rest = route.targets.as_slice();
    while let Some(first) = rest.first() {
        let len = rest.iter().take_while(|target| target.cohort == first.cohort).count();
        let (targets, after) = rest.split_at(len);
        if first.cohort == CohortId::NONE {
            let mut forms = Forms { sent: message.publication(), queued: None };
            to_targets(worker, &mut forms, targets, publisher, &mut totals);
        } else {
            let run = *message.run();
            transformed(worker, &run, first.cohort, |forms| {
                to_targets(worker, forms, targets, publisher, &mut totals);
            });
        }
        rest = after;
    }
    for group in &route.groups {
        let head = *message.run().head();
        let member = group.pick(|session: &SessionRef| {
            session.is_connected() && worker.may_receive(&session.identity(), &head).0
        });
        if let Some(member) = member {
            let grant = Grant::new(member.options);
            to_member(worker, message, &member.subscriber, &grant, &mut totals);
        }
    }
    totals.count(worker);
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
        to_session(worker, message, &target.subscriber, grant, totals);
    }
}

/// A shared group's choice; it may be offline, or without the right if no member has it.
fn to_member(
    worker: &Worker,
    message: &mut Authorized<Publication<'_>>,
    session: &SessionRef,
    grant: &Grant,
    totals: &mut Totals,
) {
    let run = *message.run();
    if !worker.may_receive(&session.identity(), run.head()).0 {
        return;
    }
    let delivers = worker.interest().deliver && worker.hooks().wants_deliver(run.topic());
    let cohort = if delivers { worker.cohort_of(session) } else { CohortId::NONE };
    if cohort == CohortId::NONE {
        let mut forms = Forms { sent: message.publication(), queued: None };
        return to_session(worker, &mut forms, session, grant, totals);
    }
    transformed(worker, &run, cohort, |forms| to_session(worker, forms, session, grant, totals));
}

/// A publication as it is sent, and as it is queued if it can not be sent at once: what an
/// `on_deliver` hook made of it, and what the hook is to see again when it leaves the queue.
struct Forms<'a, 'b> {
    sent: &'a mut Publication<'b>,
    queued: Option<&'a mut Publication<'b>>,
}

/// Lets the hook see each message of a run, once for all members of the cohort.
fn transformed(
    worker: &Worker,
    run: &Run<'_>,
    cohort: CohortId,
    mut then: impl FnMut(&mut Forms<'_, '_>),
) {
    for (publish, frame) in run.iter() {
        let single = Run::new(publish, run.layout(), frame, 1);
        let mut before = Publication::new(single, worker.now);
        match worker.hooks().on_deliver(cohort, &publish, worker.now) {
            DeliverRuling::Pass => then(&mut Forms { sent: &mut before, queued: None }),
            DeliverRuling::Rewrite(frame) => {
                if let Ok(single) = frame.as_run() {
                    let mut sent = Publication::new(single, worker.now);
                    then(&mut Forms { sent: &mut sent, queued: Some(&mut before) });
                }
            }
            DeliverRuling::Drop => {}
        }
    }
}

fn to_session(
    worker: &Worker,
    message: &mut Forms<'_, '_>,
    session: &Session,
    grant: &Grant,
    totals: &mut Totals,
) {
    let retain = message.sent.run().retain() && grant.retain_as_published;
    let delivery = Delivery { qos: grant.qos, retain, subscription_ids: &grant.identifiers };
    let terms = worker.delivery_terms();
    let mut state = session.lock();
    let before = state.outbox_len();
    let tally = match &mut message.queued {
        Some(queued) if state.would_queue(message.sent, &delivery, &terms) => {
            state.queue(queued, &delivery, &terms)
        }
        Some(_) | None => state.deliver(message.sent, &delivery, &terms),
    };
    totals.bytes += state.outbox_len().saturating_sub(before) as u64;
    drop(state);
    totals.tally.merge(tally);
    if tally.dropped() > 0 && worker.interest().events.contains(EventKind::Dropped) {
        tell_drops(worker, session, message.sent.run().head(), tally);
    }
}

/// Tells the plugins that asked what a session did not get.
pub(crate) fn tell_drops(worker: &Worker, session: &Session, head: &Publish<'_>, tally: Tally) {
    let identity = session.identity();
    let topic = head.topic.map_or("", |topic| topic.as_str());
    let causes = [
        (tally.queue_full, DropCause::QueueFull),
        (tally.too_large, DropCause::TooLarge),
        (tally.expired, DropCause::Expired),
        (tally.slow_consumer, DropCause::SlowConsumer),
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
    pub(crate) bytes: u64,
}

impl Totals {
    pub(crate) fn count(&self, worker: &Worker) {
        let counters = &worker.engine().counters;
        let sent = u64::from(self.tally.sent);
        if sent > 0 {
            counters.sent(&counters.publish_sent, sent);
            add(&counters.publishes_sent, sent);
            add(&counters.publish_bytes_sent, self.bytes);
            add(&counters.bytes_sent, self.bytes);
        }
        let dropped = self.tally.dropped();
        if dropped > 0 {
            add(&counters.publishes_dropped, u64::from(dropped));
        }
    }
}

/// A message for one session that passes its `on_deliver` hooks on the way: retained messages.
pub(crate) fn to_one(
    worker: &Worker,
    publication: &mut Publication<'_>,
    session: &Arc<Session>,
    delivery: &Delivery<'_>,
) {
    let mut totals = Totals::default();
    let cohort = worker.cohort_of(session);
    let mut give = |publication: &mut Publication<'_>| {
        let mut state = session.lock();
        let before = state.outbox_len();
        totals.tally.merge(state.deliver(publication, delivery, &worker.delivery_terms()));
        totals.bytes += state.outbox_len().saturating_sub(before) as u64;
    };
    let topic = publication.run().topic();
    if cohort == CohortId::NONE || !worker.hooks().wants_deliver(topic) {
        give(publication);
    } else {
        let head = *publication.run().head();
        match worker.hooks().on_deliver(cohort, &head, worker.now) {
            DeliverRuling::Pass => give(publication),
            DeliverRuling::Rewrite(frame) => {
                if let Ok(single) = frame.as_run() {
                    give(&mut Publication::new(single, worker.now));
                }
            }
            DeliverRuling::Drop => {}
        }
    }
    totals.count(worker);
}
