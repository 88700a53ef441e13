//! What every scenario begins and ends with.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use pintle_mqtt::{ProtocolVersion, QoS};

use super::args::CommonArgs;
use super::faults::Faults;
use super::fleet::{Fleet, Target};
use super::link::Client;
use super::monitor::{Monitor, Span};
use super::open_files;
use super::process::Memory;
use super::report::{BrokerCost, Generator, Percentiles, Report, share};
use crate::client::{TlsOptions, tls_config};

/// A run that has begun: connections to come, a watch on the broker, names that are its own.
pub(super) struct Bench<'a> {
    common: &'a CommonArgs,
    pub(super) fleet: Fleet,
    pub(super) monitor: Monitor,
    open_files_max: u64,
    /// Tells this run from all others.
    salt: u64,
}

/// What a scenario has found, for its report.
pub(super) struct Findings {
    pub(super) scenario: &'static str,
    pub(super) message: Option<(QoS, u32)>,
    pub(super) parts: BTreeMap<&'static str, u64>,
    pub(super) rate: Option<f64>,
    pub(super) unit: &'static str,
    pub(super) count: u64,
    pub(super) span: Span,
    pub(super) checked: u64,
    pub(super) faults: Faults,
    pub(super) latency: Option<Percentiles>,
    pub(super) late: Option<Percentiles>,
    pub(super) memory: (Option<Memory>, Option<Memory>),
}

impl<'a> Bench<'a> {
    /// For `connections` at most, and payloads of this size.
    pub(super) fn begin(
        common: &'a CommonArgs,
        payload_bytes: u32,
        connections: u64,
    ) -> Result<Self> {
        let open_files_max = open_files::raise();
        open_files::check(open_files_max, connections)?;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let salt = u64::from(std::process::id()) << 32 ^ u64::from(since_epoch.subsec_nanos());
        Ok(Self {
            common,
            fleet: Fleet::new(target(common)?, payload_bytes as usize)?,
            monitor: Monitor::new(common.pid)?,
            open_files_max,
            salt,
        })
    }

    pub(super) const fn version(&self) -> ProtocolVersion {
        self.common.version.0
    }

    pub(super) const fn salt(&self) -> u64 {
        self.salt
    }

    /// The first levels of every topic of this run.
    pub(super) fn topic_prefix(&self) -> String {
        format!("bench/{:04x}", self.salt >> 16 & 0xffff ^ self.salt & 0xffff)
    }

    /// A client of this run.
    pub(super) fn client(&self, kind: &str, number: usize) -> Client {
        Client::new(format!("bench-{:x}-{kind}{number}", self.salt))
    }

    pub(super) fn report(&self, findings: Findings) -> Report {
        let Findings { span, faults, .. } = findings;
        let generator = Generator::new(&span, findings.late);
        let pid = self.monitor.broker_pid();
        let broker = BrokerCost::new(pid, &span, findings.count, findings.memory);
        let qos = findings.message.map_or(QoS::AtMostOnce, |(qos, _)| qos);
        Report {
            scenario: findings.scenario,
            address: self.fleet.target().address.to_string(),
            transport: match (self.common.ws, self.common.uses_tls()) {
                (false, false) => "TCP",
                (false, true) => "TLS",
                (true, false) => "WebSocket",
                (true, true) => "WebSocket and TLS",
            },
            mqtt_version: if self.version().is_v5() { "5.0" } else { "3.1.1" },
            qos: findings.message.map(|(qos, _)| qos as u8),
            payload_bytes: findings.message.map(|(_, bytes)| bytes),
            parts: findings.parts,
            rate: findings.rate,
            unit: findings.unit,
            count: findings.count,
            seconds: span.seconds,
            per_second: share(findings.count as f64, span.seconds),
            verified: !faults.are_fatal(qos),
            checked: findings.checked,
            faults,
            latency_us: findings.latency,
            late_us: findings.late,
            generator,
            broker,
            memory_per_item: None,
            open_files_max: self.open_files_max,
        }
    }
}

fn target(common: &CommonArgs) -> Result<Target> {
    let tls = common.uses_tls().then(|| TlsOptions { ca_file: common.cafile.clone() });
    Ok(Target {
        address: address(&common.host, common.port())?,
        host: common.host.clone(),
        version: common.version.0,
        username: common.username.clone(),
        password: common.password.clone(),
        tls: tls.map(|tls| tls_config(&tls)).transpose()?.map(Arc::new),
        web_socket: common.ws.then(|| common.ws_path.clone()),
    })
}

/// The first address of a name, one of IPv4 if there is any: brokers are often bound to that alone.
fn address(host: &str, port: u16) -> Result<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .with_context(|| format!("cannot find the address of {host}"))?
        .collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.first().copied().with_context(|| format!("{host} has no address"))
}
