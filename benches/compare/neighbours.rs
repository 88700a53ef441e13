//! What else the machine does while brokers are compared.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Processor time up to a moment, in ticks.
pub(crate) struct Neighbours {
    at: Instant,
    /// Of the whole machine.
    all: u64,
    /// Of this process, of those it has started and waited for, and of those named.
    ours: u64,
}

/// Ticks a second in `/proc`, the same on every Linux that is in use.
const TICKS_PER_SECOND: f64 = 100.0;
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

impl Neighbours {
    /// Everybody but this process, what it starts, and the process `broker`, which still runs.
    pub(crate) fn without(broker: Option<u32>) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let this: u64 = times(&read("/proc/self/stat")).iter().sum();
        let broker =
            broker.map_or(0, |pid| times(&read(&format!("/proc/{pid}/stat"))).iter().sum());
        let at = Instant::now();
        Self { at, all: busy_ticks(&read("/proc/stat")), ours: this + broker }
    }

    /// How many processors others have kept busy since `before`, on average.
    pub(crate) fn busy_since(&self, before: &Self) -> f64 {
        let (all, ours) = (self.all - before.all, self.ours.saturating_sub(before.ours));
        let seconds = (self.at - before.at).as_secs_f64();
        all.saturating_sub(ours) as f64 / TICKS_PER_SECOND / seconds
    }

    /// Waits until others keep fewer than `busy_max` processors busy, at most for `patience`.
    pub(crate) fn wait_for_quiet(busy_max: f64, patience: Duration) {
        let start = Instant::now();
        let mut before = Self::without(None);
        while start.elapsed() < patience {
            thread::sleep(LOOK_INTERVAL);
            let now = Self::without(None);
            if now.busy_since(&before) < busy_max {
                return;
            }
            before = now;
        }
    }
}

/// User and system time of a process and of its children that it has waited for; nothing of one
/// that is gone.
fn times(stat: &str) -> Vec<u64> {
    // The name, in parentheses, may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    fields.split_whitespace().skip(11).take(4).filter_map(|time| time.parse().ok()).collect()
}

/// What all processors together have spent neither idle nor waiting for disks.
fn busy_ticks(stat: &str) -> u64 {
    const IDLE: usize = 3;
    const WAITING: usize = 4;
    let all = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    // Behind the eighth are guests, who are in the first two already.
    all.take(8)
        .enumerate()
        .filter(|(at, _)| ![IDLE, WAITING].contains(at))
        .filter_map(|(_, time)| time.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_process_includes_its_children() {
        let stat = "12 (a (b) c) S 1 1 1 0 -1 4194304 9 9 9 9 100 20 3 4 20 0 1 0 5 6 7";

        assert_eq!(times(stat), [100, 20, 3, 4]);
        assert!(times("").is_empty());
    }

    #[test]
    fn idle_processors_are_not_busy() {
        let stat = "cpu  1 20 300 4000 50000 6 7 8 900000 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";

        assert_eq!(busy_ticks(stat), 342);
    }

    #[test]
    fn what_others_have_used_is_told_in_processors() {
        let start = Instant::now();
        let before = Neighbours { at: start, all: 1000, ours: 100 };
        let after = Neighbours { at: start + Duration::from_secs(2), all: 1300, ours: 300 };

        assert_eq!(after.busy_since(&before), 0.5);
    }
}
