//! What else the machine does while brokers are compared.

use std::collections::HashMap;
use std::fs;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

/// Processor time of everybody else up to a moment, by process, in ticks.
pub(crate) struct Neighbours {
    at: Instant,
    ticks: HashMap<u32, u64>,
}

/// Ticks a second in `/proc`, the same on every Linux that is in use.
const TICKS_PER_SECOND: f64 = 100.0;
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

impl Neighbours {
    /// Everybody but this process and `ours`.
    pub(crate) fn without(ours: &[u32]) -> Self {
        let mut ticks = HashMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
            let Some(pid) = pid.filter(|pid| *pid != process::id() && !ours.contains(pid)) else {
                continue;
            };
            // One that has just ended has nothing more to tell.
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            if let Some(used) = ticks_of(&stat) {
                ticks.insert(pid, used);
            }
        }
        Self { at: Instant::now(), ticks }
    }

    /// How many processors others have kept busy since `before`, on average.
    pub(crate) fn busy_since(&self, before: &Self) -> f64 {
        let used: u64 = self
            .ticks
            .iter()
            .map(|(pid, now)| now.saturating_sub(before.ticks.get(pid).copied().unwrap_or(0)))
            .sum();
        used as f64 / TICKS_PER_SECOND / (self.at - before.at).as_secs_f64()
    }

    /// Waits until others keep fewer than `busy_max` processors busy, at most for `patience`.
    pub(crate) fn wait_for_quiet(busy_max: f64, patience: Duration) {
        let start = Instant::now();
        let mut before = Self::without(&[]);
        while start.elapsed() < patience {
            thread::sleep(LOOK_INTERVAL);
            let now = Self::without(&[]);
            if now.busy_since(&before) < busy_max {
                return;
            }
            before = now;
        }
    }
}

/// User and system time of a process and of its children that it has waited for.
fn ticks_of(stat: &str) -> Option<u64> {
    // The name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let times = fields.get(11..15)?;
    times.iter().map(|time| time.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_process_includes_its_children() {
        let stat = "12 (a (b) c) S 1 1 1 0 -1 4194304 9 9 9 9 100 20 3 4 20 0 1 0 5 6 7";

        assert_eq!(ticks_of(stat), Some(127));
        assert_eq!(ticks_of("12 (a) S 1"), None);
    }

    #[test]
    fn what_others_have_used_is_told_in_processors() {
        let start = Instant::now();
        let before = Neighbours { at: start, ticks: HashMap::from([(1, 100), (2, 50)]) };
        let after = Neighbours {
            at: start + Duration::from_secs(2),
            ticks: HashMap::from([(1, 150), (2, 50), (3, 50)]),
        };

        assert_eq!(after.busy_since(&before), 0.5);
    }
}
