//! The example in Rust, run as its users run it.

use pintle_plugin_host::{Code, Script};
use pintle_ports::PublishVerdict;

use crate::support::{load, named, rewritten};

fn celsius() -> crate::support::Table {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/wasm/celsius-rust/celsius.wasm");
    let code = Code::Wasm(Script::new(path, std::fs::read(path).unwrap()));
    load([pintle_plugin_host::PluginSpec { code, ..named("celsius", "") }])
}

#[test]
fn a_reading_in_fahrenheit_becomes_one_in_celsius() {
    let table = celsius();
    let ruling = table.publish("sensors/a/temp", br#"{"temp_f":212}"#);
    let (topic, payload) = rewritten(&ruling);
    assert_eq!(topic, "sensors/a/temp");
    assert_eq!(payload, r#"{"temp_c":100.0}"#);
    assert_eq!(table.publish("sensors/a/temp", b"hello").verdict, PublishVerdict::Pass);
}

#[test]
fn a_payload_that_is_longer_than_what_is_handed_over_is_fetched() {
    let table = celsius();
    let long = format!(r#"{{"temp_f":212,"note":"{}"}}"#, "x".repeat(20_000));
    let (_, payload) = rewritten(&table.publish("sensors/a/temp", long.as_bytes()));
    assert!(payload.contains("temp_c") && payload.len() > 20_000, "{}", payload.len());
}
