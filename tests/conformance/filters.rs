//! Topic Names and Topic Filters (4.7).

use pintle_tests::wire::{Packet, Publish, Subscribe};
use pintle_tests::{Client, V5, V311, Version};

use crate::broker;

/// [MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-3.3.2-3] [MQTT-4.7.2-1]
#[test]
fn a_filter_matches_what_the_standard_says() {
    let broker = broker();
    let cases: [(&str, &[&str], &[&str]); 20] = [
        (
            "sport/tennis/player1/#",
            &[
                "sport/tennis/player1",
                "sport/tennis/player1/ranking",
                "sport/tennis/player1/score/wimbledon",
            ],
            &["sport/tennis", "sport/tennis/player10"],
        ),
        ("sport/#", &["sport", "sport/", "sport/a/b"], &["sports", "Sport"]),
        ("#", &["a", "/", "a/b/c", "//", " "], &["$own/x", "$x"]),
        (
            "sport/tennis/+",
            &["sport/tennis/player1", "sport/tennis/"],
            &["sport/tennis", "sport/tennis/a/b"],
        ),
        ("sport/+", &["sport/", "sport/a"], &["sport", "sport/a/b"]),
        ("+/+", &["/finance", "a/b", "/"], &["finance", "$a/b", "a/b/c"]),
        ("/+", &["/finance", "/"], &["finance", "a/finance", "/a/b"]),
        ("+", &["finance", " "], &["/finance", "$own"]),
        ("+/tennis/#", &["a/tennis", "/tennis/b/c"], &["tennis", "$a/tennis"]),
        ("/", &["/"], &["//", "a"]),
        ("a//b", &["a//b"], &["a/b", "a/c/b"]),
        ("a/+/b", &["a//b", "a/x/b"], &["a/b", "a/x/y/b"]),
        ("a/", &["a/"], &["a"]),
        ("//", &["//"], &["/", "///"]),
        ("+/+/+", &["//", "a//b"], &["/", "///"]),
        ("$own/#", &["$own/x", "$own"], &["a/$own/x", "x"]),
        ("$x/+", &["$x/y"], &["x/y"]),
        ("a/$b", &["a/$b"], &["a/b"]),
        ("+/$b", &["a/$b"], &["a/b"]),
        ("A/b", &["A/b"], &["a/b", "A/B"]),
    ];
    for (filter, matching, others) in cases {
        let mut client = broker.v5("s");
        client.subscribe(&Subscribe::to(filter, Subscribe::DO_NOT_SEND));
        let mut publisher = broker.v5("p");
        for topic in others {
            publisher.publishes(topic, "no");
        }
        for topic in matching {
            publisher.publishes(topic, "yes");
            client.receives(topic, "yes");
        }
        client.receives_nothing();
        client.disconnects();
    }
}

/// [MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.3-1]
#[test]
fn a_filter_with_a_wildcard_out_of_place_is_refused() {
    let broker = broker();
    for filter in ["a/#/b", "a#", "#a", "#/", "a/b#", "a+", "+a", "a/+b/c", "##", "++", ""] {
        for version in Version::ALL {
            let mut client = broker.client(version, "c");
            client.send(&Subscribe::to(filter, 0).id(1));
            assert!(is_refused(&mut client), "{filter} by {version:?}");
        }
    }
}

/// Whether a filter is refused: by its code in SUBACK, or with the connection.
fn is_refused(client: &mut Client) -> bool {
    match (client.next_packet(), client.version()) {
        (Some(Packet::SubAck { codes, .. }), V5) => codes == [0x8F],
        (Some(Packet::SubAck { codes, .. }), _) => codes == [0x80],
        (Some(Packet::Disconnect { code, .. }), V5) => matches!(code, 0x8F | 0x81 | 0x82),
        (None, version) => version != V5,
        _ => false,
    }
}

/// [MQTT-4.7.2-1]
#[test]
fn leading_wildcards_do_not_match_topics_that_begin_with_a_dollar() {
    let broker = broker();
    let mut client = broker.v5("s");
    client.subscribe(&Subscribe::to("#", 0).and("+/x", 0).and("+/#", 0));
    let mut dollar = broker.v5("dollar");
    dollar.subscribes("$hidden/x", 0);
    broker.v5("p").publishes("$hidden/x", "secret");
    dollar.receives("$hidden/x", "secret");
    client.receives_nothing();
}

/// [MQTT-4.7.3-3]
#[test]
fn topics_up_to_the_stated_bounds_are_served() {
    let broker = broker();
    for topic in ["x".repeat(4096), vec!["l"; 200].join("/"), "/".repeat(199)] {
        let mut client = broker.v5("c");
        client.subscribes(&topic, 0);
        client.retains(&topic, "x");
        client.receives(&topic, "x");
        client.subscribes("#", 0);
        client.receives(&topic, "x");
        client.retains(&topic, "");
    }
}

/// [MQTT-4.7.3-3]
#[test]
fn topics_beyond_the_stated_bounds_are_refused() {
    let broker = broker();
    for topic in ["x".repeat(4097), "x".repeat(65_535), "/".repeat(200), "/".repeat(65_535)] {
        let mut client = broker.v5("c");
        client.send(&Publish::new(&topic, "x").qos(1).id(1));
        client.is_refused_with(0x90);
        for version in Version::ALL {
            let mut client = broker.client(version, "s");
            client.send(&Subscribe::to(&topic, 0).id(1));
            assert!(is_refused(&mut client), "{} bytes by {version:?}", topic.len());
        }
    }
    broker.v5("c").receives_nothing();
}

#[test]
fn deep_and_odd_trees_of_filters_do_no_harm() {
    let broker = broker();
    let mut client = broker.client(V311, "c");
    for depth in 1..=100 {
        client.subscribes(&vec!["+"; depth].join("/"), 0);
        client.subscribes(&format!("{}#", "a/".repeat(depth)), 0);
    }
    broker.v5("p").publishes(&vec!["a"; 50].join("/"), "x");
    client.is_heard();
    client.takes();
    let filters: Vec<String> = (1..=100).map(|depth| vec!["+"; depth].join("/")).collect();
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    client.unsubscribes(&filters);
    let filters: Vec<String> = (1..=100).map(|depth| format!("{}#", "a/".repeat(depth))).collect();
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    client.unsubscribes(&filters);
    let mut fresh = broker.v5("fresh");
    fresh.subscribes("a/a", 0);
    fresh.publishes("a/a", "x");
    fresh.receives("a/a", "x");
}
