use std::process::{Command, Stdio};

use pintle_tests::Broker;

use crate::{TCP, WEB_SOCKET};

/// What every script does, each a line that it prints when it is done.
const STEPS: [&str; 8] =
    ["connect", "qos 0", "qos 1", "qos 2", "retained", "will", "session", "shared"];

/// Runs a script with port, transport (`tcp` or `websockets`) and version (`3.1.1` or `5`), and
/// checks that it has taken every step.
#[track_caller]
pub(crate) fn runs_through(broker: &Broker, mut script: Command, transport: &str, version: &str) {
    let place = if transport == "tcp" { TCP } else { WEB_SOCKET };
    let port = broker.listener(place).port().to_string();
    let output = script
        .args([&port, transport, version])
        .stdin(Stdio::null())
        .output()
        .expect("the script runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{transport} {version}: {printed}\n{error}");
    assert_eq!(printed.lines().collect::<Vec<_>>(), STEPS, "{transport} {version}: {error}");
}
