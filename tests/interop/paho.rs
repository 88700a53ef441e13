//! paho-mqtt, from PyPI.

use std::path::Path;
use std::process::Command;

use crate::scripts::runs_through;
use crate::{broker, tools};

fn runs(transport: &str, version: &str) {
    let Some(python) = tools::python_with_paho() else { return };
    let (broker, _tls) = broker();
    let mut script = Command::new(python);
    script.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/paho_driver.py"));
    runs_through(&broker, script, transport, version);
}

#[test]
fn paho_speaks_3_1_1_over_tcp() {
    runs("tcp", "3.1.1");
}

#[test]
fn paho_speaks_5_over_tcp() {
    runs("tcp", "5");
}

#[test]
fn paho_speaks_3_1_1_over_websockets() {
    runs("websockets", "3.1.1");
}

#[test]
fn paho_speaks_5_over_websockets() {
    runs("websockets", "5");
}
