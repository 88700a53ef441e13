use std::time::Duration;

use pintle_mqtt::Timestamp;
use pintle_session::{KeepAlive, is_overdue, keep_alive_limit, keep_alive_terms};

/// [MQTT-3.1.2-22]
#[test]
fn a_client_may_be_silent_for_one_and_a_half_times_its_keep_alive() {
    let last = Timestamp::from_millis(10_000);
    let at = |millis: u64| Timestamp::from_millis(10_000 + millis);

    assert_eq!(keep_alive_limit(10), Some(Duration::from_secs(15)));
    assert_eq!(keep_alive_limit(1), Some(Duration::from_millis(1500)));
    assert!(!is_overdue(last, at(15_000), 10));
    assert!(is_overdue(last, at(15_001), 10));
    assert_eq!(keep_alive_limit(u16::MAX), Some(Duration::from_millis(98_302_500)));
}

#[test]
fn a_keep_alive_of_0_never_ends_a_connection() {
    assert_eq!(keep_alive_limit(0), None);
    assert!(!is_overdue(Timestamp::default(), Timestamp::NEVER, 0));
}

/// [MQTT-3.2.2-22]
#[test]
fn a_keep_alive_within_the_maximum_holds_as_it_was_asked() {
    for is_v5 in [false, true] {
        assert_eq!(keep_alive_terms(60, 60, is_v5), KeepAlive::AsAsked(60));
        assert_eq!(keep_alive_terms(0, 0, is_v5), KeepAlive::AsAsked(0));
        assert_eq!(keep_alive_terms(600, 0, is_v5), KeepAlive::AsAsked(600));
    }
}

#[test]
fn above_the_maximum_a_v5_client_is_told_the_maximum_and_a_v3_client_refused() {
    for asked in [61, 0] {
        assert_eq!(keep_alive_terms(asked, 60, true), KeepAlive::Imposed(60));
        assert_eq!(keep_alive_terms(asked, 60, false), KeepAlive::Refused);
    }
}
