use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;
use pintle_mqtt::{
    ConnAck, Connect, Frame, Layout, PacketType, Properties, ProtocolVersion, QoS, ReasonCode,
    ReasonCodeBuffer, SubAck, Subscribe,
};

use super::Peers;
use super::routes::{Receiver, Routes};
use crate::bench::frames::IncomingPublish;

const PACKET_BYTES_MAX: u32 = 32 * 1024 * 1024;
/// A send buffer that grew beyond this is given back.
const KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One connection of the relay.
pub(super) struct Peer {
    socket: TcpStream,
    /// `None` before CONNECT.
    version: Option<ProtocolVersion>,
    /// The beginning of a packet that is not all there.
    tail: Vec<u8>,
    out: Vec<u8>,
    out_at: usize,
    last_packet_id: u16,
    is_queued: bool,
    is_blocked: bool,
    has_subscribed: bool,
}

/// What becomes of a connection after a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    MoreToRead,
    Drained,
    Over,
}

impl Peer {
    pub(super) const fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            version: None,
            tail: Vec::new(),
            out: Vec::new(),
            out_at: 0,
            last_packet_id: 0,
            is_queued: false,
            is_blocked: false,
            has_subscribed: false,
        }
    }

    pub(super) const fn has_subscribed(&self) -> bool {
        self.has_subscribed
    }

    /// Reads once; gives what there is now, and what follows.
    pub(super) fn fill<'b>(&mut self, buffer: &'b mut Vec<u8>, is_last: bool) -> (&'b [u8], Fate) {
        let kept = self.tail.len();
        if buffer.len() < 2 * kept {
            buffer.resize(2 * kept, 0);
        }
        let (front, room) = buffer.split_at_mut(kept);
        front.copy_from_slice(&self.tail);
        self.tail.clear();
        let (len, fate) = match self.socket.read(room) {
            Ok(0) => (0, Fate::Over),
            Ok(len) if len < room.len() && !is_last => (len, Fate::Drained),
            Ok(len) => (len, Fate::MoreToRead),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => (0, Fate::Drained),
                ErrorKind::Interrupted => (0, Fate::MoreToRead),
                _ => (0, Fate::Over),
            },
        };
        (buffer.get(..kept + len).unwrap_or_default(), fate)
    }

    /// Handles all whole packets in `bytes`; false if the connection is to be closed.
    pub(super) fn handle(
        &mut self,
        own_number: usize,
        mut bytes: &[u8],
        peers: &mut Peers,
        routes: &mut Routes,
    ) -> bool {
        loop {
            let frame = match Frame::split(bytes, PACKET_BYTES_MAX) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => return false,
            };
            bytes = bytes.get(frame.bytes.len()..).unwrap_or_default();
            let kind = PacketType::from_first_byte(frame.first_byte);
            let goes_on = match (kind, self.version) {
                (Some(PacketType::Connect), None) => self.connect(&frame),
                (Some(PacketType::Publish), Some(version)) => {
                    self.publish(own_number, &frame, version.layout(), peers, routes)
                }
                (Some(PacketType::Subscribe), Some(version)) => {
                    self.subscribe(own_number, &frame, version, routes)
                }
                (Some(PacketType::PingReq), Some(_)) => {
                    self.out.extend_from_slice(&[PacketType::PingResp.first_byte(), 0]);
                    true
                }
                // Nothing is kept, so acknowledgements say nothing new.
                (Some(PacketType::PubAck), Some(_)) => true,
                (_, _) => false,
            };
            if !goes_on {
                return false;
            }
        }
        self.tail.extend_from_slice(bytes);
        if !self.out.is_empty() && self.enqueue() {
            peers.to_send.push_back(own_number);
        }
        true
    }

    fn connect(&mut self, frame: &Frame<'_>) -> bool {
        let Ok(connect) = Connect::decode(frame) else { return false };
        self.version = Some(connect.version);
        let connack = ConnAck {
            session_present: false,
            reason: ReasonCode::Success,
            properties: Properties::EMPTY,
        };
        connack.encode(connect.version, &mut self.out);
        true
    }

    fn subscribe(
        &mut self,
        own_number: usize,
        frame: &Frame<'_>,
        version: ProtocolVersion,
        routes: &mut Routes,
    ) -> bool {
        let Ok(subscribe) = Subscribe::decode(frame, version) else { return false };
        let mut codes = ReasonCodeBuffer::new();
        for entry in subscribe.filters.iter() {
            let qos = entry.options.qos.min(QoS::AtLeastOnce);
            let receiver = Receiver { peer: own_number, qos, layout: version.layout() };
            let granted = match qos {
                QoS::AtMostOnce => ReasonCode::Success,
                QoS::AtLeastOnce | QoS::ExactlyOnce => ReasonCode::GrantedQos1,
            };
            let is_known = routes.add(entry.filter, receiver);
            codes.push(if is_known { granted } else { ReasonCode::UnspecifiedError });
        }
        self.has_subscribed = true;
        let suback = SubAck {
            packet_id: subscribe.packet_id,
            properties: Properties::EMPTY,
            codes: codes.as_codes(),
        };
        suback.encode(version, &mut self.out);
        true
    }

    #[inline]
    fn publish(
        &mut self,
        own_number: usize,
        frame: &Frame<'_>,
        layout: Layout,
        peers: &mut Peers,
        routes: &mut Routes,
    ) -> bool {
        let Some(publish) = IncomingPublish::parse(frame, layout) else { return false };
        for receiver in routes.receivers(publish.topic) {
            if receiver.peer == own_number {
                self.append(frame, &publish, layout, *receiver);
            } else {
                peers.with_peer(receiver.peer, |peer| {
                    peer.append(frame, &publish, layout, *receiver);
                });
            }
        }
        match publish.qos {
            QoS::AtMostOnce => true,
            QoS::AtLeastOnce => {
                let [high, low] = publish.packet_id.to_be_bytes();
                self.out.extend_from_slice(&[PacketType::PubAck.first_byte(), 2, high, low]);
                true
            }
            QoS::ExactlyOnce => false,
        }
    }

    /// Appends a message as the receiver has to see it: as it came, if nothing differs.
    #[inline]
    fn append(
        &mut self,
        frame: &Frame<'_>,
        publish: &IncomingPublish<'_>,
        layout: Layout,
        receiver: Receiver,
    ) {
        let qos = publish.qos.min(receiver.qos);
        if layout != receiver.layout || qos != publish.qos || publish.retain {
            return self.append_anew(publish, qos, receiver.layout);
        }
        let start = self.out.len();
        self.out.extend_from_slice(frame.bytes);
        if qos != QoS::AtMostOnce {
            let packet_id = self.next_packet_id().to_be_bytes();
            let at = start + publish.packet_id_at;
            if let Some(place) = self.out.get_mut(at..at + 2) {
                place.copy_from_slice(&packet_id);
            }
        }
    }

    #[cold]
    fn append_anew(&mut self, publish: &IncomingPublish<'_>, qos: QoS, layout: Layout) {
        let Ok(topic) = std::str::from_utf8(publish.topic) else { return };
        let flags = pintle_mqtt::PublishFlags { qos, ..Default::default() };
        let packet_id = if qos == QoS::AtMostOnce { 0 } else { self.next_packet_id() };
        let packet = pintle_mqtt::Publish {
            flags,
            topic: Some(pintle_mqtt::TopicName::trusted(topic)),
            packet_id: pintle_mqtt::PacketId::new(packet_id),
            properties: Properties::EMPTY,
            payload: publish.payload,
        };
        packet.encode(layout, &mut self.out);
    }

    fn next_packet_id(&mut self) -> u16 {
        self.last_packet_id = self.last_packet_id.checked_add(1).unwrap_or(1);
        self.last_packet_id
    }

    /// Notes that there is something to send; true if nobody knew.
    pub(super) const fn enqueue(&mut self) -> bool {
        let is_news = !self.is_queued && !self.is_blocked;
        self.is_queued |= is_news;
        is_news
    }

    /// Sends what there is, as far as the socket takes it.
    pub(super) fn send(&mut self) -> io::Result<()> {
        self.is_queued = false;
        self.is_blocked = false;
        while let Some(rest) = self.out.get(self.out_at..).filter(|rest| !rest.is_empty()) {
            match self.socket.write(rest) {
                Ok(len) => self.out_at += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_blocked = true;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out_at = 0;
        self.out.clear();
        self.out.shrink_to(KEPT_BYTES_MAX);
        Ok(())
    }
}
