//! How records look. Whatever changes here is a new version in [`super::fields`].

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use pintle_mqtt::{Budget, KeptRun, Layout, ProtocolVersion, QoS};
use pintle_ports::{Granted, Identity, Transport};
use pintle_router::SubscriptionOptions;
use pintle_session::{Delivery, Waiting};

use super::fields::{Broken, Reader, Writer};
use super::wall_clock::WallClock;
use crate::retained_store::Retained;
use crate::session::{PendingWill, SessionState};

/// A key that begins with a Client Identifier.
pub(crate) fn client_key(client_id: &str, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(client_id.len() + 1 + rest.len());
    key.extend_from_slice(client_id.as_bytes());
    key.push(0);
    key.extend_from_slice(rest);
    key
}

/// The Client Identifier of a key, and what follows.
pub(crate) fn split_key(key: &[u8]) -> Option<(&str, &[u8])> {
    let end = key.iter().position(|byte| *byte == 0)?;
    let client_id = std::str::from_utf8(key.get(..end)?).ok()?;
    Some((client_id, key.get(end + 1..)?))
}

const PROTOCOLS: [(u8, ProtocolVersion); 3] =
    [(3, ProtocolVersion::V3_1), (4, ProtocolVersion::V3_1_1), (5, ProtocolVersion::V5_0)];

const TRANSPORTS: [(u8, Transport); 5] = [
    (0, Transport::Tcp),
    (1, Transport::Tls),
    (2, Transport::WebSocket),
    (3, Transport::WebSocketTls),
    (4, Transport::Internal),
];

const LAYOUTS: [(u8, Layout); 2] = [(0, Layout::V3), (1, Layout::V5)];

fn number_of<T: PartialEq>(table: &[(u8, T)], value: &T) -> u8 {
    table.iter().find(|(_, known)| known == value).map_or(u8::MAX, |(number, _)| *number)
}

fn named<T: Copy>(table: &[(u8, T)], number: u8, field: &'static str) -> Result<T, Broken> {
    let found = table.iter().find(|(known, _)| *known == number);
    found.map(|(_, value)| *value).ok_or(Broken::Field(field))
}

fn write_identity(writer: &mut Writer, who: &Identity) {
    writer.maybe_text(who.username.as_deref());
    let granted = who.granted.as_ref().and_then(|granted| granted.principal.as_deref());
    writer.maybe_text(granted);
    writer.u8(number_of(&PROTOCOLS, &who.protocol));
    writer.u8(number_of(&TRANSPORTS, &who.transport));
    writer.text(&who.listener);
    let address = who.remote_addr.map(|address| SocketAddr::from(address).to_string());
    writer.maybe_text(address.as_deref());
}

/// `session_key` is left for the caller to set; rules are not stored.
fn read_identity(reader: &mut Reader<'_>, client_id: &str) -> Result<Identity, Broken> {
    let username = reader.maybe_text("user name")?.map(Box::from);
    let principal = reader.maybe_text("principal")?.map(Box::from);
    let protocol = named(&PROTOCOLS, reader.u8()?, "protocol")?;
    let transport = named(&TRANSPORTS, reader.u8()?, "transport")?;
    let listener = reader.text("listener")?.into();
    let address: Option<SocketAddr> = match reader.maybe_text("address")? {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| Broken::Field("address"))?),
    };
    Ok(Identity {
        session_key: 0,
        client_id: client_id.into(),
        username,
        granted: Granted::new(principal, None),
        protocol,
        transport,
        listener,
        remote_addr: address.map(Into::into),
    })
}

fn write_message(writer: &mut Writer, run: &KeptRun, frame: &[u8], clock: WallClock) {
    writer.u8(number_of(&LAYOUTS, &run.layout()));
    writer.u64(clock.to_wall(run.received_at()));
    writer.u64(clock.to_wall(run.expires_at()));
    writer.bytes(frame);
}

fn read_message(
    reader: &mut Reader<'_>,
    clock: WallClock,
    budget: &Arc<Budget>,
) -> Result<Arc<KeptRun>, Broken> {
    let layout = named(&LAYOUTS, reader.u8()?, "layout")?;
    let received_at = clock.to_broker(reader.u64()?);
    let expires_at = clock.to_broker(reader.u64()?);
    let frame = reader.bytes()?;
    let run = KeptRun::restored(frame, layout, received_at, expires_at, budget);
    run.map(Arc::new).map_err(|_| Broken::Field("message"))
}

/// A message that queues and clients in flight refer to.
pub(crate) fn message_record(run: &KeptRun, frame: &[u8], clock: WallClock) -> Vec<u8> {
    let mut writer = Writer::new();
    write_message(&mut writer, run, frame, clock);
    writer.finish()
}

pub(crate) fn read_message_record(
    record: &[u8],
    clock: WallClock,
    budget: &Arc<Budget>,
) -> Result<Arc<KeptRun>, Broken> {
    let mut reader = Reader::new(record)?;
    let run = read_message(&mut reader, clock, budget)?;
    reader.end()?;
    Ok(run)
}

/// What is stored of a session itself.
pub(crate) struct SessionRecord {
    pub(crate) identity: Identity,
    pub(crate) expiry_secs: u32,
    pub(crate) expiry_secs_max: u32,
    pub(crate) queue_messages_max: u32,
    /// When it ends, by the clock of the world; `None` while it is connected.
    pub(crate) ends_at_ms: Option<u64>,
    pub(crate) will: Option<WillRecord>,
}

pub(crate) struct WillRecord {
    pub(crate) message: Arc<KeptRun>,
    pub(crate) delay_secs: u32,
    /// When it is sent, by the clock of the world; `u64::MAX` while the session is connected.
    pub(crate) at_ms: u64,
}

pub(crate) fn session_record(state: &SessionState, clock: WallClock) -> Vec<u8> {
    let mut writer = Writer::new();
    write_identity(&mut writer, &state.identity);
    writer.u32(state.expiry.as_secs());
    writer.u32(state.expiry_secs_max());
    writer.u32(state.queue_messages_max);
    let deadlines = state.deadlines();
    let is_connected = state.link.is_some();
    writer.u8(u8::from(!is_connected));
    writer.u64(clock.to_wall(deadlines.expires_at));
    match state.will() {
        None => writer.u8(0),
        Some(PendingWill { message, delay_secs }) => {
            writer.u8(1);
            writer.u32(*delay_secs);
            writer.u64(clock.to_wall(deadlines.will_at));
            write_message(&mut writer, message, message.frames(), clock);
        }
    }
    writer.finish()
}

pub(crate) fn read_session_record(
    client_id: &str,
    record: &[u8],
    clock: WallClock,
    budget: &Arc<Budget>,
) -> Result<SessionRecord, Broken> {
    let mut reader = Reader::new(record)?;
    let identity = read_identity(&mut reader, client_id)?;
    let (expiry_secs, expiry_secs_max) = (reader.u32()?, reader.u32()?);
    let queue_messages_max = reader.u32()?;
    let is_away = reader.flag("connection")?;
    let ends_at_ms = Some(reader.u64()?).filter(|_| is_away);
    let will = if reader.flag("will")? {
        let (delay_secs, at_ms) = (reader.u32()?, reader.u64()?);
        let message = read_message(&mut reader, clock, budget)?;
        Some(WillRecord { message, delay_secs, at_ms })
    } else {
        None
    };
    reader.end()?;
    Ok(SessionRecord {
        identity,
        expiry_secs,
        expiry_secs_max,
        queue_messages_max,
        ends_at_ms,
        will,
    })
}

pub(crate) fn subscription_record(options: SubscriptionOptions) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u8(options.qos as u8);
    writer.u8(u8::from(options.no_local));
    writer.u8(u8::from(options.retain_as_published));
    writer.u32(options.identifier.map_or(0, NonZeroU32::get));
    writer.finish()
}

pub(crate) fn read_subscription_record(record: &[u8]) -> Result<SubscriptionOptions, Broken> {
    let mut reader = Reader::new(record)?;
    let options = SubscriptionOptions {
        qos: read_qos(&mut reader)?,
        no_local: reader.flag("No Local")?,
        retain_as_published: reader.flag("Retain As Published")?,
        identifier: NonZeroU32::new(reader.u32()?),
    };
    reader.end()?;
    Ok(options)
}

fn read_qos(reader: &mut Reader<'_>) -> Result<QoS, Broken> {
    QoS::from_bits(reader.u8()?).ok_or(Broken::Field("QoS"))
}

/// How a client is to get a message, and by which number that is stored.
pub(crate) struct Reference {
    pub(crate) message: u64,
    qos: QoS,
    retain: bool,
    shared: bool,
    subscription_ids: Vec<u32>,
}

impl Reference {
    pub(crate) fn delivery(&self) -> Delivery<'_> {
        Delivery {
            qos: self.qos,
            retain: self.retain,
            shared: self.shared,
            subscription_ids: &self.subscription_ids,
        }
    }
}

fn write_reference(writer: &mut Writer, number: u64, message: &Waiting) {
    let delivery = message.delivery();
    writer.u64(number);
    writer.u8(delivery.qos as u8);
    writer.u8(u8::from(delivery.retain));
    writer.u8(u8::from(delivery.shared));
    writer.u32(delivery.subscription_ids.len() as u32);
    delivery.subscription_ids.iter().for_each(|id| writer.u32(*id));
}

fn read_reference(reader: &mut Reader<'_>) -> Result<Reference, Broken> {
    let message = reader.u64()?;
    let qos = read_qos(reader)?;
    let (retain, shared) = (reader.flag("RETAIN")?, reader.flag("share")?);
    let mut subscription_ids = Vec::new();
    for _ in 0..reader.u32()? {
        subscription_ids.push(reader.u32()?);
    }
    Ok(Reference { message, qos, retain, shared, subscription_ids })
}

/// A message that waits.
pub(crate) fn queue_record(number: u64, message: &Waiting) -> Vec<u8> {
    let mut writer = Writer::new();
    write_reference(&mut writer, number, message);
    writer.finish()
}

pub(crate) fn read_queue_record(record: &[u8]) -> Result<Reference, Broken> {
    let mut reader = Reader::new(record)?;
    let reference = read_reference(&mut reader)?;
    reader.end()?;
    Ok(reference)
}

/// A message in flight: its place in the order of sending, and the message, unless that is the
/// client's already.
pub(crate) fn in_flight_record(sequence: u64, message: Option<(u64, &Waiting)>) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u64(sequence);
    writer.u8(u8::from(message.is_some()));
    if let Some((number, message)) = message {
        write_reference(&mut writer, number, message);
    }
    writer.finish()
}

pub(crate) fn read_in_flight_record(record: &[u8]) -> Result<(u64, Option<Reference>), Broken> {
    let mut reader = Reader::new(record)?;
    let sequence = reader.u64()?;
    let is_sent = reader.flag("state")?;
    let reference = if is_sent { Some(read_reference(&mut reader)?) } else { None };
    reader.end()?;
    Ok((sequence, reference))
}

/// An open identifier says all in its key.
pub(crate) fn inbound_record() -> Vec<u8> {
    Writer::new().finish()
}

pub(crate) fn read_inbound_record(record: &[u8]) -> Result<(), Broken> {
    Reader::new(record)?.end()
}

pub(crate) fn retained_record(retained: &Retained, clock: WallClock) -> Vec<u8> {
    let mut writer = Writer::new();
    match &retained.author {
        None => writer.u8(0),
        Some(author) => {
            writer.u8(1);
            writer.u8(u8::from(author.is_will));
            writer.text(&author.identity.client_id);
            write_identity(&mut writer, &author.identity);
        }
    }
    write_message(&mut writer, &retained.message, retained.message.frames(), clock);
    writer.finish()
}

/// A retained message, and who published it, as a will or not.
pub(crate) struct RetainedRecord {
    pub(crate) message: Arc<KeptRun>,
    pub(crate) author: Option<(Identity, bool)>,
}

pub(crate) fn read_retained_record(
    record: &[u8],
    clock: WallClock,
    budget: &Arc<Budget>,
) -> Result<RetainedRecord, Broken> {
    let mut reader = Reader::new(record)?;
    let author = if reader.flag("author")? {
        let is_will = reader.flag("will")?;
        let client_id = reader.text("Client Identifier")?;
        Some((read_identity(&mut reader, client_id)?, is_will))
    } else {
        None
    };
    let message = read_message(&mut reader, clock, budget)?;
    reader.end()?;
    Ok(RetainedRecord { message, author })
}
