use std::sync::atomic::Ordering;

use pintle_mqtt::{PacketId, SubscriptionFilter, Timestamp};
use pintle_router::SubscriptionOptions;
use pintle_session::KeptOutbound;

use super::ledger::Unsaved;
use super::records::session_record;
use super::wall_clock::WallClock;
use crate::engine::Engine;
use crate::session::SessionRef;

/// What of one session is to be stored, as far as that was asked for.
pub(crate) struct Lasting {
    pub(crate) record: Vec<u8>,
    pub(crate) expires_at: Timestamp,
    pub(crate) subscriptions: Option<Vec<(Box<str>, SubscriptionOptions)>>,
    pub(crate) outbound: Option<KeptOutbound>,
    pub(crate) inbound: Option<Vec<PacketId>>,
}

/// What [`Lasting::of`] found.
pub(crate) enum Found {
    /// A session that outlives its connection.
    Lasting(Lasting),
    /// One that does not, or none.
    Nothing,
    /// Hooks have some of its messages right now: to be asked again.
    NotNow,
}

impl Lasting {
    /// What is to be stored of `session` now. `known` says what the store has of it already, which
    /// is asked for only where it has changed since.
    pub(crate) fn of(
        engine: &Engine,
        session: &SessionRef,
        known: Unsaved,
        clock: WallClock,
    ) -> Found {
        // Whoever changes something from here on notes it anew.
        let unsaved = session.unsaved.swap(0, Ordering::AcqRel);
        let wanted = Unsaved(unsaved | (Unsaved::ALL.0 & !known.0));
        let (mut lasting, filters) = {
            let state = session.lock();
            if state.ended || !state.is_lasting() {
                return Found::Nothing;
            }
            let outbound = if wanted.contains(Unsaved::OUTBOUND) {
                let Some(kept) = state.outbound.kept() else {
                    session.unsaved.fetch_or(unsaved, Ordering::AcqRel);
                    return Found::NotNow;
                };
                Some(kept)
            } else {
                None
            };
            let open = |session: &SessionRef| session.inbound().open_ids().collect();
            let inbound = wanted.contains(Unsaved::INBOUND).then(|| open(session));
            let filters = || state.subscriptions().map(Box::from).collect();
            let filters: Option<Vec<Box<str>>> =
                wanted.contains(Unsaved::SUBSCRIPTIONS).then(filters);
            let record = session_record(&state, clock);
            let expires_at = state.deadlines().expires_at;
            (Self { record, expires_at, subscriptions: None, outbound, inbound }, filters)
        };
        lasting.subscriptions = filters.map(|filters| with_options(engine, session, filters));
        Found::Lasting(lasting)
    }
}

/// One that is ended meanwhile is left out; that is noted.
fn with_options(
    engine: &Engine,
    session: &SessionRef,
    filters: Vec<Box<str>>,
) -> Vec<(Box<str>, SubscriptionOptions)> {
    let topics = engine.topics.read();
    let options = |text: &str| {
        let filter = SubscriptionFilter::new(text).ok()?;
        topics.options_of(filter.share, filter.filter, session)
    };
    filters
        .into_iter()
        .filter_map(|text| {
            let options = options(&text)?;
            Some((text, options))
        })
        .collect()
}
