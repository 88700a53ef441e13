use crate::harness::{Beside, Broker, LOOPBACK, Place, write_certificate};

const PLUGINS: &str = "[[plugin]]\nname = \"passwords\"\nuse = \"builtin:password-file\"\n\
                       config = { path = \"users\" }\n\
                       [[plugin]]\nname = \"topics\"\nuse = \"builtin:acl-file\"\n\
                       config = { path = \"acl\" }\n";

struct House {
    place: Place,
    broker: Broker,
}

impl House {
    fn new() -> Self {
        let place = Place::new();
        for user in ["alice", "bob"] {
            place.pintle(&["passwd", "-b", "users", user, user, "-H", "sha512"]).succeeds();
        }
        place.write("acl", "user alice\ntopic readwrite home/#\nuser bob\ntopic readwrite #\n");
        let broker = place.broker(&format!("{LOOPBACK}{PLUGINS}"));
        Self { place, broker }
    }

    fn subscriber(&self, user: &str) -> Beside {
        let port = self.broker.port();
        let args = ["sub", "-p", &port, "-u", user, "-P", user, "-i", user, "-t", "#", "-v"];
        let client = self.place.spawn(&args);
        self.broker.says(&["Sending SUBACK", user]);
        client
    }

    fn bob_publishes(&self, topic: &str, payload: &str) {
        let port = self.broker.port();
        let args = ["pub", "-p", &port, "-u", "bob", "-P", "bob", "-t", topic, "-m", payload];
        self.place.pintle(&args).succeeds();
    }
}

#[test]
fn a_user_who_is_removed_from_the_saved_file_is_disconnected_and_the_others_stay() {
    let house = House::new();
    let alice = house.subscriber("alice");
    let bob = house.subscriber("bob");
    house.place.pintle(&["passwd", "-D", "users", "alice"]).succeeds();
    house.broker.says(&["Reloaded: settings and files of the plugin `passwords`"]);
    alice.errors.says(&["the broker ended the connection: Not authorized (0x87)"]);
    house.bob_publishes("t", "still here");
    bob.output.says(&["t still here"]);
}

#[test]
fn a_changed_acl_counts_from_the_next_message_and_disconnects_nobody() {
    let house = House::new();
    let alice = house.subscriber("alice");
    house.place.write("acl", "user alice\ntopic read office/#\nuser bob\ntopic readwrite #\n");
    house.broker.says(&["Reloaded: settings and files of the plugin `topics`"]);
    house.bob_publishes("home/a", "no longer");
    house.bob_publishes("office/a", "from now on");
    alice.output.says(&["from now on"]);
    assert_eq!(alice.output.all(), ["office/a from now on"]);
}

#[test]
fn a_broken_file_is_named_with_its_line_and_the_old_rules_stay() {
    let house = House::new();
    let alice = house.subscriber("alice");
    house.place.write("acl", "user alice\ntopic now and then\n");
    house.broker.says(&["ERROR", "Reload refused", "acl:2"]);
    house.broker.says(&["Everything stays as it was"]);
    house.bob_publishes("home/a", "as before");
    alice.output.says(&["home/a as before"]);
}

#[test]
fn a_broken_configuration_changes_nothing_of_what_is_fine_in_it() {
    let house = House::new();
    let alice = house.subscriber("alice");
    let broken = format!("{LOOPBACK}maximum = 3\n{PLUGINS}");
    house.place.write("acl", "user bob\ntopic readwrite #\n").write("pintle.toml", &broken);
    house.broker.beside.signal("HUP");
    house.broker.says(&["Reload refused: pintle.toml:3: listener.0.maximum: unknown key"]);
    house.bob_publishes("home/a", "as before");
    alice.output.says(&["home/a as before"]);
}

#[test]
fn sighup_reloads_also_where_nothing_has_changed() {
    let house = House::new();
    house.broker.beside.signal("HUP");
    house.broker.says(&["Reloaded: nothing has changed"]);
}

#[test]
fn limits_and_the_filter_of_the_log_are_applied_and_the_rest_waits_for_a_restart() {
    let house = House::new();
    house.place.write(
        "pintle.toml",
        &format!(
            "workers = 7\n[limits]\nqueue_messages_max = 5\n\
             [log]\nlevel = \"debug\"\n{LOOPBACK}{PLUGINS}"
        ),
    );
    house.broker.says(&["Reloaded: limits"]);
    house.broker.says(&["Reloaded: the filter of the log"]);
    house.broker.says(&["only in force after a restart: workers"]);
}

#[test]
fn a_renewed_certificate_is_shown_from_the_next_connection_on() {
    let place = Place::new();
    write_certificate(&place.path("cert.pem"), &place.path("key.pem"));
    let tls = "tls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    let broker = place.broker(&format!("{LOOPBACK}{tls}"));
    write_certificate(&place.path("new.pem"), &place.path("new-key.pem"));
    let (new, key) = (place.read("new.pem"), place.read("new-key.pem"));
    place.write("cert.pem", &new).write("key.pem", &key);
    broker.beside.signal("HUP");
    broker.says(&["Reloaded: the certificate of 127.0.0.1:"]);
    let port = broker.port();
    let args = ["pub", "-p", &port, "-t", "t", "-m", "x", "--cafile", "new.pem"];
    place.pintle(&args).succeeds();
}

#[test]
fn a_drop_in_that_appears_is_read() {
    let house = House::new();
    std::fs::create_dir(house.place.path("conf.d")).unwrap();
    house.place.write("conf.d/limits.toml", "[limits]\nqueue_messages_max = 5\n");
    house.broker.beside.signal("HUP");
    house.broker.says(&["Reloaded: limits"]);
}
