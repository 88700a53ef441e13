//! mqtt.js, from npm.

use std::path::Path;
use std::process::Command;

use crate::scripts::runs_through;
use crate::{broker, tools};

fn runs(transport: &str, version: &str) {
    let Some(modules) = tools::node_modules_with_mqtt_js() else { return };
    let (broker, _tls) = broker();
    let mut script = Command::new("node");
    script.env("NODE_PATH", modules);
    script.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/mqtt_js_driver.cjs"));
    runs_through(&broker, script, transport, version);
}

#[test]
fn mqtt_js_speaks_3_1_1_over_tcp() {
    runs("tcp", "3.1.1");
}

#[test]
fn mqtt_js_speaks_5_over_tcp() {
    runs("tcp", "5");
}

#[test]
fn mqtt_js_speaks_3_1_1_over_websockets() {
    runs("websockets", "3.1.1");
}

#[test]
fn mqtt_js_speaks_5_over_websockets() {
    runs("websockets", "5");
}
