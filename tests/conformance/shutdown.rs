//! The end of the broker.

use pintle_tests::wire::Connect;
use pintle_tests::{V5, Version};

use crate::broker;

#[test]
fn clients_are_told_that_the_broker_shuts_down() {
    for signal in ["TERM", "INT"] {
        let mut broker = broker();
        let mut clients: Vec<_> = Version::ALL
            .iter()
            .map(|version| broker.connect(*version, &Connect::new(format!("{version:?}"))))
            .collect();
        broker.signal(signal);
        for client in &mut clients {
            client.is_refused_with(0x8B);
        }
        assert!(broker.ends().success());
    }
}

#[test]
fn a_client_that_does_not_listen_does_not_hold_the_end_up() {
    let mut broker = broker();
    let mut deaf = broker.client(V5, "deaf");
    deaf.subscribes("t", 0);
    let payload = "x".repeat(500_000);
    let mut publisher = broker.v5("p");
    for _ in 0..20 {
        publisher.publishes("t", &payload);
    }
    broker.signal("TERM");
    assert!(broker.ends().success());
}
