use pintle_mqtt::Timestamp;

use crate::SessionExpiry;

/// How a Network Connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// DISCONNECT with 0x00.
    NormalDisconnect,
    /// DISCONNECT with 0x04, or any other code a client may send.
    DisconnectWithWill,
    /// The network failed, the client closed without DISCONNECT, or it was silent for too long.
    ConnectionLost,
    /// The client broke a rule and the server closed.
    Violation,
    /// The server closed for a reason of its own.
    ServerDisconnect,
    /// The server goes down, and its sessions with it.
    ServerShutdown,
    /// Another Network Connection came with the same Client Identifier.
    TakenOver {
        /// That one's Clean Start (v5) or Clean Session (v3).
        clean_start: bool,
    },
}

/// What happens to the Will Message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WillFate {
    /// Deleted without being published.
    Discard,
    /// Published at once.
    SendNow,
    /// Published then, unless the Session is resumed or ends before.
    SendAt(Timestamp),
}

/// Decides on the will of a Network Connection that ended at `now`.
///
/// It waits for its delay or the end of the Session, whichever comes first [MQTT-3.1.2-8]; after a
/// normal DISCONNECT it is deleted [MQTT-3.14.4-3]; a connection that resumes the Session at once,
/// as a take-over without Clean Start does, cancels a delayed one [MQTT-3.1.3-9]. v3 clients have
/// no delay.
pub fn will_fate(
    ending: Ending,
    will_delay_secs: u32,
    session_expiry_secs: u32,
    now: Timestamp,
) -> WillFate {
    let at_once = will_delay_secs == 0 || session_expiry_secs == 0;
    match ending {
        Ending::NormalDisconnect => WillFate::Discard,
        Ending::TakenOver { clean_start: false } if !at_once => WillFate::Discard,
        Ending::TakenOver { .. } | Ending::ServerShutdown => WillFate::SendNow,
        Ending::DisconnectWithWill
        | Ending::ConnectionLost
        | Ending::Violation
        | Ending::ServerDisconnect => {
            if at_once {
                return WillFate::SendNow;
            }
            let session_end = SessionExpiry::from_secs(session_expiry_secs).ends_at(now);
            WillFate::SendAt(session_end.min(now.plus_secs(will_delay_secs)))
        }
    }
}

/// Decides on a will that still waits when its client connects again: resuming the Session cancels
/// it [MQTT-3.1.3-9], starting anew ends the old Session and sends it.
pub fn waiting_will_fate(clean_start: bool) -> WillFate {
    if clean_start { WillFate::SendNow } else { WillFate::Discard }
}
