//! The hook chain and the hosts of plugins.
//!
//! [`PluginHost`] loads plugins into a table of slots and implements [`pintle_ports::Hooks`] over
//! it. Whatever runs a plugin stands behind one trait; order, failure policy, breaker, grants and
//! figures are kept in its slot and are the same for all.

#![cfg_attr(
    not(any(feature = "lua", feature = "wasm")),
    allow(dead_code, reason = "what scripts and components stand on")
)]

mod attributes;
mod auth_gate;
mod authenticate;
mod authorize;
mod background;
mod breaker;
mod cases;
mod chain;
mod client_view;
mod code;
mod cohort_table;
mod commit_queue;
mod core;
mod decision_cache;
mod enhanced_auth;
mod errands;
mod error;
mod event_queue;
mod events;
mod explain;
mod fault;
#[cfg(any(feature = "lua", feature = "wasm"))]
mod guests;
mod hook;
mod hops;
mod host;
mod http_client;
mod instance;
mod kv_bytes;
mod kv_store;
mod load;
mod log_gate;
#[cfg(any(feature = "lua", feature = "wasm"))]
mod log_rate;
#[cfg(feature = "lua")]
mod lua;
mod made_message;
mod message_view;
mod meter;
mod on_deliver;
mod on_publish;
mod on_subscribe;
mod pace;
mod per_thread;
mod plugin_handle;
mod plugin_metrics;
mod plugin_state;
mod plugin_store;
mod recent_decisions;
mod refusal_code;
mod roster;
mod rules;
mod service;
mod share;
mod shared;
mod slot;
mod spec;
mod thread_time;
mod ticker;
mod timers;
mod topic_set;
#[cfg(feature = "wasm")]
mod wasm;

pub use breaker::BreakerState;
pub use cases::{
    Case, CaseFile, CaseFileError, CaseResult, HookBench, WrittenFor, bench_cases, run_cases,
};
pub use code::{Code, Script, ScriptLimits};
pub use error::LoadError;
pub use explain::{Explanation, VoterAnswer};
pub use fault::ErrorKind;
pub use hook::Hook;
pub use host::{Installed, PluginHost, PluginInfo, no_hooks};
pub use meter::HookStats;
pub use plugin_metrics::{MetricValue, PluginMetric};
pub use slot::PluginStats;
pub use spec::{
    Budgets, ChainSpec, DeliverErrorPolicy, ErrorPolicy, Grants, HookOrder, KvGrant, PluginSpec,
    PublishErrorPolicy, SubscribeErrorPolicy,
};
