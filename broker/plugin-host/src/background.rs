use std::sync::Arc;
use std::time::Duration;

use pintle_plugin_api::Hooks;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::debug;

use crate::commit_queue::Commit;
use crate::core::Core;
use crate::event_queue::Batch;
use crate::hook::Hook;
use crate::hops::after_hops;
use crate::meter::Answered;
use crate::shared::Shared;
use crate::slot::{Slot, Stopwatch};

/// Serves timers, events and errands until `stop` says so or its sender is gone.
pub(crate) async fn run(
    shared: Arc<Shared>,
    mut tables: watch::Receiver<Arc<Core>>,
    mut stop: watch::Receiver<bool>,
) {
    shared.note_runtime();
    // The tasks end when the set is dropped.
    let mut tasks = JoinSet::new();
    tasks.spawn(carry_out(Arc::clone(&shared)));
    tasks.spawn(retry_cohorts(Arc::clone(&shared)));
    tasks.spawn(save_keepsakes(Arc::clone(&shared)));
    let mut attended: Vec<Arc<Slot>> = Vec::new();
    loop {
        let slots = tables.borrow_and_update().slots.clone();
        attended.retain(|slot| slots.iter().any(|other| Arc::ptr_eq(slot, other)));
        for slot in slots {
            let kinds = [Hooks::EVENTS, Hooks::TIMER, Hooks::OBSERVE];
            let has_work = kinds.into_iter().any(|kind| slot.has(kind));
            if has_work && !attended.iter().any(|other| Arc::ptr_eq(&slot, other)) {
                tasks.spawn(attend(Arc::clone(&shared), Arc::clone(&slot)));
                attended.push(slot);
            }
        }
        tokio::select! {
            stopped = stop.wait_for(|stopped| *stopped) => {
                let _ = stopped;
                return;
            }
            changed = tables.changed() => if changed.is_err() {
                return;
            },
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// Tells one plugin of its timers and events, one call at a time, off the workers. One that is
/// retired still hears of the events that it has.
async fn attend(shared: Arc<Shared>, slot: Arc<Slot>) {
    loop {
        let is_retired = slot.is_retired();
        let timers = &slot.state.timers;
        let due = if is_retired { Vec::new() } else { timers.take_due(Instant::now()) };
        let batch = slot.events.take();
        let commit = slot.state.commits.take();
        if due.is_empty() && batch.is_none() && commit.is_none() {
            if is_retired {
                return;
            }
            match timers.next_due() {
                None => slot.state.work.notified().await,
                Some(due) => tokio::select! {
                    () = slot.state.work.notified() => {}
                    () = sleep_until(due) => {}
                },
            }
            continue;
        }
        let (shared, slot) = (Arc::clone(&shared), Arc::clone(&slot));
        let told = spawn_blocking(move || {
            tell(&shared, &slot, &due, batch);
            if let Some(commit) = commit {
                tell_of_commit(&shared, &slot, &commit);
            }
        });
        let _ = told.await;
    }
}

fn tell(shared: &Shared, slot: &Slot, due: &[String], batch: Option<Batch>) {
    for name in due {
        let mut watch = Stopwatch::start();
        let _ = slot.call(Hook::Timer, shared.now(), &mut watch, |instance| {
            instance.on_timer(name)?;
            Ok((Answered::Done, ()))
        });
    }
    let Some(batch) = batch else {
        return;
    };
    let mut watch = Stopwatch::start();
    let told = after_hops(batch.hops, || {
        slot.call(Hook::Events, shared.now(), &mut watch, |instance| {
            instance.on_events(&batch.events, batch.lost)?;
            Ok((Answered::Done, ()))
        })
    });
    if told.is_err() {
        slot.events.lose(&batch);
    }
}

fn tell_of_commit(shared: &Shared, slot: &Slot, commit: &Commit) {
    let mut watch = Stopwatch::start();
    let told = slot.call(Hook::Commit, shared.now(), &mut watch, |instance| {
        instance.on_commit(commit.number, &commit.ops, commit.lost)?;
        Ok((Answered::Done, ()))
    });
    if told.is_err() {
        slot.state.commits.lose(commit);
    }
}

async fn carry_out(shared: Arc<Shared>) {
    loop {
        shared.errands.arrived.notified().await;
        let Some(broker) = shared.broker() else {
            continue;
        };
        let errands = shared.errands.take();
        let done = spawn_blocking(move || {
            for (errand, hops) in errands {
                if let Err(error) = errand.run(&*broker, hops) {
                    debug!(%error, "What a plugin asked for inside a hook was not done.");
                }
            }
        });
        let _ = done.await;
    }
}

/// How often what plugins keep is written, if it has changed.
const SAVE_EVERY: Duration = Duration::from_secs(5);

async fn save_keepsakes(shared: Arc<Shared>) {
    loop {
        sleep(SAVE_EVERY).await;
        let shared = Arc::clone(&shared);
        let _ = spawn_blocking(move || shared.save_keepsakes()).await;
    }
}

const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// A client whose cohort could not be asked is not left with the failure policy for ever: the
/// generation rises after a while, so that the engine asks again.
async fn retry_cohorts(shared: Arc<Shared>) {
    let mut back_off = RETRY_MIN;
    let mut last_retry: Option<Instant> = None;
    loop {
        shared.errands.cohort_failed.notified().await;
        let failed_again = last_retry.is_some_and(|last| last.elapsed() < back_off * 2);
        back_off = if failed_again { (back_off * 2).min(RETRY_MAX) } else { RETRY_MIN };
        sleep(back_off).await;
        if shared.errands.take_cohorts_failed() {
            shared.invalidate();
            last_retry = Some(Instant::now());
        }
    }
}
