//! The messages of a run: who sends what to whom, and whether it came.

use std::ops::Range;

use anyhow::Result;
use pintle_mqtt::{Frame, Layout, PacketType, QoS, ReasonCode};

use super::faults::Faults;
use super::fleet::{Fleet, Handler};
use super::frames::IncomingPublish;
use super::histogram::Histogram;
use super::payload::{Payloads, Stamp};
use super::publisher::{Publisher, Stream};
use super::receivers::{Receiver, Receivers};

#[derive(Clone, Copy)]
enum Role {
    None,
    Publisher(usize),
    Receiver(usize),
}

/// What is counted as it comes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) published: u64,
    /// Messages that came, each counted once for each receiver.
    pub(super) delivered: u64,
    pub(super) acknowledged: u64,
}

/// How all messages of a run are sent.
pub(super) struct MessageForm {
    pub(super) layout: Layout,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) payloads: Payloads,
}

/// All publishers and receivers of a run.
pub(super) struct Traffic {
    form: MessageForm,
    streams: Vec<Stream>,
    publishers: Vec<Publisher>,
    receivers: Receivers,
    roles: Vec<Role>,
    may_send: Vec<usize>,
    now_ns: u64,
    tally: Tally,
    /// Deliveries to come beside those of what publishers send now.
    expected_later: u64,
    faults: Faults,
    /// Messages that were due from then on have their latency recorded.
    measured: Range<u64>,
    latency: Histogram,
}

impl Traffic {
    pub(super) fn new(form: MessageForm, streams: Vec<Stream>) -> Self {
        Self {
            form,
            streams,
            publishers: Vec::new(),
            receivers: Receivers::default(),
            roles: Vec::new(),
            may_send: Vec::new(),
            now_ns: 0,
            tally: Tally::default(),
            expected_later: 0,
            faults: Faults::default(),
            measured: 0..0,
            latency: Histogram::default(),
        }
    }

    /// Lets a link publish.
    pub(super) fn add_publisher(&mut self, publisher: Publisher) {
        self.set_role(publisher.link, Role::Publisher(self.publishers.len()));
        self.publishers.push(publisher);
    }

    /// Expects messages over a link.
    pub(super) fn add_receiver(&mut self, link: usize, receiver: Receiver) {
        let number = self.receivers.add(receiver, self.streams.len());
        self.set_role(link, Role::Receiver(number));
    }

    fn set_role(&mut self, link: usize, role: Role) {
        if link >= self.roles.len() {
            self.roles.resize(link + 1, Role::None);
        }
        if let Some(place) = self.roles.get_mut(link) {
            *place = role;
        }
    }

    /// Lets every publisher send so many messages in all, and have so many on the way.
    pub(super) fn allow(&mut self, fleet: &mut Fleet, messages: u64, window: u64) {
        let count = self.publishers.len() as u64;
        for (at, publisher) in self.publishers.iter_mut().enumerate() {
            publisher.quota = match messages {
                u64::MAX => u64::MAX,
                messages => messages / count + u64::from((at as u64) < messages % count),
            };
            publisher.window = window;
            if self.form.qos != QoS::AtMostOnce
                && let Some(link) = fleet.link_mut(publisher.link)
            {
                publisher.window = window.min(link.receive_maximum().into());
            }
        }
        for at in 0..self.publishers.len() {
            self.list(at);
        }
    }

    /// Lets nobody send any more.
    pub(super) fn stop(&mut self) {
        for publisher in &mut self.publishers {
            publisher.quota = publisher.sent;
        }
    }

    /// Counts latencies of messages that are due from now on.
    pub(super) const fn measure_from(&mut self, now_ns: u64) {
        self.measured = now_ns..u64::MAX;
    }

    /// Counts no latencies of messages that are due later.
    pub(super) const fn measure_until(&mut self, now_ns: u64) {
        self.measured.end = now_ns;
    }

    pub(super) const fn tally(&self) -> Tally {
        self.tally
    }

    pub(super) const fn latency(&self) -> &Histogram {
        &self.latency
    }

    pub(super) const fn qos(&self) -> QoS {
        self.form.qos
    }

    pub(super) fn publisher_count(&self) -> usize {
        self.publishers.len()
    }

    /// Whether all that was to be sent has been sent, has come and has been acknowledged.
    pub(super) fn is_settled(&self) -> bool {
        self.publishers.iter().all(|p| p.is_settled() && p.sent >= p.quota)
    }

    /// Expects deliveries of what was published before.
    pub(super) const fn expect(&mut self, deliveries: u64) {
        self.expected_later += deliveries;
    }

    fn expected(&self) -> u64 {
        let of_publishers: u64 = self.publishers.iter().map(|p| p.sent * p.copies).sum();
        of_publishers + self.expected_later
    }

    /// Whether everybody has got everything.
    pub(super) fn is_delivered(&self) -> bool {
        self.tally.delivered >= self.expected()
    }

    /// Lets publishers go on whose messages have not come since the last call; true if there are any.
    pub(super) fn give_up_stalled(&mut self) -> bool {
        let mut any = false;
        for at in 0..self.publishers.len() {
            if self.publishers.get_mut(at).is_some_and(Publisher::give_up_if_stalled) {
                any = true;
                self.list(at);
            }
        }
        any
    }

    /// The faults of the whole run; to be asked when no more comes.
    pub(super) fn faults(&self) -> Faults {
        let mut faults = self.faults.clone();
        faults.lost = self.expected().saturating_sub(self.tally.delivered);
        let lost = faults.lost;
        if lost > 0 {
            faults.describe(|| format!("{lost} messages never came"));
        }
        faults
    }

    fn list(&mut self, at: usize) {
        if let Some(publisher) = self.publishers.get_mut(at)
            && !publisher.is_listed
            && publisher.may_send()
        {
            publisher.is_listed = true;
            self.may_send.push(at);
        }
    }

    /// Lets everybody send whose window has room; true if somebody may go on at once, without any
    /// socket telling: at QoS 0, who waits for no delivery has room again as soon as all is sent.
    pub(super) fn refill(&mut self, fleet: &mut Fleet) -> Result<bool> {
        let mut may_go_on = false;
        let now_ns = fleet.now_ns();
        let mut blocked = Vec::new();
        while let Some(at) = self.may_send.pop() {
            let Some(publisher) = self.publishers.get_mut(at) else { continue };
            let Some(link) = fleet.link_mut(publisher.link) else { continue };
            if link.is_blocked() {
                blocked.push(at);
                continue;
            }
            publisher.is_listed = false;
            for _ in 0..publisher.allowance() {
                if !self.publish(at, now_ns, link.out()) {
                    break;
                }
            }
            link.send()?;
            let is_blocked = link.is_blocked();
            if let Some(publisher) = self.publishers.get(at)
                && publisher.copies == 0
                && publisher.may_send()
            {
                may_go_on |= !is_blocked;
                blocked.push(at);
            }
        }
        for at in blocked {
            if let Some(publisher) = self.publishers.get_mut(at) {
                publisher.is_listed = true;
            }
            self.may_send.push(at);
        }
        Ok(may_go_on)
    }

    /// Sends one message that is due at `due_ns`; false if the publisher has to wait for
    /// acknowledgements first. The link is to be sent afterwards.
    pub(super) fn publish_one(
        &mut self,
        fleet: &mut Fleet,
        at: usize,
        due_ns: u64,
    ) -> Option<usize> {
        let publisher = self.publishers.get(at)?;
        let id = publisher.link;
        if self.form.qos != QoS::AtMostOnce && u64::from(publisher.ids.in_use()) >= publisher.window
        {
            return None;
        }
        let link = fleet.link_mut(id)?;
        self.publish(at, due_ns, link.out()).then_some(id)
    }

    #[inline]
    fn publish(&mut self, at: usize, due_ns: u64, out: &mut Vec<u8>) -> bool {
        let Some(publisher) = self.publishers.get_mut(at) else { return false };
        let Some(stream) = self.streams.get_mut(publisher.next_stream) else { return false };
        let packet_id = match self.form.qos {
            QoS::AtMostOnce => 0,
            QoS::AtLeastOnce | QoS::ExactlyOnce => match publisher.ids.take() {
                Some(id) => id,
                None => return false,
            },
        };
        let number = u32::try_from(publisher.next_stream).unwrap_or(u32::MAX);
        let stamp = Stamp { stream: number, sequence: stream.sent, due_ns };
        stream.frame.append(packet_id, &stamp, &self.form.payloads, out);
        stream.sent += 1;
        publisher.sent += 1;
        publisher.next_stream += 1;
        if publisher.next_stream == publisher.streams.end {
            publisher.next_stream = publisher.streams.start;
        }
        self.tally.published += 1;
        true
    }

    #[inline]
    fn received(&mut self, receiver: usize, frame: &Frame<'_>, answers: &mut Vec<u8>) {
        let Some(publish) = IncomingPublish::parse(frame, self.form.layout) else {
            self.faults.damaged += 1;
            self.faults.describe(|| "a PUBLISH is malformed".to_owned());
            return;
        };
        match publish.qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => put_ack(PacketType::PubAck, publish.packet_id, answers),
            QoS::ExactlyOnce => put_ack(PacketType::PubRec, publish.packet_id, answers),
        }
        let Some(stamp) = self.form.payloads.read(publish.payload) else {
            return self.damaged("payload", &publish);
        };
        let at = stamp.stream as usize;
        let Some(stream) = self.streams.get(at) else {
            return self.damaged("stamp", &publish);
        };
        if stream.frame.topic() != publish.topic {
            return self.damaged("topic", &publish);
        }
        if publish.qos != self.form.qos || publish.retain != self.form.retain {
            return self.damaged("QoS or RETAIN", &publish);
        }
        let publisher = stream.publisher;
        let Some(settled) = self.receivers.note(receiver, at, stamp.sequence, &mut self.faults)
        else {
            return;
        };
        self.tally.delivered += 1;
        if self.measured.contains(&stamp.due_ns) {
            self.latency.record(self.now_ns.saturating_sub(stamp.due_ns));
        }
        if let Some(publisher) = self.publishers.get_mut(publisher) {
            publisher.settle(settled);
        }
        self.list(publisher);
    }

    #[cold]
    fn damaged(&mut self, what: &str, publish: &IncomingPublish<'_>) {
        self.faults.damaged += 1;
        self.faults.describe(|| {
            let topic = String::from_utf8_lossy(publish.topic);
            format!("a message to {topic} came with a wrong {what}")
        });
    }

    fn acknowledged(
        &mut self,
        at: usize,
        kind: PacketType,
        frame: &Frame<'_>,
        answers: &mut Vec<u8>,
    ) {
        let Some((packet_id, rest)) = frame.body.split_first_chunk() else { return };
        let packet_id = u16::from_be_bytes(*packet_id);
        let is_refused = rest.first().is_some_and(|code| code & 0x80 != 0);
        if kind == PacketType::PubRec && !is_refused {
            return put_ack(PacketType::PubRel, packet_id, answers);
        }
        let Some(publisher) = self.publishers.get_mut(at) else { return };
        if is_refused {
            let copies = publisher.copies;
            publisher.settle(copies);
        }
        let was_awaited = publisher.ids.release(packet_id);
        self.tally.acknowledged += 1;
        if is_refused || !was_awaited {
            self.faults.refused += 1;
            self.faults.describe(|| {
                let code = rest.first().and_then(|code| ReasonCode::from_u8(*code));
                format!("{kind:?} of Packet Identifier {packet_id}: {code:?}")
            });
        }
        self.list(at);
    }
}

impl Handler for Traffic {
    fn begin_batch(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
    }

    #[inline]
    fn packet(&mut self, link: usize, frame: &Frame<'_>, answers: &mut Vec<u8>) -> Result<()> {
        let role = self.roles.get(link).copied().unwrap_or(Role::None);
        match (PacketType::from_first_byte(frame.first_byte), role) {
            (Some(PacketType::Publish), Role::Receiver(receiver)) => {
                self.received(receiver, frame, answers);
            }
            (Some(PacketType::PubRel), Role::Receiver(_)) => {
                if let Some((packet_id, _)) = frame.body.split_first_chunk() {
                    put_ack(PacketType::PubComp, u16::from_be_bytes(*packet_id), answers);
                }
            }
            (Some(kind), Role::Publisher(publisher)) => {
                self.acknowledged(publisher, kind, frame, answers);
            }
            (_, Role::Receiver(_) | Role::None) | (None, Role::Publisher(_)) => {
                self.faults.misdelivered += 1;
                self.faults.describe(|| format!("link {link} got a packet not meant for it"));
            }
        }
        Ok(())
    }
}

fn put_ack(kind: PacketType, packet_id: u16, out: &mut Vec<u8>) {
    let [high, low] = packet_id.to_be_bytes();
    out.extend_from_slice(&[kind.first_byte(), 2, high, low]);
}

#[cfg(test)]
#[path = "traffic_tests.rs"]
mod tests;
