use std::sync::Arc;

use parking_lot::Mutex;
use pintle_plugin_api::{
    Answer, AuthVerdict, CacheHint, Decision, DeliverVerdict, PublishOutcome, Settings,
    SettingsError, SubscribeVerdict,
};
use pintle_plugin_host::{
    ChainSpec, ErrorPolicy, Grants, Hook, HookOrder, LoadError, PluginHost, PluginSpec, no_hooks,
};
use pintle_ports::{EventKind, EventKinds, Interest};

use crate::support::{Notebook, Scripted, load};

fn publishing() -> Scripted {
    Scripted::default().publish(|_, _, _| PublishOutcome::Pass.into())
}

fn authorizing(name: &str) -> PluginSpec {
    Scripted::default().authorize(|_, _| Decision::Allow(CacheHint::never())).named(name)
}

fn undeclared(plugin: Scripted) -> PluginSpec {
    PluginSpec { on_error: ErrorPolicy::default(), ..plugin.named("p") }
}

fn refused(plugins: Vec<PluginSpec>, order: HookOrder) -> LoadError {
    let spec = ChainSpec { plugins, order, ..ChainSpec::default() };
    match PluginHost::load(spec) {
        Ok(_) => panic!("it was loaded"),
        Err(error) => error,
    }
}

fn message_of(plugins: Vec<PluginSpec>) -> String {
    refused(plugins, HookOrder::default()).to_string()
}

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn a_hook_that_can_fail_needs_a_declared_policy() {
    let deliver = Scripted::default().cohort(|_| None).deliver(|_, _| DeliverVerdict::Pass);
    let subscribe = Scripted::default().subscribe(|_, _| SubscribeVerdict::Pass);
    assert_eq!(
        message_of(vec![undeclared(publishing())]),
        "plugin `p` has the hook `on_publish`: say what happens when it fails, as in \
         on_error = { publish = \"pass\" } (possible: pass, drop, reject)"
    );
    let message = message_of(vec![undeclared(subscribe)]);
    assert!(message.contains("on_error = { subscribe = \"pass\" } (possible: pass, reject)"));
    let message = message_of(vec![undeclared(deliver)]);
    assert!(message.contains("on_error = { deliver = \"pass\" } (possible: pass, drop)"));
}

#[test]
fn hooks_that_always_fail_closed_need_no_policy() {
    let plugin = Scripted::default()
        .authenticate(|_, _| Answer::Now(AuthVerdict::Next))
        .authorize(|_, _| Decision::Next)
        .unsubscribe(|_, _| None)
        .timer(|_| ());
    let host = load([undeclared(plugin)]);
    assert_eq!(host.list().len(), 1);
}

#[test]
fn names_are_unique() {
    let message = message_of(vec![authorizing("acl"), authorizing("acl")]);
    assert!(message.contains("two plugins are named `acl`"));
}

#[test]
fn an_order_names_every_plugin_with_the_hook_once_and_no_other() {
    let error = |listed: &[&str]| {
        let plugins = vec![authorizing("one"), authorizing("two"), publishing().named("other")];
        let order = HookOrder { authorize: names(listed), ..HookOrder::default() };
        refused(plugins, order)
    };
    let (hook, name) = ("authorize", |name: &str| name.to_owned());
    let unknown = LoadError::UnknownInOrder { hook, name: name("three") };
    assert_eq!(error(&["one", "two", "three"]), unknown);
    let hookless = LoadError::HooklessInOrder { hook, name: name("other") };
    assert_eq!(error(&["one", "two", "other"]), hookless);
    let twice = LoadError::TwiceInOrder { hook, name: name("one") };
    assert_eq!(error(&["one", "two", "one"]), twice);
    let missing = LoadError::MissingInOrder { hook, name: name("two") };
    assert_eq!(error(&["one"]), missing);
}

#[test]
fn filters_are_checked() {
    let topics = PluginSpec { topics: vec!["a/#/b".to_owned()], ..authorizing("p") };
    let message = message_of(vec![topics]);
    assert!(message.starts_with("plugin `p`: `a/#/b` in `topics` is not a Topic Filter"));
    let grants = PluginSpec {
        grants: Grants { publish: vec![String::new()], ..Grants::default() },
        ..authorizing("p")
    };
    let message = message_of(vec![grants]);
    assert!(message.starts_with("plugin `p`: `` in `grants.publish` is not a Topic Filter"));
}

#[test]
fn a_method_has_one_owner() {
    let owning =
        |name: &str| Scripted::default().auth_begin(&["SCRAM"], |_, _, _| None).named(name);
    let message = message_of(vec![owning("one"), owning("two")]);
    assert_eq!(message, "plugins `one` and `two` both own the authentication method `SCRAM`");
}

#[test]
fn settings_that_a_plugin_does_not_take_are_told() {
    let picky = Scripted::default().configure(|_| Err(SettingsError::new("`path` is missing")));
    let message = message_of(vec![picky.named("passwords")]);
    assert_eq!(message, "plugin `passwords`: `path` is missing");
}

#[test]
fn a_panic_while_it_takes_its_settings_is_an_error() {
    let panics = Scripted::default().configure(|_| panic!("on purpose"));
    let message = message_of(vec![panics.named("p")]);
    assert_eq!(message, "plugin `p`: it panicked: on purpose");
}

#[test]
fn nobody_is_interested_where_there_is_no_plugin() {
    assert_eq!(no_hooks().interest(), Interest::default());
    assert_eq!(load([]).hooks().interest(), Interest::default());
}

#[test]
fn interest_is_what_the_plugins_name_and_the_end_of_sessions() {
    let host = load([publishing().named("one"), authorizing("two")]);
    let events = EventKinds::NONE.with(EventKind::SessionExpired);
    let expected = Interest { publish: true, authorize: true, events, ..Interest::default() };
    assert_eq!(host.hooks().interest(), expected);
    assert!(!host.has_authenticator());
}

#[test]
fn a_plugin_that_decides_who_connects_is_an_authenticator() {
    let by_password = Scripted::default().authenticate(|_, _| Answer::Now(AuthVerdict::Next));
    assert!(load([by_password.named("p")]).has_authenticator());
    let by_exchange = Scripted::default().auth_begin(&["SCRAM"], |_, _, _| None);
    assert!(load([by_exchange.named("p")]).has_authenticator());
}

#[test]
fn plugins_are_listed_in_order_of_appearance() {
    let host = load([publishing().named("one"), authorizing("two")]);
    let list = host.list();
    assert_eq!(list[0].name, "one");
    assert_eq!(list[0].hooks, [Hook::Publish]);
    assert_eq!((list[1].name.as_str(), list[1].kind), ("two", "native"));
    assert_eq!(list[1].generation, 1);
}

/// Takes every setting but `false`, and keeps the last one taken.
fn remembering(taken: &Arc<Mutex<serde_json::Value>>) -> PluginSpec {
    let taken = Arc::clone(taken);
    Scripted::default()
        .configure(move |settings| {
            if settings.config == serde_json::Value::Bool(false) {
                return Err(SettingsError::new("not `false`"));
            }
            *taken.lock() = settings.config.clone();
            Ok(())
        })
        .named("p")
}

fn settings(config: impl Into<serde_json::Value>) -> Settings {
    Settings { config: config.into(), ..Settings::default() }
}

#[test]
fn new_settings_reach_the_plugin_and_tell_the_broker() {
    let taken = Arc::default();
    let host = load([remembering(&taken)]);
    let broker = Arc::new(Notebook::default());
    host.connect_broker(Arc::clone(&broker) as _);
    host.reconfigure("p", &settings(7)).unwrap();
    assert_eq!(*taken.lock(), serde_json::json!(7));
    assert_eq!(*broker.invalidations.lock(), 1);
    assert_eq!(host.list()[0].generation, 2);
}

#[test]
fn settings_that_are_refused_change_nothing() {
    let taken = Arc::default();
    let host = load([remembering(&taken)]);
    host.reconfigure("p", &settings(7)).unwrap();
    let before = host.hooks().generation();
    let error = host.reconfigure("p", &settings(false)).unwrap_err();
    assert_eq!(error.what, "not `false`");
    assert_eq!(*taken.lock(), serde_json::json!(7));
    assert_eq!(host.hooks().generation(), before);
}

#[test]
fn settings_for_nobody_are_refused() {
    let error = load([]).reconfigure("p", &settings(7)).unwrap_err();
    assert_eq!(error.what, "there is no plugin named `p`");
}
