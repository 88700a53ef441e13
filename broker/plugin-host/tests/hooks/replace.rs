use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use pintle_mqtt::ReasonCode;
use pintle_plugin_api::{
    Accepted, Answer, AuthVerdict, EventKind as ApiKind, EventKinds, Failure, MessagePatch,
    PublishOutcome, SettingsError,
};
use pintle_plugin_host::{ChainSpec, HookOrder, PluginHost, PluginSpec};
use pintle_ports::{AuthOutcome, Event, HookPath, Hooks, PublishVerdict, Step};
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{Notebook, Scripted, at, attempt, client, load, message, told};

/// A plugin that adds `mark` to every payload.
fn marking(mark: &'static str) -> Scripted {
    Scripted::default().publish(move |_, _, message| {
        let payload = [message.payload, mark.as_bytes()].concat();
        let patch = MessagePatch { payload: Some(payload), ..MessagePatch::default() };
        PublishOutcome::Rewrite(patch).into()
    })
}

/// A host of these plugins whose broker notes the tables it is given.
fn connected(plugins: impl IntoIterator<Item = PluginSpec>) -> (PluginHost, Arc<Notebook>) {
    let host = load(plugins);
    let broker = Arc::new(Notebook::default());
    *broker.hooks.lock() = Some(host.hooks());
    host.connect_broker(Arc::clone(&broker) as _);
    (host, broker)
}

/// What the table that the broker has makes of an empty message.
fn marks(broker: &Notebook) -> String {
    let hooks = broker.hooks.lock().clone().unwrap();
    marks_of(&*hooks)
}

fn marks_of(hooks: &dyn Hooks) -> String {
    let who = client("c");
    let ruling = hooks.on_publish(HookPath::Client, Some(&who), &message("t", b""), at(0));
    match ruling.verdict {
        PublishVerdict::Rewrite(frame) => told(&frame).1,
        PublishVerdict::Pass => String::new(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn new_code_is_asked_through_the_table_that_the_broker_is_given() {
    let (host, broker) = connected([marking("1").named("p")]);
    let old = host.hooks();
    let before = old.generation();
    let installed = host.install(marking("2").named("p")).unwrap();
    assert!(installed.replaced);
    assert_eq!(installed.info.code_generation, 2);
    assert!(installed.info.can_roll_back);
    assert_eq!(marks(&broker), "2");
    assert_eq!(marks_of(&*old), "1");
    assert!(host.hooks().generation() > before);
    assert_eq!(*broker.invalidations.lock(), 1);
}

#[test]
fn a_new_name_comes_last_and_is_told_apart() {
    let (host, broker) = connected([marking("a").named("a"), marking("b").named("b")]);
    let installed = host.install(marking("c").named("c")).unwrap();
    assert!(!installed.replaced && !installed.info.can_roll_back);
    assert_eq!(marks(&broker), "abc");
    host.install(marking("A").named("a")).unwrap();
    assert_eq!(marks(&broker), "Abc");
}

#[test]
fn what_can_not_be_loaded_leaves_everything_as_it_was() {
    let (host, broker) = connected([marking("1").named("p")]);
    let failing = || marking("2").configure(|_| Err(SettingsError::new("no such colour")));
    let error = host.install(failing().named("p")).unwrap_err();
    assert!(error.to_string().contains("no such colour"), "{error}");
    let bad_filter = PluginSpec { topics: vec!["a/#/b".to_owned()], ..marking("3").named("p") };
    host.install(bad_filter).unwrap_err();
    host.install(failing().named("q")).unwrap_err();
    assert_eq!(marks(&broker), "1");
    assert_eq!(*broker.invalidations.lock(), 0);
    let list = host.list();
    assert_eq!((list.len(), list[0].code_generation, list[0].can_roll_back), (1, 1, false));
}

#[test]
fn two_plugins_for_one_authentication_method_are_refused_and_the_first_stays() {
    let method = || Scripted::default().auth_begin(&["X"], |_, _, _| None);
    let (host, broker) = connected([method().named("a")]);
    host.install(method().named("b")).unwrap_err();
    assert_eq!(host.list().len(), 1);
    assert_eq!(*broker.invalidations.lock(), 0);
    host.install(method().named("a")).unwrap();
}

#[test]
fn the_configured_order_holds_for_those_it_names_and_the_others_come_last() {
    let order =
        HookOrder { publish: Some(vec!["b".to_owned(), "a".to_owned()]), ..HookOrder::default() };
    let plugins = vec![marking("a").named("a"), marking("b").named("b")];
    let host = PluginHost::load(ChainSpec { plugins, order, ..ChainSpec::default() }).unwrap();
    assert_eq!(marks_of(&*host.hooks()), "ba");
    host.install(marking("c").named("c")).unwrap();
    assert_eq!(marks_of(&*host.hooks()), "bac");
    host.remove("b").unwrap();
    assert_eq!(marks_of(&*host.hooks()), "ac");
    host.install(marking("b").named("b")).unwrap();
    assert_eq!(marks_of(&*host.hooks()), "bac");
    host.install(Scripted::default().named("a")).unwrap();
    assert_eq!(marks_of(&*host.hooks()), "bc");
}

#[test]
fn one_that_is_disabled_is_not_asked_until_it_is_enabled() {
    let (host, broker) = connected([marking("a").named("a"), marking("b").named("b")]);
    let info = host.disable("a").unwrap();
    assert!(!info.enabled);
    assert_eq!(marks(&broker), "b");
    assert_eq!(host.stats().len(), 1);
    assert!(host.enable("a").unwrap().enabled);
    assert!(host.enable("a").unwrap().enabled);
    assert_eq!(marks(&broker), "ab");
    assert_eq!(host.disable("a").unwrap().code_generation, 1);
    assert!(!host.disable("a").unwrap().enabled);
    host.install(marking("A").named("a")).unwrap();
    assert_eq!(marks(&broker), "Ab");
}

#[test]
fn rolling_back_twice_is_going_there_and_back_again() {
    let (host, broker) = connected([marking("1").named("p")]);
    let error = host.roll_back("p").unwrap_err();
    assert!(error.to_string().contains('p'), "{error}");
    host.install(marking("2").named("p")).unwrap();
    host.roll_back("p").unwrap();
    assert_eq!(marks(&broker), "1");
    let again = host.roll_back("p").unwrap();
    assert_eq!(marks(&broker), "2");
    assert_eq!(again.info.code_generation, 4);
}

#[test]
fn a_name_that_nobody_has_is_answered_with_those_there_are() {
    let (host, broker) = connected([marking("a").named("first"), marking("b").named("second")]);
    let errors = [
        host.remove("third").unwrap_err(),
        host.disable("third").unwrap_err(),
        host.enable("third").unwrap_err(),
        host.roll_back("third").unwrap_err(),
        host.command("third", None, "x", "").unwrap_err(),
        host.spec("third").map(|_| ()).unwrap_err(),
    ];
    for error in errors.map(|error| error.to_string()) {
        assert!(error.contains("third"), "{error}");
        assert!(error.contains("first") && error.contains("second"), "{error}");
    }
    assert_eq!(marks(&broker), "ab");
}

#[test]
fn one_that_takes_no_commands_says_so() {
    let (host, _broker) = connected([marking("a").named("p")]);
    let error = host.command("p", None, "x", "").unwrap_err();
    assert!(error.to_string().contains("takes no commands"), "{error}");
}

#[test]
fn all_can_be_taken_out_and_the_next_begins_anew() {
    let (host, broker) = connected([marking("a").named("p")]);
    host.remove("p").unwrap();
    assert_eq!(marks(&broker), "");
    assert!(!broker.hooks.lock().as_ref().unwrap().interest().publish);
    let installed = host.install(marking("b").named("p")).unwrap();
    assert_eq!((installed.replaced, installed.info.code_generation), (false, 1));
    assert_eq!(marks(&broker), "b");
}

#[tokio::test(start_paused = true)]
async fn a_timer_set_to_come_once_comes_to_the_new_code_and_a_periodic_one_goes() {
    let old = Scripted::default().timer(|name| panic!("{name} came to the old"));
    let slot = old.host();
    let (host, _broker) = connected([old.named("p")]);
    tokio::spawn(host.run());
    let plugin = slot.lock().clone().unwrap();
    plugin.set_timer("once", Duration::from_secs(5), None).unwrap();
    let second = Duration::from_secs(1);
    plugin.set_timer("periodic", second, Some(second)).unwrap();
    let (tell, mut told) = unbounded_channel();
    let new = Scripted::default().timer(move |name| tell.send(name.to_owned()).unwrap());
    host.install(new.named("p")).unwrap();
    assert_eq!(told.recv().await.unwrap(), "once");
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn events_that_the_old_code_has_not_been_told_yet_still_come_to_it() {
    const KINDS: EventKinds = EventKinds::NONE.with(ApiKind::Connected);
    let listening = |name: &'static str, tell: tokio::sync::mpsc::UnboundedSender<String>| {
        Scripted::default().events(KINDS, move |events, _| {
            tell.send(format!("{name} {}", events.len())).unwrap();
        })
    };
    let (tell, mut told) = unbounded_channel();
    let (host, broker) = connected([listening("old", tell.clone()).named("p")]);
    tokio::spawn(host.run());
    tokio::task::yield_now().await;
    let who = client("c");
    host.hooks().event(Event::Connected { who: &who });
    host.install(listening("new", tell).named("p")).unwrap();
    assert_eq!(told.recv().await.unwrap(), "old 1");
    let hooks = broker.hooks.lock().clone().unwrap();
    hooks.event(Event::Connected { who: &who });
    assert_eq!(told.recv().await.unwrap(), "new 1");
}

#[tokio::test]
async fn an_authentication_under_way_is_finished_by_the_old_code() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Arc::new(parking_lot::Mutex::new(wait));
    let old = Scripted::default().authenticate(move |_, _| {
        let wait = Arc::clone(&wait);
        Answer::Blocking(Box::new(move || {
            wait.lock().recv().unwrap();
            AuthVerdict::Accept(Accepted::default())
        }))
    });
    let (host, broker) = connected([old.named("p")]);
    let hooks = host.hooks();
    let Step::Wait(under_way) = hooks.authenticate(attempt(client("c"))) else {
        panic!("it should wait");
    };
    let new = Scripted::default()
        .authenticate(|_, _| Answer::Now(AuthVerdict::Reject(Failure::new(0x87, ""))));
    host.install(new.named("p")).unwrap();
    go.send(()).unwrap();
    assert!(matches!(under_way.await, AuthOutcome::Accept(_)));
    let hooks = broker.hooks.lock().clone().unwrap();
    let Step::Done(AuthOutcome::Refuse(refused)) = hooks.authenticate(attempt(client("c"))) else {
        panic!("it should be answered at once");
    };
    assert_eq!(refused.reason, ReasonCode::NotAuthorized);
}
