use pintle_mqtt::ReasonCode;
use pintle_ports::{
    Action, EventKind, HookPath, PluginId, PublishRuling, PublishVerdict, Ruling, Verdict,
};

use crate::broker_port::message;
use crate::draft::publish;
use crate::scenario::Scenario;
use crate::test_hooks::{TestHooks, denied, pass, verdict};

#[test]
fn a_hook_sees_each_message_of_a_read_and_each_gets_its_own_answer() {
    let hooks = TestHooks::none().on_publish(|_, publish| match publish.payload {
        b"no" => verdict(PublishVerdict::Reject(ReasonCode::PayloadFormatInvalid)),
        b"hush" => verdict(PublishVerdict::Drop),
        _ => pass(),
    });
    let mut b = Scenario::with(hooks);
    b.client("s").subscribes("t");
    let drafts = ["1", "no", "2", "hush", "3"].map(|payload| publish("t", payload).qos(1));
    let client = b.client("p").publishes_at_once(&drafts);
    let rejected = "PUBACK 2 PayloadFormatInvalid";
    client.gets(&["PUBACK 1", rejected, "PUBACK 3", "PUBACK 4", "PUBACK 5"]);
    b.client("s").receives(&["1", "2", "3"]);
    assert_eq!(b.hooks.calls_of("on_publish"), 5);
}

#[test]
fn what_a_hook_makes_of_some_messages_of_a_run_leaves_the_others_and_their_order() {
    let hooks = TestHooks::none().on_publish(|path, original| {
        let verdict = match original.payload {
            b"no" => PublishVerdict::Reject(ReasonCode::PayloadFormatInvalid),
            b"hush" => PublishVerdict::Drop,
            b"x" => PublishVerdict::Rewrite(message(publish("t", "y"))),
            _ => PublishVerdict::Pass,
        };
        let by = HookPath::Plugin { plugin: PluginId(1), hops: 1 };
        let emits = match (path, original.payload) {
            (HookPath::Client, b"two") => vec![(message(publish("t", "beside two")), by)],
            _ => Vec::new(),
        };
        PublishRuling { verdict, emits }
    });
    let mut b = Scenario::with(hooks);
    b.client("s").subscribes("t");
    let all = ["1", "2", "x", "3", "no", "hush", "x", "two", "4", "5"];
    b.client("p").publishes_at_once(&all.map(|payload| publish("t", payload)));
    b.client("s").receives(&["1", "2", "y", "3", "y", "two", "beside two", "4", "5"]);
    assert_eq!(b.hooks.calls_of("on_publish t"), 11);
}

#[test]
fn nothing_behind_a_message_that_ends_the_connection_is_seen() {
    let hooks = TestHooks::none()
        .authorizing(|_, action| match action {
            Action::Publish(publish) if publish.topic.unwrap().as_str() == "secret" => {
                Ruling { verdict: Verdict::Disconnect(ReasonCode::NotAuthorized), ..Ruling::ALLOW }
            }
            _ => Ruling::ALLOW,
        })
        .on_publish(|_, original| match original.payload {
            b"x" => verdict(PublishVerdict::Rewrite(message(publish("secret", "x")))),
            _ => pass(),
        });
    let mut b = Scenario::with(hooks);
    b.client("s").subscribes("t");
    b.client("p").publishes_at_once(&["1", "x", "2"].map(|payload| publish("t", payload)));
    b.client("p").is_closed_with("DISCONNECT NotAuthorized");
    b.client("s").receives(&["1"]);
    assert_eq!(b.hooks.calls_of("on_publish"), 2);
}

#[test]
fn a_hook_sees_a_retained_message_before_the_next_is_retained() {
    let mut b =
        Scenario::with(TestHooks::none().on_publish(|_, _| pass()).told(&[EventKind::RetainedSet]));
    let drafts = ["1", "2"].map(|payload| publish("t", payload).retained());
    b.client("p").publishes_at_once(&drafts);
    assert_eq!(b.hooks.calls(), ["on_publish t 1", "event", "on_publish t 2", "event"]);
}

#[test]
fn a_hook_that_rejects_a_qos_2_message_frees_its_identifier() {
    let hooks = TestHooks::none().on_publish(|_, publish| match publish.payload {
        b"no" => verdict(PublishVerdict::Reject(ReasonCode::QuotaExceeded)),
        _ => pass(),
    });
    let mut b = Scenario::with(hooks);
    b.client("s").subscribes("t");
    let drafts = [publish("t", "no").qos(2).id(1), publish("t", "yes").qos(2).id(1)];
    let client = b.client("p").answers_by_hand().publishes_at_once(&drafts);
    client.gets(&["PUBREC 1 QuotaExceeded", "PUBREC 1"]);
    b.client("s").receives(&["yes"]);
}

#[test]
fn topics_that_no_hook_wants_pass_it_by() {
    let mut b = Scenario::with(TestHooks::none().on_publish(|_, _| pass()));
    b.client("s").subscribes("#");
    b.client("p").publishes_at_once(&[publish("plain/1", "x"), publish("plain/1", "y")]);
    b.client("s").receives(&["x", "y"]);
    assert_eq!(b.hooks.calls_of("on_publish"), 0);
}

#[test]
fn a_rewritten_message_is_delivered_instead() {
    let hooks = TestHooks::none().on_publish(|_, original| {
        let upper = String::from_utf8_lossy(original.payload).to_uppercase();
        verdict(PublishVerdict::Rewrite(message(publish("new/topic", upper).qos(1).retained())))
    });
    let mut b = Scenario::with(hooks);
    b.client("old").subscribes("t");
    b.client("new").subscribes("new/#");
    b.client("p").publishes("t", "x").qos(2).then().gets(&["PUBREC 1", "PUBCOMP 1"]);
    b.client("old").receives(&[]);
    b.client("new").receives(&["X"]);
    b.client("later").subscribes("new/topic").receives(&["X"]);
}

#[test]
fn what_a_hook_changes_is_authorised_again() {
    let hooks = TestHooks::none()
        .authorizing(|_, action| match action {
            Action::Publish(publish) if publish.topic.unwrap().as_str() == "secret" => denied(),
            _ => Ruling::ALLOW,
        })
        .on_publish(|_, original| match original.payload {
            b"topic" => verdict(PublishVerdict::Rewrite(message(publish("secret", "x").qos(1)))),
            _ => verdict(PublishVerdict::Rewrite(message(publish("t", "changed").qos(1)))),
        });
    let mut b = Scenario::with(hooks);
    b.client("s").subscribes("#");
    b.client("p").publishes("t", "topic").qos(1).gets(&["PUBACK 1 NotAuthorized"]);
    assert_eq!(b.hooks.calls_of("authorize p publish"), 2);
    b.client("p").publishes("t", "payload").qos(1).gets(&["PUBACK 2"]);
    assert_eq!(b.hooks.calls_of("authorize p publish"), 0);
    b.client("s").receives(&["changed"]);
}

#[test]
fn emitted_messages_follow_in_order_whatever_became_of_the_first() {
    let by = |plugin| HookPath::Plugin { plugin: PluginId(plugin), hops: 1 };
    let hooks = TestHooks::none().on_publish(move |path, original| {
        let verdict = match original.payload {
            b"drop" => PublishVerdict::Drop,
            _ => PublishVerdict::Pass,
        };
        let emits = match path {
            HookPath::Client => {
                vec![(message(publish("e", "1")), by(1)), (message(publish("$SYS/e", "2")), by(2))]
            }
            HookPath::Will | HookPath::Admin | HookPath::Plugin { .. } => Vec::new(),
        };
        PublishRuling { verdict, emits }
    });
    let mut b = Scenario::with(hooks);
    b.client("s").subscribes("#").subscribes("$SYS/#");
    b.client("p").publishes("t", "x");
    b.client("s").receives(&["x", "1", "2"]);
    b.client("p").publishes("t", "drop");
    b.client("s").receives(&["1", "2"]);
}

#[test]
fn wills_and_plugin_messages_pass_the_hook_with_their_origin() {
    let hooks = TestHooks::none().on_publish(|path, original| {
        let origin = match path {
            HookPath::Client => "client",
            HookPath::Will => "will",
            HookPath::Admin => "admin",
            HookPath::Plugin { .. } => "plugin",
        };
        let topic = original.topic.unwrap().as_str();
        verdict(PublishVerdict::Rewrite(message(publish(topic, origin))))
    });
    let mut b = Scenario::with(hooks);
    b.client("s").subscribes("#");
    b.connects("c").will("w", "x").is_let_in().publishes("t", "x").then().is_lost();
    let by_plugin = HookPath::Plugin { plugin: PluginId(1), hops: 1 };
    pintle_ports::Broker::publish(&*b.engine, &message(publish("t", "x")), by_plugin);
    pintle_ports::Broker::publish(&*b.engine, &message(publish("t", "x")), HookPath::Admin);
    b.settle();
    b.client("s").receives(&["client", "will", "plugin", "admin"]);
}

#[test]
fn a_hook_sees_the_topic_that_an_alias_stands_for() {
    let mut b = Scenario::with(TestHooks::none().on_publish(|_, publish| {
        assert!(publish.properties.topic_alias().is_none());
        pass()
    }));
    let drafts = [publish("t", "1").alias(1), publish("", "2").without_topic().alias(1)];
    b.client("p").publishes_at_once(&drafts);
    assert_eq!(b.hooks.calls(), ["on_publish t 1", "on_publish t 2"]);
}
