//! What the standard says a server does, over real sockets, against the broker's own binary.
//!
//! A module for each group of rules. Most tests start a broker of their own, so that topics and
//! Client Identifiers need not be told apart.

mod acks;
mod acl;
mod aliases;
mod announced_limits;
mod bounds;
mod connect;
mod connection_limits;
mod disconnect;
mod enhanced_auth;
mod expiry;
mod filters;
mod fixed_headers;
mod flow_control;
mod identifiers;
mod keep_alive;
mod logins;
mod no_local;
mod packet_size;
mod problem_info;
mod properties;
mod publish;
mod qos2;
mod retained;
mod sessions;
mod shared;
mod shutdown;
mod stored_state;
mod strings;
mod subscribe;
mod sys_topics;
mod takeover;
mod transports;
mod unsubscribe;
mod wills;

use pintle_tests::{Broker, Program};

const PINTLE: Program = Program(env!("CARGO_BIN_EXE_pintle-under-test"));

/// A broker that allows everything it can do.
fn broker() -> Broker {
    PINTLE.start()
}

/// A broker with further settings of its listener.
fn broker_with(settings: &str) -> Broker {
    PINTLE.start_with(settings)
}
