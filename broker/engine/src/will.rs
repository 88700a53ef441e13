use std::sync::Arc;

use pintle_mqtt::{
    Connect, PropertyBuffer, Publication, Publish, PublishFlags, ReasonCode, Run, Will,
};
use pintle_ports::{Action, Event, EventKind, HookPath, Identity, MessageFrame, Verdict};

use crate::admit::{Admission, Source, admit};
use crate::connect::Refused;
use crate::connection::Connection;
use crate::session::{DueWill, PendingWill};
use crate::worker::{Worker, tell};

impl Connection {
    /// The will of a CONNECT, if the client may have it: as a message that waits.
    pub(crate) fn checked_will(
        &self,
        worker: &Worker,
        connect: &Connect<'_>,
        identity: &Identity,
    ) -> Result<Option<Box<PendingWill>>, Refused> {
        let Some(will) = &connect.will else {
            return Ok(None);
        };
        let budget = &worker.engine().budget;
        if budget.is_exceeded() {
            let what = "broker_bytes_max leaves no room for the will";
            return Err(Refused { reason: ReasonCode::QuotaExceeded, what });
        }
        let mut properties = PropertyBuffer::new();
        for property in will.properties.iter() {
            if !matches!(property, pintle_mqtt::Property::WillDelayInterval(_)) {
                properties.push(property);
            }
        }
        let publish = Publish {
            flags: PublishFlags {
                dup: false,
                qos: will.qos,
                retain: will.retain && self.terms.retain_available,
            },
            topic: Some(will.topic),
            packet_id: None,
            properties: properties.as_properties(),
            payload: will.payload,
        };
        may_have(worker, identity, will, &publish)?;
        let message = MessageFrame::new(&publish)?;
        let message = Publication::new(message.as_run()?, worker.now).kept(budget);
        let delay_secs = will.properties.will_delay_interval().unwrap_or(0);
        Ok(Some(Box::new(PendingWill { message, delay_secs })))
    }
}

fn may_have(
    worker: &Worker,
    identity: &Identity,
    will: &Will<'_>,
    publish: &Publish<'_>,
) -> Result<(), Refused> {
    let topic = will.topic.as_str();
    let (reason, by) = if topic.starts_with("$SYS/") {
        (ReasonCode::NotAuthorized, Some("core: $SYS topics are the broker's own".into()))
    } else {
        let ruling = worker.authorize(identity, Action::Will(publish));
        match ruling.verdict {
            Verdict::Allow => return Ok(()),
            Verdict::Deny(reason) | Verdict::Disconnect(reason) => (reason, ruling.decided_by),
        }
    };
    worker.tell_denial(identity, "Will", Some(topic), reason, by.as_deref());
    Err(Refused { reason: ReasonCode::NotAuthorized, what: "the will is denied" })
}

impl Worker {
    /// A will takes the way of any other message [MQTT-3.1.2-8]; its expiry counts from now.
    pub(crate) fn send_will(&self, due: &DueWill) {
        let DueWill { message, identity } = due;
        let Ok(run) = Run::single(message.frames(), message.layout()) else { return };
        let topic = run.topic().as_str();
        let source = Source { who: Some(identity), session: None, path: HookPath::Will };
        if let Admission::Accepted { .. } = admit(self, &source, run) {
            let who: &Arc<Identity> = identity;
            tell(self, EventKind::WillSent, Event::WillSent { who, topic });
        }
    }
}
