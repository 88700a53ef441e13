//! The probe, linked in.

use std::sync::Arc;
use std::time::Duration;

use pintle_plugin_api::Hooks;
use pintle_server::{
    Budgets, DeliverErrorPolicy, ErrorPolicy, Grants, PluginSpec, PublishErrorPolicy,
    SubscribeErrorPolicy,
};

use crate::probe::Probe;

/// The probe, granted everything and hurried by nobody; a failure is a refusal.
pub(crate) fn spec(name: &str, hooks: Hooks) -> PluginSpec {
    let long = Duration::from_secs(5);
    PluginSpec {
        on_error: ErrorPolicy {
            publish: Some(PublishErrorPolicy::Reject),
            subscribe: Some(SubscribeErrorPolicy::Reject),
            deliver: Some(DeliverErrorPolicy::Drop),
        },
        grants: Grants {
            publish: vec!["#".to_owned()],
            disconnect: true,
            stats: true,
            ..Grants::default()
        },
        budgets: Budgets {
            authorize: long,
            publish: long,
            subscribe: long,
            deliver: long,
            ..Budgets::default()
        },
        ..PluginSpec::new(name, Arc::new(Probe::new(name, hooks)))
    }
}
