use std::sync::Arc;
use std::time::Duration;

use pintle_plugin_api::Hooks;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until};

use crate::core::Core;
use crate::event_queue::Batch;
use crate::hook::Hook;
use crate::meter::Answered;
use crate::slot::{Slot, Stopwatch};

/// Serves timers, events and errands until `stop` says so or its sender is gone.
pub(crate) async fn run(core: Arc<Core>, mut stop: watch::Receiver<bool>) {
    core.note_runtime();
    let mut tasks = JoinSet::new();
    for slot in &core.slots {
        if slot.has(Hooks::EVENTS) || slot.has(Hooks::TIMER) {
            tasks.spawn(attend(Arc::clone(&core), Arc::clone(slot)));
        }
    }
    tasks.spawn(carry_out(Arc::clone(&core)));
    tasks.spawn(retry_cohorts(core));
    // The tasks end when the set is dropped.
    let _ = stop.wait_for(|stopped| *stopped).await;
}

/// Tells one plugin of its timers and events, one call at a time, off the workers.
async fn attend(core: Arc<Core>, slot: Arc<Slot>) {
    loop {
        let due = slot.timers.take_due(Instant::now());
        let batch = slot.events.take();
        if due.is_empty() && batch.is_none() {
            match slot.timers.next_due() {
                None => slot.work.notified().await,
                Some(due) => tokio::select! {
                    () = slot.work.notified() => {}
                    () = sleep_until(due) => {}
                },
            }
            continue;
        }
        let (core, slot) = (Arc::clone(&core), Arc::clone(&slot));
        let told = spawn_blocking(move || tell(&core, &slot, &due, batch));
        let _ = told.await;
    }
}

fn tell(core: &Core, slot: &Slot, due: &[String], batch: Option<Batch>) {
    for name in due {
        let mut watch = Stopwatch::start();
        let _ = slot.call(Hook::Timer, core.now(), &mut watch, |instance| {
            instance.on_timer(name)?;
            Ok((Answered::Done, ()))
        });
    }
    let Some(batch) = batch else {
        return;
    };
    let mut watch = Stopwatch::start();
    let told = slot.call(Hook::Events, core.now(), &mut watch, |instance| {
        instance.on_events(&batch.events, batch.lost)?;
        Ok((Answered::Done, ()))
    });
    if told.is_err() {
        slot.events.lose(&batch);
    }
}

async fn carry_out(core: Arc<Core>) {
    loop {
        core.errands.arrived.notified().await;
        let Some(broker) = core.broker() else {
            continue;
        };
        let errands = core.errands.take();
        let done = spawn_blocking(move || {
            for errand in errands {
                errand.run(&*broker);
            }
        });
        let _ = done.await;
    }
}

const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// A client whose cohort could not be asked is not left with the failure policy for ever: the
/// generation rises after a while, so that the engine asks again.
async fn retry_cohorts(core: Arc<Core>) {
    let mut back_off = RETRY_MIN;
    let mut last_retry: Option<Instant> = None;
    loop {
        core.errands.cohort_failed.notified().await;
        let failed_again = last_retry.is_some_and(|last| last.elapsed() < back_off * 2);
        back_off = if failed_again { (back_off * 2).min(RETRY_MAX) } else { RETRY_MIN };
        sleep(back_off).await;
        if core.errands.take_cohorts_failed() {
            core.invalidate();
            last_retry = Some(Instant::now());
        }
    }
}
