use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pintle_mqtt::ReasonCode;
use pintle_plugin_api::HostError;
use pintle_ports::{Broker, HookPath, MessageFrame, Whom};
use tokio::sync::Notify;

/// What plugins asked the broker for inside a hook, where the engine cannot be called back, and so
/// is done a little later from another thread.
#[derive(Debug)]
pub(crate) struct Errands {
    waiting_max: usize,
    waiting: Mutex<VecDeque<Errand>>,
    pub(crate) arrived: Notify,
    cohorts_failed: AtomicBool,
    pub(crate) cohort_failed: Notify,
}

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Errand {
    Publish(MessageFrame, HookPath),
    Disconnect(Whom, ReasonCode),
    Invalidate,
}

impl Errand {
    pub(crate) fn run(&self, broker: &dyn Broker) {
        match self {
            Self::Publish(message, path) => broker.publish(message, *path),
            Self::Disconnect(whom, reason) => {
                broker.disconnect(whom, *reason);
            }
            Self::Invalidate => broker.invalidate(),
        }
    }
}

impl Errands {
    pub(crate) fn new(waiting_max: usize) -> Self {
        Self {
            waiting_max,
            waiting: Mutex::default(),
            arrived: Notify::new(),
            cohorts_failed: AtomicBool::new(false),
            cohort_failed: Notify::new(),
        }
    }

    /// # Errors
    /// `Quota` if too many wait.
    pub(crate) fn add(&self, errand: Errand) -> Result<(), HostError> {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= self.waiting_max {
            return Err(HostError::Quota("publish_queue_max"));
        }
        waiting.push_back(errand);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    pub(crate) fn take(&self) -> VecDeque<Errand> {
        std::mem::take(&mut self.waiting.lock())
    }

    /// A plugin failed to name a cohort: after a while, all clients are asked about again.
    pub(crate) fn retry_cohorts(&self) {
        if !self.cohorts_failed.swap(true, Ordering::AcqRel) {
            self.cohort_failed.notify_one();
        }
    }

    /// Whether a cohort failed since this was asked before.
    pub(crate) fn take_cohorts_failed(&self) -> bool {
        self.cohorts_failed.swap(false, Ordering::AcqRel)
    }
}
