use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

/// How long a tick is.
pub(crate) const TICK: Duration = Duration::from_millis(1);

static TICKS: AtomicU64 = AtomicU64::new(0);
static LISTENERS: Mutex<Listeners> =
    Mutex::new(Listeners { list: Vec::new(), next_id: 0, runs: false });

type OnTick = Arc<dyn Fn() + Send + Sync>;

struct Listeners {
    list: Vec<(u64, OnTick)>,
    next_id: u64,
    /// Whether the thread is there.
    runs: bool,
}

/// While one of these lives, a thread counts milliseconds, so that a plugin's deadline can be seen
/// without reading the clock.
pub(crate) struct Ticker {
    id: u64,
}

impl Ticker {
    /// Begins to count, and calls `on_tick` at each tick. It must be quick.
    pub(crate) fn start(on_tick: impl Fn() + Send + Sync + 'static) -> Self {
        let mut listeners = LISTENERS.lock();
        let id = listeners.next_id;
        listeners.next_id += 1;
        listeners.list.push((id, Arc::new(on_tick)));
        if !listeners.runs {
            match thread::Builder::new().name("pintle-ticker".to_owned()).spawn(run) {
                Ok(_) => listeners.runs = true,
                Err(error) => tracing::error!(%error, "No thread to count the time of plugins."),
            }
        }
        Self { id }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        LISTENERS.lock().list.retain(|(id, _)| *id != self.id);
    }
}

/// Ticks since the first [`Ticker`] of this process was made; stands still while there is none.
#[inline]
pub(crate) fn ticks() -> u64 {
    TICKS.load(Ordering::Relaxed)
}

/// The ticks within which `budget` is surely over, counted from any moment within the present one.
pub(crate) fn ticks_of(budget: Duration) -> u64 {
    let ticks = budget.as_micros().div_ceil(TICK.as_micros());
    u64::try_from(ticks).unwrap_or(u64::MAX).saturating_add(1)
}

fn run() {
    let mut listeners: Vec<OnTick> = Vec::new();
    loop {
        thread::sleep(TICK);
        TICKS.fetch_add(1, Ordering::Relaxed);
        listeners.clear();
        listeners.extend(LISTENERS.lock().list.iter().map(|(_, on_tick)| Arc::clone(on_tick)));
        for on_tick in &listeners {
            on_tick();
        }
        listeners.clear();
        let mut state = LISTENERS.lock();
        if state.list.is_empty() {
            state.runs = false;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::{Ticker, ticks, ticks_of};

    #[test]
    fn ticks_go_on_while_somebody_listens() {
        let (told, heard) = mpsc::channel();
        let before = ticks();
        let ticker = Ticker::start(move || {
            let _ = told.send(());
        });
        for _ in 0..3 {
            heard.recv().unwrap();
        }
        assert!(ticks() >= before + 3);
        drop(ticker);
    }

    #[test]
    fn a_budget_is_over_only_when_all_of_it_has_passed() {
        assert_eq!(ticks_of(Duration::from_millis(2)), 3);
        assert_eq!(ticks_of(Duration::from_micros(1)), 2);
        assert_eq!(ticks_of(Duration::ZERO), 1);
    }
}
