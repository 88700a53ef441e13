use super::client::{connect_packet, publish_packet, subscribe_packet, tcp};
use super::*;

#[test]
fn bytes_behind_a_connect_that_waits_are_handled_when_it_is_decided() {
    let (hooks, open) = OpenHooks::with_gate();
    let broker = TestBroker::with_hooks(settings(), plain(), hooks);
    let mut client = Client::silent(tcp(broker.address));
    let mut bytes = connect_packet(4, "a", 0);
    bytes.extend(subscribe_packet("t", 0));
    bytes.extend(publish_packet("t", &[7; 100_000]));

    client.send(&bytes);
    open.send(()).unwrap();

    assert_eq!(client.receive().first_byte, 0x20);
    assert_eq!(client.receive().first_byte, 0x90);
    assert_eq!(client.receive_payload("t"), [7; 100_000]);
}

#[test]
fn a_client_may_leave_while_its_connect_waits() {
    let (hooks, open) = OpenHooks::with_gate();
    let broker = TestBroker::with_hooks(settings(), plain(), hooks);
    let mut client = Client::silent(tcp(broker.address));

    client.send(&connect_packet(4, "a", 0));
    drop(client);
    // The gate may have been dropped with the connection.
    let _ = open.send(());

    broker.wait_until_empty();
}
