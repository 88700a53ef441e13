use super::super::connection::Conn;
use super::super::connection_task::ConnTask;
use super::client::{connect_packet, pattern, publish_packet, subscribe_packet};
use super::*;

#[test]
fn packets_may_be_cut_anywhere() {
    let broker = TestBroker::open();
    let mut client = broker.client("a");
    client.subscribe("t", 0);

    let packet = publish_packet("t", b"cut at every place");
    for at in 1..packet.len() {
        client.send(&packet[..at]);
        client.send(&packet[at..]);
        assert_eq!(client.receive_payload("t"), b"cut at every place");
    }
}

#[test]
fn packets_may_come_byte_by_byte() {
    let broker = TestBroker::open();
    let mut client = Client::silent(client::tcp(broker.address));
    let mut bytes = connect_packet(4, "a", 0);
    bytes.extend(subscribe_packet("t", 0));
    bytes.extend(publish_packet("t", b"drop by drop"));

    for byte in bytes {
        client.send(&[byte]);
    }

    assert_eq!(client.receive().first_byte, 0x20);
    assert_eq!(client.receive().first_byte, 0x90);
    assert_eq!(client.receive_payload("t"), b"drop by drop");
}

#[test]
fn packets_may_be_joined() {
    let broker = TestBroker::open();
    let mut client = Client::silent(client::tcp(broker.address));
    let mut bytes = connect_packet(4, "a", 0);
    bytes.extend(subscribe_packet("t", 0));
    for number in 0..5000_u32 {
        bytes.extend(publish_packet("t", &number.to_be_bytes()));
    }

    client.send(&bytes);

    assert_eq!(client.receive().first_byte, 0x20);
    assert_eq!(client.receive().first_byte, 0x90);
    for number in 0..5000_u32 {
        assert_eq!(client.receive_payload("t"), number.to_be_bytes());
    }
}

#[test]
fn what_yields_to_others_is_handled_to_its_end() {
    let broker = TestBroker::open();
    let mut client = broker.client("a");
    let mut bytes = Vec::new();
    for number in 0..500 {
        bytes.extend(subscribe_packet(&format!("t/{number}"), 0));
    }
    bytes.extend(publish_packet("t/499", b"behind them"));

    client.send(&bytes);

    for _ in 0..500 {
        assert_eq!(client.receive().first_byte, 0x90);
    }
    assert_eq!(client.receive_payload("t/499"), b"behind them");
}

#[test]
fn one_that_floods_and_those_that_do_not_are_all_heard() {
    flood_beside_others(&[&[b'x'; 64]], 100_000);
}

#[test]
fn one_that_floods_with_packets_of_any_size_and_those_that_do_not_are_all_heard() {
    flood_beside_others(&[&[b'x'; 4096], &[b'x'; 64], &[b'x'; 1024], &[], &[b'x'; 40_000]], 8_000);
}

fn flood_beside_others(payloads: &[&[u8]], count: usize) {
    let broker = TestBroker::open();
    let mut flooder = broker.client("flooder");
    let mut drain = broker.client("drain");
    drain.subscribe("done", 0);
    let mut modest = broker.client("modest");
    modest.subscribe("m", 0);
    let payloads = payloads.iter().cycle().take(100);
    let packets: Vec<u8> = payloads.flat_map(|payload| publish_packet("flood", payload)).collect();
    let flood = std::thread::spawn(move || {
        for _ in 0..count / 100 {
            flooder.send(&packets);
        }
        flooder.send(&publish_packet("done", b"all"));
        flooder
    });

    for number in 0..200_u32 {
        modest.send(&publish_packet("m", &number.to_be_bytes()));
        assert_eq!(modest.receive_payload("m"), number.to_be_bytes());
    }

    assert_eq!(drain.receive_payload("done"), b"all");
    flood.join().unwrap();
}

#[test]
fn packets_of_every_length_around_the_buffers_come_whole() {
    let broker = TestBroker::open();
    let mut client = broker.client("a");
    client.subscribe("t", 0);

    for len in [0, 1, 60, 4096, 65_529, 65_530, 65_537, 32_761, 32_768, 131_072, 200_000, 1_000_000]
    {
        client.publish("t", &pattern(len));
        assert_eq!(client.receive_payload("t"), pattern(len));
    }
}

/// Together they send more than an outbox holds, and less than outbox and sockets.
#[test]
fn many_publishers_at_once_do_not_overrun_a_subscriber() {
    let broker = TestBroker::open();
    let mut subscriber = broker.client("subscriber");
    subscriber.subscribe("t", 0);
    let burst = publish_packet("t", &pattern(1000)).repeat(100);
    let publishers = 13;

    let clients: Vec<_> =
        (0..publishers).map(|number| broker.client(&format!("publisher-{number}"))).collect();
    std::thread::scope(|scope| {
        for mut client in clients {
            let burst = &burst;
            scope.spawn(move || {
                client.send(burst);
                client.ping();
            });
        }
    });

    for _ in 0..publishers * 100 {
        assert_eq!(subscriber.receive_payload("t"), pattern(1000));
    }
}

#[test]
fn long_and_short_packets_may_alternate_in_one_stream() {
    let broker = TestBroker::open();
    let mut client = broker.client("a");
    client.subscribe("t", 0);

    let mut bytes = Vec::new();
    for len in [70_000, 3, 100_000, 0, 66_000] {
        bytes.extend(publish_packet("t", &pattern(len)));
    }
    client.send(&bytes);

    for len in [70_000, 3, 100_000, 0, 66_000] {
        assert_eq!(client.receive_payload("t"), pattern(len));
    }
}

#[test]
fn workers_deliver_to_each_others_connections() {
    let broker = TestBroker::with(NetSettings { workers: 2, ..settings() }, plain());
    let mut clients: Vec<_> = (0..4).map(|n| broker.client(&format!("client {n}"))).collect();
    for client in &mut clients {
        client.subscribe("all", 0);
    }

    for round in 0..200_u32 {
        let publisher = &mut clients[round as usize % 4];
        publisher.publish("all", &round.to_be_bytes());
        for client in &mut clients {
            assert_eq!(client.receive_payload("all"), round.to_be_bytes());
        }
    }
}

#[test]
fn many_publishers_on_two_workers_reach_one_receiver_each_in_order() {
    let broker = TestBroker::with(NetSettings { workers: 2, ..settings() }, plain());
    let mut receiver = broker.client("receiver");
    receiver.subscribe("t", 0);
    let publishers: Vec<_> = (0..4_u8)
        .map(|publisher| {
            let mut client = broker.client(&format!("publisher {publisher}"));
            std::thread::spawn(move || {
                for number in 0..2000_u16 {
                    let [high, low] = number.to_be_bytes();
                    client.publish("t", &[publisher, high, low]);
                }
                client.ping();
            })
        })
        .collect();

    let mut next = [0_u16; 4];
    for _ in 0..8000 {
        let payload = receiver.receive_payload("t");
        let number = u16::from_be_bytes([payload[1], payload[2]]);
        assert_eq!(number, std::mem::replace(&mut next[usize::from(payload[0])], number + 1));
    }

    publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
}

/// Tokio gives a task of at most 152 bytes 256 bytes, and a larger one 384. A connection is 8 bytes
/// larger where the tests of the whole workspace are built together, with all their features.
#[test]
fn the_task_of_a_connection_stays_small() {
    assert!(size_of::<ConnTask>() <= 152);
    assert!(size_of::<Conn>() <= 160);
}
