use std::io::Write;

use super::client::{connect_packet, narrow_tcp, pattern, publish_packet, subscribe_packet, tcp};
use super::*;

/// DISCONNECT with this Reason Code and nothing else, or with properties.
fn is_disconnect(received: &client::Received, reason: u8) -> bool {
    received.first_byte == 0xe0 && received.body.first() == Some(&reason)
}

#[test]
fn a_peer_is_told_why_before_the_end() {
    let broker = TestBroker::open();
    let mut client = Client::v5_over(tcp(broker.address), "a");

    client.send(&[0xc1, 0]);

    assert!(is_disconnect(&client.receive(), 0x81));
    client.receive_end();
}

#[test]
fn a_peer_that_goes_on_sending_is_told_why_too() {
    let broker = TestBroker::open();
    let mut client = Client::v5_over(tcp(broker.address), "a");

    let mut bytes = vec![0xc1, 0];
    bytes.extend(vec![0; 20_000]);
    client.send(&bytes);

    assert!(is_disconnect(&client.receive(), 0x81));
    client.receive_end();
}

#[test]
fn what_was_acknowledged_before_a_violation_reaches_the_peer_first() {
    let broker = TestBroker::open();
    let mut client = Client::v5_over(tcp(broker.address), "a");

    client.send(&[0xc0, 0, 0xc0, 0, 0xc1, 0]);

    assert_eq!(client.receive().first_byte, 0xd0);
    assert_eq!(client.receive().first_byte, 0xd0);
    assert!(is_disconnect(&client.receive(), 0x81));
    client.receive_end();
}

#[test]
fn a_connection_taken_over_from_another_worker_is_told_so() {
    let broker = TestBroker::with(NetSettings { workers: 2, ..settings() }, plain());
    let mut first = Client::v5_over(tcp(broker.address), "a");

    let mut second = Client::v5_over(tcp(broker.address), "a");

    assert!(is_disconnect(&first.receive(), 0x8e));
    first.receive_end();
    second.ping();
}

#[test]
fn a_client_that_disconnects_sees_the_end() {
    let broker = TestBroker::open();
    let mut client = broker.client("a");

    client.send(&[0xe0, 0]);

    client.receive_end();
    broker.wait_until_empty();
}

#[test]
fn a_client_that_closes_its_side_gets_its_answers() {
    let broker = TestBroker::open();
    let mut client = Client::silent(tcp(broker.address));
    let mut bytes = connect_packet(4, "a", 0);
    bytes.extend(subscribe_packet("t", 0));
    bytes.extend(publish_packet("t", b"to myself"));

    client.send(&bytes);
    client.half_close();

    assert_eq!(client.receive().first_byte, 0x20);
    assert_eq!(client.receive().first_byte, 0x90);
    assert_eq!(client.receive_payload("t"), b"to myself");
    client.receive_end();
    broker.wait_until_empty();
}

#[test]
fn a_disconnect_is_read_from_a_socket_that_can_not_be_written_any_more() {
    let broker = TestBroker::open();
    let mut watcher = broker.client("watcher");
    watcher.subscribe("will", 0);
    let mut leaver = Client::silent(tcp(broker.address));
    leaver.send(&connect_with_will("leaver"));
    assert_eq!(leaver.receive().first_byte, 0x20);
    leaver.subscribe("t", 0);

    // What the broker sends meanwhile meets a closed socket, whose reset it must survive.
    let mut bytes = Vec::new();
    for _ in 0..100 {
        bytes.extend(publish_packet("t", &pattern(1000)));
    }
    bytes.extend([0xe0, 0]);
    leaver.send(&bytes);
    drop(leaver);

    watcher.publish("will", b"nobody died");
    assert_eq!(watcher.receive_payload("will"), b"nobody died");
}

fn connect_with_will(id: &str) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0b110, 0, 0, 0, id.len() as u8];
    body.extend_from_slice(id.as_bytes());
    body.extend([0, 4, b'w', b'i', b'l', b'l', 0, 4, b'd', b'i', b'e', b'd']);
    client::packet(0x10, &body)
}

#[test]
fn a_handshake_that_only_drips_is_ended() {
    let settings = NetSettings { handshake_timeout: Duration::from_millis(200), ..settings() };
    let broker = TestBroker::with(settings, plain());
    let mut dripping = tcp(broker.address);
    let mut watching = Client::silent(dripping.try_clone().unwrap());

    let drops = connect_packet(4, &"a".repeat(60_000), 0);
    let (stop, stopped) = mpsc::channel::<()>();
    let drip = std::thread::spawn(move || {
        drops.iter().all(|drop| {
            dripping.write_all(&[*drop]).is_ok()
                && stopped.recv_timeout(Duration::from_millis(20)).is_err()
        })
    });

    assert!(watching.is_ended());
    broker.wait_until_empty();
    drop(stop);
    assert!(!drip.join().unwrap());
}

#[test]
fn a_connection_that_says_nothing_is_ended() {
    let settings = NetSettings { handshake_timeout: Duration::from_millis(200), ..settings() };
    let broker = TestBroker::with(settings, plain());

    let mut client = Client::silent(tcp(broker.address));

    client.receive_end();
}

#[test]
fn a_client_that_is_silent_longer_than_its_keep_alive_is_ended_and_told() {
    let broker = TestBroker::open();
    let mut client = Client::silent(tcp(broker.address));

    client.send(&connect_packet(5, "a", 1));

    assert_eq!(client.receive().first_byte, 0x20);
    assert!(is_disconnect(&client.receive(), 0x8d));
    client.receive_end();
}

#[test]
fn a_client_without_keep_alive_outlives_the_handshake_time_out() {
    let settings = NetSettings { handshake_timeout: Duration::from_millis(200), ..settings() };
    let broker = TestBroker::with(settings, plain());
    let mut patient = broker.client("patient");

    let mut silent = Client::silent(tcp(broker.address));
    silent.receive_end();

    patient.ping();
}

#[test]
fn a_graceful_end_says_goodbye_to_everybody() {
    let broker = TestBroker::with(NetSettings { workers: 2, ..settings() }, plain());
    let mut clients: Vec<_> =
        (0..4).map(|n| Client::v5_over(tcp(broker.address), &format!("client {n}"))).collect();
    let goodbyes = std::thread::spawn(move || {
        clients.iter_mut().all(|client| {
            let is_told = is_disconnect(&client.receive(), 0x8b);
            client.receive_end();
            is_told
        })
    });

    broker.net.shut_down(Duration::from_secs(20));

    assert!(goodbyes.join().unwrap());
    assert!(std::net::TcpStream::connect(broker.address).is_err());
}

#[test]
fn a_graceful_end_does_not_wait_for_those_who_never_read() {
    let broker = TestBroker::open();
    let mut stuck = Client::over(narrow_tcp(broker.address), "stuck");
    stuck.subscribe("t", 0);
    let mut publisher = broker.client("publisher");
    for _ in 0..200 {
        publisher.publish("t", &pattern(32 * 1024));
    }
    publisher.ping();

    broker.net.shut_down(Duration::from_millis(100));

    assert!(publisher.is_ended());
}

#[test]
fn dropping_the_network_side_ends_every_connection() {
    let broker = TestBroker::with(NetSettings { workers: 2, ..settings() }, plain());
    let mut clients: Vec<_> = (0..4).map(|n| broker.client(&format!("client {n}"))).collect();

    drop(broker.net);

    assert!(clients.iter_mut().all(Client::is_ended));
    assert_eq!(broker.engine.counters().sockets_open.load(std::sync::atomic::Ordering::Relaxed), 0);
}
