use pintle_mqtt::{Publish, PublishFlags, ReasonCode, Timestamp};
use pintle_ports::{Action, Identity, Verdict};

use crate::worker::{HooksStamp, Worker};

/// What a connection remembers of the topic it published to last: that it may.
pub(crate) struct TopicPass {
    pub(crate) topic: Box<str>,
    flags: PublishFlags,
    stamp: HooksStamp,
    valid_until: Timestamp,
}

impl TopicPass {
    /// Whether it answers for `publish`, whose topic is there.
    fn covers(&self, publish: &Publish<'_>, worker: &Worker) -> bool {
        publish.topic.is_some_and(|topic| *self.topic == *topic.as_str())
            && self.flags == publish.flags
            && self.stamp == worker.hooks_stamp()
            && self.valid_until > worker.now
    }

    /// May `who` publish this? Asks only if `last` does not say so already; a yes is put there.
    pub(crate) fn check(
        last: &mut Option<Box<Self>>,
        worker: &Worker,
        who: &Identity,
        publish: &Publish<'_>,
    ) -> Verdict {
        if last.as_ref().is_some_and(|pass| pass.covers(publish, worker)) {
            return Verdict::Allow;
        }
        let topic = publish.topic.map_or("", |topic| topic.as_str());
        if topic.starts_with("$SYS/") {
            let by = Some("core: $SYS topics are the broker's own");
            let reason = ReasonCode::NotAuthorized;
            worker.tell_denial(who, "Publish", Some(topic), reason, by);
            return Verdict::Deny(reason);
        }
        let ruling = worker.authorize(who, Action::Publish(publish));
        match ruling.verdict {
            Verdict::Allow => {
                *last = Some(Box::new(Self {
                    topic: topic.into(),
                    flags: publish.flags,
                    stamp: worker.hooks_stamp(),
                    valid_until: ruling.valid_until,
                }));
            }
            Verdict::Deny(reason) | Verdict::Disconnect(reason) => {
                let by = ruling.decided_by.as_deref();
                worker.tell_denial(who, "Publish", Some(topic), reason, by);
            }
        }
        ruling.verdict
    }
}
