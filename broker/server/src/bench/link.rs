//! One connection of a run, from CONNECT to the end.

use std::io;
use std::vec;

use anyhow::{Context, Result, bail};
use pintle_mqtt::{
    ConnAck, Connect, Disconnect, Frame, PacketId, PacketType, Properties, Property,
    PropertyBuffer, ProtocolVersion, QoS, ReasonCode, SubAck, Subscribe, SubscribeBuffer,
    SubscribeOptions,
};

use super::channel::{Channel, Received};
use super::fleet::{Change, Handler, Target};

/// Filters go into one SUBSCRIBE up to about this size.
const SUBSCRIBE_BYTES: usize = 4096;

/// Who connects, and what it subscribes to at once.
pub(super) struct Client {
    pub(super) client_id: String,
    pub(super) clean_start: bool,
    /// Sent with MQTT 5 if the session is to be kept.
    pub(super) session_expiry_secs: u32,
    pub(super) filters: Vec<String>,
    pub(super) qos: QoS,
}

impl Client {
    /// One whose session ends with its connection.
    pub(super) fn new(client_id: String) -> Self {
        Self {
            client_id,
            clean_start: true,
            session_expiry_secs: 0,
            filters: Vec::new(),
            qos: QoS::AtMostOnce,
        }
    }

    pub(super) fn subscribing(self, filters: Vec<String>, qos: QoS) -> Self {
        Self { filters, qos, ..self }
    }

    /// The same with a session that outlives the connection.
    pub(super) fn kept(self) -> Self {
        Self { clean_start: false, session_expiry_secs: 3600, ..self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// TCP does not stand yet.
    Connecting,
    /// CONNECT is on its way, or waits for the WebSocket.
    Greeting,
    Subscribing,
    Ready,
    /// DISCONNECT is on its way; the broker is to close.
    Leaving,
    Ended,
}

/// A connection and how far it is.
pub(super) struct Link {
    channel: Channel,
    stage: Stage,
    version: ProtocolVersion,
    client_id: String,
    filters: vec::IntoIter<String>,
    qos: QoS,
    /// The WebSocket's first bytes, until TCP stands.
    request: Option<Vec<u8>>,
    /// MQTT bytes to send next.
    out: Vec<u8>,
    /// The beginning of a packet that is not all there.
    tail: Vec<u8>,
    receive_maximum: u16,
}

impl Link {
    pub(super) fn new(
        channel: Channel,
        client: Client,
        target: &Target,
        request: Option<Vec<u8>>,
    ) -> Self {
        let mut out = Vec::new();
        let mut properties = PropertyBuffer::new();
        if client.session_expiry_secs > 0 {
            properties.push(Property::SessionExpiryInterval(client.session_expiry_secs));
        }
        let connect = Connect {
            version: target.version,
            clean_start: client.clean_start,
            keep_alive_secs: 0,
            client_id: &client.client_id,
            will: None,
            username: target.username.as_deref(),
            password: target.password.as_ref().map(String::as_bytes),
            properties: properties.as_properties(),
        };
        connect.encode(&mut out);
        Self {
            channel,
            stage: Stage::Connecting,
            version: target.version,
            client_id: client.client_id,
            filters: client.filters.into_iter(),
            qos: client.qos,
            request,
            out,
            tail: Vec::new(),
            receive_maximum: u16::MAX,
        }
    }

    /// How many messages above QoS 0 the broker wants at a time.
    pub(super) const fn receive_maximum(&self) -> u16 {
        self.receive_maximum
    }

    /// Whether the broker is slower in reading than we are in sending.
    pub(super) fn is_blocked(&self) -> bool {
        self.channel.is_blocked()
    }

    /// Where to append what [`Self::send`] then sends.
    pub(super) const fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    pub(super) fn send(&mut self) -> Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let sent = self.channel.send(&mut self.out);
        sent.with_context(|| format!("cannot send as {}", self.client_id))
    }

    pub(super) fn ping(&mut self) -> Result<()> {
        self.out.extend_from_slice(&[PacketType::PingReq.first_byte(), 0]);
        self.send()
    }

    /// Subscribes to one filter more.
    pub(super) fn subscribe(&mut self, filter: String, qos: QoS) -> Result<()> {
        self.filters = vec![filter].into_iter();
        self.qos = qos;
        self.stage = Stage::Subscribing;
        self.put_subscribe();
        self.send()
    }

    /// Sends DISCONNECT; the broker is to close then.
    pub(super) fn leave(&mut self) -> Result<()> {
        self.stage = Stage::Leaving;
        self.out.extend_from_slice(&[PacketType::Disconnect.first_byte(), 0]);
        self.send()
    }

    /// Handles that the socket can be written to.
    pub(super) fn writable(&mut self) -> io::Result<()> {
        match self.stage {
            Stage::Connecting => {
                if !self.channel.is_connected()? {
                    return Ok(());
                }
                self.stage = Stage::Greeting;
                if let Some(request) = self.request.take() {
                    return self.channel.send_raw(&request);
                }
                self.channel.send(&mut self.out)
            }
            Stage::Greeting | Stage::Subscribing | Stage::Ready => self.channel.flush(),
            // The broker may have gone already.
            Stage::Leaving | Stage::Ended => Ok(()),
        }
    }

    /// Reads all there is and hands on what is not the link's own. After `is_last` nothing tells
    /// that there is more to read, so it goes on to the end.
    pub(super) fn read(
        &mut self,
        id: usize,
        buffer: &mut [u8],
        is_last: bool,
        now_ns: impl Fn() -> u64,
        handler: &mut impl Handler,
        changes: &mut Vec<(usize, Change)>,
    ) -> Result<()> {
        if matches!(self.stage, Stage::Connecting | Stage::Ended) {
            return Ok(());
        }
        loop {
            let kept = self.tail.len();
            let (front, room) = buffer.split_at_mut_checked(kept).unwrap_or_default();
            front.copy_from_slice(&self.tail);
            self.tail.clear();
            let received = match self.channel.read(room) {
                Ok(received) => received,
                Err(_) if self.stage == Stage::Leaving => Received::End,
                Err(error) => return Err(error).with_context(|| self.ended_early()),
            };
            let (len, drained) = match received {
                Received::Bytes { len, drained } => (len, drained && !is_last),
                Received::Nothing => (0, true),
                Received::End => return self.over(id, changes),
            };
            if self.stage == Stage::Greeting && self.channel.is_open() && !self.out.is_empty() {
                self.send()?;
            }
            let bytes = buffer.get(..kept + len).unwrap_or_default();
            if len > 0 {
                handler.begin_batch(now_ns());
            }
            self.packets(id, bytes, buffer.len(), handler, changes)?;
            if drained {
                return Ok(());
            }
        }
    }

    fn packets(
        &mut self,
        id: usize,
        mut bytes: &[u8],
        packet_bytes_max: usize,
        handler: &mut impl Handler,
        changes: &mut Vec<(usize, Change)>,
    ) -> Result<()> {
        let packet_bytes_max = u32::try_from(packet_bytes_max / 2).unwrap_or(u32::MAX);
        while let Some(frame) =
            Frame::split(bytes, packet_bytes_max).with_context(|| self.says("sent nonsense"))?
        {
            bytes = bytes.get(frame.bytes.len()..).unwrap_or_default();
            match PacketType::from_first_byte(frame.first_byte) {
                Some(
                    PacketType::Publish
                    | PacketType::PubAck
                    | PacketType::PubRec
                    | PacketType::PubRel
                    | PacketType::PubComp,
                ) => handler.packet(id, &frame, &mut self.out)?,
                kind => self.own_packet(id, &frame, kind, changes)?,
            }
        }
        self.tail.extend_from_slice(bytes);
        self.send()
    }

    #[cold]
    fn own_packet(
        &mut self,
        id: usize,
        frame: &Frame<'_>,
        kind: Option<PacketType>,
        changes: &mut Vec<(usize, Change)>,
    ) -> Result<()> {
        match (kind, self.stage) {
            (Some(PacketType::ConnAck), Stage::Greeting) => {
                self.connack(frame)?;
                self.subscribe_or_ready(id, changes);
            }
            (Some(PacketType::SubAck), Stage::Subscribing) => {
                self.suback(frame)?;
                self.subscribe_or_ready(id, changes);
            }
            (Some(PacketType::PingResp), _) => changes.push((id, Change::Answered)),
            (Some(PacketType::Disconnect), _) => bail!(self.disconnected(frame)),
            (_, Stage::Greeting) => {
                let what = "answers CONNECT with something else; is the port for TLS?";
                bail!(self.says(what));
            }
            (kind, stage) => {
                bail!(self.says(&format!("sent a packet out of turn: {kind:?} while {stage:?}")))
            }
        }
        Ok(())
    }

    fn connack(&mut self, frame: &Frame<'_>) -> Result<()> {
        let connack = ConnAck::decode(frame, self.version)
            .with_context(|| self.says("sent a bad CONNACK"))?;
        if connack.reason != ReasonCode::Success {
            bail!("the broker does not let {} in: {:?}", self.client_id, connack.reason);
        }
        self.receive_maximum = connack.properties.receive_maximum().unwrap_or(u16::MAX);
        Ok(())
    }

    fn subscribe_or_ready(&mut self, id: usize, changes: &mut Vec<(usize, Change)>) {
        if self.filters.as_slice().is_empty() {
            self.stage = Stage::Ready;
            changes.push((id, Change::Ready));
        } else {
            self.stage = Stage::Subscribing;
            self.put_subscribe();
        }
    }

    fn put_subscribe(&mut self) {
        let mut buffer = SubscribeBuffer::new();
        let mut len = 0;
        while len < SUBSCRIBE_BYTES
            && let Some(filter) = self.filters.next()
        {
            len += filter.len() + 3;
            buffer.push(&filter, SubscribeOptions::with_qos(self.qos));
        }
        let subscribe = Subscribe {
            packet_id: PacketId::FIRST,
            properties: Properties::EMPTY,
            filters: buffer.as_filters(),
        };
        subscribe.encode(self.version, &mut self.out);
    }

    fn suback(&self, frame: &Frame<'_>) -> Result<()> {
        let suback =
            SubAck::decode(frame, self.version).with_context(|| self.says("sent a bad SUBACK"))?;
        match suback.codes.iter().find(|code| code.as_u8() != self.qos as u8) {
            None => Ok(()),
            Some(code) if code.is_failure() => {
                bail!("the broker does not let {} subscribe: {code:?}", self.client_id)
            }
            Some(code) => bail!("the broker grants QoS {} only", code.as_u8()),
        }
    }

    fn over(&mut self, id: usize, changes: &mut Vec<(usize, Change)>) -> Result<()> {
        if self.stage != Stage::Leaving {
            bail!(self.ended_early());
        }
        self.stage = Stage::Ended;
        self.channel.finish();
        changes.push((id, Change::Ended));
        Ok(())
    }

    fn disconnected(&self, frame: &Frame<'_>) -> String {
        match Disconnect::decode(frame, self.version) {
            Ok(disconnect) => self.says(&format!("disconnects: {:?}", disconnect.reason)),
            Err(_) => self.says("sent a bad DISCONNECT"),
        }
    }

    fn ended_early(&self) -> String {
        let what = match self.stage {
            Stage::Connecting | Stage::Greeting => "closed the connection instead of a CONNACK",
            Stage::Subscribing => "closed the connection instead of a SUBACK",
            Stage::Ready | Stage::Leaving | Stage::Ended => "closed the connection",
        };
        self.says(what)
    }

    fn says(&self, what: &str) -> String {
        format!("the broker {what} ({})", self.client_id)
    }
}
