use std::sync::Arc;

use pintle_mqtt::ReasonCode;

use crate::{HookPath, Hooks, MessageFrame};

/// Whom an operator or a plugin means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// The client with this Client Identifier.
    Client(Arc<str>),
    /// All clients whose principal is this.
    Principal(Arc<str>),
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

    /// The payload of a topic's retained message.
    fn retained(&self, topic: &str) -> Option<Vec<u8>>;

    /// Another table of plugins takes the place of the present one. Every connection is under it from
    /// its next read batch on.
    fn set_hooks(&self, hooks: Arc<dyn Hooks>);

    /// Decisions and cohorts have changed: whatever was derived from them is to be asked again.
    fn invalidate(&self);
}
