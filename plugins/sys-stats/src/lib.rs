//! Publishes the broker's counters under `$SYS/broker/`.
//!
//! ```toml
//! [[plugin]]
//! name = "stats"
//! use = "builtin:sys-stats"
//! config = { interval_secs = 10 }
//! ```
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `interval_secs` | 10 | seconds from one look at the counters to the next; 0 switches it off |
//!
//! It needs the grants `stats` and `publish = ["$SYS/broker/#"]`, which the broker gives its
//! built-in.
//!
//! # Topics
//!
//! The names are those of mosquitto, so that dashboards keep working: [`STATS`] lists what the
//! broker counts, and each is published as a number below `$SYS/broker/` by its name. Beside them
//! there are:
//!
//! | topic below `$SYS/broker/` | payload |
//! |---|---|
//! | `version` | `pintle version` and the number, once |
//! | `uptime` | `N seconds` |
//! | `clients/active`, `clients/inactive` | `clients/connected`, `clients/disconnected` under their old names |
//! | `load/<what>/1min`, `5min`, `15min` | events a minute, as an average that forgets exponentially, with two decimals; [`LOADS`] lists what |
//!
//! `mqtt/<packet>/received` and `sent` count packets of each type; mosquitto documents them, and
//! does not publish them. A counter that the broker has and this list does not is published as it
//! is, by its name.
//!
//! Messages are retained, of QoS 2, and sent only when the value is another than the one before.
//!
//! # When something fails
//!
//! A message that the broker does not take is tried again at the next interval. The log tells of a
//! failure once, and again when its reason changes. Nothing else depends on this plugin.

mod load;
mod stats;
mod sys_stats;

#[cfg(test)]
mod sys_stats_tests;

pub use stats::{LOADS, Load, STATS, Stat};
pub use sys_stats::SysStats;
