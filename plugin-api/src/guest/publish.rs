//! Messages and subscriptions on their way.

use super::bindings::exports::pintle::plugin::{deliver, publish, subscribe};
use super::bindings::pintle::plugin::types::{Header, Subscription as WitSubscription};
use super::client::CallingClient;
use super::message::{payload as payload_of, with_message};
use super::{Component, Exported};
use crate::{
    Client, DeliverVerdict, Origin, Plugin, PublishOutcome, PublishVerdict, SubscribeVerdict,
};

impl<E: Exported> publish::Guest for Component<E> {
    fn on_publish(
        origin: publish::Origin,
        has_client: bool,
        header: Header,
        payload: Option<Vec<u8>>,
    ) -> publish::Verdict {
        let guest = E::guest();
        let origin = match origin {
            publish::Origin::Client => Origin::Client,
            publish::Origin::Will => Origin::Will,
            publish::Origin::Plugin => Origin::Plugin,
            publish::Origin::Admin => Origin::Admin,
        };
        let client = has_client.then(CallingClient::default);
        let client = client.as_ref().map(|client| -> &dyn Client { client });
        let payload = payload_of(payload, guest.wants_payload());
        with_message(&header, &payload, |message| guest.plugin.on_publish(origin, client, message))
            .into()
    }
}

impl From<PublishVerdict> for publish::Verdict {
    fn from(verdict: PublishVerdict) -> Self {
        Self {
            outcome: match verdict.outcome {
                PublishOutcome::Pass => publish::Outcome::Pass,
                PublishOutcome::Rewrite(patch) => publish::Outcome::Rewrite(patch.into()),
                PublishOutcome::Drop => publish::Outcome::Drop,
                PublishOutcome::Reject(failure) => publish::Outcome::Reject(failure.into()),
            },
            emit: verdict.emit.into_iter().map(Into::into).collect(),
        }
    }
}

impl<E: Exported> subscribe::Guest for Component<E> {
    fn on_subscribe(subscription: WitSubscription) -> subscribe::Verdict {
        let client = CallingClient::default();
        match E::guest().plugin.on_subscribe(&client, &subscription.into()) {
            SubscribeVerdict::Pass => subscribe::Verdict::Pass,
            SubscribeVerdict::Rewrite(other) => subscribe::Verdict::Rewrite(other.into()),
            SubscribeVerdict::Reject(failure) => subscribe::Verdict::Reject(failure.into()),
        }
    }

    fn on_unsubscribe(filter: String) -> Option<String> {
        E::guest().plugin.on_unsubscribe(&CallingClient::default(), &filter)
    }
}

impl<E: Exported> deliver::Guest for Component<E> {
    fn cohort() -> Option<String> {
        E::guest().plugin.cohort(&CallingClient::default())
    }

    fn on_deliver(cohort: String, header: Header, payload: Option<Vec<u8>>) -> deliver::Verdict {
        let guest = E::guest();
        let payload = payload_of(payload, guest.wants_payload());
        let verdict =
            with_message(&header, &payload, |message| guest.plugin.on_deliver(&cohort, message));
        match verdict {
            DeliverVerdict::Pass => deliver::Verdict::Pass,
            DeliverVerdict::Rewrite(patch) => deliver::Verdict::Rewrite(patch.into()),
            DeliverVerdict::Drop => deliver::Verdict::Drop,
        }
    }
}
