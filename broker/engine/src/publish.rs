use std::sync::Arc;

use pintle_mqtt::{
    Ack, AckKind, Frame, Layout, PacketId, Properties, Property, PropertyBuffer, Publication,
    Publish, PublishFlags, QoS, ReasonCode, Run, Timestamp, TopicName, Violation, encode_ack,
};
use pintle_ports::{Action, Event, EventKind, HookPath, Verdict};
use pintle_session::Acceptance;
use smallvec::SmallVec;

use crate::admit::{Admission, Authorized, Source, admit_permitted};
use crate::connection::{Connection, Halt};
use crate::counters::add;
use crate::deliver::deliver;
use crate::route::Route;
use crate::worker::{HooksStamp, Worker};

/// What a connection remembers of the topic it published to last: the right to, and the route.
pub(crate) struct TopicPass {
    topic: Box<str>,
    flags: PublishFlags,
    stamp: HooksStamp,
    valid_until: Timestamp,
}

type PacketIds = SmallVec<[PacketId; 64]>;

impl Connection {
    /// Handles the PUBLISH in `frame`, and those behind it in `bytes` that make a run with it.
    /// Returns how many bytes were handled.
    ///
    /// accept → admit → acknowledge; retain, route and deliver happen in [`carry`].
    pub(crate) fn publish(
        &mut self,
        worker: &mut Worker,
        frame: &Frame<'_>,
        bytes: &[u8],
    ) -> Result<usize, Halt> {
        let live = self.live()?;
        let layout = live.version.layout();
        let known = self.last.as_ref().map(|pass| TopicName::trusted(&pass.topic));
        let head = Publish::decode(frame, layout, known)?;
        if head.flags.qos > QoS::AtMostOnce && worker.engine().is_over_budget() {
            return self.refuse_over_budget(worker, frame, &head);
        }
        self.check_terms(worker, &head)?;
        let mut ids = PacketIds::new();
        if !self.accept(&head, &mut ids)? {
            count_received(worker, 1, frame.bytes.len(), 0);
            self.acknowledge_publish(worker, head.flags.qos, &ids, ReasonCode::Success);
            return Ok(frame.bytes.len());
        }
        let mut scratch = Vec::new();
        let (run, used) = if may_be_sent_on(&head, frame) {
            self.extend_run(head, frame, bytes, &mut ids)
        } else {
            let topic = self.canonical(&head, layout, &mut scratch)?;
            self.remember_topic(topic);
            (Run::single(&scratch, layout)?, frame.bytes.len())
        };
        self.check_topic(worker, run.topic())?;
        count_received(worker, u64::from(run.count()), used, run.head().payload.len());
        let reason = self.admit_run(worker, run)?;
        self.acknowledge_publish(worker, run.qos(), &ids, reason);
        Ok(used)
    }

    /// Turns a packet that relies on an alias, has DUP set, or is longer than it needs to be, into
    /// one that may be sent on; returns its topic.
    fn canonical(
        &mut self,
        head: &Publish<'_>,
        layout: Layout,
        scratch: &mut Vec<u8>,
    ) -> Result<Box<str>, Halt> {
        let mut inbound = self.live()?.session.inbound.lock();
        let resolved = inbound.resolve_topic(head)?;
        let topic = resolved.name();
        let mut properties = PropertyBuffer::new();
        for property in head.properties.iter() {
            if !matches!(property, Property::TopicAlias(_)) {
                properties.push(property);
            }
        }
        let flags = PublishFlags { dup: false, ..head.flags };
        let properties = properties.as_properties();
        Publish { flags, topic: Some(topic), properties, ..*head }.encode(layout, scratch);
        Ok(topic.as_str().into())
    }

    /// The run that begins with `head`: as many packets behind it as differ in nothing but payload
    /// and Packet Identifier.
    fn extend_run<'a>(
        &mut self,
        head: Publish<'a>,
        frame: &Frame<'a>,
        bytes: &'a [u8],
        ids: &mut PacketIds,
    ) -> (Run<'a>, usize) {
        let mut used = frame.bytes.len();
        let mut count = 1;
        let Ok(live) = self.live() else {
            return (Run::new(head, Layout::V3, frame.bytes, 1), used);
        };
        let layout = live.version.layout();
        let packet_bytes_max = self.terms.packet_bytes_max;
        let topic = head.topic;
        while head.properties.is_empty() {
            let rest = bytes.get(used..).unwrap_or_default();
            let Ok(Some(next)) = Frame::split(rest, packet_bytes_max) else {
                break;
            };
            if next.first_byte != frame.first_byte || !next.is_minimal() {
                break;
            }
            let Ok(publish) = Publish::decode(&next, layout, topic) else {
                break;
            };
            if publish.topic != topic || !publish.properties.is_empty() {
                break;
            }
            if !matches!(self.accept(&publish, ids), Ok(true)) {
                break;
            }
            used += next.bytes.len();
            count += 1;
        }
        (Run::new(head, layout, bytes.get(..used).unwrap_or(frame.bytes), count), used)
    }

    /// Step accept; false for a QoS 2 message that is here already, whose id is then in `ids`.
    fn accept(&self, publish: &Publish<'_>, ids: &mut PacketIds) -> Result<bool, Violation> {
        let Some(id) = publish.packet_id else {
            return Ok(true);
        };
        let qos = publish.flags.qos;
        let acceptance = match (qos, &self.live_session()) {
            (QoS::ExactlyOnce, Some(session)) => session.inbound.lock().accept(qos, Some(id))?,
            (QoS::AtMostOnce | QoS::AtLeastOnce | QoS::ExactlyOnce, _) => Acceptance::New,
        };
        match acceptance {
            Acceptance::New => {
                ids.push(id);
                Ok(true)
            }
            // A run in the making ends before a duplicate, which is then looked at by itself.
            Acceptance::Duplicate if ids.is_empty() => {
                ids.push(id);
                Ok(false)
            }
            Acceptance::Duplicate => Ok(false),
        }
    }

    /// What the listener switched off [MQTT-3.2.2-11] [MQTT-3.2.2-14].
    fn check_terms(&self, worker: &Worker, head: &Publish<'_>) -> Result<(), Violation> {
        let _ = worker;
        if head.properties.subscription_identifier().is_some() {
            let what = "a client's PUBLISH has a Subscription Identifier";
            return Err(Violation::protocol_error(what));
        }
        if head.flags.qos > self.terms.max_qos {
            let what = "a PUBLISH has a QoS above the Maximum QoS";
            return Err(Violation::new(ReasonCode::QosNotSupported, what));
        }
        let v5 = self.live_version().is_some_and(|version| version.is_v5());
        if head.flags.retain && !self.terms.retain_available && v5 {
            let what = "a PUBLISH has RETAIN set, which is not available";
            return Err(Violation::new(ReasonCode::RetainNotSupported, what));
        }
        if let Some(topic) = head.properties.response_topic() {
            TopicName::new(topic)
                .map_err(|_| Violation::protocol_error("a Response Topic holds a wildcard"))?;
        }
        Ok(())
    }

    fn check_topic(&self, worker: &Worker, topic: TopicName<'_>) -> Result<(), Violation> {
        check_topic_bounds(worker, topic)
    }

    /// Asks for the right to publish, unless it was asked before and still holds; then admits.
    fn admit_run(&mut self, worker: &mut Worker, run: Run<'_>) -> Result<ReasonCode, Halt> {
        if let Some(refusal) = self.permission(worker, run.head()) {
            return match refusal {
                Verdict::Allow => Ok(ReasonCode::Success),
                Verdict::Deny(reason) => Ok(reason),
                Verdict::Disconnect(reason) => Err(Halt::close(reason, "not authorized")),
            };
        }
        let live = self.live()?;
        let source = Source {
            who: Some(&live.identity),
            session: Some(&live.session),
            path: HookPath::Client,
        };
        match admit_permitted(worker, &source, run) {
            Admission::Accepted { matched: true } => Ok(ReasonCode::Success),
            Admission::Accepted { matched: false } => Ok(ReasonCode::NoMatchingSubscribers),
            Admission::Refused(reason) => Ok(reason),
            Admission::Disconnect(reason) => Err(Halt::close(reason, "not authorized")),
        }
    }

    /// `None` if the client may publish this; remembered for the next message to the topic.
    fn permission(&mut self, worker: &Worker, publish: &Publish<'_>) -> Option<Verdict> {
        let topic = publish.topic?;
        let stamp = worker.hooks_stamp();
        if let Some(pass) = &self.last
            && *pass.topic == *topic.as_str()
            && pass.flags == publish.flags
            && pass.stamp == stamp
            && pass.valid_until > worker.now
        {
            return None;
        }
        let live = self.live().ok()?;
        if topic.as_str().starts_with("$SYS/") {
            let by = Some("core: $SYS topics are the broker's own");
            let reason = ReasonCode::NotAuthorized;
            worker.tell_denial(&live.identity, "Publish", Some(topic.as_str()), reason, by);
            return Some(Verdict::Deny(reason));
        }
        let ruling = worker.authorize(&live.identity, Action::Publish(publish));
        match ruling.verdict {
            Verdict::Allow => {
                let valid_until = ruling.valid_until;
                let pass = TopicPass {
                    topic: topic.as_str().into(),
                    flags: publish.flags,
                    stamp,
                    valid_until,
                };
                self.last = Some(Box::new(pass));
                None
            }
            Verdict::Deny(reason) | Verdict::Disconnect(reason) => {
                let by = ruling.decided_by.as_deref();
                worker.tell_denial(&live.identity, "Publish", Some(topic.as_str()), reason, by);
                Some(ruling.verdict)
            }
        }
    }

    fn remember_topic(&mut self, topic: Box<str>) {
        if self.last.as_ref().is_some_and(|pass| pass.topic != topic) {
            self.last = None;
        }
    }

    /// Over `broker_bytes_max`: v5 publishers are told, older ones wait.
    fn refuse_over_budget(
        &mut self,
        worker: &mut Worker,
        frame: &Frame<'_>,
        head: &Publish<'_>,
    ) -> Result<usize, Halt> {
        if !self.live()?.version.is_v5() {
            return Err(Halt::Pause);
        }
        let ids: PacketIds = head.packet_id.into_iter().collect();
        count_received(worker, 1, frame.bytes.len(), head.payload.len());
        self.acknowledge_publish(worker, head.flags.qos, &ids, ReasonCode::QuotaExceeded);
        Ok(frame.bytes.len())
    }

    /// PUBACK or PUBREC for each of `ids`, in their order [MQTT-4.6.0-2] [MQTT-4.6.0-3].
    fn acknowledge_publish(
        &self,
        worker: &mut Worker,
        qos: QoS,
        ids: &[PacketId],
        reason: ReasonCode,
    ) {
        let kind = match qos {
            QoS::AtMostOnce => return,
            QoS::AtLeastOnce => AckKind::PubAck,
            QoS::ExactlyOnce => AckKind::PubRec,
        };
        let Some(version) = self.live_version() else {
            return;
        };
        let plain = reason == ReasonCode::Success || !version.is_v5();
        for &id in ids {
            if plain {
                encode_ack(kind, id, &mut worker.replies);
            } else {
                Ack { packet_id: id, reason, properties: Properties::EMPTY }.encode(
                    kind,
                    version,
                    &mut worker.replies,
                );
            }
            if reason.is_failure()
                && version.is_v5()
                && kind == AckKind::PubRec
                && let Some(session) = self.live_session()
            {
                session.inbound.lock().refuse(id);
            }
        }
        let counters = &worker.engine().counters;
        match kind {
            AckKind::PubAck => counters.sent(&counters.puback_sent, ids.len() as u64),
            AckKind::PubRec | AckKind::PubRel | AckKind::PubComp => {
                counters.sent(&counters.pubrec_sent, ids.len() as u64);
            }
        }
    }
}

/// Whether the bytes as they came may stand in a run.
fn may_be_sent_on(head: &Publish<'_>, frame: &Frame<'_>) -> bool {
    !head.flags.dup
        && frame.is_minimal()
        && head.topic.is_some()
        && (head.properties.is_empty() || head.properties.topic_alias().is_none())
}

/// `topic_levels_max` and `topic_bytes_max`.
pub(crate) fn check_topic_bounds(worker: &Worker, topic: TopicName<'_>) -> Result<(), Violation> {
    let settings = &worker.bounds().settings;
    let text = topic.as_str();
    if text.len() > settings.topic_bytes_max {
        let what = "a Topic Name is longer than topic_bytes_max";
        return Err(Violation::new(ReasonCode::TopicNameInvalid, what));
    }
    let slashes = text.bytes().filter(|byte| *byte == b'/').count();
    if slashes >= settings.topic_levels_max {
        let what = "a Topic Name has more levels than topic_levels_max";
        return Err(Violation::new(ReasonCode::TopicNameInvalid, what));
    }
    Ok(())
}

fn count_received(worker: &Worker, packets: u64, bytes: usize, payload_len: usize) {
    let _ = payload_len;
    let counters = &worker.engine().counters;
    counters.received(&counters.publish_received, packets);
    add(&counters.publishes_received, packets);
    add(&counters.publish_bytes_received, bytes as u64);
}

/// Retain, route, deliver. Returns whether anybody subscribed.
pub(crate) fn carry(
    worker: &mut Worker,
    source: &Source<'_>,
    message: &mut Authorized<Publication<'_>>,
) -> bool {
    let head = *message.run().head();
    let topic = message.run().topic();
    if message.run().retain() {
        retain(worker, source, message);
    }
    let route: Arc<Route> = worker.route(topic, &head);
    if !route.is_empty() {
        deliver(worker, message, &route, source.session);
    }
    if worker.interest().events.contains(EventKind::Published) {
        tell_published(worker, source, message.run());
    }
    !route.is_empty()
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
        if engine.retained.clear(topic)
            && worker.interest().events.contains(EventKind::RetainedCleared)
        {
            worker.hooks().event(Event::RetainedCleared { topic: topic.as_str() });
        }
        return;
    }
    if engine.is_over_budget() {
        return add(&engine.counters.publishes_dropped, 1);
    }
    let kept = if message.run().count() == 1 {
        message.publication().kept(&engine.budget)
    } else {
        let single = Run::new(last, message.run().layout(), frame, 1);
        Publication::new(single, worker.now).kept(&engine.budget)
    };
    let retained_messages_max = worker.bounds().settings.retained_messages_max;
    if !engine.retained.set(topic, kept, source.who.cloned(), retained_messages_max) {
        return add(&engine.counters.publishes_dropped, 1);
    }
    if worker.interest().events.contains(EventKind::RetainedSet) {
        worker.hooks().event(Event::RetainedSet { topic: topic.as_str() });
    }
}
