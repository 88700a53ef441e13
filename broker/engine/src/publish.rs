use pintle_mqtt::{
    Ack, AckKind, Frame, PacketId, Publish, QoS, ReasonCode, Run, TopicName, Violation, encode_ack,
};
use pintle_ports::{HookPath, Verdict};

use crate::admit::{Admission, Source, admit_permitted};
use crate::connection::{Connection, Halt};
use crate::counters::add;
use crate::incoming_run::PacketIds;
use crate::store::Unsaved;
use crate::topic_pass::TopicPass;
use crate::worker::Worker;

impl Connection {
    /// Handles the PUBLISH in `frame`, and those behind it in `bytes` that make a run with it.
    /// Returns how many bytes were handled.
    ///
    /// check → accept → admit → acknowledge; [`crate::carry`] retains, routes and delivers.
    pub(crate) fn publish(
        &mut self,
        worker: &mut Worker,
        frame: &Frame<'_>,
        bytes: &[u8],
    ) -> Result<usize, Halt> {
        let layout = self.live()?.version.layout();
        let known = self.last.as_ref().map(|pass| TopicName::trusted(&pass.topic));
        let head = Publish::decode(frame, layout, known)?;
        self.check_terms(&head)?;
        let aliased = self.resolve_alias(&head)?;
        let topic = aliased.as_ref().map(|topic| topic.name()).or(head.topic);
        let topic = topic.ok_or(Halt::Gone)?;
        check_topic_bounds(worker, topic)?;
        let mut ids = PacketIds::new();
        if !self.accept(head.flags.qos, head.packet_id, &mut ids)? {
            count_received(worker, 1, frame.bytes.len());
            self.acknowledge_publish(worker, head.flags.qos, &ids, ReasonCode::Success)?;
            return Ok(frame.bytes.len());
        }
        if head.flags.qos > QoS::AtMostOnce && worker.engine().refuses(worker.now) {
            return self.refuse_for_now(worker, frame, &head, &ids);
        }
        let mut scratch = Vec::new();
        let (run, used) = if self.may_be_sent_on(&head, frame) {
            self.extend_run(worker, head, frame, bytes, &mut ids)?
        } else {
            self.canonical(&head, topic).encode(layout, &mut scratch);
            (Run::single(&scratch, layout)?, frame.bytes.len())
        };
        count_received(worker, u64::from(run.count()), used);
        let reason = match self.admit_run(worker, run) {
            Ok(reason) => reason,
            Err(halt) => {
                self.release(worker, &ids);
                return Err(halt);
            }
        };
        self.acknowledge_publish(worker, run.qos(), &ids, reason)?;
        Ok(used)
    }

    /// What clients must not say, and what the listener switched off [MQTT-3.2.2-11]
    /// [MQTT-3.2.2-14]. A v3 client can not be told the latter: its RETAIN is passed over.
    fn check_terms(&self, head: &Publish<'_>) -> Result<(), Halt> {
        if head.flags.qos > self.terms.max_qos {
            let what = "a PUBLISH has a QoS above the Maximum QoS";
            return Err(Violation::new(ReasonCode::QosNotSupported, what).into());
        }
        if head.flags.retain && !self.terms.retain_available && self.live()?.version.is_v5() {
            let what = "a PUBLISH has RETAIN set, which is not available";
            return Err(Violation::new(ReasonCode::RetainNotSupported, what).into());
        }
        if head.properties.is_empty() {
            return Ok(());
        }
        if head.properties.subscription_identifier().is_some() {
            let what = "a client's PUBLISH has a Subscription Identifier";
            return Err(Violation::protocol_error(what).into());
        }
        if let Some(topic) = head.properties.response_topic() {
            TopicName::new(topic)
                .map_err(|_| Violation::protocol_error("a Response Topic holds a wildcard"))?;
        }
        Ok(())
    }

    /// Asks for the right to publish, unless it was asked before and still holds; then admits.
    fn admit_run(&mut self, worker: &mut Worker, run: Run<'_>) -> Result<ReasonCode, Halt> {
        let Self { phase, last, .. } = self;
        let live = phase.live().ok_or(Halt::Gone)?;
        let admission = match TopicPass::check(last, worker, &live.identity, run.head()) {
            Verdict::Allow => {
                let (who, session) = (Some(&live.identity), Some(&live.session));
                let source = Source { who, session, path: HookPath::Client };
                admit_permitted(worker, &source, run)
            }
            Verdict::Deny(reason) => Admission::Refused(reason),
            Verdict::Disconnect(reason) => Admission::Disconnect(reason),
        };
        match admission {
            Admission::Accepted { matched: true } => Ok(ReasonCode::Success),
            Admission::Accepted { matched: false } => Ok(ReasonCode::NoMatchingSubscribers),
            Admission::Refused(reason) => Ok(reason),
            Admission::Disconnect(reason) => Err(Halt::close(reason, "not authorized")),
        }
    }

    /// Over `broker_bytes_max`, or the store does not keep up: v5 publishers are told, older ones
    /// wait.
    fn refuse_for_now(
        &self,
        worker: &mut Worker,
        frame: &Frame<'_>,
        head: &Publish<'_>,
        ids: &[PacketId],
    ) -> Result<usize, Halt> {
        if !self.live()?.version.is_v5() {
            self.release(worker, ids);
            return Err(Halt::Pause);
        }
        worker.engine().count_refused(worker.now);
        count_received(worker, 1, frame.bytes.len());
        self.acknowledge_publish(worker, head.flags.qos, ids, ReasonCode::QuotaExceeded)?;
        Ok(frame.bytes.len())
    }

    /// PUBACK or PUBREC for each of `ids`, in their order [MQTT-4.6.0-2] [MQTT-4.6.0-3]. A QoS 2
    /// flow that is refused ends here.
    fn acknowledge_publish(
        &self,
        worker: &mut Worker,
        qos: QoS,
        ids: &[PacketId],
        reason: ReasonCode,
    ) -> Result<(), Halt> {
        let kind = match qos {
            QoS::AtMostOnce => return Ok(()),
            QoS::AtLeastOnce => AckKind::PubAck,
            QoS::ExactlyOnce => AckKind::PubRec,
        };
        let version = self.live()?.version;
        if reason == ReasonCode::Success || !version.is_v5() {
            ids.iter().for_each(|&id| encode_ack(kind, id, &mut worker.replies));
        } else {
            for &id in ids {
                Ack::new(id, reason).encode(kind, version, &mut worker.replies);
            }
            if reason.is_failure() {
                self.release(worker, ids);
            }
        }
        if qos == QoS::ExactlyOnce {
            worker.engine().note(&self.live()?.session, Unsaved::INBOUND);
        }
        let counts = worker.counts();
        let of_kind = match qos {
            QoS::AtMostOnce | QoS::AtLeastOnce => &counts.puback_sent,
            QoS::ExactlyOnce => &counts.pubrec_sent,
        };
        counts.sent(of_kind, ids.len() as u64);
        Ok(())
    }
}

/// `topic_levels_max` and `topic_bytes_max`.
pub(crate) fn check_topic_bounds(worker: &Worker, topic: TopicName<'_>) -> Result<(), Violation> {
    let settings = &worker.bounds().settings;
    let text = topic.as_str();
    let invalid = |what| Err(Violation::new(ReasonCode::TopicNameInvalid, what));
    if text.len() > settings.topic_bytes_max {
        return invalid("a Topic Name is longer than topic_bytes_max");
    }
    let may_have_too_many_levels = text.len() >= settings.topic_levels_max;
    if may_have_too_many_levels && topic.levels().count() > settings.topic_levels_max {
        return invalid("a Topic Name has more levels than topic_levels_max");
    }
    Ok(())
}

fn count_received(worker: &Worker, packets: u64, bytes: usize) {
    let counts = worker.counts();
    counts.received(&counts.publish_received, packets);
    add(&counts.publishes_received, packets);
    add(&counts.publish_bytes_received, bytes as u64);
}
