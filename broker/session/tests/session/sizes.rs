//! What sessions cost in memory, by the thousand.

use pintle_session::{Inbound, Outbound};

#[test]
fn an_idle_client_costs_little() {
    assert!(size_of::<Outbound>() <= 96, "{}", size_of::<Outbound>());
    assert!(size_of::<Inbound>() <= 48, "{}", size_of::<Inbound>());
}
