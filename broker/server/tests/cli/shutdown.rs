use crate::harness::{LOOPBACK, Place};

#[test]
fn the_start_says_what_is_there_and_that_state_is_lost_at_exit() {
    let place = Place::new();
    let broker = place.broker(LOOPBACK);
    broker.says(&["Pintle", "serves MQTT 3.1, 3.1.1 and 5.0"]);
    broker.says(&["lost at exit"]);
    broker.says(&["Changes of pintle.toml are applied when it is saved"]);
}

/// [MQTT-4.13.1-1]
#[test]
fn a_terminated_broker_tells_its_clients_and_ends_with_0() {
    let place = Place::new();
    let broker = place.broker(LOOPBACK);
    let client = place.spawn(&["sub", "-p", &broker.port(), "-t", "t"]);
    broker.says(&["Sending SUBACK"]);
    broker.beside.signal("TERM");
    client.errors.says(&["the broker ended the connection: Server shutting down (0x8b)"]);
    assert_eq!(broker.beside.ends().code(), Some(0));
    assert_eq!(client.ends().code(), Some(1));
}
