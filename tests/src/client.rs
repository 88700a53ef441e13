use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use crate::wire::{
    Ack, AckKind, ConnAck, Connect, Delivery, Disconnect, Encode, Packet, Publish, Subscribe,
    Unsubscribe, parse, ping, split,
};
use crate::{Stream, Version};

/// How long a test waits for something that should come at once.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// A client that says what it is told to, and fails its test when the broker does not answer as
/// expected.
///
/// Methods in the third person (`publishes`, `receives`) do all that the standard asks of a client;
/// `send` and `expect_…` leave the rest to the test.
pub struct Client {
    version: Version,
    stream: Box<dyn Stream>,
    bytes: Vec<u8>,
    /// What came while something else was waited for.
    kept: VecDeque<Packet>,
    next_packet_id: u16,
}

impl Client {
    /// A client that has not said anything yet.
    pub fn over(stream: Box<dyn Stream>, version: Version) -> Self {
        Self { version, stream, bytes: Vec::new(), kept: VecDeque::new(), next_packet_id: 0 }
    }

    /// The version it speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Sends a packet.
    #[track_caller]
    pub fn send(&mut self, packet: &impl Encode) {
        self.send_raw(&packet.encode(self.version));
    }

    /// Sends these bytes. That the broker has closed already shows at the next expectation.
    #[track_caller]
    pub fn send_raw(&mut self, bytes: &[u8]) {
        match self.stream.send(bytes) {
            Ok(()) => {}
            Err(error) if is_close(&error) => {}
            Err(error) => panic!("cannot send: {error}"),
        }
    }

    /// Sends these bytes, or says that the broker has closed.
    pub fn try_send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.send(bytes)
    }

    /// A Packet Identifier that it has not used yet.
    pub fn new_packet_id(&mut self) -> u16 {
        self.next_packet_id += 1;
        self.next_packet_id
    }

    // ------------------------------------------------------------ what comes

    /// The next packet, whatever it is; `None` if the connection is closed.
    #[track_caller]
    pub fn next_packet(&mut self) -> Option<Packet> {
        if let Some(packet) = self.kept.pop_front() {
            return Some(packet);
        }
        self.read_packet()
    }

    #[track_caller]
    fn read_packet(&mut self) -> Option<Packet> {
        loop {
            if let Some((first_byte, body, len)) = split(&self.bytes) {
                let packet = parse(self.version, first_byte, body, len);
                self.bytes.drain(..len);
                return Some(packet);
            }
            match self.stream.receive(&mut self.bytes) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) if is_close(&error) => return None,
                Err(error) => panic!("waited in vain for a packet ({error})"),
            }
        }
    }

    /// The next packet that `wanted` takes; others are kept for later, in order.
    #[track_caller]
    fn expect_where<T>(&mut self, what: &str, wanted: impl Fn(&Packet) -> Option<T>) -> T {
        let mut at = 0;
        while at < self.kept.len() {
            if let Some(found) = wanted(&self.kept[at]) {
                self.kept.remove(at);
                return found;
            }
            at += 1;
        }
        loop {
            let Some(packet) = self.read_packet() else {
                panic!("closed while waiting for {what}; came before: {:?}", self.kept);
            };
            if let Packet::Disconnect { .. } = packet {
                panic!("{packet:?} while waiting for {what}; came before: {:?}", self.kept);
            }
            match wanted(&packet) {
                Some(found) => return found,
                None => self.kept.push_back(packet),
            }
        }
    }

    /// The next packet, which must be a CONNACK.
    #[track_caller]
    pub fn expect_connack(&mut self) -> ConnAck {
        match self.next_packet() {
            Some(Packet::ConnAck(connack)) => connack,
            other => panic!("expected CONNACK, not {other:?}"),
        }
    }

    /// The next packet, which must be a PUBLISH; it is not acknowledged.
    #[track_caller]
    pub fn expect_publish(&mut self) -> Delivery {
        match self.next_packet() {
            Some(Packet::Publish(delivery)) => delivery,
            other => panic!("expected PUBLISH, not {other:?}"),
        }
    }

    /// The next packet, which must be this kind of acknowledgement.
    #[track_caller]
    pub fn expect_ack(&mut self, kind: AckKind) -> Ack {
        match self.next_packet() {
            Some(Packet::Ack(ack)) if ack.kind == kind => ack,
            other => panic!("expected {kind:?}, not {other:?}"),
        }
    }

    /// The next PUBLISH; what comes before it is kept. It is not acknowledged.
    #[track_caller]
    pub fn next_publish(&mut self) -> Delivery {
        self.expect_where("PUBLISH", |packet| match packet {
            Packet::Publish(delivery) => Some(delivery.clone()),
            _ => None,
        })
    }

    /// The acknowledgement of this Packet Identifier; deliveries that come before it are kept.
    #[track_caller]
    pub fn awaits_ack(&mut self, kind: AckKind, id: u16) -> Ack {
        self.expect_where(&format!("{kind:?} {id}"), |packet| match packet {
            Packet::Ack(ack) if ack.kind == kind && ack.id == id => Some(ack.clone()),
            _ => None,
        })
    }

    /// The connection is closed, without another word.
    #[track_caller]
    pub fn is_closed(&mut self) {
        if let Some(packet) = self.next_packet() {
            panic!("expected the end of the connection, not {packet:?}");
        }
    }

    /// The connection is closed, after bytes that need not be MQTT.
    #[track_caller]
    pub fn goes_away(&mut self) {
        self.all_bytes();
    }

    /// Every byte that comes until the connection is closed.
    #[track_caller]
    pub fn all_bytes(&mut self) -> Vec<u8> {
        loop {
            match self.stream.receive(&mut self.bytes) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if is_close(&error) => break,
                Err(error) => panic!("waited in vain for the end ({error})"),
            }
        }
        std::mem::take(&mut self.bytes)
    }

    /// The connection is closed; a v5 client is told this code first.
    #[track_caller]
    pub fn is_refused_with(&mut self, code: u8) {
        if self.version == Version::V5 {
            match self.next_packet() {
                Some(Packet::Disconnect { code: told, .. }) => {
                    assert_eq!(told, code, "reason of DISCONNECT ({told:#04x} for {code:#04x})");
                }
                other => panic!("expected DISCONNECT {code:#04x}, not {other:?}"),
            }
        }
        self.is_closed();
    }

    /// The connection is closed; a CONNECT of v5 is told this code first, v3 nothing.
    #[track_caller]
    pub fn is_not_let_in_with(&mut self, code: u8) {
        if self.version == Version::V5 {
            let connack = self.expect_connack();
            assert_eq!(connack.code, code, "{:#04x} for {code:#04x}", connack.code);
        }
        self.is_closed();
    }

    /// Nothing has come that was not asked for: shown by a PINGRESP that comes first.
    #[track_caller]
    pub fn receives_nothing(&mut self) {
        self.send_raw(&ping());
        match self.next_packet() {
            Some(Packet::PingResp) => {}
            other => panic!("expected nothing but PINGRESP, not {other:?}"),
        }
    }

    /// The broker has dealt with everything that this client has sent.
    #[track_caller]
    pub fn is_heard(&mut self) {
        self.send_raw(&ping());
        self.expect_where("PINGRESP", |packet| matches!(packet, Packet::PingResp).then_some(()));
    }

    // ------------------------------------------------------------ what clients do

    /// Connects, and is let in.
    #[track_caller]
    pub fn connects(&mut self, connect: &Connect) -> ConnAck {
        self.send(connect);
        let connack = self.expect_connack();
        assert_eq!(connack.code, 0, "refused: {connack:?}");
        connack
    }

    /// Publishes at QoS 0; when this returns, the broker has dealt with it.
    #[track_caller]
    pub fn publishes(&mut self, topic: &str, payload: &str) {
        self.publish(&Publish::new(topic, payload));
    }

    /// Publishes at this QoS and completes the exchange.
    #[track_caller]
    pub fn publishes_at(&mut self, qos: u8, topic: &str, payload: &str) {
        let code = self.publish(&Publish::new(topic, payload).qos(qos));
        assert!(code < 0x80, "the publish is refused with {code:#04x}");
    }

    /// Publishes with RETAIN at QoS 0.
    #[track_caller]
    pub fn retains(&mut self, topic: &str, payload: &str) {
        self.publish(&Publish::new(topic, payload).retained());
    }

    /// Publishes, completes the exchange, and returns the Reason Code of PUBACK or PUBREC.
    #[track_caller]
    pub fn publish(&mut self, publish: &Publish) -> u8 {
        if publish.asked_qos() == 0 {
            self.send(publish);
            self.is_heard();
            return 0;
        }
        let id = publish.packet_id().unwrap_or_else(|| self.new_packet_id());
        self.send(&publish.clone().id(id));
        if publish.asked_qos() == 1 {
            return self.awaits_ack(AckKind::PubAck, id).code;
        }
        let code = self.awaits_ack(AckKind::PubRec, id).code;
        if code < 0x80 {
            self.send(&Ack::new(AckKind::PubRel, id));
            self.awaits_ack(AckKind::PubComp, id);
        }
        code
    }

    /// Subscribes to one filter and is granted what it asks for.
    #[track_caller]
    pub fn subscribes(&mut self, filter: &str, qos: u8) {
        assert_eq!(self.subscribe(&Subscribe::to(filter, qos)), [qos]);
    }

    /// Subscribes, and returns the codes of SUBACK.
    #[track_caller]
    pub fn subscribe(&mut self, subscribe: &Subscribe) -> Vec<u8> {
        let id = subscribe.packet_id().unwrap_or_else(|| self.new_packet_id());
        self.send(&subscribe.clone().id(id));
        self.expect_where("SUBACK", |packet| match packet {
            Packet::SubAck { id: of, codes, .. } if *of == id => Some(codes.clone()),
            _ => None,
        })
    }

    /// Unsubscribes, and returns the codes of UNSUBACK (none before v5).
    #[track_caller]
    pub fn unsubscribes(&mut self, filters: &[&str]) -> Vec<u8> {
        let id = self.new_packet_id();
        self.send(&Unsubscribe::of(id, filters));
        self.expect_where("UNSUBACK", |packet| match packet {
            Packet::UnsubAck { id: of, codes, .. } if *of == id => Some(codes.clone()),
            _ => None,
        })
    }

    /// Is given this message next, and acknowledges it.
    #[track_caller]
    pub fn receives(&mut self, topic: &str, payload: &str) -> Delivery {
        let delivery = self.takes();
        assert_eq!((delivery.topic.as_str(), delivery.text().as_str()), (topic, payload));
        delivery
    }

    /// Takes the next message, which must be one, and acknowledges it.
    #[track_caller]
    pub fn takes(&mut self) -> Delivery {
        let delivery = self.expect_publish();
        self.acknowledges(&delivery);
        delivery
    }

    /// Does what the QoS of a delivery asks for.
    #[track_caller]
    pub fn acknowledges(&mut self, delivery: &Delivery) {
        match delivery.qos {
            0 => {}
            1 => self.send(&Ack::new(AckKind::PubAck, delivery.packet_id())),
            _ => {
                let id = delivery.packet_id();
                self.send(&Ack::new(AckKind::PubRec, id));
                self.awaits_ack(AckKind::PubRel, id);
                self.send(&Ack::new(AckKind::PubComp, id));
            }
        }
    }

    /// Ends with DISCONNECT 0x00; when this returns, the broker has closed.
    #[track_caller]
    pub fn disconnects(self) {
        self.disconnects_with(&Disconnect::code(0));
    }

    /// Ends with this DISCONNECT; when this returns, the broker has closed.
    #[track_caller]
    pub fn disconnects_with(mut self, disconnect: &Disconnect) {
        self.send(disconnect);
        self.reads_to_the_end();
    }

    /// Ends without DISCONNECT; when this returns, the broker has closed.
    #[track_caller]
    pub fn drops(mut self) {
        self.stream.stop_sending();
        self.reads_to_the_end();
    }

    #[track_caller]
    fn reads_to_the_end(&mut self) {
        while self.next_packet().is_some() {}
    }
}

/// Whether the error says that the peer is gone.
fn is_close(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    )
}
