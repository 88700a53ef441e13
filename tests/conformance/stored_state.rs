//! What a broker has again that begins where another ended, with a Lua plugin as its store.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use pintle_tests::wire::{Ack, AckKind, Connect, Prop, Publish, Subscribe, Will};
use pintle_tests::{Broker, Client, PATIENCE, V5, V311, over_tcp};

use crate::PINTLE;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/lua/kv-store");

/// A broker that keeps its state in the example's kv.
fn storing() -> Broker {
    storing_with(EXAMPLE, "")
}

fn storing_with(plugin: impl AsRef<Path>, settings: &str) -> Broker {
    let plugin = plugin.as_ref().display();
    PINTLE.start_with(&format!(
        "[[plugin]]\nname = \"store\"\nuse = \"{plugin}\"\n\
         grants = {{ kv = {{ bytes = \"256MiB\", persist = true }} }}\n{settings}"
    ))
}

/// Returns when the store has written something, as often as a client can ask in the meantime.
fn has_written(broker: &Broker, what: &str, client: &mut Client) {
    let snapshot = broker.file("pintle-data/kv/store.json");
    let is_there = || std::fs::read_to_string(&snapshot).is_ok_and(|text| text.contains(what));
    let deadline = Instant::now() + 3 * PATIENCE;
    while !is_there() {
        assert!(Instant::now() < deadline, "{what} is not written");
        client.is_heard();
    }
}

/// [MQTT-3.2.2-3] [MQTT-3.2.2-2]
#[test]
fn a_session_and_all_that_waits_for_it_are_there_after_an_orderly_end() {
    let broker = storing();
    for version in [V311, V5] {
        let name = format!("{version:?}");
        let mut sub = broker.connect(version, &Connect::new(&name).keeping_its_session());
        sub.subscribes(&format!("{name}/#"), 2);
        sub.drops();
        let mut publisher = broker.v5("p");
        publisher.publishes_at(1, &format!("{name}/1"), "one");
        publisher.publishes_at(2, &format!("{name}/2"), "two");
        publisher.retains(&format!("kept/{name}"), "retained");
    }

    let broker = broker.restarts(PINTLE, "TERM");

    for version in [V311, V5] {
        let name = format!("{version:?}");
        let mut sub = broker.open(version);
        assert!(sub.connects(&Connect::new(&name).keeping_its_session()).session_present);
        for (topic, payload, qos) in [("1", "one", 1), ("2", "two", 2)] {
            let delivery = sub.takes();
            assert_eq!(delivery.topic, format!("{name}/{topic}"));
            assert_eq!((delivery.payload.as_slice(), delivery.qos), (payload.as_bytes(), qos));
        }
        sub.receives_nothing();
        let mut publisher = broker.v5("p");
        publisher.publishes(&format!("{name}/3"), "the subscription is there");
        sub.receives(&format!("{name}/3"), "the subscription is there");
        let mut other = broker.v5("other");
        other.subscribes(&format!("kept/{name}"), 1);
        assert!(other.receives(&format!("kept/{name}"), "retained").retain);
    }
}

/// [MQTT-3.8.3-3] [MQTT-3.3.1-12] [MQTT-3.3.4-3] [MQTT-3.3.2-6]
#[test]
fn options_of_subscriptions_and_the_expiry_of_messages_hold_after_the_end() {
    let broker = storing();
    let connect = Connect::new("s").keeping_its_session();
    let mut sub = broker.connect(V5, &connect);
    let local = Subscribe::to("own/+", 1 | Subscribe::NO_LOCAL);
    assert_eq!(sub.subscribe(&local), [1]);
    let published = Subscribe::to("as/published", Subscribe::RETAIN_AS_PUBLISHED);
    assert_eq!(sub.subscribe(&published.with(Prop::SubscriptionIdentifier(268_435_455))), [0]);
    sub.subscribes("late", 1);
    sub.subscribes("$share/group/shared", 1);
    sub.drops();
    let mut publisher = broker.v5("p");
    publisher.publish(&Publish::new("late", "too").qos(1).with(Prop::MessageExpiry(1)));
    publisher.publish(&Publish::new("late", "in time").qos(1).with(Prop::MessageExpiry(1000)));
    publisher.publish(&Publish::new("gone", "1").retained().with(Prop::MessageExpiry(1)));
    publisher.publish(&Publish::new("stays", "2").retained().with(Prop::MessageExpiry(1000)));

    let broker = broker.restarts(PINTLE, "TERM");
    broker.lets_seconds_pass(2);

    let mut sub = broker.open(V5);
    assert!(sub.connects(&connect).session_present);
    let delivery = sub.takes();
    assert_eq!(delivery.text(), "in time");
    let left = delivery.expiry().expect("it expires");
    assert!((900..1000).contains(&left), "{left}");
    sub.publishes("own/1", "not to itself");
    let mut publisher = broker.v5("p");
    publisher.retains("as/published", "x");
    let delivery = sub.receives("as/published", "x");
    assert!(delivery.retain);
    assert_eq!(delivery.subscription_identifiers(), [268_435_455]);
    publisher.publishes_at(1, "shared", "to one of a group");
    assert_eq!(sub.takes().text(), "to one of a group");
    let mut other = broker.v5("other");
    other.subscribe(&Subscribe::to("gone", 0).and("stays", 0));
    other.receives("stays", "2");
    other.receives_nothing();
}

#[test]
fn a_right_that_is_lost_while_the_broker_is_away_counts() {
    let rules = |bob: &str| format!("user ann\ntopic readwrite t\nuser bob\n{bob}");
    let broker = PINTLE.prepare(|folder: &Path| {
        std::fs::write(folder.join("acl"), rules("topic readwrite r\ntopic read t\n")).unwrap();
        format!(
            "[[listener]]\nbind = \"127.0.0.1:0\"\n\
             [[plugin]]\nname = \"store\"\nuse = \"{EXAMPLE}\"\n\
             grants = {{ kv = {{ bytes = \"256MiB\", persist = true }} }}\n\
             [[plugin]]\nuse = \"builtin:acl-file\"\nconfig = {{ path = \"acl\" }}\n"
        )
    });
    let bob = Connect::new("bob").username("bob").keeping_its_session();
    let mut client = broker.connect(V5, &bob);
    client.subscribes("t", 1);
    client.retains("r", "from bob");
    client.drops();
    let ann = Connect::new("ann").username("ann");
    broker.connect(V5, &ann).publishes_at(1, "t", "for bob");
    std::fs::write(broker.file("acl"), rules("topic read r\n")).unwrap();

    let broker = broker.restarts(PINTLE, "TERM");

    let mut client = broker.open(V5);
    assert!(client.connects(&bob).session_present);
    client.subscribes("r", 0);
    client.receives_nothing();
}

#[test]
fn what_was_delivered_before_the_end_does_not_come_again() {
    let broker = storing();
    let connect = Connect::new("s").keeping_its_session();
    let mut sub = broker.connect(V5, &connect);
    sub.subscribes("t", 2);
    let mut publisher = broker.v5("p");
    for qos in [1, 2] {
        publisher.publishes_at(qos, "t", "once");
        sub.takes();
    }
    sub.is_heard();

    let broker = broker.restarts(PINTLE, "TERM");

    let mut sub = broker.open(V5);
    assert!(sub.connects(&connect).session_present);
    sub.receives_nothing();
}

/// [MQTT-4.4.0-1] [MQTT-4.3.3-10]
#[test]
fn flows_that_were_begun_go_on() {
    let broker = storing();
    let connect = Connect::new("s").keeping_its_session();
    let mut sub = broker.connect(V5, &connect);
    sub.subscribes("t", 2);
    let publish = Publish::new("other", "from s").qos(2).id(77);
    sub.send(&publish);
    assert_eq!(sub.expect_ack(AckKind::PubRec).id, 77);
    let mut publisher = broker.v5("p");
    publisher.publishes_at(1, "t", "first");
    publisher.publishes_at(2, "t", "second");
    let first = sub.expect_publish();
    let second = sub.expect_publish();
    sub.send(&Ack::new(AckKind::PubRec, second.packet_id()));
    assert_eq!(sub.expect_ack(AckKind::PubRel).id, second.packet_id());

    let broker = broker.restarts(PINTLE, "TERM");

    let mut sub = broker.open(V5);
    assert!(sub.connects(&connect).session_present);
    assert_eq!(sub.expect_ack(AckKind::PubRel).id, second.packet_id());
    let again = sub.expect_publish();
    assert_eq!(
        (again.packet_id(), again.dup, again.payload.as_slice()),
        (first.packet_id(), true, &b"first"[..])
    );
    let mut other = broker.v5("other");
    other.subscribes("other", 2);
    sub.send(&publish);
    assert_eq!(sub.expect_ack(AckKind::PubRec).id, 77);
    sub.send(&Ack::new(AckKind::PubRel, 77));
    assert_eq!(sub.expect_ack(AckKind::PubComp).code, 0);
    other.receives_nothing();
}

/// Takes some of what is published while it is, with a connection of its own for every few; returns
/// what it took.
fn takes_while_published(address: SocketAddr, name: &str, published: &AtomicUsize) -> Vec<usize> {
    let mut taken = Vec::new();
    while published.load(Ordering::Acquire) < ROUND {
        let mut sub = Client::over(over_tcp(address).unwrap(), V5);
        assert!(sub.connects(&Connect::new(name).keeping_its_session()).session_present);
        for _ in 0..7 {
            // Half of it is left for the next broker.
            if taken.len() * 2 < published.load(Ordering::Acquire) {
                taken.push(sub.takes().text().parse().unwrap());
            }
        }
        sub.drops();
    }
    taken
}

/// Messages that one broker is sent.
const ROUND: usize = 200;

#[test]
fn every_message_of_qos_2_comes_once_whichever_broker_it_was_published_to() {
    let mut broker = storing();
    let names = ["a", "b", "c"];
    for name in names {
        let connect = Connect::new(name).keeping_its_session();
        broker.connect(V5, &connect).subscribes("numbers", 2);
    }
    let mut taken = names.map(|_| Vec::new());
    for round in 0..3 {
        let published = AtomicUsize::new(0);
        let address = broker.address();
        std::thread::scope(|scope| {
            let subscribers =
                names.map(|name| scope.spawn(|| takes_while_published(address, name, &published)));
            let mut publisher = broker.v5("p");
            for number in 0..ROUND {
                publisher.publishes_at(2, "numbers", &(round * ROUND + number).to_string());
                published.fetch_add(1, Ordering::Release);
            }
            for (subscriber, taken) in subscribers.into_iter().zip(&mut taken) {
                taken.extend(subscriber.join().unwrap());
            }
        });
        broker = broker.restarts(PINTLE, "TERM");
    }
    for (name, taken) in names.into_iter().zip(&mut taken) {
        let mut sub = broker.open(V5);
        assert!(sub.connects(&Connect::new(name).keeping_its_session()).session_present);
        while taken.len() < 3 * ROUND {
            taken.push(sub.takes().text().parse().unwrap());
        }
        sub.receives_nothing();
        assert!(taken.iter().copied().eq(0..3 * ROUND), "{name}: {taken:?}");
    }
}

#[test]
fn what_was_flushed_is_there_after_a_kill() {
    let broker = storing();
    let mut publisher = broker.v5("p");
    publisher.retains("kept", "here");
    has_written(&broker, "retained:", &mut publisher);

    let broker = broker.restarts(PINTLE, "KILL");

    let mut sub = broker.v5("s");
    sub.subscribes("kept", 0);
    sub.receives("kept", "here");
}

/// [MQTT-3.1.2-8]
#[test]
fn the_will_of_a_client_that_was_connected_at_a_kill_is_sent_by_the_next_broker() {
    let broker = storing();
    let mut watch = broker.connect(V5, &Connect::new("watch").keeping_its_session());
    watch.subscribes("w", 1);
    let will = Will::new("w", "gone").qos(1).with(Prop::WillDelay(1));
    let connect = Connect::new("c").with(Prop::SessionExpiry(100)).will(will);
    let mut client = broker.connect(V5, &connect);
    has_written(&broker, "sessions:63\"", &mut client);

    let broker = broker.restarts(PINTLE, "KILL");

    let mut watch = broker.connect(V5, &Connect::new("watch").keeping_its_session());
    assert_eq!(watch.takes().payload, b"gone");
}

#[test]
fn a_store_that_fails_makes_qos_1_and_2_be_refused_until_it_works_again() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("frail.lua");
    let text = "local P = {}\n\
        function P.store_apply(ops)\n\
          for _, op in ops do\n\
            if op.space == 'retained' then\n\
              if op.op == 'put' then broker.kv.set('sick', '1') else broker.kv.delete('sick') end\n\
            end\n\
          end\n\
          if broker.kv.get('sick') and not broker.kv.get('well') then return nil, 'no disk' end\n\
        end\n\
        function P.store_scan() return {} end\n\
        function P.on_command() broker.kv.set('well', '1') end\n\
        return P\n";
    std::fs::write(&script, text).unwrap();
    let broker = storing_with(&script, "");
    let mut publisher = broker.v5("p");
    assert_eq!(publisher.publish(&Publish::new("t", "1").qos(1)), 0x10);
    publisher.retains("r", "the disk is gone");
    broker.says(&["The store fails", "no disk"]);
    assert_eq!(publisher.publish(&Publish::new("t", "2").qos(1)), 0x97);
    assert_eq!(publisher.publish(&Publish::new("t", "3").qos(2)), 0x97);
    publisher.publishes("t", "QoS 0 goes through");

    mend(&broker);

    broker.says(&["The store works again"]);
    assert_eq!(publisher.publish(&Publish::new("t", "4").qos(1)), 0x10);
}

/// Has the plugin be told a command.
fn mend(broker: &Broker) {
    let finished = std::process::Command::new(env!("CARGO_BIN_EXE_pintle-under-test"))
        .args(["plugin", "command", "store", "mend", "--data-dir", "pintle-data"])
        .current_dir(broker.folder())
        .output()
        .unwrap();
    assert!(finished.status.success());
}

#[test]
fn a_store_that_can_not_be_read_lets_no_broker_begin() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("blind.lua");
    let text = "local P = {}\n\
        function P.store_apply() end\n\
        function P.store_scan() return nil, 'the disk is gone' end\n\
        return P\n";
    std::fs::write(&script, text).unwrap();
    let finished = std::process::Command::new(env!("CARGO_BIN_EXE_pintle-under-test"))
        .args(["run", "--bind", "127.0.0.1:0", "-c"])
        .arg({
            let path = folder.path().join("pintle.toml");
            std::fs::write(&path, "[[plugin]]\nuse = \"blind.lua\"\n").unwrap();
            path
        })
        .output()
        .unwrap();
    assert_eq!(finished.status.code(), Some(1));
    let said = String::from_utf8_lossy(&finished.stderr);
    assert!(said.contains("cannot take up what is stored") && said.contains("the disk is gone"));
}

#[test]
fn another_generation_of_the_store_takes_over_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("store.lua");
    let text = std::fs::read_to_string(Path::new(EXAMPLE).join("main.lua")).unwrap();
    std::fs::write(&script, &text).unwrap();
    let broker = storing_with(&script, "");
    broker.v5("p").retains("before", "1");
    let opening = "function P.store_open() broker.log.info('another one opens') end\nreturn P\n";
    std::fs::write(&script, text.replace("return P\n", opening)).unwrap();
    broker.says(&["another one opens"]);
    broker.says(&["The store has changed hands"]);
    broker.v5("p").retains("after", "2");

    let broker = broker.restarts(PINTLE, "TERM");

    let mut sub = broker.v5("s");
    sub.subscribe(&Subscribe::to("#", 0));
    sub.receives("after", "2");
    sub.receives("before", "1");
}

#[test]
fn two_stores_are_an_error_that_names_both() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("pintle.toml");
    let entry = |name: &str| {
        format!(
            "[[plugin]]\nname = \"{name}\"\nuse = \"{EXAMPLE}\"\n\
             grants = {{ kv = {{ bytes = \"256MiB\", persist = true }} }}\n"
        )
    };
    std::fs::write(&config, entry("one") + &entry("two")).unwrap();
    let finished = std::process::Command::new(env!("CARGO_BIN_EXE_pintle-under-test"))
        .args(["check", "-c"])
        .arg(&config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&finished.stderr);
    assert!(said.contains("plugins `one` and `two` both are a store"), "{said}");
}
