//! How many connections there may be, and how long one may wait with its CONNECT.

use std::path::Path;
use std::time::Instant;

use pintle_tests::wire::Connect;
use pintle_tests::{Broker, Client, PATIENCE, V5, V311};

use crate::{PINTLE, broker_with};

fn is_let_in(broker: &Broker, place: usize) -> Option<Client> {
    let mut client = broker.open_at(place, V5);
    client.send(&Connect::new(""));
    client.next_packet().map(|_| client)
}

/// Tries until there is room.
fn gets_in(broker: &Broker, place: usize) -> Client {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(client) = is_let_in(broker, place) {
            return client;
        }
        assert!(Instant::now() < deadline, "there is no room again");
    }
}

#[test]
fn a_listener_takes_no_more_connections_than_it_may() {
    let broker = broker_with("connections_max = 2");
    let first = gets_in(&broker, 0);
    let mut second = gets_in(&broker, 0);
    assert!(is_let_in(&broker, 0).is_none());
    second.receives_nothing();
    first.disconnects();
    gets_in(&broker, 0);
}

#[test]
fn an_address_gets_no_more_connections_than_it_may() {
    let broker = broker_with("connections_per_address_max = 2");
    let first = gets_in(&broker, 0);
    let mut second = gets_in(&broker, 0);
    assert!(is_let_in(&broker, 0).is_none());
    second.receives_nothing();
    first.drops();
    gets_in(&broker, 0);
}

#[test]
fn all_listeners_together_take_no_more_connections_than_they_may() {
    let broker = PINTLE.prepare(|_: &Path| {
        let listener = "[[listener]]\nbind = \"127.0.0.1:0\"\n";
        format!("{listener}{listener}[limits]\nconnections_max = 3\n")
    });
    let first = gets_in(&broker, 0);
    let _second = gets_in(&broker, 1);
    let mut third = gets_in(&broker, 1);
    assert!(is_let_in(&broker, 0).is_none());
    assert!(is_let_in(&broker, 1).is_none());
    third.receives_nothing();
    first.disconnects();
    gets_in(&broker, 1);
}

#[test]
fn a_connection_without_connect_is_closed_in_time() {
    let broker = broker_with("[limits]\nhandshake_secs = 1");
    let mut silent = broker.open(V311);
    let mut halfway = broker.open(V311);
    halfway.send_raw(&[0x10, 30, 0, 4, b'M']);
    let mut client = broker.v5("c");
    silent.is_closed();
    halfway.is_closed();
    client.receives_nothing();
}

#[test]
fn hundreds_of_connections_are_served() {
    let broker = broker_with("");
    let mut clients: Vec<Client> = (0..500)
        .map(|number| {
            let mut client = broker.open(V311);
            client.send(&Connect::new(format!("c{number}")));
            client
        })
        .collect();
    for client in &mut clients {
        assert_eq!(client.expect_connack().code, 0);
        client.subscribes("all", 0);
    }
    broker.v5("p").publishes("all", "x");
    for client in &mut clients {
        client.receives("all", "x");
    }
}
