//! The traits and plain data between the engine and its neighbours.
//!
//! Three sides meet here. The plugin host implements [`Hooks`], which the engine asks. The engine
//! implements [`Broker`], through which plugins act, and [`Outbox`], from which the server takes
//! bytes. The server implements [`Link`], one for each Network Connection. What must outlive the
//! broker is kept by a [`Store`].

mod broker;
mod events;
mod hooks;
mod identity;
mod link;
mod message_frame;
mod store;

pub use broker::{Broker, NotDone, Whom};
pub use events::{DropCause, Event, EventKind, EventKinds};
pub use hooks::{
    Action, Admission, AuthOutcome, AuthProgress, AuthReply, CohortId, ConnectAttempt,
    DeliverRuling, Exchange, HookPath, Hooks, Interest, PluginId, PublishRuling, PublishVerdict,
    Refusal, Ruling, SessionBounds, Step, SubscribeRuling, SubscriptionRequest, Verdict,
};
pub use identity::{Granted, Identity, RemoteAddr, Transport, Voter};
pub use link::{Epoch, Link, Outbox, Taken};
pub use message_frame::MessageFrame;
pub use store::{Space, Store, StoreEntry, StoreError, StoreOp};
