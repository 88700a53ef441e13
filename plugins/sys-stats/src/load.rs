use std::time::Duration;

/// Spans of the averages: the last level of the topic, and seconds.
const SPANS: [(&str, f64); 3] = [("1min", 60.0), ("5min", 300.0), ("15min", 900.0)];

/// How fast a counter grows: events a minute, averaged over three spans, the past being forgotten
/// exponentially.
#[derive(Debug)]
pub(crate) struct LoadAverages {
    counter: u64,
    per_minute: [f64; SPANS.len()],
}

impl LoadAverages {
    /// Averages of a counter that begins to be watched at this value.
    pub(crate) fn new(counter: u64) -> Self {
        Self { counter, per_minute: [0.0; SPANS.len()] }
    }

    /// Takes the counter's value `elapsed` after the one before: each average comes nearer to the
    /// rate in between, by `1 - e^(-elapsed / span)`. A counter that went back counts as still.
    #[expect(clippy::cast_precision_loss, reason = "a difference above 2^53 is not met")]
    pub(crate) fn update(&mut self, counter: u64, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        let events = counter.saturating_sub(self.counter);
        self.counter = counter;
        if seconds <= 0.0 {
            return;
        }
        let rate = events as f64 * 60.0 / seconds;
        for (average, (_, span)) in self.per_minute.iter_mut().zip(SPANS) {
            *average = rate + (-seconds / span).exp() * (*average - rate);
        }
    }

    /// The averages: name of the span, and events a minute.
    pub(crate) fn per_minute(&self) -> impl Iterator<Item = (&'static str, f64)> {
        SPANS.iter().map(|(name, _)| *name).zip(self.per_minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_SECONDS: Duration = Duration::from_secs(10);

    fn texts(load: &LoadAverages) -> Vec<String> {
        load.per_minute().map(|(span, value)| format!("{span} {value:.2}")).collect()
    }

    /// 10 events in 10 s are 60 a minute; 60 (1 - e^(-10/60)) is 9.21, and so on.
    #[test]
    fn an_average_moves_towards_the_rate_by_the_share_of_the_span() {
        let mut load = LoadAverages::new(100);
        load.update(110, TEN_SECONDS);
        assert_eq!(texts(&load), ["1min 9.21", "5min 1.97", "15min 0.66"]);
        load.update(110, TEN_SECONDS);
        assert_eq!(texts(&load), ["1min 7.80", "5min 1.90", "15min 0.66"]);
    }

    #[test]
    fn a_steady_rate_is_reached_and_then_kept() {
        let mut load = LoadAverages::new(0);
        for step in 1..=2000 {
            load.update(step * 5, TEN_SECONDS);
        }
        assert_eq!(texts(&load), ["1min 30.00", "5min 30.00", "15min 30.00"]);
    }

    #[test]
    fn no_time_and_a_counter_that_goes_back_do_no_harm() {
        let mut load = LoadAverages::new(50);
        load.update(60, Duration::ZERO);
        load.update(10, TEN_SECONDS);
        assert_eq!(texts(&load), ["1min 0.00", "5min 0.00", "15min 0.00"]);
    }

    mod properties {
        use super::*;
        use proptest::prelude::*;

        proptest! {
            #[test]
            fn an_average_stays_between_what_it_was_and_the_rate(
                steps in proptest::collection::vec((0u64..1_000_000, 1u64..100_000), 1..20),
            ) {
                let mut load = LoadAverages::new(0);
                let mut counter = 0;
                for (events, millis) in steps {
                    let before: Vec<_> = load.per_minute().map(|(_, value)| value).collect();
                    counter += events;
                    load.update(counter, Duration::from_millis(millis));
                    let rate = events as f64 * 60_000.0 / millis as f64;
                    for ((_, after), before) in load.per_minute().zip(before) {
                        let slack = 1e-9 * rate.max(before).max(1.0);
                        prop_assert!(after >= rate.min(before) - slack);
                        prop_assert!(after <= rate.max(before) + slack);
                    }
                }
            }
        }
    }
}
