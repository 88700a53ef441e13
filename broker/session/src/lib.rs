//! One MQTT client's conversation as state machines that are told the time.
//!
//! [`Inbound`] judges what the client sends us, [`Outbound`] holds what we send to it: packet
//! identifiers, messages in flight, the queue. Beside them stand the rules that need no state of
//! their own: keep alive, wills, session expiry, and the enhanced authentication exchange.

mod auth_exchange;
mod delivery;
mod flight;
mod inbound;
mod inflight;
mod keep_alive;
mod limits;
mod outbound;
mod packet_ids;
mod queue;
mod run_part;
mod session_expiry;
mod subscription_ids;
mod tally;
mod topic_aliases;
mod waiting;
mod will;
mod wire;

pub use auth_exchange::{AuthExchange, AuthStep};
pub use delivery::Delivery;
pub use inbound::{Acceptance, Inbound};
pub use keep_alive::{KeepAlive, is_overdue, keep_alive_limit, keep_alive_terms};
pub use limits::{ConnectionTerms, OutboundLimits, QueueOverflow};
pub use outbound::{Acked, KeptOutbound, Outbound, Released, Sent};
pub use session_expiry::SessionExpiry;
pub use tally::Tally;
pub use topic_aliases::ResolvedTopic;
pub use waiting::{Hooked, Waiting};
pub use will::{Ending, WillFate, waiting_will_fate, will_fate};
