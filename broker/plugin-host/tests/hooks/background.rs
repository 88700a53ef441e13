use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use pintle_mqtt::{QoS, ReasonCode};
use pintle_plugin_api::{DeliverVerdict, Event as ApiEvent, EventKind as ApiKind, EventKinds};
use pintle_plugin_host::{ChainSpec, ErrorKind, Hook, PluginHost, PluginSpec};
use pintle_ports::{Event, EventKind};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

use crate::support::{Notebook, Scripted, client, load};

type Told = UnboundedReceiver<(Vec<ApiEvent>, u64)>;

/// A plugin that passes on the batches it is told.
fn listening(kinds: EventKinds) -> (PluginSpec, Told) {
    let (tell, told) = unbounded_channel();
    let plugin = Scripted::default().events(kinds, move |events, lost| {
        let events = events.iter().map(|stamped| stamped.event.clone()).collect();
        let _ = tell.send((events, lost));
    });
    (plugin.named("p"), told)
}

fn within(plugin: PluginSpec, event_queue_max: usize) -> PluginHost {
    PluginHost::load(ChainSpec { plugins: vec![plugin], event_queue_max, ..ChainSpec::default() })
        .unwrap()
}

fn connected(host: &PluginHost, times: usize) {
    let (hooks, who) = (host.hooks(), client("c"));
    for _ in 0..times {
        hooks.event(Event::Connected { who: &who });
    }
}

const CONNECTED: EventKinds = EventKinds::NONE.with(ApiKind::Connected);

#[tokio::test]
async fn a_plugin_is_told_only_the_kinds_it_names() {
    let (plugin, mut told) = listening(CONNECTED.with(ApiKind::Disconnected));
    let host = load([plugin]);
    let (hooks, who) = (host.hooks(), client("c"));
    let wanted = hooks.interest().events;
    assert!(wanted.contains(EventKind::Connected) && wanted.contains(EventKind::Disconnected));
    assert!(!wanted.contains(EventKind::Published));
    hooks.event(Event::Connected { who: &who });
    hooks.event(Event::Published {
        who: Some(&who),
        topic: "t",
        qos: QoS::AtMostOnce,
        payload_len: 3,
    });
    hooks.event(Event::Disconnected { who: &who, reason: ReasonCode::DisconnectWithWill });
    tokio::spawn(host.run());
    let (events, lost) = told.recv().await.unwrap();
    let kinds: Vec<_> = events.iter().map(ApiEvent::kind).collect();
    assert_eq!(kinds, [ApiKind::Connected, ApiKind::Disconnected]);
    assert_eq!(lost, 0);
    assert!(matches!(events[1], ApiEvent::Disconnected { code: 4, .. }));
}

#[tokio::test]
async fn events_come_in_batches_of_256_at_most() {
    let (plugin, mut told) = listening(CONNECTED);
    let host = load([plugin]);
    connected(&host, 600);
    tokio::spawn(host.run());
    let mut sizes = Vec::new();
    for _ in 0..3 {
        sizes.push(told.recv().await.unwrap().0.len());
    }
    assert_eq!(sizes, [256, 256, 88]);
}

#[tokio::test]
async fn what_does_not_fit_is_lost_and_told() {
    let (plugin, mut told) = listening(CONNECTED);
    let host = within(plugin, 10);
    connected(&host, 25);
    tokio::spawn(host.run());
    let (events, lost) = told.recv().await.unwrap();
    assert_eq!((events.len(), lost), (10, 15));
    assert_eq!(host.stats()[0].events_lost, 15);
}

#[tokio::test]
async fn events_that_come_later_are_told_too() {
    let (plugin, mut told) = listening(CONNECTED);
    let host = load([plugin]);
    tokio::spawn(host.run());
    for _ in 0..3 {
        connected(&host, 1);
        assert_eq!(told.recv().await.unwrap().0.len(), 1);
    }
}

#[tokio::test]
async fn a_batch_that_made_the_plugin_panic_is_lost_and_told_later() {
    let (tell, mut told) = unbounded_channel();
    let is_broken = AtomicBool::new(true);
    let plugin = Scripted::default().events(CONNECTED, move |events, lost| {
        tell.send((events.len(), lost)).unwrap();
        assert!(!is_broken.swap(false, Ordering::Relaxed), "on purpose");
    });
    let host = load([plugin.named("p")]);
    connected(&host, 3);
    tokio::spawn(host.run());
    assert_eq!(told.recv().await, Some((3, 0)));
    connected(&host, 1);
    assert_eq!(told.recv().await, Some((1, 3)));
    assert_eq!(host.stats()[0].errors(ErrorKind::Panic), 1);
}

/// A plugin that passes on the names of its timers.
fn ticking() -> (Scripted, UnboundedReceiver<(String, Instant)>) {
    let (tell, told) = unbounded_channel();
    let plugin = Scripted::default().timer(move |name| {
        let _ = tell.send((name.to_owned(), Instant::now()));
    });
    (plugin, told)
}

#[tokio::test(start_paused = true)]
async fn timers_come_when_they_are_due() {
    let (plugin, mut told) = ticking();
    let slot = plugin.host();
    let host = load([plugin.named("p")]);
    host.connect_broker(Arc::new(Notebook::default()));
    tokio::spawn(host.run());
    let timers = slot.lock().clone().unwrap();
    let began = Instant::now();
    let secs = Duration::from_secs;
    timers.set_timer("late", secs(60), None).unwrap();
    timers.set_timer("often", secs(10), Some(secs(20))).unwrap();
    timers.set_timer("never", secs(5), None).unwrap();
    timers.cancel_timer("never");
    let mut found = Vec::new();
    for _ in 0..4 {
        let (name, at) = told.recv().await.unwrap();
        found.push((name, (at - began).as_secs()));
    }
    let expected = [("often", 10), ("often", 30), ("often", 50), ("late", 60)];
    assert_eq!(found, expected.map(|(name, secs)| (name.to_owned(), secs)));
}

#[tokio::test(start_paused = true)]
async fn a_timer_set_again_is_replaced() {
    let (plugin, mut told) = ticking();
    let slot = plugin.host();
    let host = load([plugin.named("p")]);
    host.connect_broker(Arc::new(Notebook::default()));
    tokio::spawn(host.run());
    let timers = slot.lock().clone().unwrap();
    let began = Instant::now();
    timers.set_timer("t", Duration::from_secs(1), None).unwrap();
    timers.set_timer("t", Duration::from_secs(7), None).unwrap();
    let (_, at) = told.recv().await.unwrap();
    assert_eq!((at - began).as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_panics_is_counted_and_comes_again() {
    let (tell, mut told) = unbounded_channel();
    let plugin = Scripted::default().timer(move |_| {
        tell.send(()).unwrap();
        panic!("on purpose");
    });
    let slot = plugin.host();
    let host = load([plugin.named("p")]);
    host.connect_broker(Arc::new(Notebook::default()));
    tokio::spawn(host.run());
    let timers = slot.lock().clone().unwrap();
    let second = Duration::from_secs(1);
    timers.set_timer("t", second, Some(second)).unwrap();
    for _ in 0..3 {
        told.recv().await.unwrap();
    }
    let stats = host.stats();
    assert!(stats[0].hook(Hook::Timer).unwrap().calls >= 2);
}

#[tokio::test]
async fn the_background_ends_when_the_host_is_dropped() {
    let (plugin, _told) = listening(CONNECTED);
    let host = load([plugin]);
    let running = tokio::spawn(host.run());
    drop(host);
    running.await.unwrap();
}

#[tokio::test]
async fn the_background_ends_at_shutdown() {
    let host = load([]);
    let running = tokio::spawn(host.run());
    host.shutdown();
    running.await.unwrap();
    tokio::spawn(host.run()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_cohort_the_engine_is_made_to_ask_again() {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let plugin = Scripted::default()
        .cohort(move |_| {
            assert!(counter.fetch_add(1, Ordering::Relaxed) > 0, "on purpose");
            Some("vip".to_owned())
        })
        .deliver(|_, _| DeliverVerdict::Pass);
    let host = load([plugin.named("p")]);
    let broker = Arc::new(Notebook::default());
    host.connect_broker(Arc::clone(&broker) as _);
    tokio::spawn(host.run());
    let hooks = host.hooks();
    let (failed, before) = (hooks.cohort(&client("c")), hooks.generation());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(hooks.generation() > before);
    assert_eq!(*broker.invalidations.lock(), 1);
    assert_ne!(hooks.cohort(&client("c")), failed);
}
