use std::sync::atomic::Ordering;

use super::client::tcp;
use super::*;

#[test]
fn one_connection_more_than_the_broker_may_have_is_closed() {
    let broker = TestBroker::with(NetSettings { connections_max: 2, ..settings() }, plain());
    let mut first = broker.client("first");
    let mut second = broker.client("second");

    assert!(Client::silent(tcp(broker.address)).is_ended());

    first.ping();
    second.ping();
    assert_eq!(broker.net.connection_count(), 2);
}

#[test]
fn one_connection_more_than_the_listener_may_have_is_closed() {
    let broker = TestBroker::with(settings(), ListenerSpec { connections_max: 1, ..plain() });
    let other = broker.net.listen(plain()).unwrap();
    let mut first = broker.client("first");

    assert!(Client::silent(tcp(broker.address)).is_ended());

    first.ping();
    Client::connect(other, "by the other listener").ping();
}

#[test]
fn one_connection_more_than_an_address_may_have_is_closed() {
    let broker =
        TestBroker::with(settings(), ListenerSpec { connections_per_address_max: 1, ..plain() });
    let mut first = broker.client("first");

    assert!(Client::silent(tcp(broker.address)).is_ended());

    first.ping();
}

#[test]
fn a_place_is_free_again_when_its_connection_has_ended() {
    let broker = TestBroker::with(NetSettings { connections_max: 1, ..settings() }, plain());

    for number in 0..20 {
        let mut client = broker.client(&format!("client {number}"));
        client.ping();
        drop(client);
        broker.wait_until_empty();
    }

    let counters = broker.engine.counters();
    assert_eq!(counters.sockets_opened.load(Ordering::Relaxed), 20);
    assert_eq!(counters.sockets_open.load(Ordering::Relaxed), 0);
}

#[test]
fn a_busy_port_is_named() {
    let broker = TestBroker::open();

    let error = broker.net.listen(ListenerSpec { bind: broker.address, ..plain() }).unwrap_err();

    assert_eq!(error.address, broker.address);
    assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&broker.address.to_string()));
}

#[test]
fn a_port_is_free_once_listening_has_stopped_and_connections_stay() {
    let broker = TestBroker::open();
    let mut client = broker.client("stays");

    broker.net.stop_listening();

    let address = broker.net.listen(ListenerSpec { bind: broker.address, ..plain() }).unwrap();
    Client::connect(address, "comes later").ping();
    client.ping();
}

#[test]
fn several_listeners_serve_one_broker() {
    let broker = TestBroker::with(NetSettings { workers: 2, ..settings() }, plain());
    let other = broker.net.listen(plain()).unwrap();
    let mut receiver = broker.client("receiver");
    receiver.subscribe("t", 0);

    Client::connect(other, "publisher").publish("t", b"hello");

    assert_eq!(receiver.receive_payload("t"), b"hello");
}
