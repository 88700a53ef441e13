//! Rules of this repository that no compiler checks: arrows between crates, statements of the
//! standard and their tests, and what a source file may hold.

mod architecture;
mod arrows;
mod components;
mod sources;
mod spec_ids;
mod texts;
