use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Whether `mosquitto_pub` and `mosquitto_sub` are there, or can be installed.
pub(crate) fn mosquitto_clients() -> bool {
    static READY: OnceLock<bool> = OnceLock::new();
    *READY.get_or_init(|| {
        let install = || {
            let package = "mosquitto-clients";
            let direct = apt_get(&["install", "-y", "--no-install-recommends", package]);
            direct.or_else(|_| {
                apt_get(&["update"])?;
                apt_get(&["install", "-y", "--no-install-recommends", package])
            })
        };
        is_there("mosquitto_sub") || told("mosquitto's clients", install()).is_some()
    })
}

/// A Python that has paho-mqtt.
pub(crate) fn python_with_paho() -> Option<PathBuf> {
    static READY: OnceLock<Option<PathBuf>> = OnceLock::new();
    READY.get_or_init(|| told("paho-mqtt", make_python())).clone()
}

fn make_python() -> Result<PathBuf, String> {
    let venv = folder().join("python");
    let python = venv.join("bin/python");
    if succeeds(Command::new(&python).args(["-c", "import paho.mqtt"])) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv)).or_else(|error| {
        apt_get(&["install", "-y", "python3-venv"]).map_err(|_| error)?;
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))
    })?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(Command::new(&python).args(install).arg("paho-mqtt==2.1.0"))?;
    Ok(python)
}

/// The folder of node modules that has mqtt.js.
pub(crate) fn node_modules_with_mqtt_js() -> Option<PathBuf> {
    static READY: OnceLock<Option<PathBuf>> = OnceLock::new();
    READY.get_or_init(|| told("mqtt.js", make_node_modules())).clone()
}

fn make_node_modules() -> Result<PathBuf, String> {
    let node = folder().join("node");
    let modules = node.join("node_modules");
    if modules.join("mqtt/package.json").exists() && is_there("node") {
        return Ok(modules);
    }
    std::fs::create_dir_all(&node).map_err(|error| error.to_string())?;
    let install = ["install", "--silent", "--no-audit", "--no-fund", "mqtt@5.15.0"];
    run(Command::new("npm").args(install).arg("--prefix").arg(&node))?;
    Ok(modules)
}

/// Below the target folder: what is installed stays for the next run.
fn folder() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

fn apt_get(arguments: &[&str]) -> Result<(), String> {
    run(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
}

fn is_there(program: &str) -> bool {
    succeeds(Command::new("sh").args(["-c", &format!("command -v {program}")]))
}

fn succeeds(command: &mut Command) -> bool {
    run(command).is_ok()
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name} does not run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    let last = error.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(format!("{name} failed: {last}"))
}

/// Says aloud what is skipped and why, past the test harness, which keeps quiet about tests that
/// pass.
fn told<T>(what: &str, result: Result<T, String>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(why) => {
            let required = std::env::var_os("INTEROP_REQUIRED").is_some();
            assert!(!required, "{what} is required, but cannot be had: {why}");
            let line = format!("SKIPPED: interoperability with {what}: {why}\n");
            // A closed standard error leaves nobody to tell.
            let _ = std::io::stderr().write_all(line.as_bytes());
            None
        }
    }
}
