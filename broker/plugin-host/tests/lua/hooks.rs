use pintle_mqtt::{ReasonCode, Timestamp};
use pintle_ports::{
    Action, AuthOutcome, AuthProgress, DeliverRuling, Identity, PublishVerdict, Step,
    SubscribeRuling, SubscriptionRequest, Verdict,
};

use crate::support::{client, load, message, rewritten, script, told, user};

fn subscription(filter: &str) -> SubscriptionRequest {
    SubscriptionRequest {
        filter: filter.to_owned(),
        share_name: None,
        qos: pintle_mqtt::QoS::AtLeastOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
    }
}

#[test]
fn authorize_says_yes_no_or_nothing() {
    let table = load([script(
        "return { authorize = function(client, action, topic)
            if topic == 'yes' then return true end
            if topic == 'no' then return false end
            if topic == 'why' then return broker.reject(0x97, 'enough') end
            if topic == 'out' then return broker.close(0x98) end
        end }",
    )]);
    let who = client("c");
    assert_eq!(table.may_publish(&who, "yes"), Verdict::Allow);
    assert_eq!(table.may_publish(&who, "no"), Verdict::Deny(ReasonCode::NotAuthorized));
    assert_eq!(table.may_publish(&who, "why"), Verdict::Deny(ReasonCode::QuotaExceeded));
    assert_eq!(
        table.may_publish(&who, "out"),
        Verdict::Disconnect(ReasonCode::AdministrativeAction)
    );
    assert_eq!(table.may_publish(&who, "else"), Verdict::Deny(ReasonCode::NotAuthorized));
}

#[test]
fn a_script_sees_who_asks_for_what() {
    let table = load([script(
        "return { authorize = function(client, action, topic, message)
            return client.id == 'c1' and client.username == 'alice' and client.principal == 'alice'
                and client.protocol == '5.0' and client.transport == 'tcp'
                and client.listener == 'default' and client.address == nil
                and action == 'publish' and topic == 'a/b'
                and message.qos == 0 and message.retain == false and message.size == 0
        end }",
    )]);
    assert_eq!(table.may_publish(&user("c1", "alice"), "a/b"), Verdict::Allow);
    assert_ne!(table.may_publish(&user("c1", "bob"), "a/b"), Verdict::Allow);
}

#[test]
fn each_of_many_clients_is_told_of_as_itself() {
    let mut spec = script(
        "return { authorize = function(client, action, topic)
            return client.id == topic and client.session == #topic
        end }",
    );
    // All of them come within one second.
    spec.limits.worker_share = std::time::Duration::MAX;
    let table = load([spec]);
    for round in 0..3 {
        for at in 0..1500 {
            let id = "x".repeat(at) + "/a";
            let who = Identity { session_key: id.len() as u64, ..client(&id) };
            assert_eq!(table.may_publish(&who, &id), Verdict::Allow, "{round}");
            let other = Identity { username: Some("u".into()), ..who };
            assert_eq!(table.may_publish(&other, &id), Verdict::Allow, "{round}");
        }
    }
}

#[test]
fn a_hint_says_how_long_a_decision_holds() {
    let table = load([script(
        "return { authorize = function(client, action, topic) return true, { ttl = tonumber(topic) } end }",
    )]);
    let until = |topic| {
        let publish = message(topic, b"");
        table
            .hooks
            .authorize(&client("c"), Action::Publish(&publish), Timestamp::default())
            .valid_until
    };
    assert_eq!(until("3"), Timestamp::from_millis(3000));
    assert_eq!(until("0"), Timestamp::default());
}

#[test]
fn on_publish_passes_rewrites_drops_and_rejects() {
    let table = load([script(
        "return { on_publish = function(client, topic, payload)
            if topic == 'pass' then return end
            if topic == 'text' then return string.upper(payload) end
            if topic == 'drop' then return broker.drop() end
            if topic == 'reject' then return broker.reject(0x99, 'bad') end
            return broker.rewrite({ topic = 'new/' .. topic, retain = true })
        end }",
    )]);
    assert_eq!(table.publish("pass", b"x").verdict, PublishVerdict::Pass);
    assert_eq!(rewritten(&table.publish("text", b"hello")), ("text".into(), "HELLO".into()));
    assert_eq!(table.publish("drop", b"x").verdict, PublishVerdict::Drop);
    let refused = PublishVerdict::Reject(ReasonCode::PayloadFormatInvalid);
    assert_eq!(table.publish("reject", b"x").verdict, refused);
    assert_eq!(rewritten(&table.publish("other", b"kept")), ("new/other".into(), "kept".into()));
}

#[test]
fn emits_go_where_the_grant_says_and_nowhere_else() {
    let source = "return { on_publish = function(client, topic, payload)
        broker.emit({ topic = 'alerts/one', payload = 'a' })
        broker.emit({ topic = 'elsewhere', payload = 'b' })
    end }";
    let mut spec = script(source);
    spec.grants.publish = vec!["alerts/#".to_owned()];
    let table = load([spec]);
    let ruling = table.publish("t", b"");
    assert_eq!(ruling.verdict, PublishVerdict::Pass);
    let emitted: Vec<_> = ruling.emits.iter().map(|(frame, _)| told(frame)).collect();
    assert_eq!(emitted, [("alerts/one".to_owned(), "a".to_owned())]);
    assert_eq!(table.host.stats()[0].messages_refused, 1);
}

#[test]
fn on_subscribe_and_on_unsubscribe_change_filters() {
    let table = load([script(
        "return {
            on_subscribe = function(client, subscription)
                if subscription.filter == 'no' then return false end
                if subscription.filter == 'old' then return 'new' end
                if subscription.filter == 'low' then return broker.rewrite({ qos = 0 }) end
            end,
            on_unsubscribe = function(client, filter) return filter == 'old' and 'new' or nil end,
        }",
    )]);
    let ask = |filter: &str| table.hooks.on_subscribe(&client("c"), &subscription(filter));
    assert_eq!(ask("other"), SubscribeRuling::Pass);
    assert_eq!(ask("no"), SubscribeRuling::Reject(ReasonCode::NotAuthorized));
    assert_eq!(ask("old"), SubscribeRuling::Rewrite(subscription("new")));
    let low = SubscriptionRequest { qos: pintle_mqtt::QoS::AtMostOnce, ..subscription("low") };
    assert_eq!(ask("low"), SubscribeRuling::Rewrite(low));
    assert_eq!(table.hooks.on_unsubscribe(&client("c"), "old"), Some("new".to_owned()));
    assert_eq!(table.hooks.on_unsubscribe(&client("c"), "x"), None);
}

#[test]
fn on_deliver_runs_for_the_cohort_that_was_named() {
    let table = load([script(
        "return {
            cohort = function(client) return client.id == 'guest' and 'guests' or nil end,
            on_deliver = function(cohort, topic, payload) return cohort .. ':' .. payload end,
        }",
    )]);
    let guests = table.hooks.cohort(&client("guest"));
    let others = table.hooks.cohort(&client("staff"));
    let publish = message("t", b"x");
    let ask = |cohort| table.hooks.on_deliver(cohort, &publish, Timestamp::default());
    assert_eq!(ask(others), DeliverRuling::Pass);
    let DeliverRuling::Rewrite(frame) = ask(guests) else { panic!("not rewritten") };
    assert_eq!(told(&frame).1, "guests:x");
}

#[test]
fn authenticate_runs_beside_the_workers_and_returns_who_and_what() {
    let mut spec = script(
        "return { authenticate = function(client, username, password)
            if username == 'alice' and password == 'secret' then
                return { principal = 'Alice', rules = { { action = 'publish', filter = 'a/%c' } } }
            end
            if username then return false end
        end }",
    );
    spec.grants.credentials = true;
    let table = load([spec]);
    let AuthOutcome::Accept(admission) = table.connect(user("c", "alice"), Some("secret")) else {
        panic!("not let in")
    };
    assert_eq!(admission.principal.as_deref(), Some("Alice"));
    assert!(admission.rules.is_some());
    let AuthOutcome::Refuse(refusal) = table.connect(user("c", "alice"), Some("wrong")) else {
        panic!("let in")
    };
    assert_eq!(refusal.reason, ReasonCode::NotAuthorized);
    assert!(matches!(table.connect(client("c"), None), AuthOutcome::NoAnswer));
}

#[test]
fn without_the_grant_a_script_sees_no_password() {
    let table = load([script(
        "return { authenticate = function(client, username, password) return password == nil end }",
    )]);
    assert!(matches!(table.connect(user("c", "a"), Some("secret")), AuthOutcome::Accept(_)));
}

#[test]
fn an_exchange_keeps_its_place_from_step_to_step() {
    let table = load([script(
        "return {
            auth_methods = { 'COUNT' },
            auth_begin = function(client, method, reauth)
                local steps = 0
                return function(data)
                    steps += 1
                    if steps < 3 then return broker.challenge(tostring(steps)) end
                    return { principal = client.id, data = 'done' }
                end
            end,
        }",
    )]);
    let who = std::sync::Arc::new(client("c"));
    let mut progress = done(table.hooks.auth_begin(&who, "COUNT", Some(b"x"), false).unwrap());
    for expected in ["1", "2"] {
        let AuthProgress::Challenge(data, exchange) = progress else { panic!("no challenge") };
        assert_eq!(data, expected.as_bytes());
        progress = done(exchange.step(Some(b"y".to_vec())));
    }
    let AuthProgress::Accept(admission, data) = progress else { panic!("not accepted") };
    assert_eq!((admission.principal.as_deref(), data.as_deref()), (Some("c"), Some(&b"done"[..])));
}

fn done<T>(step: Step<T>) -> T {
    match step {
        Step::Done(answer) => answer,
        Step::Wait(_) => panic!("there is no runtime to wait on"),
    }
}

#[test]
fn a_command_is_answered_in_json_or_refused() {
    let table = load([script(
        "return { on_command = function(principal, command, args)
            if command == 'double' then return { twice = args.n * 2 } end
            return nil, 'no such command'
        end }",
    )]);
    let ask = |command| table.host.command("script", None, command, r#"{"n": 21}"#).unwrap();
    assert_eq!(ask("double").unwrap(), r#"{"twice":42}"#);
    assert_eq!(ask("halve").unwrap_err(), "no such command");
}

#[test]
fn a_payload_that_no_parameter_is_for_is_not_copied() {
    // The script could not hold it: a copy would be an error.
    let mut spec = script("return { on_publish = function(client, topic) end }");
    spec.limits.memory_bytes_max = 2 << 20;
    let table = load([spec]);
    assert_eq!(table.publish("t", &vec![0; 8 << 20]).verdict, PublishVerdict::Pass);
}

#[test]
fn an_answer_that_makes_no_sense_is_the_plugins_error() {
    use pintle_plugin_host::ErrorKind;
    for answer in ["42", "false", "{ verdict = 'maybe' }", "{ verdict = 'rewrite', qos = 7 }"] {
        let source = format!("return {{ on_publish = function() return {answer} end }}");
        let table = load([script(&source)]);
        assert_eq!(table.publish("t", b"").verdict, crate::support::FAILED, "{answer}");
        assert_eq!(table.errors(ErrorKind::InvalidAnswer), 1, "{answer}");
    }
}
