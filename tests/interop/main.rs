//! Clients that people use, against the broker: mosquitto's command line tools, paho-mqtt for
//! Python, mqtt.js and rumqttc.
//!
//! What is missing is installed first: mosquitto-clients from the system's packages if the tests
//! run as root, the others below cargo's target folder. Where that is not possible the tests say
//! `SKIPPED` and pass; with `INTEROP_REQUIRED=1` in the environment they fail instead.

mod mosquitto;
mod mqtt_js;
mod paho;
mod rust_client;
mod scripts;
mod tools;

use std::path::Path;

use pintle_tests::{Broker, Program, TlsFiles};

const PINTLE: Program = Program(env!("CARGO_BIN_EXE_pintle-under-test"));

/// A broker for clients over TCP, WebSocket and TLS, in this order.
fn broker() -> (Broker, TlsFiles) {
    let mut files = None;
    let broker = PINTLE.prepare(|folder: &Path| {
        files = Some(TlsFiles::write_into(folder).expect("certificates are made"));
        let bind = "[[listener]]\nbind = \"127.0.0.1:0\"\n";
        format!(
            "{bind}{bind}protocol = \"websocket\"\n\
             {bind}tls = {{ cert = \"cert.pem\", key = \"key.pem\" }}\n"
        )
    });
    (broker, files.expect("certificates were made"))
}

const TCP: usize = 0;
const WEB_SOCKET: usize = 1;
const TLS: usize = 2;
