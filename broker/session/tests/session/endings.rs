//! Wills and the end of a Session.

use pintle_mqtt::{ReasonCode, Timestamp};
use pintle_session::{Ending, SessionExpiry, WillFate, waiting_will_fate, will_fate};

const NOW: Timestamp = Timestamp::from_millis(50_000);
const NEVER: u32 = SessionExpiry::NEVER_SECS;

const BY_THE_CLIENT_OR_THE_NETWORK: [Ending; 4] = [
    Ending::DisconnectWithWill,
    Ending::ConnectionLost,
    Ending::Violation,
    Ending::ServerDisconnect,
];

fn fate(ending: Ending, delay: u32, expiry: u32) -> WillFate {
    will_fate(ending, delay, expiry, NOW)
}

fn in_secs(secs: u32) -> WillFate {
    WillFate::SendAt(NOW.plus_secs(secs))
}

/// [MQTT-3.14.4-3]
#[test]
fn a_normal_disconnect_deletes_the_will() {
    assert_eq!(fate(Ending::NormalDisconnect, 0, 0), WillFate::Discard);
    assert_eq!(fate(Ending::NormalDisconnect, 9, NEVER), WillFate::Discard);
}

/// [MQTT-3.1.2-8]
#[test]
fn any_other_end_sends_the_will_after_its_delay() {
    for ending in BY_THE_CLIENT_OR_THE_NETWORK {
        assert_eq!(fate(ending, 0, NEVER), WillFate::SendNow);
        assert_eq!(fate(ending, 10, 3600), in_secs(10));
        assert_eq!(fate(ending, 10, NEVER), in_secs(10));
    }
}

/// [MQTT-3.1.2-8]
#[test]
fn the_end_of_the_session_cuts_the_delay_short() {
    for ending in BY_THE_CLIENT_OR_THE_NETWORK {
        assert_eq!(fate(ending, 10, 0), WillFate::SendNow);
        assert_eq!(fate(ending, 10, 4), in_secs(4));
        assert_eq!(fate(ending, u32::MAX, 4), in_secs(4));
    }
}

/// [MQTT-3.1.3-9]
#[test]
fn a_take_over_that_resumes_the_session_cancels_a_delayed_will() {
    let resumed = Ending::TakenOver { clean_start: false };

    assert_eq!(fate(resumed, 10, 3600), WillFate::Discard);
    assert_eq!(fate(resumed, 0, 3600), WillFate::SendNow);
    assert_eq!(fate(resumed, 10, 0), WillFate::SendNow);
}

#[test]
fn a_take_over_with_clean_start_sends_the_will_at_once() {
    let anew = Ending::TakenOver { clean_start: true };

    assert_eq!(fate(anew, 10, 3600), WillFate::SendNow);
    assert_eq!(fate(anew, 0, 0), WillFate::SendNow);
}

#[test]
fn a_server_that_goes_down_sends_the_wills_of_its_sessions() {
    assert_eq!(fate(Ending::ServerShutdown, 10, 3600), WillFate::SendNow);
}

/// [MQTT-3.1.3-9]
#[test]
fn a_waiting_will_is_cancelled_by_resuming_and_sent_by_starting_anew() {
    assert_eq!(waiting_will_fate(false), WillFate::Discard);
    assert_eq!(waiting_will_fate(true), WillFate::SendNow);
}

#[test]
fn a_clean_v3_session_ends_with_its_connection_and_another_never() {
    let clean = SessionExpiry::of_v3(true, NEVER);
    let kept = SessionExpiry::of_v3(false, NEVER);

    assert!(clean.ends_with_connection());
    assert_eq!(clean.ends_at(NOW), NOW);
    assert!(!kept.ends_with_connection());
    assert_eq!(kept.ends_at(NOW), Timestamp::NEVER);
    assert_eq!(SessionExpiry::of_v3(false, 60).ends_at(NOW), NOW.plus_secs(60));
}

/// [MQTT-3.1.2-23]
#[test]
fn a_v5_session_is_kept_for_its_interval() {
    let absent = SessionExpiry::of_v5(None, NEVER);
    let minute = SessionExpiry::of_v5(Some(60), NEVER);
    let never = SessionExpiry::of_v5(Some(NEVER), NEVER);

    assert!(absent.ends_with_connection());
    assert!(!minute.ends_with_connection());
    assert_eq!(minute.ends_at(NOW), NOW.plus_secs(60));
    assert_eq!(never.ends_at(NOW), Timestamp::NEVER);
}

#[test]
fn the_servers_limit_holds_and_is_announced_only_where_it_changes_something() {
    let cut = SessionExpiry::of_v5(Some(NEVER), 60);
    let within = SessionExpiry::of_v5(Some(60), 60);

    assert_eq!((cut.as_secs(), cut.to_announce()), (60, Some(60)));
    assert_eq!((within.as_secs(), within.to_announce()), (60, None));
}

#[test]
fn a_disconnect_may_change_the_interval_within_the_servers_limit() {
    let mut expiry = SessionExpiry::of_v5(Some(60), 3600);

    expiry.change_at_disconnect(None, 3600).unwrap();
    assert_eq!(expiry.as_secs(), 60);
    expiry.change_at_disconnect(Some(100), 3600).unwrap();
    assert_eq!(expiry.as_secs(), 100);
    expiry.change_at_disconnect(Some(NEVER), 3600).unwrap();
    assert_eq!(expiry.as_secs(), 3600);
    expiry.change_at_disconnect(Some(0), 3600).unwrap();
    assert!(expiry.ends_with_connection());
}

#[test]
fn a_disconnect_may_not_raise_an_interval_that_was_0_in_connect() {
    let mut expiry = SessionExpiry::of_v5(None, NEVER);

    expiry.change_at_disconnect(Some(0), NEVER).unwrap();
    let raised = expiry.change_at_disconnect(Some(1), NEVER).unwrap_err();

    assert_eq!(raised.reason, ReasonCode::ProtocolError);
    assert!(expiry.ends_with_connection());
}

#[test]
fn a_limit_of_0_does_not_make_a_later_change_the_clients_fault() {
    let mut expiry = SessionExpiry::of_v5(Some(60), 0);

    expiry.change_at_disconnect(Some(30), 0).unwrap();

    assert!(expiry.ends_with_connection());
}
