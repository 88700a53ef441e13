use std::sync::Arc;

use pintle_mqtt::{Publication, ReasonCode, SubscriptionFilter};
use pintle_ports::{
    Action, Event, EventKind, Identity, MessageFrame, NotDone, SubscribeRuling,
    SubscriptionRequest, Verdict,
};
use pintle_router::SubscriptionOptions;

use crate::deliver::to_client;
use crate::engine::Engine;
use crate::retained_backlog::RetainedTerms;
use crate::session::SessionRef;
use crate::subscribe::full_filter;
use crate::worker::{Worker, tell};

impl Engine {
    /// A message for one client, whatever it subscribed to; `on_deliver` hooks see it.
    pub(crate) fn give_to(
        &self,
        worker: &Worker,
        client_id: &str,
        message: &MessageFrame,
    ) -> Result<(), NotDone> {
        let session = self.registry.find(client_id).ok_or(NotDone::NoSuchSession)?;
        let invalid = |_| NotDone::Refused(ReasonCode::ImplementationSpecificError);
        let run = message.as_run().map_err(invalid)?;
        to_client(worker, &mut Publication::new(run, worker.now), &session);
        Ok(())
    }

    /// What a SUBSCRIBE of the client itself would do: authorise, transform, authorise again what
    /// changed, subscribe, give what is retained.
    pub(crate) fn subscribe_in_place_of(
        &self,
        worker: &Worker,
        client_id: &str,
        request: &SubscriptionRequest,
    ) -> Result<(), NotDone> {
        let session = self.registry.find(client_id).ok_or(NotDone::NoSuchSession)?;
        let who = session.identity();
        let mut request = request.clone();
        may_subscribe(worker, &who, &request)?;
        if worker.interest().subscribe {
            match worker.hooks().on_subscribe(&who, &request) {
                SubscribeRuling::Pass => {}
                SubscribeRuling::Reject(reason) => return Err(NotDone::Refused(reason)),
                SubscribeRuling::Rewrite(changed) => {
                    let same = changed.filter == request.filter
                        && changed.share_name == request.share_name;
                    request = changed;
                    if !same {
                        may_subscribe(worker, &who, &request)?;
                    }
                }
            }
        }
        self.subscribe_session(worker, &session, &who, &request)
    }

    fn subscribe_session(
        &self,
        worker: &Worker,
        session: &SessionRef,
        who: &Arc<Identity>,
        request: &SubscriptionRequest,
    ) -> Result<(), NotDone> {
        let text = full_filter(request);
        let settings = &worker.bounds().settings;
        let filter = SubscriptionFilter::new(&text).ok().filter(|filter| {
            filter.filter.as_str().len() <= settings.topic_bytes_max
                && filter.filter.levels().count() <= settings.topic_levels_max
        });
        let filter = filter.ok_or(NotDone::Refused(ReasonCode::TopicFilterInvalid))?;
        let options = SubscriptionOptions {
            qos: request.qos,
            no_local: request.no_local,
            retain_as_published: request.retain_as_published,
            identifier: None,
        };
        let (is_new, connection) = {
            let mut state = session.lock();
            if state.ended {
                return Err(NotDone::NoSuchSession);
            }
            let subscriptions = &mut state.aside_mut().subscriptions;
            let is_new = !subscriptions.contains(&*text);
            if is_new && subscriptions.len() >= settings.subscriptions_max as usize {
                return Err(NotDone::Refused(ReasonCode::QuotaExceeded));
            }
            self.add_subscription(session, &filter, options);
            if is_new {
                subscriptions.insert(text.as_str().into());
            }
            (is_new, state.link.is_some().then_some(state.epoch))
        };
        let subscription = request;
        tell(worker, EventKind::Subscribed, Event::Subscribed { who, subscription });
        let wants_retained =
            request.retain_handling == 0 || (request.retain_handling == 1 && is_new);
        let Some(epoch) = connection.filter(|_| wants_retained && filter.share.is_none()) else {
            return Ok(());
        };
        let found = self.retained.matching(filter.filter, worker.now);
        let terms = RetainedTerms { qos: request.qos, identifier: None };
        if !found.is_empty()
            && let Some(mut state) = session.lock_as(epoch)
        {
            state.aside_mut().backlog.get_or_insert_default().push(found, terms);
            drop(state);
            worker.pump(session, epoch);
        }
        Ok(())
    }

    /// What an UNSUBSCRIBE of the client itself would do, but that no hook changes the filter.
    pub(crate) fn unsubscribe_in_place_of(
        &self,
        worker: &Worker,
        client_id: &str,
        text: &str,
    ) -> Result<(), NotDone> {
        let session = self.registry.find(client_id).ok_or(NotDone::NoSuchSession)?;
        let invalid = |_| NotDone::Refused(ReasonCode::TopicFilterInvalid);
        let filter = SubscriptionFilter::new(text).map_err(invalid)?;
        let identity = {
            let mut state = session.lock();
            if !state.aside_mut().subscriptions.remove(text) {
                return Err(NotDone::Refused(ReasonCode::NoSubscriptionExisted));
            }
            self.remove_subscription(&session, &filter);
            Arc::clone(&state.identity)
        };
        let who = &*identity;
        tell(worker, EventKind::Unsubscribed, Event::Unsubscribed { who, filter: text });
        Ok(())
    }
}

fn may_subscribe(
    worker: &Worker,
    who: &Identity,
    request: &SubscriptionRequest,
) -> Result<(), NotDone> {
    let ruling = worker.authorize(who, Action::Subscribe(request));
    let (Verdict::Deny(reason) | Verdict::Disconnect(reason)) = ruling.verdict else {
        return Ok(());
    };
    let by = ruling.decided_by.as_deref();
    worker.tell_denial(who, "Subscription", Some(&request.filter), reason, by);
    Err(NotDone::Refused(reason))
}
