use std::num::NonZeroU32;

use pintle_mqtt::{
    Properties, ReasonCode, ReasonCodeBuffer, RetainHandling, SubAck, Subscribe, SubscribeEntry,
    SubscriptionFilter, Violation,
};
use pintle_ports::{Action, Event, EventKind, SubscribeRuling, SubscriptionRequest, Verdict};
use pintle_router::SubscriptionOptions;

use crate::connection::{Connection, Halt};
use crate::counters::add;
use crate::engine::Engine;
use crate::retained_backlog::RetainedTerms;
use crate::session::SessionRef;
use crate::store::Unsaved;
use crate::worker::{Worker, tell};

/// Retained messages that a subscription asks for.
struct Wanted {
    filter: String,
    terms: RetainedTerms,
}

impl Connection {
    /// SUBSCRIBE: one code for each filter, in their order [MQTT-3.8.4-6]; then what is retained.
    pub(crate) fn subscribe(
        &mut self,
        worker: &mut Worker,
        subscribe: &Subscribe<'_>,
    ) -> Result<(), Halt> {
        let identifier = subscribe.properties.subscription_identifier();
        if identifier.is_some() && !self.terms.subscription_identifier_available {
            let reason = ReasonCode::SubscriptionIdentifiersNotSupported;
            return Err(Halt::close(reason, "Subscription Identifiers are not available"));
        }
        let mut codes = ReasonCodeBuffer::new();
        let mut wanted = Vec::new();
        for entry in subscribe.filters.iter() {
            worker.tree_changes += 1;
            codes.push(self.subscribe_to(worker, &entry, identifier, &mut wanted)?);
        }
        let live = self.live()?;
        let codes = codes.as_codes();
        SubAck { packet_id: subscribe.packet_id, properties: Properties::EMPTY, codes }
            .encode(live.version, &mut worker.replies);
        let counts = worker.counts();
        counts.received(&counts.subscribe_received, 1);
        counts.sent(&counts.suback_sent, 1);
        self.flush_replies(worker);
        self.give_retained(worker, wanted)
    }

    /// One entry: check, authorise, transform, authorise again what changed, subscribe.
    fn subscribe_to(
        &self,
        worker: &mut Worker,
        entry: &SubscribeEntry<'_>,
        identifier: Option<u32>,
        wanted: &mut Vec<Wanted>,
    ) -> Result<ReasonCode, Halt> {
        let filter = match self.checked_filter(worker, entry)? {
            Ok(filter) => filter,
            Err(reason) => return Ok(reason),
        };
        let options = entry.options;
        let mut request = SubscriptionRequest {
            filter: filter.filter.as_str().to_owned(),
            share_name: filter.share.map(|share| share.as_str().to_owned()),
            qos: options.qos,
            no_local: options.no_local,
            retain_as_published: options.retain_as_published,
            retain_handling: options.retain_handling as u8,
        };
        if let Err(reason) = self.may_subscribe(worker, &request)? {
            return Ok(reason);
        }
        let live = self.live()?;
        if worker.interest().subscribe {
            match worker.hooks().on_subscribe(&live.identity, &request) {
                SubscribeRuling::Pass => {}
                SubscribeRuling::Reject(reason) => return Ok(reason),
                SubscribeRuling::Rewrite(changed) => {
                    let same = changed.filter == request.filter
                        && changed.share_name == request.share_name;
                    request = changed;
                    if !same && let Err(reason) = self.may_subscribe(worker, &request)? {
                        return Ok(reason);
                    }
                }
            }
        }
        self.add(worker, &request, identifier, wanted)
    }

    /// The filter, if its syntax is right and the listener and the bounds allow it.
    fn checked_filter<'a>(
        &self,
        worker: &Worker,
        entry: &SubscribeEntry<'a>,
    ) -> Result<Result<SubscriptionFilter<'a>, ReasonCode>, Halt> {
        let Ok(filter) = SubscriptionFilter::new(entry.filter) else {
            return Ok(Err(ReasonCode::TopicFilterInvalid));
        };
        let settings = &worker.bounds().settings;
        let text = filter.filter;
        if text.as_str().len() > settings.topic_bytes_max
            || text.levels().count() > settings.topic_levels_max
        {
            return Ok(Err(ReasonCode::TopicFilterInvalid));
        }
        if filter.share.is_some() {
            if entry.options.no_local {
                let what = "No Local is set on a Shared Subscription";
                return Err(Violation::protocol_error(what).into());
            }
            if !self.terms.shared_subscription_available {
                return Ok(Err(ReasonCode::SharedSubscriptionsNotSupported));
            }
        }
        if text.has_wildcards() && !self.terms.wildcard_subscription_available {
            return Ok(Err(ReasonCode::WildcardSubscriptionsNotSupported));
        }
        Ok(Ok(filter))
    }

    fn may_subscribe(
        &self,
        worker: &Worker,
        request: &SubscriptionRequest,
    ) -> Result<Result<(), ReasonCode>, Halt> {
        let live = self.live()?;
        let ruling = worker.authorize(&live.identity, Action::Subscribe(request));
        let (Verdict::Deny(reason) | Verdict::Disconnect(reason)) = ruling.verdict else {
            return Ok(Ok(()));
        };
        let by = ruling.decided_by.as_deref();
        worker.tell_denial(&live.identity, "Subscription", Some(&request.filter), reason, by);
        match ruling.verdict {
            Verdict::Disconnect(_) => Err(Halt::close(reason, "not authorized")),
            Verdict::Allow | Verdict::Deny(_) => Ok(Err(reason)),
        }
    }

    /// Puts the subscription into the tree and into the session.
    fn add(
        &self,
        worker: &Worker,
        request: &SubscriptionRequest,
        identifier: Option<u32>,
        wanted: &mut Vec<Wanted>,
    ) -> Result<ReasonCode, Halt> {
        let live = self.live()?;
        let text = full_filter(request);
        let Ok(filter) = SubscriptionFilter::new(&text) else {
            return Ok(ReasonCode::TopicFilterInvalid);
        };
        let qos = request.qos.min(self.terms.max_qos);
        let options = SubscriptionOptions {
            qos,
            no_local: request.no_local,
            retain_as_published: request.retain_as_published,
            identifier: identifier.and_then(NonZeroU32::new),
        };
        let is_new = {
            let mut state = self.own_state()?;
            let subscriptions_max = self
                .terms
                .subscriptions_max
                .unwrap_or(u32::MAX)
                .min(worker.bounds().settings.subscriptions_max);
            let subscriptions = &mut state.aside_mut().subscriptions;
            let is_new = !subscriptions.contains(&*text);
            if is_new && subscriptions.len() >= subscriptions_max as usize {
                return Ok(ReasonCode::QuotaExceeded);
            }
            worker.engine().add_subscription(&live.session, &filter, options);
            if is_new {
                subscriptions.insert(text.as_str().into());
            }
            is_new
        };
        let who = &*live.identity;
        tell(worker, EventKind::Subscribed, Event::Subscribed { who, subscription: request });
        let send = match request.retain_handling {
            handling if handling == RetainHandling::Send as u8 => true,
            handling if handling == RetainHandling::SendIfNew as u8 => is_new,
            _ => false,
        };
        if send && filter.share.is_none() {
            let terms = RetainedTerms { qos, identifier };
            wanted.push(Wanted { filter: filter.filter.as_str().to_owned(), terms });
        }
        ReasonCode::from_u8(qos as u8).ok_or(Halt::Gone)
    }

    /// Retained messages that match new subscriptions [MQTT-3.3.1-9].
    fn give_retained(&self, worker: &mut Worker, wanted: Vec<Wanted>) -> Result<(), Halt> {
        let live = self.live()?;
        for Wanted { filter, terms } in wanted {
            let filter = pintle_mqtt::TopicFilter::trusted(&filter);
            let found = worker.engine().retained.matching(filter, worker.now);
            if found.is_empty() {
                continue;
            }
            let lost =
                self.own_state()?.aside_mut().backlog.get_or_insert_default().push(found, terms);
            add(&worker.counts().publishes_dropped, lost as u64);
        }
        worker.pump(&live.session, live.epoch);
        Ok(())
    }
}

/// The filter with its share prefix.
pub(crate) fn full_filter(request: &SubscriptionRequest) -> String {
    match &request.share_name {
        Some(share) => format!("$share/{share}/{}", request.filter),
        None => request.filter.clone(),
    }
}

impl Engine {
    /// Called with the session's lock held, so that a session that has ended gains nothing.
    pub(crate) fn add_subscription(
        &self,
        session: &SessionRef,
        filter: &SubscriptionFilter<'_>,
        options: SubscriptionOptions,
    ) {
        let mut topics = self.topics.write();
        match filter.share {
            Some(share) => topics.subscribe_shared(share, filter.filter, session, options),
            None => topics.subscribe(filter.filter, session, options),
        };
        drop(topics);
        self.note(session, Unsaved::SUBSCRIPTIONS);
        self.generations.bump(filter.filter);
    }

    /// False if there was none.
    pub(crate) fn remove_subscription(
        &self,
        session: &SessionRef,
        filter: &SubscriptionFilter<'_>,
    ) -> bool {
        let mut topics = self.topics.write();
        let existed = match filter.share {
            Some(share) => topics.unsubscribe_shared(share, filter.filter, session),
            None => topics.unsubscribe(filter.filter, session),
        };
        drop(topics);
        self.note(session, Unsaved::SUBSCRIPTIONS);
        self.generations.bump(filter.filter);
        existed
    }
}
