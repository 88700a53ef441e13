//! The rules of the broker, one file for each thing that a client may ask.
//!
//! The engine has no sockets, clock or threads: the server gives it bytes and the time, and takes
//! bytes from it. Hooks are asked through [`pintle_ports::Hooks`]; what they have not allowed cannot
//! be delivered, because `deliver` takes only what `admit` has authorised.

mod acknowledge;
mod admit;
mod aside;
mod authenticate;
mod carry;
mod connack;
mod connect;
mod connection;
mod counters;
mod deliver;
mod denials;
mod disconnect;
mod engine;
mod incoming_run;
mod left_behind;
mod on_behalf;
mod packet_log;
mod publish;
mod pump;
mod registry;
mod retained_backlog;
mod retained_store;
mod route;
mod session;
mod session_end;
mod settings;
mod store;
mod subscribe;
mod takeover;
mod timers;
mod topic_pass;
mod unsubscribe;
mod will;
mod worker;

pub use connection::{Connection, EndCause, Flow, Peer, Received};
pub use counters::Counters;
pub use engine::Engine;
pub use settings::{EngineSettings, ListenerTerms};
pub use store::{Restored, StoreFeed};
pub use worker::Worker;
