//! What must outlive the broker: who notes that it has changed, what is stored of it, and how it
//! comes back.
//!
//! Workers only note which session or retained topic is no longer as it was stored. A thread of the
//! server has a [`StoreFeed`] look at these from time to time: it compares them with what the store
//! has and makes the changes that lead from the one to the other. What came and went in between is
//! never stored, and what waits to be stored is bounded by what there is.

mod bodies;
mod feed;
mod fields;
mod lasting;
mod ledger;
mod records;
mod restore;
mod shadow;
mod wall_clock;

pub use feed::StoreFeed;
pub(crate) use ledger::{Ledger, Unsaved};
pub use restore::Restored;
