//! Topic tree, shared groups and retained index: which receivers does a Topic Name have, and which
//! retained messages does a Topic Filter have.
//!
//! Everything here is pure and in memory. [`TopicTree`] answers topics, [`RetainedIndex`] answers
//! filters, [`Generations`] tells cheaply whether an answer given before still holds, and
//! [`naive`] is the slow definition that both are held to.

mod filter_entry;
mod generations;
mod level_names;
pub mod naive;
mod retained_index;
mod route;
mod shared_group;
mod subscriber_set;
mod subscription;
mod topic_tree;
mod wildcard_tree;

pub use generations::Generations;
pub use retained_index::RetainedIndex;
pub use route::{Grant, OwnGrant, Route, Target};
pub use shared_group::SharedGroup;
pub use subscription::{Member, SubscriptionOptions};
pub use topic_tree::TopicTree;
