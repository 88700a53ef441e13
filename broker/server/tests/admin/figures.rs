//! Figures of the broker and its plugins.

use serde_json::Value;

use crate::http::Answer;
use crate::place::House;
use crate::probe::probe;

/// The value of one line of the figures.
#[track_caller]
fn figure(answer: &Answer, line: &str) -> f64 {
    let found = answer.text.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(' '));
    let found = found.unwrap_or_else(|| panic!("no {line} in:\n{}", answer.text));
    found.parse().unwrap()
}

#[test]
fn every_figure_has_a_type_and_a_help_and_a_number() {
    let house = House::with_plugin("", probe());
    let answer = house.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.text.ends_with("# EOF\n"), "{}", answer.text);
    let (mut types, mut helps) = (Vec::new(), Vec::new());
    for line in answer.text.lines().filter(|line| *line != "# EOF") {
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("#"), Some("TYPE"), Some(name)) => types.push(name.to_owned()),
            (Some("#"), Some("HELP"), Some(name)) => helps.push(name.to_owned()),
            (Some(series), Some(value), None) => {
                let name = series.split('{').next().unwrap();
                let family = types.last().unwrap();
                assert!(name == family || name == format!("{family}_total"), "{line}");
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
            _ => assert!(line.contains('{'), "{line}"),
        }
    }
    assert!(types.len() > 40, "{types:?}");
    assert_eq!(types, helps);
}

#[test]
fn figures_count_what_clients_and_plugins_do() {
    let house = House::with_plugin("", probe());
    house.heard(&["open/a", "open/panic"]);
    let answer = house.get("/metrics");
    assert_eq!(figure(&answer, "pintle_mqtt_publish_received_total"), 3.0);
    let labels = "plugin=\"probe\",hook=\"on_publish\"";
    assert_eq!(figure(&answer, &format!("pintle_plugin_hook_calls_total{{{labels}}}")), 3.0);
    let passed = format!("pintle_plugin_hook_verdicts_total{{{labels},verdict=\"pass\"}}");
    assert_eq!(figure(&answer, &passed), 2.0);
    let failed = format!("pintle_plugin_hook_errors_total{{{labels},kind=\"panic\"}}");
    assert_eq!(figure(&answer, &failed), 1.0);
    assert_eq!(figure(&answer, &format!("pintle_plugin_hook_breaker{{{labels}}}")), 0.0);
    assert!(figure(&answer, &format!("pintle_plugin_hook_seconds_total{{{labels}}}")) > 0.0);
    let generation = "pintle_plugin_generation{plugin=\"probe\",kind=\"native\"}";
    assert_eq!(figure(&answer, generation), 1.0);
}

#[test]
fn a_plugin_is_told_of_with_its_figures() {
    let house = House::with_plugin("", probe());
    house.heard(&["open/panic"]);
    let info = house.get("/plugins/probe").is(200);
    assert_eq!((&info["version"], &info["kind"]), (&"1.2.3".into(), &"native".into()));
    assert_eq!(info["origin"], "linked into the program");
    let stats = house.get("/plugins/probe/stats").is(200);
    let hooks = stats["hooks"].as_array().unwrap();
    let publish = hooks.iter().find(|hook| hook["hook"] == "on_publish").unwrap();
    assert_eq!(publish["calls"], 2);
    assert_eq!(publish["errors"]["panic"], 1);
    assert_eq!(publish["breaker"], "closed");
}

#[test]
fn a_plugin_that_is_not_there_is_answered_with_those_that_are() {
    let house = House::with_plugin("", probe());
    for path in ["/plugins/prob", "/plugins/prob/stats"] {
        let refused = house.get(path).refuses(404);
        assert!(
            refused.contains("no plugin named `prob`; there are: probe, sys-stats"),
            "{refused}"
        );
    }
    assert_eq!(house.get("/plugins").is(200).as_array().map(Vec::len), Some(2));
    assert_eq!(house.get("/logs").is(200), Value::Null);
}
