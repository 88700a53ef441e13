use crate::harness::{LOOPBACK, Place};

#[test]
fn every_value_is_printed_with_its_origin() {
    let place = Place::new();
    place.write("pintle.toml", &format!("workers = 2\n{LOOPBACK}"));
    let args = ["config", "show", "-c", "pintle.toml", "--data-dir", "state"];
    let said = place.pintle_with_env(&args, "PINTLE_LIMITS__QUEUE_MESSAGES_MAX", "7").succeeds();
    let line = |start: &str| {
        let line = said.lines().find(|line| line.starts_with(start));
        let line = line.unwrap_or_else(|| panic!("no {start} in\n{said}"));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("workers"), "workers = 2 # pintle.toml:1");
    assert_eq!(line("data_dir"), "data_dir = \"state\" # flag --data-dir");
    assert_eq!(
        line("limits.queue_messages_max"),
        "limits.queue_messages_max = 7 # env PINTLE_LIMITS__QUEUE_MESSAGES_MAX"
    );
    assert_eq!(line("limits.inflight_max"), "limits.inflight_max = 65535 # default");
    assert_eq!(line("listener.0.bind"), "listener.0.bind = \"127.0.0.1:0\" # pintle.toml:3");
}
