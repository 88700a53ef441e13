//! The contract between Pintle and its plugins.
//!
//! A plugin implements [`Plugin`]: it names the hooks it wants in [`About`], and answers them. The
//! same contract holds for plugins linked into the broker and for guests; [`export!`] makes a
//! WebAssembly component of one.

mod client;
mod export;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod guest;
mod host;
mod message;
mod plugin;
mod setting;
mod settings;
mod storage;
mod verdict;

pub use client::{Client, ClientDescription, Protocol, Transport};
#[cfg(target_arch = "wasm32")]
pub use guest::Settings;
pub use host::{
    Disconnect, Host, HostError, HttpError, HttpRequest, HttpResponse, LogLevel, Metric,
};
pub use message::{Message, NewMessage, Origin, QoS, Subscription};
pub use plugin::{About, Hooks, Plugin};
#[cfg(not(target_arch = "wasm32"))]
pub use settings::Settings;
pub use settings::{FileContent, SettingsError};
pub use storage::{Space, StoreEntry, StoreError, StoreOp};
pub use verdict::{
    Accepted, Action, Answer, AuthExchange, AuthStep, AuthVerdict, CacheHint, CacheScope,
    Credentials, Decision, DeliverVerdict, DropReason, Event, EventKind, EventKinds, Failure,
    Limits, MessagePatch, PublishOutcome, PublishVerdict, Rule, RuleAction, RuleEffect,
    StampedEvent, SubscribeVerdict, Who,
};
