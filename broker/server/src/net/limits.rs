use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex};
use pintle_ports::RemoteAddr;

/// Counts connections in all, and lets others wait until there are none.
#[derive(Debug)]
pub(super) struct BrokerLimit {
    connections_max: usize,
    open: AtomicUsize,
    emptied: Mutex<()>,
    is_empty: Condvar,
}

/// Counts the connections of one listener, in all and per address.
#[derive(Debug)]
pub(super) struct ListenerLimit {
    name: Arc<str>,
    connections_max: usize,
    connections_per_address_max: usize,
    open: AtomicUsize,
    per_address: Mutex<HashMap<IpAddr, usize>>,
    broker: Arc<BrokerLimit>,
}

/// A connection's place within the limits; given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    limit: Arc<ListenerLimit>,
    peer: RemoteAddr,
}

/// Which limit a connection was refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    Broker,
    Listener,
    Address,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broker => "the broker",
            Self::Listener => "this listener",
            Self::Address => "this address",
        })
    }
}

impl BrokerLimit {
    pub(super) fn new(connections_max: usize) -> Arc<Self> {
        Arc::new(Self {
            connections_max,
            open: AtomicUsize::new(0),
            emptied: Mutex::new(()),
            is_empty: Condvar::new(),
        })
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Waits until no connection is open, at most until `deadline`.
    pub(super) fn wait_until_empty(&self, deadline: std::time::Instant) {
        let mut guard = self.emptied.lock();
        while self.open() > 0 {
            if self.is_empty.wait_until(&mut guard, deadline).timed_out() {
                return;
            }
        }
    }

    fn leave(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Under the lock, so that nobody who just saw a connection misses it.
            let _guard = self.emptied.lock();
            self.is_empty.notify_all();
        }
    }
}

impl ListenerLimit {
    pub(super) fn new(
        name: Arc<str>,
        connections_max: usize,
        connections_per_address_max: usize,
        broker: Arc<BrokerLimit>,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            connections_max,
            connections_per_address_max,
            open: AtomicUsize::new(0),
            per_address: Mutex::default(),
            broker,
        })
    }

    /// Takes a place for a connection from `peer`, if every limit allows one more.
    pub(super) fn admit(self: &Arc<Self>, peer: SocketAddr) -> Result<Permit, Full> {
        if !take_one(&self.broker.open, self.broker.connections_max) {
            return Err(Full::Broker);
        }
        if !take_one(&self.open, self.connections_max) {
            self.broker.leave();
            return Err(Full::Listener);
        }
        let mut per_address = self.per_address.lock();
        let count = per_address.entry(address_of(peer)).or_default();
        if *count >= self.connections_per_address_max {
            if *count == 0 {
                per_address.remove(&address_of(peer));
            }
            drop(per_address);
            self.open.fetch_sub(1, Ordering::AcqRel);
            self.broker.leave();
            return Err(Full::Address);
        }
        *count += 1;
        drop(per_address);
        Ok(Permit { limit: Arc::clone(self), peer: peer.into() })
    }
}

impl Permit {
    pub(super) fn peer(&self) -> SocketAddr {
        self.peer.into()
    }

    pub(super) fn listener(&self) -> &str {
        &self.limit.name
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let address = self.peer.ip().to_canonical();
        let mut per_address = self.limit.per_address.lock();
        if let Some(count) = per_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                per_address.remove(&address);
            }
        }
        drop(per_address);
        self.limit.open.fetch_sub(1, Ordering::AcqRel);
        self.limit.broker.leave();
    }
}

/// An IPv4 address is the same one when it comes through an IPv6 socket.
fn address_of(peer: SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}

fn take_one(count: &AtomicUsize, max: usize) -> bool {
    count
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| (open < max).then_some(open + 1))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: [u8; 4], port: u16) -> SocketAddr {
        SocketAddr::from((address, port))
    }

    fn limit(in_all: usize, here: usize, per_address: usize) -> Arc<ListenerLimit> {
        ListenerLimit::new("test".into(), here, per_address, BrokerLimit::new(in_all))
    }

    #[test]
    fn each_limit_refuses_by_its_name() {
        let a = peer([10, 0, 0, 1], 1);

        assert_eq!(limit(0, 9, 9).admit(a).unwrap_err(), Full::Broker);
        assert_eq!(limit(9, 0, 9).admit(a).unwrap_err(), Full::Listener);
        assert_eq!(limit(9, 9, 0).admit(a).unwrap_err(), Full::Address);
    }

    #[test]
    fn a_refusal_takes_no_place() {
        let limit = limit(2, 2, 1);
        let first = limit.admit(peer([10, 0, 0, 1], 1)).unwrap();

        assert_eq!(limit.admit(peer([10, 0, 0, 1], 2)).unwrap_err(), Full::Address);
        let second = limit.admit(peer([10, 0, 0, 2], 1)).unwrap();

        assert_eq!(limit.broker.open(), 2);
        drop((first, second));
        assert_eq!(limit.broker.open(), 0);
        assert!(limit.per_address.lock().is_empty());
    }

    #[test]
    fn a_place_given_back_can_be_taken_again() {
        let limit = limit(1, 1, 1);
        let a = peer([10, 0, 0, 1], 1);

        drop(limit.admit(a).unwrap());

        assert!(limit.admit(a).is_ok());
    }

    #[test]
    fn an_address_counts_once_however_it_is_written() {
        let limit = limit(9, 9, 1);
        let _first = limit.admit(peer([10, 0, 0, 1], 1)).unwrap();

        let mapped: SocketAddr = "[::ffff:10.0.0.1]:2".parse().unwrap();

        assert_eq!(limit.admit(mapped).unwrap_err(), Full::Address);
    }
}
