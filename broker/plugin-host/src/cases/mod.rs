//! Cases: what a plugin should answer to what, written in TOML beside it.
//!
//! They are run without broker, network and clock: `pintle plugin test` runs them, and so does the
//! host before a new generation of a plugin takes the place of the old one.

mod bench;
mod case_file;
mod case_host;
mod compare;
mod expect;
mod observed;
mod run;
mod step;
mod step_text;
#[cfg(test)]
mod tests;

pub use bench::{HookBench, bench_cases};
pub use case_file::{Case, CaseFile, CaseFileError, WrittenFor};
pub(crate) use run::first_failure;
pub use run::{CaseResult, run_cases};
