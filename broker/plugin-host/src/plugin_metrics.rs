use std::collections::BTreeMap;

use parking_lot::Mutex;
use pintle_plugin_api::{HostError, Metric};

/// The figures that one plugin keeps.
#[derive(Debug, Default)]
pub(crate) struct PluginMetrics(Mutex<BTreeMap<Series, MetricValue>>);

/// A figure's name and its labels, in the order of their names.
type Series = (String, Vec<(String, String)>);

/// Figures of one plugin, each with its labels.
const SERIES_MAX: usize = 100;
const LABELS_MAX: usize = 8;
const LABEL_BYTES_MAX: usize = 128;

/// Where a figure stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricValue {
    /// A counter.
    Counter(u64),
    /// A gauge.
    Gauge(f64),
    /// Values that were observed: how many, and their sum.
    Summary {
        /// How many.
        count: u64,
        /// All of them together.
        sum: f64,
    },
}

/// A figure that a plugin keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginMetric {
    /// The plugin.
    pub plugin: String,
    /// The figure's name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Where it stands.
    pub value: MetricValue,
}

fn check_name(name: &str) -> Result<(), HostError> {
    let mut bytes = name.bytes();
    let begins_well = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let goes_on_well = bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if begins_well && goes_on_well && name.len() <= LABEL_BYTES_MAX {
        return Ok(());
    }
    let what = format!("`{name}` is no name for a figure or label: letters, digits and `_`");
    Err(HostError::Invalid(what))
}

impl PluginMetrics {
    pub(crate) fn keep(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        value: Metric,
    ) -> Result<(), HostError> {
        check_name(name)?;
        for (label, text) in labels {
            check_name(label)?;
            if text.len() > LABEL_BYTES_MAX {
                let what = format!("the label `{label}` is longer than {LABEL_BYTES_MAX} bytes");
                return Err(HostError::Invalid(what));
            }
        }
        if labels.len() > LABELS_MAX {
            return Err(HostError::Quota("metric_labels_max"));
        }
        let owned = |(label, text): &(&str, &str)| ((*label).to_owned(), (*text).to_owned());
        let mut labels: Vec<(String, String)> = labels.iter().map(owned).collect();
        labels.sort();
        let series = (name.to_owned(), labels);
        let mut all = self.0.lock();
        if all.len() >= SERIES_MAX && !all.contains_key(&series) {
            return Err(HostError::Quota("metrics_max"));
        }
        let kept = all.entry(series).or_insert(match value {
            Metric::Count(_) => MetricValue::Counter(0),
            Metric::Gauge(_) => MetricValue::Gauge(0.0),
            Metric::Observe(_) => MetricValue::Summary { count: 0, sum: 0.0 },
        });
        match (kept, value) {
            (MetricValue::Counter(count), Metric::Count(by)) => *count = count.saturating_add(by),
            (MetricValue::Gauge(level), Metric::Gauge(value)) => *level = value,
            (MetricValue::Summary { count, sum }, Metric::Observe(value)) => {
                *count += 1;
                *sum += value;
            }
            _ => {
                let what = format!("`{name}` was kept as a figure of another kind before");
                return Err(HostError::Invalid(what));
            }
        }
        Ok(())
    }

    pub(crate) fn list(&self, plugin: &str) -> Vec<PluginMetric> {
        let metric = |((name, labels), value): (&Series, &MetricValue)| PluginMetric {
            plugin: plugin.to_owned(),
            name: name.clone(),
            labels: labels.clone(),
            value: *value,
        };
        self.0.lock().iter().map(metric).collect()
    }
}

#[cfg(test)]
mod tests {
    use pintle_plugin_api::Metric;

    use super::{MetricValue, PluginMetrics};

    #[test]
    fn labels_tell_figures_apart_in_whatever_order_they_come() {
        let metrics = PluginMetrics::default();
        metrics.keep("n", &[("a", "1"), ("b", "2")], Metric::Count(1)).unwrap();
        metrics.keep("n", &[("b", "2"), ("a", "1")], Metric::Count(2)).unwrap();
        metrics.keep("n", &[("a", "2")], Metric::Count(5)).unwrap();
        let values: Vec<_> = metrics.list("p").into_iter().map(|metric| metric.value).collect();
        assert_eq!(values, [MetricValue::Counter(3), MetricValue::Counter(5)]);
    }

    #[test]
    fn a_figure_stays_of_its_kind() {
        let metrics = PluginMetrics::default();
        metrics.keep("n", &[], Metric::Count(1)).unwrap();
        assert!(metrics.keep("n", &[], Metric::Gauge(1.0)).is_err());
    }

    #[test]
    fn there_are_only_so_many() {
        let metrics = PluginMetrics::default();
        for at in 0..100 {
            metrics.keep("n", &[("at", &at.to_string())], Metric::Observe(0.5)).unwrap();
        }
        let error = metrics.keep("n", &[("at", "100")], Metric::Observe(0.5)).unwrap_err();
        assert_eq!(error.to_string(), "the bound metrics_max is reached");
    }

    #[test]
    fn names_are_plain() {
        let metrics = PluginMetrics::default();
        for name in ["", "a b", "1a", "a\"}"] {
            assert!(metrics.keep(name, &[], Metric::Count(1)).is_err(), "{name}");
        }
    }
}
