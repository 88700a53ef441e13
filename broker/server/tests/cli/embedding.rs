use std::net::TcpListener;

use pintle_plugin_api::{About, Action, CacheHint, Client, Decision, Failure, Hooks, Plugin};
use pintle_server::config::Sources;
use pintle_server::{Broker, ReloadError};

use crate::harness::Place;

/// Allows what is below `open/`.
struct OpenOnly;

impl Plugin for OpenOnly {
    fn about(&self) -> About {
        About::new("open-only", "1.0.0", Hooks::AUTHORIZE)
    }

    fn authorize(&self, _: &dyn Client, action: &Action<'_>) -> Decision {
        match action {
            Action::Publish(message) if !message.topic.starts_with("open/") => {
                Decision::Deny(Failure::code(0x87), CacheHint::never())
            }
            _ => Decision::Allow(CacheHint::never()),
        }
    }
}

#[test]
fn a_program_runs_a_broker_with_a_plugin_of_its_own() {
    let broker =
        Broker::builder().listen("127.0.0.1:0").plugin("open-only", OpenOnly).start().unwrap();
    let port = broker.addresses()[0].port().to_string();
    let place = Place::new();
    let publish = |topic| place.pintle(&["pub", "-p", &port, "-q", "1", "-m", "x", "-t", topic]);
    publish("open/a").succeeds();
    let error = publish("closed/a").fails_with(1);
    assert!(error.contains("Not authorized (0x87)"), "{error}");
    broker.shutdown();
}

#[test]
fn a_broker_may_be_started_and_dropped_inside_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let bind = taken.local_addr().unwrap().to_string();
        let error = Broker::builder().listen(&bind).start().err().unwrap().to_string();
        assert!(error.contains("the port is in use"), "{error}");
        drop(Broker::builder().listen("127.0.0.1:0").start().unwrap());
    });
}

#[test]
fn a_broker_without_sources_has_nothing_to_reload() {
    let broker = Broker::builder().listen("127.0.0.1:0").start().unwrap();
    assert!(matches!(broker.reload(), Err(ReloadError::NoSources)));
}

#[test]
fn a_reload_says_what_it_has_done() {
    let place = Place::new();
    let loopback = "[[listener]]\nbind = \"127.0.0.1:0\"\n";
    place.write("pintle.toml", loopback);
    let sources = Sources { file: Some(place.path("pintle.toml")), ..Sources::default() };
    let broker = Broker::builder().sources(sources).start().unwrap();
    let more = format!("workers = 9\n[limits]\ninflight_max = 9\n{loopback}max_qos = 1\n");
    place.write("pintle.toml", &more);
    let reloaded = broker.reload().unwrap();
    assert_eq!(reloaded.applied, ["limits"]);
    assert_eq!(reloaded.needs_restart, ["workers", "[[listener]]"]);
}

#[test]
fn an_address_without_a_port_is_refused() {
    let error = Broker::builder().listen("localhost").start().err().unwrap().to_string();
    assert!(error.starts_with("cannot listen on \"localhost\": expected an address"), "{error}");
}
