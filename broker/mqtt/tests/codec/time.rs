//! Moments on the broker's clock.

use std::time::Duration;

use pintle_mqtt::Timestamp;

#[test]
fn never_stays_never() {
    assert_eq!(Timestamp::NEVER.plus_secs(5), Timestamp::NEVER);
    assert_eq!(Timestamp::NEVER.plus(Duration::MAX), Timestamp::NEVER);
    assert!(Timestamp::from_millis(0).plus_secs(u32::MAX) < Timestamp::NEVER);
    assert_eq!(Timestamp::from_millis(0).plus(Duration::MAX), Timestamp::NEVER);
}

#[test]
fn the_time_since_a_moment_to_come_is_zero() {
    let now = Timestamp::from_millis(1500);
    assert_eq!(now.since(Timestamp::from_millis(500)), Duration::from_secs(1));
    assert_eq!(now.since(now.plus_secs(1)), Duration::ZERO);
    assert_eq!(now.plus(Duration::from_millis(7)).as_millis(), 1507);
}
