use std::sync::Arc;

use pintle_mqtt::{Publication, Run};
use pintle_ports::{Event, EventKind, HookPath};

use crate::admit::{Authorized, Source};
use crate::counters::add;
use crate::deliver::deliver;
use crate::retained_store::{Author, RetainedBounds, Stored};
use crate::worker::{Worker, tell};

/// Retain, route, deliver. Returns whether anybody subscribed.
pub(crate) fn carry(
    worker: &Worker,
    source: &Source<'_>,
    message: &mut Authorized<Publication<'_>>,
) -> bool {
    let head = *message.run().head();
    let topic = message.run().topic();
    if message.run().retain() {
        retain(worker, source, message);
    }
    let matched = worker.with_route(topic, &head, |route| {
        if route.is_empty() {
            return false;
        }
        deliver(worker, message, route, source.session);
        true
    });
    if worker.interest().events.contains(EventKind::Published) {
        tell_published(worker, source, message.run());
    }
    matched
}

fn tell_published(worker: &Worker, source: &Source<'_>, run: &Run<'_>) {
    let who = source.who.map(|who| &**who);
    let topic = run.topic().as_str();
    for (publish, _) in run.iter() {
        let (qos, payload_len) = (publish.flags.qos, publish.payload.len());
        worker.hooks().event(Event::Published { who, topic, qos, payload_len });
    }
}

/// Keeps the last message of the run for later subscribers; an empty one deletes what was kept
/// [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7].
fn retain(worker: &Worker, source: &Source<'_>, message: &mut Authorized<Publication<'_>>) {
    let topic = message.run().topic();
    let Some((last, frame)) = message.run().iter().last() else {
        return;
    };
    let engine = worker.engine();
    if last.payload.is_empty() {
        if engine.retained.clear(topic) {
            engine.note_topic(topic.as_str());
            tell(
                worker,
                EventKind::RetainedCleared,
                Event::RetainedCleared { topic: topic.as_str() },
            );
        }
        return;
    }
    let bounds = RetainedBounds {
        messages_max: worker.bounds().settings.retained_messages_max,
        may_grow: !engine.is_over_budget(),
    };
    let kept = if message.run().count() == 1 {
        message.publication().kept(&engine.budget)
    } else {
        let single = Run::new(last, message.run().layout(), frame, 1);
        Publication::new(single, worker.now).kept(&engine.budget)
    };
    let author = source
        .who
        .map(|who| Author { identity: Arc::clone(who), is_will: source.path == HookPath::Will });
    let topic_text = topic.as_str();
    match engine.retained.set(topic, kept, author, bounds) {
        Stored::Kept => {
            engine.note_topic(topic_text);
            tell(worker, EventKind::RetainedSet, Event::RetainedSet { topic: topic_text });
        }
        Stored::Refused => add(&worker.counts().publishes_dropped, 1),
        Stored::Cleared => {
            engine.note_topic(topic_text);
            add(&worker.counts().publishes_dropped, 1);
            let cleared = Event::RetainedCleared { topic: topic_text };
            tell(worker, EventKind::RetainedCleared, cleared);
        }
    }
}
