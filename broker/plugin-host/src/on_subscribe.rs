use std::borrow::Cow;

use pintle_mqtt::{ReasonCode, ShareName, SubscriptionFilter, TopicFilter};
use pintle_plugin_api::SubscribeVerdict;
use pintle_ports::{Identity, SubscribeRuling, SubscriptionRequest};

use crate::client_view::ClientView;
use crate::core::Core;
use crate::fault::Fault;
use crate::hook::Hook;
use crate::message_view::{from_api, to_api};
use crate::meter::Answered;
use crate::refusal_code::Carrier;
use crate::slot::{Slot, Stopwatch};
use crate::spec::SubscribeErrorPolicy;

impl Core {
    /// Passes one entry of a SUBSCRIBE through the chain.
    pub(crate) fn on_subscribe(
        &self,
        who: &Identity,
        request: &SubscriptionRequest,
    ) -> SubscribeRuling {
        let now = self.shared.now();
        let mut watch = Stopwatch::default();
        let mut current = Cow::Borrowed(request);
        for slot in &self.chains.subscribe {
            let ruling = slot.call(Hook::Subscribe, now, &mut watch, |instance| {
                let verdict = instance.on_subscribe(&ClientView(who), &to_api(&current))?;
                checked(verdict)
            });
            match ruling.unwrap_or_else(|_| slot.subscribe_policy()) {
                SubscribeRuling::Pass => {}
                SubscribeRuling::Rewrite(changed) => current = Cow::Owned(changed),
                SubscribeRuling::Reject(reason) => return SubscribeRuling::Reject(reason),
            }
        }
        match current {
            Cow::Owned(changed) if changed != *request => SubscribeRuling::Rewrite(changed),
            Cow::Owned(_) | Cow::Borrowed(_) => SubscribeRuling::Pass,
        }
    }

    /// Passes one entry of an UNSUBSCRIBE through the chain. Nothing can refuse it, so a plugin
    /// that fails changes nothing.
    pub(crate) fn on_unsubscribe(&self, who: &Identity, filter: &str) -> Option<String> {
        let now = self.shared.now();
        let mut watch = Stopwatch::default();
        let mut current: Option<String> = None;
        for slot in &self.chains.unsubscribe {
            let seen = current.as_deref().unwrap_or(filter);
            let answer = slot.call(Hook::Unsubscribe, now, &mut watch, |instance| {
                let Some(other) = instance.on_unsubscribe(&ClientView(who), seen)? else {
                    return Ok((Answered::Pass, None));
                };
                SubscriptionFilter::new(&other)
                    .map_err(|violation| Fault::invalid(violation.what))?;
                Ok((Answered::Rewrite, Some(other)))
            });
            if let Ok(Some(other)) = answer {
                current = Some(other);
            }
        }
        current.filter(|other| other != filter)
    }
}

impl Slot {
    fn subscribe_policy(&self) -> SubscribeRuling {
        match self.on_error.subscribe {
            Some(SubscribeErrorPolicy::Pass) => SubscribeRuling::Pass,
            // The loader does not let `None` come this far.
            Some(SubscribeErrorPolicy::Reject) | None => {
                SubscribeRuling::Reject(ReasonCode::ImplementationSpecificError)
            }
        }
    }
}

fn checked(verdict: SubscribeVerdict) -> Result<(Answered, SubscribeRuling), Fault> {
    Ok(match verdict {
        SubscribeVerdict::Pass => (Answered::Pass, SubscribeRuling::Pass),
        SubscribeVerdict::Reject(failure) => {
            let reason = Carrier::SubAck.check(&failure)?;
            (Answered::Reject, SubscribeRuling::Reject(reason))
        }
        SubscribeVerdict::Rewrite(changed) => {
            let request = from_api(changed);
            check_request(&request)?;
            (Answered::Rewrite, SubscribeRuling::Rewrite(request))
        }
    })
}

/// What a plugin asks for must be what a client may ask for [MQTT-3.8.3-4].
pub(crate) fn check_request(request: &SubscriptionRequest) -> Result<(), Fault> {
    TopicFilter::new(&request.filter).map_err(|violation| Fault::invalid(violation.what))?;
    if let Some(name) = &request.share_name {
        ShareName::new(name).map_err(|violation| Fault::invalid(violation.what))?;
        if request.no_local {
            let what = "No Local is set on a Shared Subscription";
            return Err(Fault::invalid(what));
        }
    }
    if request.retain_handling > 2 {
        return Err(Fault::invalid("Retain Handling is above 2"));
    }
    Ok(())
}
