//! Figures, as Prometheus reads them.

use std::collections::BTreeMap;
use std::fmt;

use pintle_plugin_host::{
    BreakerState, HookStats, MetricValue, PluginHost, PluginInfo, PluginMetric, PluginStats,
};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The broker's counters and those of its plugins.
pub(super) fn encode(counters: &[(&'static str, u64)], host: &PluginHost) -> String {
    let figures = Figures {
        counters: counters.to_vec(),
        plugins: host.list(),
        stats: host.stats(),
        own: host.metrics(),
    };
    let mut registry = Registry::with_prefix("pintle");
    registry.register_collector(Box::new(figures));
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Figures {
    counters: Vec<(&'static str, u64)>,
    plugins: Vec<PluginInfo>,
    stats: Vec<PluginStats>,
    own: Vec<PluginMetric>,
}

/// Counters of the broker that go down as well as up, and what they say.
const GAUGES: [(&str, &str); 12] = [
    ("connections/socket/count", "Open sockets"),
    ("clients/connected", "Clients that are connected"),
    ("clients/maximum", "Clients that were connected at most at a time"),
    ("clients/total", "Sessions, also of clients that are not connected"),
    ("clients/disconnected", "Sessions of clients that are not connected"),
    ("uptime", "Seconds since the broker started"),
    ("messages/stored", "Messages kept in queues and retained"),
    ("store/messages/count", "Messages kept in queues and retained"),
    ("store/messages/bytes", "Bytes of the messages that are kept"),
    ("retained messages/count", "Retained messages"),
    ("subscriptions/count", "Subscriptions"),
    ("shared_subscriptions/count", "Shared subscriptions"),
];

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, value) in &self.counters {
            broker_figure(&mut encoder, name, *value)?;
        }
        self.encode_plugins(&mut encoder)?;
        self.encode_hooks(&mut encoder)?;
        self.encode_own(&mut encoder)
    }
}

fn broker_figure(encoder: &mut DescriptorEncoder<'_>, name: &str, value: u64) -> fmt::Result {
    let metric: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    match GAUGES.iter().find(|(gauge, _)| *gauge == name) {
        Some((_, help)) => {
            let mut metric = encoder.encode_descriptor(&metric, help, None, MetricType::Gauge)?;
            metric.encode_gauge(&signed(value))
        }
        None => {
            let help = format!("Counter $SYS/broker/{name}");
            let mut metric =
                encoder.encode_descriptor(&metric, &help, None, MetricType::Counter)?;
            count(&mut metric, value)
        }
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn count(metric: &mut MetricEncoder<'_>, value: u64) -> fmt::Result {
    metric.encode_counter::<[(&str, &str); 0], u64, u64>(&value, None)
}

fn seconds(ns: u64) -> f64 {
    std::time::Duration::from_nanos(ns).as_secs_f64()
}

impl Figures {
    fn encode_plugins(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut gauge = |name, help, value: fn(&PluginInfo) -> u64| {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            self.plugins.iter().try_for_each(|plugin| {
                let labels = [("plugin", plugin.name.as_str()), ("kind", plugin.kind)];
                metric.encode_family(&labels)?.encode_gauge(&signed(value(plugin)))
            })
        };
        gauge("plugin_enabled", "Whether the plugin is asked", |plugin| u64::from(plugin.enabled))?;
        gauge("plugin_generation", "How often the plugin's code was loaded", |plugin| {
            plugin.code_generation
        })?;
        let mut counter = |name, help, value: fn(&PluginStats) -> u64| {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            self.stats.iter().try_for_each(|plugin| {
                let labels = [("plugin", plugin.name.as_str())];
                count(&mut metric.encode_family(&labels)?, value(plugin))
            })
        };
        counter("plugin_events_lost", "Events that the plugin was not told", |plugin| {
            plugin.events_lost
        })?;
        counter("plugin_messages_refused", "Messages of the plugin that were dropped", |plugin| {
            plugin.messages_refused
        })?;
        counter("plugin_decisions_reused", "Decisions that were answered from memory", |plugin| {
            plugin.decisions_reused
        })
    }

    fn encode_hooks(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        self.hook_counter(encoder, "plugin_hook_calls", "Calls of the hook", |hook| hook.calls)?;
        self.hook_counter(
            encoder,
            "plugin_hook_late",
            "Calls that took over their budget",
            |hook| hook.late,
        )?;
        let verdicts = "Answers of the hook by what they were";
        self.hook_family(encoder, "plugin_hook_verdicts", verdicts, "verdict", |hook| {
            hook.verdicts.clone()
        })?;
        let errors = "Errors of the hook by their kind";
        self.hook_family(encoder, "plugin_hook_errors", errors, "kind", |hook| {
            hook.errors.iter().map(|(kind, count)| (kind.name(), *count)).collect()
        })?;
        let help = "Seconds spent in the hook";
        let name = "plugin_hook_seconds";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        self.each_hook(|plugin, hook| {
            let labels = [("plugin", plugin), ("hook", hook.hook.name())];
            let mut metric = metric.encode_family(&labels)?;
            metric.encode_counter::<[(&str, &str); 0], f64, u64>(&seconds(hook.total_ns), None)
        })?;
        self.hook_gauge(encoder, "plugin_hook_max_seconds", "The slowest call", |hook| {
            seconds(hook.max_ns)
        })?;
        let help = "Whether the hook is called: 0 it is, 1 the next call is a trial, 2 it is not";
        self.hook_gauge(encoder, "plugin_hook_breaker", help, |hook| match hook.breaker {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        })
    }

    fn each_hook(&self, mut each: impl FnMut(&str, &HookStats) -> fmt::Result) -> fmt::Result {
        let hooks = |plugin: &PluginStats| plugin.hooks.clone().into_iter();
        for plugin in &self.stats {
            hooks(plugin).try_for_each(|hook| each(&plugin.name, &hook))?;
        }
        Ok(())
    }

    fn hook_counter(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        value: fn(&HookStats) -> u64,
    ) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        self.each_hook(|plugin, hook| {
            let labels = [("plugin", plugin), ("hook", hook.hook.name())];
            count(&mut metric.encode_family(&labels)?, value(hook))
        })
    }

    fn hook_gauge(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        value: fn(&HookStats) -> f64,
    ) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        self.each_hook(|plugin, hook| {
            let labels = [("plugin", plugin), ("hook", hook.hook.name())];
            metric.encode_family(&labels)?.encode_gauge(&value(hook))
        })
    }

    fn hook_family(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        label: &str,
        values: fn(&HookStats) -> Vec<(&'static str, u64)>,
    ) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        self.each_hook(|plugin, hook| {
            values(hook).into_iter().try_for_each(|(kind, value)| {
                let labels = [("plugin", plugin), ("hook", hook.hook.name()), (label, kind)];
                count(&mut metric.encode_family(&labels)?, value)
            })
        })
    }
}

/// The figures that plugins keep themselves. A name that two use for different kinds stands once
/// for each kind.
impl Figures {
    fn encode_own(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut families: BTreeMap<(&str, &str), Vec<&PluginMetric>> = BTreeMap::new();
        for metric in &self.own {
            let name = metric.name.trim_end_matches("_total");
            families.entry((name, kind_of(&metric.value).0)).or_default().push(metric);
        }
        for ((name, kind), metrics) in &families {
            let is_shared = families.keys().filter(|(other, _)| other == name).count() > 1;
            let suffix = if is_shared { format!("_{kind}") } else { String::new() };
            own_family(encoder, &format!("plugin_own_{name}{suffix}"), metrics)?;
        }
        Ok(())
    }
}

fn kind_of(value: &MetricValue) -> (&'static str, MetricType) {
    match value {
        MetricValue::Counter(_) => ("counter", MetricType::Counter),
        MetricValue::Gauge(_) => ("gauge", MetricType::Gauge),
        MetricValue::Summary { .. } => ("summary", MetricType::Histogram),
    }
}

fn own_family(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    metrics: &[&PluginMetric],
) -> fmt::Result {
    let Some(first) = metrics.first() else { return Ok(()) };
    let kind = kind_of(&first.value).1;
    let help = "Kept by the plugin itself";
    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
    for metric in metrics {
        let labels = labels_of(metric);
        let mut encoder = family.encode_family(&labels)?;
        match metric.value {
            MetricValue::Counter(value) => count(&mut encoder, value)?,
            MetricValue::Gauge(value) => encoder.encode_gauge(&value)?,
            MetricValue::Summary { count, sum } => {
                let whole = [(f64::MAX, count)];
                encoder.encode_histogram::<[(&str, &str); 0]>(sum, count, &whole, None)?;
            }
        }
    }
    Ok(())
}

fn labels_of(metric: &PluginMetric) -> Vec<(String, String)> {
    let own = metric.labels.iter().map(|(name, value)| match name.as_str() {
        "plugin" => ("own_plugin".to_owned(), value.clone()),
        _ => (name.clone(), value.clone()),
    });
    std::iter::once(("plugin".to_owned(), metric.plugin.clone())).chain(own).collect()
}
