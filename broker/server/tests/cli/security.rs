use crate::harness::{Broker, LOOPBACK, Place};

/// A broker with users alice and bob, of whom alice may use `home/#`.
fn house() -> (Place, Broker) {
    let place = Place::new();
    for user in ["alice", "bob"] {
        place.pintle(&["passwd", "-b", "users", user, user, "-H", "sha512"]).succeeds();
    }
    place.write("acl", "user alice\ntopic readwrite home/#\n");
    let broker = place.broker(&format!(
        "{LOOPBACK}\
         [[plugin]]\nname = \"passwords\"\nuse = \"builtin:password-file\"\n\
         config = {{ path = \"users\" }}\n\
         [[plugin]]\nname = \"topics\"\nuse = \"builtin:acl-file\"\nconfig = {{ path = \"acl\" }}\n"
    ));
    (place, broker)
}

fn publish<'a>(port: &'a str, topic: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["pub", "-p", port, "-q", "1", "-m", "x", "-t", topic][..], more].concat()
}

#[test]
fn anonymous_clients_are_turned_away_and_told_why() {
    let (place, broker) = house();
    let error = place.pintle(&publish(&broker.port(), "home/a", &[])).fails_with(1);
    assert!(error.contains("the broker refused the connection: Not authorized (0x87)"), "{error}");
}

#[test]
fn a_wrong_password_is_turned_away_and_told_why() {
    let (place, broker) = house();
    let port = broker.port();
    let args = publish(&port, "home/a", &["-u", "alice", "-P", "wrong"]);
    let error = place.pintle(&args).fails_with(1);
    assert!(error.contains("Bad user name or password (0x86)"), "{error}");
    broker.says(&["WARN", "passwords"]);
}

#[test]
fn known_users_are_confined_to_their_topics() {
    let (place, broker) = house();
    let port = broker.port();
    let alice = ["-u", "alice", "-P", "alice"];
    place.pintle(&publish(&port, "home/a", &alice)).succeeds();
    let error = place.pintle(&publish(&port, "office/a", &alice)).fails_with(1);
    assert!(error.contains("did not take the message for office/a: Not authorized"), "{error}");
    broker.says(&["WARN", "Publish denied", "alice", "office/a", "nobody allows it"]);
}
