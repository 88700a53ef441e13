use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pintle_mqtt::ReasonCode;
use pintle_plugin_api::{
    Disconnect, Host, HostError, HttpError, HttpRequest, Metric, NewMessage, PublishOutcome,
    Subscription,
};
use pintle_plugin_host::{ChainSpec, Grants, KvGrant, MetricValue, PluginHost, PluginSpec};
use pintle_ports::{Event, EventKind, HookPath, PluginId, Whom};

use crate::support::{Notebook, Scripted, at, client, load, message};

const BY_THE_FIRST: HookPath = HookPath::Plugin { plugin: PluginId(0), hops: 1 };

/// A started plugin with `grants`, and the broker it acts on.
struct Started {
    host: Option<PluginHost>,
    broker: Arc<Notebook>,
    plugin: Arc<dyn Host>,
}

fn started(grants: Grants) -> Started {
    started_as(Scripted::default().timer(|_| ()), grants)
}

fn started_as(plugin: Scripted, grants: Grants) -> Started {
    let slot = plugin.host();
    let spec = PluginSpec { grants, ..plugin.named("p") };
    let host = load([spec]);
    let broker = Arc::new(Notebook::default());
    host.connect_broker(Arc::clone(&broker) as _);
    let plugin = slot.lock().clone().unwrap();
    Started { host: Some(host), broker, plugin }
}

fn granted(publish: &[&str]) -> Grants {
    Grants {
        publish: publish.iter().map(|filter| (*filter).to_owned()).collect(),
        disconnect: true,
        stats: true,
        ..Grants::default()
    }
}

#[test]
fn a_granted_message_is_published_as_the_plugin() {
    let it = started(granted(&["alerts/#"]));
    it.plugin.publish(NewMessage::new("alerts/1", "fire")).unwrap();
    let expected = ("alerts/1".to_owned(), "fire".to_owned(), BY_THE_FIRST);
    assert_eq!(*it.broker.published.lock(), [expected]);
}

#[test]
fn a_message_without_a_grant_is_refused() {
    let it = started(granted(&["alerts/#"]));
    let error = it.plugin.publish(NewMessage::new("other", "")).unwrap_err();
    assert_eq!(error.to_string(), "not granted: publish = [\"other\"]");
    assert!(it.broker.published.lock().is_empty());
}

#[test]
fn a_grant_for_all_does_not_cover_topics_that_begin_with_a_dollar() {
    let it = started(granted(&["#"]));
    let sys = NewMessage::new("$SYS/x", "");
    assert!(matches!(it.plugin.publish(sys), Err(HostError::NotGranted(_))));
    let it = started(granted(&["$SYS/#"]));
    it.plugin.publish(NewMessage::new("$SYS/x", "")).unwrap();
}

#[test]
fn a_message_that_mqtt_can_not_carry_is_refused() {
    let it = started(granted(&["#"]));
    let wild = it.plugin.publish(NewMessage::new("a/+", ""));
    assert!(matches!(wild, Err(HostError::Invalid(_))));
    let long = NewMessage { content_type: Some("x".repeat(65_536)), ..NewMessage::new("a", "") };
    assert!(matches!(it.plugin.publish(long), Err(HostError::Invalid(_))));
}

#[test]
fn clients_are_disconnected_with_the_grant() {
    let it = started(granted(&[]));
    it.plugin.disconnect(Disconnect::Client("c1".to_owned()), 0x98).unwrap();
    it.plugin.disconnect(Disconnect::Principal("alice".to_owned()), 0x00).unwrap();
    let expected = [
        (Whom::Client("c1".into()), ReasonCode::AdministrativeAction),
        (Whom::Principal("alice".into()), ReasonCode::Success),
    ];
    assert_eq!(*it.broker.disconnected.lock(), expected);
}

#[test]
fn a_code_that_disconnect_can_not_carry_is_refused() {
    let it = started(granted(&[]));
    let whom = Disconnect::Client("c1".to_owned());
    let refused = it.plugin.disconnect(whom, 0x86);
    assert!(matches!(refused, Err(HostError::Invalid(_))));
}

#[test]
fn without_grants_nothing_is_done() {
    let it = started(Grants::default());
    let whom = Disconnect::Client("c1".to_owned());
    let refusals = [
        it.plugin.publish(NewMessage::new("a", "")),
        it.plugin.disconnect(whom, 0x98),
        it.plugin.stats().map(|_| ()),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, Err(HostError::NotGranted(_))));
    }
}

#[test]
fn counters_are_those_of_the_broker() {
    let it = started(granted(&[]));
    let stats = it.plugin.stats().unwrap();
    assert_eq!(stats, [("clients/connected".to_owned(), 7)]);
}

#[test]
fn invalidate_tells_the_broker() {
    let it = started(Grants::default());
    it.plugin.invalidate();
    assert_eq!(*it.broker.invalidations.lock(), 1);
}

#[test]
fn a_plugin_has_no_more_than_64_timers() {
    let it = started(Grants::default());
    let set = |name: &str| it.plugin.set_timer(name, Duration::from_secs(9), None);
    for number in 0..64 {
        set(&number.to_string()).unwrap();
    }
    assert_eq!(set("64"), Err(HostError::Quota("timers_max")));
    set("63").unwrap();
    assert!(it.plugin.cancel_timer("0"));
    assert!(!it.plugin.cancel_timer("0"));
    set("64").unwrap();
}

#[test]
fn a_timer_without_the_hook_is_refused() {
    let it = started_as(Scripted::default(), Grants::default());
    let refused = it.plugin.set_timer("t", Duration::ZERO, None);
    assert!(matches!(refused, Err(HostError::Invalid(_))));
}

#[test]
fn a_timer_that_comes_again_at_once_is_refused() {
    let it = started(Grants::default());
    let every = Some(Duration::ZERO);
    let refused = it.plugin.set_timer("t", Duration::ZERO, every);
    assert!(matches!(refused, Err(HostError::Invalid(_))));
}

#[test]
fn once_the_host_is_gone_nothing_is_done_any_more() {
    let mut it = started(granted(&["#"]));
    it.host.take();
    let refused = it.plugin.publish(NewMessage::new("a", ""));
    assert!(matches!(refused, Err(HostError::Invalid(_))));
    assert_eq!(Arc::strong_count(&it.broker), 1);
}

/// A plugin that publishes with its host inside `on_publish`, and what came of it.
fn publishing_inside(publish_queue_max: usize) -> (PluginHost, Arc<Notebook>, Results) {
    let results: Results = Arc::default();
    let notes = Arc::clone(&results);
    let plugin = Scripted::default();
    let slot = plugin.host();
    let plugin = plugin.publish(move |_, _, _| {
        let host = slot.lock().clone().unwrap();
        notes.lock().push(host.publish(NewMessage::new("made/inside", "")));
        PublishOutcome::Pass.into()
    });
    let host = PluginHost::load(ChainSpec {
        plugins: vec![PluginSpec { grants: granted(&["made/#"]), ..plugin.named("p") }],
        publish_queue_max,
        ..ChainSpec::default()
    })
    .unwrap();
    let broker = Arc::new(Notebook::default());
    host.connect_broker(Arc::clone(&broker) as _);
    (host, broker, results)
}

type Results = Arc<Mutex<Vec<Result<(), HostError>>>>;

fn publish_once(host: &PluginHost) {
    let (who, publish) = (client("c"), message("t", b""));
    let hooks = host.hooks();
    hooks.on_publish(HookPath::Client, Some(&who), &publish, at(0));
}

#[tokio::test]
async fn inside_a_hook_the_engine_is_not_called_back_but_later() {
    let (host, broker, results) = publishing_inside(10);
    publish_once(&host);
    assert_eq!(*results.lock(), [Ok(())]);
    assert!(broker.published.lock().is_empty());

    let (told, mut is_told) = tokio::sync::mpsc::unbounded_channel();
    *broker.on_publish.lock() = Some(Box::new(move || told.send(()).unwrap()));
    tokio::spawn(host.run());
    is_told.recv().await.unwrap();
    let expected = ("made/inside".to_owned(), String::new(), BY_THE_FIRST);
    assert_eq!(*broker.published.lock(), [expected]);
}

#[test]
fn no_more_than_the_bound_waits_to_be_published() {
    let (host, _broker, results) = publishing_inside(2);
    for _ in 0..3 {
        publish_once(&host);
    }
    let full = Err(HostError::Quota("publish_queue_max"));
    assert_eq!(*results.lock(), [Ok(()), Ok(()), full]);
}

fn may_subscribe() -> Grants {
    Grants { subscribe: true, retained: vec!["kept/#".to_owned()], ..granted(&["alerts/#"]) }
}

fn wanted(filter: &str) -> Subscription {
    Subscription {
        filter: filter.to_owned(),
        share_name: None,
        qos: pintle_plugin_api::QoS::AtMostOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
    }
}

#[test]
fn with_the_grants_a_plugin_acts_for_single_clients() {
    let it = started(may_subscribe());
    it.plugin.publish_to("c", NewMessage::new("alerts/1", "fire")).unwrap();
    it.plugin.subscribe_for("c", wanted("a/+")).unwrap();
    it.plugin.unsubscribe_for("c", "a/+").unwrap();
    let done = ["to c: alerts/1 fire", "subscribe c: a/+", "unsubscribe c: a/+"];
    assert_eq!(*it.broker.in_place.lock(), done);
}

#[test]
fn without_the_grants_a_plugin_does_nothing_for_single_clients() {
    let it = started(granted(&["alerts/#"]));
    let refusals = [
        it.plugin.publish_to("c", NewMessage::new("other", "")),
        it.plugin.subscribe_for("c", wanted("a")),
        it.plugin.unsubscribe_for("c", "a"),
        it.plugin.retained("kept/here").map(|_| ()),
        it.plugin.secret("key").map(|_| ()),
        it.plugin.kv_set("k", b"", None),
        it.plugin.kv_get("k").map(|_| ()),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, Err(HostError::NotGranted(_))), "{refusal:?}");
    }
    assert!(it.broker.in_place.lock().is_empty());
}

#[test]
fn what_can_not_be_done_for_a_client_is_told() {
    let it = started(may_subscribe());
    let error = it.plugin.subscribe_for("nobody", wanted("a")).unwrap_err();
    assert_eq!(error.to_string(), "the client `nobody` has no session");
    let error = it.plugin.subscribe_for("guest", wanted("a")).unwrap_err();
    assert_eq!(error.to_string(), "the client `guest` would be refused it: NotAuthorized");
    assert!(it.plugin.subscribe_for("c", wanted("a/#/b")).is_err());
    assert!(it.plugin.unsubscribe_for("c", "a/#/b").is_err());
}

#[test]
fn retained_messages_and_secrets_are_read_with_their_grants() {
    let secrets = [("key".to_owned(), b"s3cret".to_vec())].into();
    let it = started(Grants { secrets, ..may_subscribe() });
    assert_eq!(it.plugin.retained("kept/here").unwrap().as_deref(), Some(&b"here"[..]));
    assert_eq!(it.plugin.retained("kept/there").unwrap(), None);
    assert!(matches!(it.plugin.retained("other"), Err(HostError::NotGranted(_))));
    assert_eq!(it.plugin.secret("key").unwrap(), b"s3cret");
    assert!(matches!(it.plugin.secret("other"), Err(HostError::NotGranted(_))));
}

#[test]
fn random_bytes_differ_and_the_clock_never_runs_backwards() {
    let it = started(Grants::default());
    let (mut one, mut other) = ([0; 32], [0; 32]);
    it.plugin.random(&mut one).unwrap();
    it.plugin.random(&mut other).unwrap();
    assert_ne!(one, other);
    let before = it.plugin.monotonic_ns();
    assert!(it.plugin.monotonic_ns() >= before);
}

#[test]
fn figures_of_plugins_are_shown_with_their_names() {
    let it = started(Grants::default());
    it.plugin.metric("seen", &[("kind", "a")], Metric::Count(2)).unwrap();
    let metrics = it.host.as_ref().unwrap().metrics();
    assert_eq!((&*metrics[0].plugin, &*metrics[0].name), ("p", "seen"));
    assert_eq!(metrics[0].value, MetricValue::Counter(2));
}

fn persisting(bytes_max: usize) -> Grants {
    Grants { kv: Some(KvGrant { bytes_max, persist: true }), ..Grants::default() }
}

fn started_in(folder: &std::path::Path, grants: Grants) -> (PluginHost, Arc<dyn Host>) {
    let plugin = Scripted::default();
    let slot = plugin.host();
    let host = PluginHost::load(ChainSpec {
        plugins: vec![PluginSpec { grants, ..plugin.named("p") }],
        data_dir: Some(folder.to_owned()),
        ..ChainSpec::default()
    })
    .unwrap();
    host.connect_broker(Arc::new(Notebook::default()));
    let plugin = slot.lock().clone().unwrap();
    (host, plugin)
}

#[test]
fn what_a_plugin_keeps_outlives_its_code_and_the_broker() {
    let folder = tempfile::tempdir().unwrap();
    let (host, plugin) = started_in(folder.path(), persisting(100));
    plugin.kv_set("k", b"v", None).unwrap();
    let next = Scripted::default();
    let slot = next.host();
    host.install(PluginSpec { grants: persisting(100), ..next.named("p") }).unwrap();
    let plugin = slot.lock().clone().unwrap();
    assert_eq!(plugin.kv_get("k").unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(plugin.kv_set("l", &[0; 99], None), Err(HostError::Quota("grants.kv")));
    drop(host);
    let (_host, plugin) = started_in(folder.path(), persisting(100));
    assert_eq!(plugin.kv_get("k").unwrap().as_deref(), Some(&b"v"[..]));
}

#[test]
fn a_broken_snapshot_is_set_aside_and_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kv");
    std::fs::create_dir(&kept).unwrap();
    std::fs::write(kept.join("p.json"), b"{\"half").unwrap();
    let (host, plugin) = started_in(folder.path(), persisting(100));
    plugin.kv_set("k", b"v", None).unwrap();
    drop(host);
    assert_eq!(std::fs::read(kept.join("p.json.broken")).unwrap(), b"{\"half");
    let (_host, plugin) = started_in(folder.path(), persisting(100));
    assert_eq!(plugin.kv_get("k").unwrap().as_deref(), Some(&b"v"[..]));
}

#[test]
fn inside_a_hook_of_a_worker_no_server_is_asked() {
    let refusals: Arc<Mutex<Vec<HttpError>>> = Arc::default();
    let notes = Arc::clone(&refusals);
    let plugin = Scripted::default();
    let slot = plugin.host();
    let plugin = plugin.publish(move |_, _, _| {
        let host = slot.lock().clone().unwrap();
        let url = "http://127.0.0.1:1/".to_owned();
        let request = HttpRequest { method: "GET".to_owned(), url, ..HttpRequest::default() };
        notes.lock().push(host.http(&request).unwrap_err());
        PublishOutcome::Pass.into()
    });
    let http = vec!["http://127.0.0.1:1/".to_owned()];
    let host =
        load([PluginSpec { grants: Grants { http, ..Grants::default() }, ..plugin.named("p") }]);
    host.connect_broker(Arc::new(Notebook::default()));
    publish_once(&host);
    assert!(matches!(refusals.lock()[0], HttpError::NotGranted(_)));
}

#[test]
fn what_is_kept_with_a_session_is_gone_with_it_though_the_plugin_hears_of_no_events() {
    let it = started(Grants::default());
    let hooks = it.host.as_ref().unwrap().hooks();
    assert!(hooks.interest().events.contains(EventKind::SessionExpired));
    let who = client("c");
    it.plugin.set_attribute(who.session_key, "seen", Some(b"1")).unwrap();
    assert_eq!(it.plugin.attribute(who.session_key, "seen").unwrap(), b"1");
    hooks.event(Event::SessionExpired { who: &who });
    assert_eq!(it.plugin.attribute(who.session_key, "seen"), None);
}
