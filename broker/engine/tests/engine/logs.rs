use std::cell::RefCell;
use std::fmt::Write;
use std::sync::Once;

use pintle_mqtt::Property;
use pintle_ports::{Action, Ruling};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::draft::publish;
use crate::scenario::Scenario;
use crate::test_hooks::{TestHooks, denied};

thread_local! {
    /// The lines of the story that this thread tells, if it wants them.
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// What `story` logs, fields included, in lines that hold `text`.
fn lines_with(text: &str, story: impl FnOnce()) -> Vec<String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Log).unwrap());
    LINES.set(Some(Vec::new()));
    story();
    let mut lines = LINES.take().unwrap();
    lines.retain(|line| line.contains(text));
    lines
}

/// Keeps every line of the engine for the thread that logs it.
struct Log;

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("pintle")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        LINES.with_borrow_mut(|lines| {
            let Some(lines) = lines else { return };
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            lines.push(line.0);
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            write!(self.0, " {value:?}").unwrap();
        } else {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }
}

#[test]
fn lives_begin_and_end_in_one_line_each() {
    let lines = lines_with("INFO", || {
        let mut b = Scenario::new();
        b.connects("c").username("user").is_let_in().is_lost();
        b.client("d").sends(&[0xd0, 0]);
    });
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines[0].contains("client_id=c") && lines[0].contains("Client connected."));
    assert!(lines[0].contains("user=\"user\""), "{}", lines[0]);
    assert!(lines[1].contains("client_id=c") && lines[1].contains("Client lost."));
    assert!(lines[3].contains("client_id=d") && lines[3].contains("ProtocolError"));
}

#[test]
fn denials_are_told_with_who_decided_ten_a_second_at_most() {
    let lines = lines_with("WARN", || {
        let hooks = TestHooks::none().authorizing(|_, action| match action {
            Action::Publish(_) => denied(),
            _ => Ruling::ALLOW,
        });
        let mut b = Scenario::with(hooks);
        for n in 0..25 {
            b.client("c").publishes(&format!("t/{n}"), "secret");
        }
        b.seconds_pass(1);
        b.client("c").publishes("last", "secret");
    });
    assert_eq!(lines.len(), 11, "{lines:#?}");
    for (line, topic) in [(&lines[0], "t/0"), (&lines[10], "last")] {
        assert!(line.contains("client_id=c") && line.contains("Publish denied."), "{line}");
        assert!(line.contains(topic) && line.contains("decided_by=\"test\""), "{line}");
        assert!(!line.contains("secret"));
    }
    assert!(lines[10].contains("not_shown_before=15"), "{}", lines[10]);
}

#[test]
fn packets_are_logged_in_a_line_each_without_payloads_or_secrets() {
    let lines = lines_with("DEBUG", || {
        let mut b = Scenario::new();
        b.connects("c").username("user").is_let_in().subscribes("t");
        b.client("c").publishes_at_once(&[publish("t", "payload").qos(1).id(9).retained()]);
        b.client("c").publishes_at_once(&[publish("t", "payload").qos(2).id(10)]);
        b.client("c").unsubscribes(&["t"], &[0]).sends(&[0xc0, 0]).sends(&[0xe0, 0]);
        let method = b.connects("a").property(Property::AuthenticationMethod("m"));
        method.property(Property::AuthenticationData(b"payload")).sent();
    });
    let expected = [
        "Received CONNECT (V5_0, clean start true, keep alive 0, client id 'c') from -",
        "Sending CONNACK (session present false, Success) to c",
        "Received SUBSCRIBE (m1, 't' q2) from c",
        "Sending SUBACK to c",
        "Received PUBLISH (d0, q1, r1, m9, 't', 7 bytes) from c",
        "Sending PUBLISH (d0, q1, r0, m1, 't', 7 bytes) to c",
        "Sending PUBACK (m9, Success) to c",
        "Received PUBACK (m1, Success) from c",
        "Received PUBLISH (d0, q2, r0, m10, 't', 7 bytes) from c",
        "Sending PUBREC (m10, Success) to c",
        "Received PUBREC (m2, Success) from c",
        "Received PUBREL (m10, Success) from c",
        "Sending PUBREL (m2, Success) to c",
        "Sending PUBCOMP (m10, Success) to c",
        "Received PUBCOMP (m2, Success) from c",
        "Received UNSUBSCRIBE from c",
        "Received PINGREQ from c",
        "Received DISCONNECT (Success) from c",
    ];
    for text in expected {
        assert!(lines.iter().any(|line| line.contains(text)), "no {text} in {lines:#?}");
    }
    assert!(lines.iter().all(|line| !line.contains("payload")), "{lines:#?}");
}

#[test]
fn a_packet_that_can_not_be_read_is_logged_as_one() {
    let lines = lines_with("DEBUG", || {
        let mut b = Scenario::new();
        b.client("c").sends(&[0x82, 1, 0]);
        b.opens_socket("raw", pintle_mqtt::ProtocolVersion::V5_0);
        b.client("raw").sends(&[0x10, 1, 0]);
    });
    assert!(lines.iter().any(|line| line.contains("Received a bad packet")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("Received a packet of type 1")), "{lines:#?}");
}
