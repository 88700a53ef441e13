//! What a running broker tells of its plugins, as text.

use std::fmt::Write as _;

use serde_json::Value;

/// The text at `key`; empty if there is none.
pub(super) fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn number_of(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn texts_of<'a>(value: &'a Value, key: &str) -> Vec<&'a str> {
    let texts = value.get(key).and_then(Value::as_array).into_iter().flatten();
    texts.filter_map(Value::as_str).collect()
}

/// One plugin in a list.
pub(super) fn listed(plugin: &Value) -> String {
    let topics = texts_of(plugin, "topics");
    let topics = if topics.is_empty() { "all topics".to_owned() } else { topics.join(", ") };
    let is_enabled = plugin.get("enabled").and_then(Value::as_bool).unwrap_or(true);
    let state = if is_enabled { "" } else { ", disabled" };
    format!(
        "{}  {}({}, {}, generation {}{state})\n    hooks: {}\n    topics: {topics}\n",
        text_of(plugin, "name"),
        match (text_of(plugin, "plugin"), text_of(plugin, "version")) {
            ("", _) => String::new(),
            (name, version) => format!("{name} {version} "),
        },
        text_of(plugin, "kind"),
        text_of(plugin, "origin"),
        number_of(plugin, "generation"),
        texts_of(plugin, "hooks").join(", "),
    )
}

/// The figures of one plugin; `stats` is null if it is disabled.
pub(super) fn figures(info: &Value, stats: &Value) -> String {
    let mut text = format!(
        "{} ({}, generation {}{})\n",
        text_of(info, "name"),
        text_of(info, "kind"),
        number_of(info, "generation"),
        if stats.is_null() { ", disabled" } else { "" },
    );
    for hook in stats.get("hooks").and_then(Value::as_array).into_iter().flatten() {
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "  {:<14} {}, mean {}, max {}, breaker {}",
            text_of(hook, "hook"),
            counted(hook),
            span(number_of(hook, "mean_ns")),
            span(number_of(hook, "max_ns")),
            text_of(hook, "breaker"),
        );
    }
    if let Some(error) = stats.get("last_error").and_then(Value::as_str) {
        let _ = writeln!(text, "  last error: {error}");
    }
    for (key, what) in [
        ("events_lost", "events lost"),
        ("messages_refused", "messages refused"),
        ("decisions_reused", "decisions answered from memory"),
    ] {
        let count = number_of(stats, key);
        if count > 0 {
            let _ = writeln!(text, "  {count} {what}");
        }
    }
    text
}

/// `12 calls (pass 10, rewrite 2; errors: trap 1; late 1)`
pub(super) fn counted(hook: &Value) -> String {
    let pairs = |key| {
        let counts = hook.get(key).and_then(Value::as_object).into_iter().flatten();
        let counts = counts.filter(|(_, count)| count.as_u64() != Some(0));
        counts.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    };
    let (verdicts, errors) = (pairs("verdicts"), pairs("errors"));
    let mut parts = Vec::new();
    if !verdicts.is_empty() {
        parts.push(verdicts);
    }
    if !errors.is_empty() {
        parts.push(format!("errors: {errors}"));
    }
    if number_of(hook, "late") > 0 {
        parts.push(format!("late {}", number_of(hook, "late")));
    }
    let calls = number_of(hook, "calls");
    let calls = if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") };
    if parts.is_empty() { calls } else { format!("{calls} ({})", parts.join("; ")) }
}

/// Nanoseconds as people read them.
pub(super) fn span(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{}.{} µs", ns / 1_000, ns % 1_000 / 100),
        1_000_000..1_000_000_000 => format!("{}.{} ms", ns / 1_000_000, ns % 1_000_000 / 100_000),
        _ => format!("{}.{} s", ns / 1_000_000_000, ns % 1_000_000_000 / 100_000_000),
    }
}

/// A line of the plugins' log for people; `None` if it says nothing.
pub(super) fn log_line(json: &str) -> Option<String> {
    let line: Value = serde_json::from_str(json).ok()?;
    if let Some(lost) = line.get("lost").and_then(Value::as_u64) {
        return Some(format!("… {lost} lines were lost: they came faster than they were read\n"));
    }
    let seconds = number_of(&line, "time_ms") / 1000;
    let mut text = format!(
        "{:02}:{:02}:{:02} {:<5} {}: {}",
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        text_of(&line, "level"),
        text_of(&line, "plugin"),
        text_of(&line, "message"),
    );
    for (name, value) in line.get("fields").and_then(Value::as_object).into_iter().flatten() {
        // Writing to a String does not fail.
        let _ = match value.as_str() {
            Some(value) if value.contains(' ') => write!(text, " {name}={value:?}"),
            Some(value) => write!(text, " {name}={value}"),
            None => write!(text, " {name}={value}"),
        };
    }
    text.push('\n');
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_hook_is_told_with_its_answers_and_errors() {
        let hook = json!({
            "calls": 13, "verdicts": { "pass": 10, "rewrite": 2 }, "errors": { "trap": 1 },
            "late": 1,
        });
        assert_eq!(counted(&hook), "13 calls (pass 10, rewrite 2; errors: trap 1; late 1)");
        assert_eq!(counted(&json!({ "calls": 1 })), "1 call");
    }

    #[test]
    fn spans_are_told_in_a_unit_that_fits() {
        assert_eq!(span(350), "350 ns");
        assert_eq!(span(4_150), "4.1 µs");
        assert_eq!(span(34_000_000), "34.0 ms");
        assert_eq!(span(1_500_000_000), "1.5 s");
    }

    #[test]
    fn a_line_of_the_log_is_told_with_its_fields() {
        let line = json!({
            "time_ms": 3_723_000, "level": "WARN", "plugin": "p", "message": "A plugin failed.",
            "fields": { "hook": "on_publish", "count": 2 },
        });
        let text = log_line(&line.to_string()).unwrap();
        assert_eq!(text, "01:02:03 WARN  p: A plugin failed. count=2 hook=on_publish\n");
        assert_eq!(
            log_line("{\"lost\":3}").unwrap().split(':').next(),
            Some("… 3 lines were lost")
        );
        assert_eq!(log_line(""), None);
    }
}
