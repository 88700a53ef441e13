//! Clients that are a burden to the broker while others are measured: one changes its subscriptions
//! all the time, one floods, one never reads.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pintle_mqtt::{
    Connect, Layout, PacketId, PacketType, Properties, PublishFlags, QoS, Subscribe,
    SubscribeBuffer, SubscribeOptions, Unsubscribe, UnsubscribeBuffer,
};

use super::fleet::Target;
use super::frames::PublishFrame;

/// How often subscriptions are changed, many at once.
const CHANGE_INTERVAL: Duration = Duration::from_millis(10);
/// Messages that the flood is written in.
const FLOOD_MESSAGES: usize = 500;
const FLOOD_PAYLOAD: [u8; 64] = [b'x'; 64];
/// How long a write may wait before it is looked whether the run is over.
const WRITE_TIMEOUT: Duration = Duration::from_millis(50);

/// Which of them there are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Disturbance {
    /// Subscriptions made or ended a second.
    pub(super) changes_per_second: u32,
    pub(super) floods: bool,
    pub(super) never_reads: bool,
}

impl Disturbance {
    pub(super) fn connections(self) -> u64 {
        u64::from(self.changes_per_second > 0)
            + u64::from(self.floods)
            + u64::from(self.never_reads)
    }
}

/// They disturb as long as this lives.
pub(super) struct Disturbers {
    is_over: Arc<AtomicBool>,
    changes: Arc<AtomicU64>,
    flooded: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
    _never_reads: Option<TcpStream>,
}

impl Disturbers {
    /// Connects them; each has begun when this returns. Topics of the run begin with `prefix`.
    ///
    /// # Errors
    /// If the broker does not let them in, or is reached by something else than plain TCP.
    pub(super) fn start(disturbance: Disturbance, target: &Target, prefix: &str) -> Result<Self> {
        if disturbance.connections() > 0 && (target.tls.is_some() || target.web_socket.is_some()) {
            bail!("clients that disturb only come over plain TCP");
        }
        let is_over = Arc::new(AtomicBool::new(false));
        let (changes, flooded) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let mut threads = Vec::new();
        let flood_topic = format!("{prefix}-flood");
        let never_reads = disturbance.never_reads.then(|| {
            let mut stream = connected(target, &format!("{prefix}-deaf"))?;
            let mut packets = Vec::new();
            for filter in [&format!("{prefix}/#"), &flood_topic] {
                put_subscribe(target, filter, &mut packets);
            }
            stream.write_all(&packets)?;
            expect_packet(&mut stream, PacketType::SubAck)?;
            anyhow::Ok(stream)
        });
        if disturbance.changes_per_second > 0 {
            let ticks_per_second = (1.0 / CHANGE_INTERVAL.as_secs_f64()) as u32;
            let pairs = (disturbance.changes_per_second / ticks_per_second / 2).max(1);
            let mut changer = Changer::new(target, prefix, pairs)?;
            changer.change()?;
            changes.fetch_add(changer.changes, Ordering::Relaxed);
            let (is_over, count) = (Arc::clone(&is_over), Arc::clone(&changes));
            threads.push(thread::spawn(move || changer.go_on(&is_over, &count)));
        }
        if disturbance.floods {
            let mut stream = connected(target, &format!("{prefix}-flood"))?;
            stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
            let flood = flood_of(&flood_topic, target.version.layout());
            stream.write_all(&flood)?;
            flooded.fetch_add(FLOOD_MESSAGES as u64, Ordering::Relaxed);
            let (is_over, count) = (Arc::clone(&is_over), Arc::clone(&flooded));
            threads.push(thread::spawn(move || go_on_flooding(stream, &flood, &is_over, &count)));
        }
        Ok(Self { is_over, changes, flooded, threads, _never_reads: never_reads.transpose()? })
    }

    /// Subscriptions made and ended, messages of the flood.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.changes.load(Ordering::Relaxed), self.flooded.load(Ordering::Relaxed))
    }
}

impl Drop for Disturbers {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // What it had to say is in its count.
            let _ = thread.join();
        }
    }
}

/// Makes and ends subscriptions that match nothing, but might match every topic of the run.
struct Changer {
    stream: TcpStream,
    packets: Vec<u8>,
    changes: u64,
}

impl Changer {
    fn new(target: &Target, prefix: &str, pairs: u32) -> Result<Self> {
        let mut packets = Vec::new();
        let filters: Vec<String> = (0..pairs).map(|n| format!("{prefix}/+/{n}")).collect();
        for filter in &filters {
            put_subscribe(target, filter, &mut packets);
        }
        for filter in &filters {
            let mut buffer = UnsubscribeBuffer::new();
            buffer.push(filter);
            let unsubscribe = Unsubscribe {
                packet_id: PacketId::FIRST,
                properties: Properties::EMPTY,
                filters: buffer.as_filters(),
            };
            unsubscribe.encode(target.version, &mut packets);
        }
        let stream = connected(target, &format!("{prefix}-changes"))?;
        Ok(Self { stream, packets, changes: 2 * u64::from(pairs) })
    }

    /// One round, until all of it is acknowledged.
    fn change(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.packets)?;
        for _ in 0..self.changes {
            read_packet(&mut self.stream)?;
        }
        Ok(())
    }

    fn go_on(mut self, is_over: &AtomicBool, count: &AtomicU64) {
        let mut due = Instant::now() + CHANGE_INTERVAL;
        while !is_over.load(Ordering::Relaxed) {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            due += CHANGE_INTERVAL;
            // The broker may end it; then the count shows how far it came.
            if self.change().is_err() {
                return;
            }
            count.fetch_add(self.changes, Ordering::Relaxed);
        }
    }
}

fn flood_of(topic: &str, layout: Layout) -> Vec<u8> {
    let frame = PublishFrame::new(topic, PublishFlags::default(), layout, FLOOD_PAYLOAD.len());
    let mut flood = Vec::new();
    for _ in 0..FLOOD_MESSAGES {
        frame.append_head(0, &mut flood);
        flood.extend_from_slice(&FLOOD_PAYLOAD);
    }
    flood
}

fn go_on_flooding(mut stream: TcpStream, flood: &[u8], is_over: &AtomicBool, count: &AtomicU64) {
    let mut at = 0;
    while !is_over.load(Ordering::Relaxed) {
        match stream.write(flood.get(at..).unwrap_or_default()) {
            Ok(len) => at += len,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            // The broker may end it; then the count shows how far it came.
            Err(_) => return,
        }
        if at == flood.len() {
            at = 0;
            count.fetch_add(FLOOD_MESSAGES as u64, Ordering::Relaxed);
        }
    }
}

fn put_subscribe(target: &Target, filter: &str, packets: &mut Vec<u8>) {
    let mut buffer = SubscribeBuffer::new();
    buffer.push(filter, SubscribeOptions::with_qos(QoS::AtMostOnce));
    let subscribe = Subscribe {
        packet_id: PacketId::FIRST,
        properties: Properties::EMPTY,
        filters: buffer.as_filters(),
    };
    subscribe.encode(target.version, packets);
}

fn connected(target: &Target, client_id: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(target.address)
        .with_context(|| format!("cannot connect to {}", target.address))?;
    let mut packet = Vec::new();
    let connect = Connect {
        version: target.version,
        clean_start: true,
        keep_alive_secs: 0,
        client_id,
        will: None,
        username: target.username.as_deref(),
        password: target.password.as_ref().map(String::as_bytes),
        properties: Properties::EMPTY,
    };
    connect.encode(&mut packet);
    stream.write_all(&packet)?;
    let body = expect_packet(&mut stream, PacketType::ConnAck)?;
    if body.get(1) != Some(&0) {
        bail!("the broker does not let {client_id} in");
    }
    Ok(stream)
}

fn expect_packet(stream: &mut TcpStream, kind: PacketType) -> Result<Vec<u8>> {
    let (first_byte, body) = read_packet(stream).context("a client that disturbs is cut off")?;
    if PacketType::from_first_byte(first_byte) != Some(kind) {
        bail!("the broker sent {first_byte:#04x} in place of a {kind:?}");
    }
    Ok(body)
}

/// First byte and body of the next packet.
fn read_packet(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    let mut next = |stream: &mut TcpStream| stream.read_exact(&mut byte).map(|()| byte[0]);
    let first_byte = next(stream)?;
    let (mut len, mut shift) = (0, 0);
    loop {
        let digit = next(stream)?;
        len |= usize::from(digit & 0x7f) << shift;
        shift += 7;
        if digit & 0x80 == 0 || shift > 21 {
            break;
        }
    }
    let mut body = vec![0; len];
    stream.read_exact(&mut body)?;
    Ok((first_byte, body))
}
