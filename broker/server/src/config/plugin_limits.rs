//! `limits` of a plugin: how long its hooks may take, and what a script may use.

use std::time::Duration;

use pintle_plugin_host::{Budgets, Hook, ScriptLimits};

use super::plugin::PluginConfig;
use super::quantity::{Bytes, Span};
use super::section::Section;

/// Time and means of one plugin.
#[derive(Clone, Copy, Debug)]
pub(super) struct PluginLimits {
    pub(super) budgets: Budgets,
    pub(super) script: ScriptLimits,
}

/// Reads them; what is not written is as in `ours`. A plugin that is linked in has budgets only.
pub(super) fn read_limits(
    mut section: Section<'_>,
    ours: PluginLimits,
    is_script: bool,
) -> PluginLimits {
    let budgets = read_budgets(&mut section, &ours.budgets);
    let script = if is_script { read_script(&mut section, &ours.script) } else { ours.script };
    section.finish();
    PluginLimits { budgets, script }
}

fn read_budgets(section: &mut Section<'_>, ours: &Budgets) -> Budgets {
    Budgets {
        authenticate: section.span_or("authenticate", ours.authenticate),
        auth_step: section.span_or("auth_step", ours.auth_step),
        authorize: section.span_or("authorize", ours.authorize),
        publish: section.span_or("publish", ours.publish),
        subscribe: section.span_or("subscribe", ours.subscribe),
        deliver: section.span_or("deliver", ours.deliver),
        events: section.span_or("events", ours.events),
        timer: section.span_or("timer", ours.timer),
        command: section.span_or("command", ours.command),
        store: section.span_or("store", ours.store),
        commit: section.span_or("commit", ours.commit),
    }
}

fn read_script(section: &mut Section<'_>, ours: &ScriptLimits) -> ScriptLimits {
    let load = section.span_or("load", ours.load);
    if load < Duration::from_millis(1) {
        let what = "a plugin needs at least a millisecond to load";
        section.problem("load", &section.origin_of("load"), what);
    }
    let worker_share = section.span_or("worker_share", ours.worker_share);
    if !(Duration::from_millis(1)..=Duration::from_secs(1)).contains(&worker_share) {
        let what = "a share of a worker's second is between 1ms and 1s";
        section.problem("worker_share", &section.origin_of("worker_share"), what);
    }
    ScriptLimits {
        load,
        memory_bytes_max: section.bytes_or("memory", ours.memory_bytes_max, 64 << 10..=4 << 30),
        code_bytes_max: section.bytes_or("code", ours.code_bytes_max, 1..=256 << 20),
        threads_max: section.number_or("threads", ours.threads_max, 1..=256),
        waiting_max: section.number_or("waiting", ours.waiting_max, 1..=1_000_000),
        log_lines_max: section.number_or("log_lines", ours.log_lines_max, 0..=1_000_000),
        log_line_bytes_max: section.bytes_or("log_line", ours.log_line_bytes_max, 16..=1 << 20),
        host_calls_max: section.number_or("host_calls", ours.host_calls_max, 1..=100_000_000),
        worker_share,
    }
}

impl PluginConfig {
    /// The bounds that count for a script with these hooks, as they would be written.
    pub(crate) fn limit_lines(&self, hooks: &[Hook]) -> Vec<String> {
        let size = |bytes: usize| Bytes(bytes.try_into().unwrap_or(u64::MAX));
        let mut lines = vec![
            format!("memory = {}", size(self.limits.memory_bytes_max)),
            format!("load = {}", Span(self.limits.load)),
        ];
        let budgets = &self.budgets;
        let spans = [
            ("authenticate", Hook::Authenticate, budgets.authenticate),
            ("auth_step", Hook::EnhancedAuth, budgets.auth_step),
            ("authorize", Hook::Authorize, budgets.authorize),
            ("publish", Hook::Publish, budgets.publish),
            ("subscribe", Hook::Subscribe, budgets.subscribe),
            ("deliver", Hook::Deliver, budgets.deliver),
            ("events", Hook::Events, budgets.events),
            ("timer", Hook::Timer, budgets.timer),
            ("command", Hook::Command, budgets.command),
            ("store", Hook::Store, budgets.store),
            ("commit", Hook::Commit, budgets.commit),
        ];
        let asked = spans.into_iter().filter(|(_, hook, _)| hooks.contains(hook));
        lines.extend(asked.map(|(key, _, span)| format!("{key} = {}", Span(span))));
        lines
    }
}
