use std::sync::Arc;

use pintle_mqtt::ReasonCode;

use crate::{HookPath, Hooks, MessageFrame, SubscriptionRequest};

/// Whom an operator or a plugin means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// The client with this Client Identifier.
    Client(Arc<str>),
    /// All clients whose principal is this.
    Principal(Arc<str>),
}

/// Why nothing was done in a client's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// The client has no session.
    NoSuchSession,
    /// The client itself would have been refused, with this Reason Code.
    Refused(ReasonCode),
}

/// What plugins may make the broker do; the engine implements it, and any thread may call.
///
/// Grants have been checked before.
pub trait Broker: Send + Sync {
    /// Routes a message that no client sent, through the hooks that `path` leaves.
    fn publish(&self, message: &MessageFrame, path: HookPath);

    /// Ends connections; returns how many.
    fn disconnect(&self, whom: &Whom, reason: ReasonCode) -> usize;

    /// Every counter and gauge by its `$SYS` name, without `$SYS/broker/`.
    fn stats(&self) -> Vec<(&'static str, u64)>;

    /// Gives a message to one client, whatever it subscribed to.
    ///
    /// # Errors
    /// If it has no session.
    fn publish_to(&self, client_id: &str, message: &MessageFrame) -> Result<(), NotDone>;

    /// Subscribes in a client's place, with its rights.
    ///
    /// # Errors
    /// If it has no session, or would be refused.
    fn subscribe_for(
        &self,
        client_id: &str,
        subscription: &SubscriptionRequest,
    ) -> Result<(), NotDone>;

    /// Unsubscribes in a client's place.
    ///
    /// # Errors
    /// If it has no session, or no such subscription.
    fn unsubscribe_for(&self, client_id: &str, filter: &str) -> Result<(), NotDone>;

    /// The payload of a topic's retained message.
    fn retained(&self, topic: &str) -> Option<Vec<u8>>;

    /// Another table of plugins takes the place of the present one. Every connection is under it from
    /// its next read batch on.
    fn set_hooks(&self, hooks: Arc<dyn Hooks>);

    /// Decisions and cohorts have changed: whatever was derived from them is to be asked again.
    fn invalidate(&self);
}
