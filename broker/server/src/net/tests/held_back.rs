use std::io::{ErrorKind, Write};
use std::net::TcpStream;

use super::client::{PATIENCE, Received, narrow_tcp, pattern, publish_with_qos_1, tcp};
use super::*;

/// With QoS 1.
const PUBLISH: [u8; 9] = [0x32, 7, 0, 1, b'u', 0, 9, b'!', b'!'];

/// More than the sockets can hold.
const PUBLICATIONS: usize = 2_000_000;

fn small_broker() -> TestBroker {
    TestBroker::with_engine(EngineSettings { outbox_bytes_max: 64 * 1024, ..Default::default() })
}

/// A client whose sockets are full of what it published to itself and did not read.
fn stuffed(broker: &TestBroker) -> (Client, TcpStream) {
    let stream = narrow_tcp(broker.address);
    let mut client = Client::over(stream.try_clone().unwrap(), "publisher");
    client.subscribe("t", 0);
    for _ in 0..2000 {
        client.publish("t", &pattern(8 * 1024));
    }
    (client, stream)
}

/// Publishes without reading, until the broker reads no more; returns how many bytes it took.
fn publish_until_held_back(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut taken = 0;
    while taken < bytes.len() {
        match stream.write(&bytes[taken..]) {
            Ok(written) => taken += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return taken,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it is not held back")
}

#[test]
fn a_publisher_that_does_not_take_its_acknowledgements_is_held_back_until_it_does() {
    let broker = small_broker();
    let (mut client, mut stream) = stuffed(&broker);
    let bytes = PUBLISH.repeat(PUBLICATIONS);

    let taken = publish_until_held_back(&mut stream, &bytes);

    let publications = taken / PUBLISH.len() + 1000;
    let acknowledged = std::thread::spawn(move || {
        let received = std::iter::repeat_with(|| client.receive());
        let acknowledgements = received.filter(|received| received.first_byte == 0x40);
        acknowledgements
            .take(publications)
            .all(|ack| ack == Received { first_byte: 0x40, body: vec![0, 9] })
    });
    stream.set_write_timeout(None).unwrap();
    stream.write_all(&bytes[taken..publications * PUBLISH.len()]).unwrap();
    assert!(acknowledged.join().unwrap());
}

#[test]
fn a_publisher_that_leaves_while_it_is_held_back_is_let_go() {
    let broker = small_broker();
    let (client, mut stream) = stuffed(&broker);
    publish_until_held_back(&mut stream, &PUBLISH.repeat(PUBLICATIONS));

    drop((client, stream));

    broker.wait_until_empty();
}

#[test]
fn a_publisher_that_waits_for_memory_goes_on_when_there_is_some() {
    let broker = TestBroker::with_engine(EngineSettings {
        broker_bytes_max: 100 * 1024,
        ..Default::default()
    });
    let mut receiver = broker.client("receiver");
    receiver.subscribe("t", 1);
    let stream = tcp(broker.address);
    let mut publisher = Client::over(stream.try_clone().unwrap(), "publisher");

    // What is not acknowledged is kept, until no more may be.
    let kept = (0..20).take_while(|_| {
        publisher.send(&publish_with_qos_1("t", &pattern(16 * 1024)));
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let is_acknowledged = stream.peek(&mut [0]).is_ok();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        is_acknowledged && publisher.receive().first_byte == 0x40
    });
    let kept = kept.count();

    assert!((1..20).contains(&kept));
    for _ in 0..=kept {
        assert_eq!(receiver.receive_acknowledging("t"), pattern(16 * 1024));
    }
    assert_eq!(publisher.receive().first_byte, 0x40);
}
