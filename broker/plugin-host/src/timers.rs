use std::time::Duration;

use foldhash::HashMap;
use parking_lot::Mutex;
use pintle_plugin_api::HostError;
use tokio::time::Instant;

/// The timers of one plugin, by name.
#[derive(Debug, Default)]
pub(crate) struct Timers(Mutex<HashMap<String, Timer>>);

#[derive(Clone, Copy, Debug)]
struct Timer {
    due: Instant,
    every: Option<Duration>,
}

const TIMERS_MAX: usize = 64;

impl Timers {
    pub(crate) fn set(
        &self,
        name: &str,
        delay: Duration,
        every: Option<Duration>,
    ) -> Result<(), HostError> {
        if every.is_some_and(|every| every < Duration::from_millis(1)) {
            let what = "a timer can not come again more often than each millisecond";
            return Err(HostError::Invalid(what.to_owned()));
        }
        let Some(due) = Instant::now().checked_add(delay) else {
            return Err(HostError::Invalid("the delay is too long".to_owned()));
        };
        let mut timers = self.0.lock();
        if timers.len() >= TIMERS_MAX && !timers.contains_key(name) {
            return Err(HostError::Quota("timers_max"));
        }
        timers.insert(name.to_owned(), Timer { due, every });
        Ok(())
    }

    /// Takes over what `old` has set to come once, unless there is a timer of that name.
    pub(crate) fn adopt(&self, old: &Self) {
        let once = std::mem::take(&mut *old.0.lock());
        let mut timers = self.0.lock();
        for (name, timer) in once.into_iter().filter(|(_, timer)| timer.every.is_none()) {
            timers.entry(name).or_insert(timer);
        }
    }

    pub(crate) fn cancel(&self, name: &str) -> bool {
        self.0.lock().remove(name).is_some()
    }

    /// When the next one is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.0.lock().values().map(|timer| timer.due).min()
    }

    /// Names of those due at `now`, the longest due first. Those that come again are set again;
    /// what was missed is not made up for.
    pub(crate) fn take_due(&self, now: Instant) -> Vec<String> {
        let mut timers = self.0.lock();
        let mut due: Vec<(Instant, String)> = timers
            .iter()
            .filter(|(_, timer)| timer.due <= now)
            .map(|(name, timer)| (timer.due, name.clone()))
            .collect();
        due.sort();
        for (_, name) in &due {
            let again =
                timers.get_mut(name).and_then(|timer| timer.every.map(|every| (timer, every)));
            let next = again.and_then(|(timer, every)| {
                let next = timer.due.checked_add(every)?;
                timer.due = if next > now { next } else { now.checked_add(every)? };
                Some(())
            });
            if next.is_none() {
                timers.remove(name);
            }
        }
        due.into_iter().map(|(_, name)| name).collect()
    }
}
