use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pintle_mqtt::ReasonCode;
use pintle_plugin_api::HostError;
use pintle_ports::{Broker, HookPath, MessageFrame, NotDone, SubscriptionRequest, Whom};
use tokio::sync::Notify;

use crate::hops::after_hops;

/// What plugins asked the broker for inside a hook, where the engine cannot be called back, and so
/// is done a little later from another thread.
#[derive(Debug)]
pub(crate) struct Errands {
    waiting_max: usize,
    /// With how many plugins each has come through.
    waiting: Mutex<VecDeque<(Errand, u8)>>,
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
    PublishTo(String, MessageFrame),
    SubscribeFor(String, SubscriptionRequest),
    UnsubscribeFor(String, String),
}

impl Errand {
    /// Does it, which has come through so many plugins.
    ///
    /// # Errors
    /// If the client that it is about has no session, or not the right.
    pub(crate) fn run(&self, broker: &dyn Broker, hops: u8) -> Result<(), HostError> {
        after_hops(hops, || self.run_now(broker))
    }

    fn run_now(&self, broker: &dyn Broker) -> Result<(), HostError> {
        let (client_id, done) = match self {
            Self::Publish(message, path) => {
                broker.publish(message, *path);
                return Ok(());
            }
            Self::Disconnect(whom, reason) => {
                broker.disconnect(whom, *reason);
                return Ok(());
            }
            Self::Invalidate => {
                broker.invalidate();
                return Ok(());
            }
            Self::PublishTo(client, message) => (client, broker.publish_to(client, message)),
            Self::SubscribeFor(client, wanted) => (client, broker.subscribe_for(client, wanted)),
            Self::UnsubscribeFor(client, filter) => {
                (client, broker.unsubscribe_for(client, filter))
            }
        };
        done.map_err(|why| {
            HostError::Invalid(match why {
                NotDone::NoSuchSession => format!("the client `{client_id}` has no session"),
                NotDone::Refused(reason) => {
                    format!("the client `{client_id}` would be refused it: {reason:?}")
                }
            })
        })
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
    pub(crate) fn add(&self, errand: Errand, hops: u8) -> Result<(), HostError> {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= self.waiting_max {
            return Err(HostError::Quota("publish_queue_max"));
        }
        waiting.push_back((errand, hops));
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    pub(crate) fn take(&self) -> VecDeque<(Errand, u8)> {
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
