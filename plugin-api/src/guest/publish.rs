//! Messages and subscriptions on their way.

use super::bindings::exports::pintle::plugin::{deliver, publish, subscribe};
use super::bindings::pintle::plugin::answer;
use super::bindings::pintle::plugin::types::{Header, Subscription as WitSubscription};
use super::client::CallingClient;
use super::message::{payload as payload_of, with_message};
use super::values::refuse;
use super::{Component, Exported};
use crate::{Client, DeliverVerdict, Origin, Plugin, PublishOutcome, SubscribeVerdict};

impl<E: Exported> publish::Guest for Component<E> {
    fn on_publish(
        origin: publish::Origin,
        client: u64,
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
        let client = (client != 0).then(|| CallingClient::new(client));
        let client = client.as_ref().map(|client| -> &dyn Client { client });
        let payload = payload_of(payload, guest.wants_payload());
        let verdict = with_message(&header, &payload, |message| {
            guest.plugin.on_publish(origin, client, message)
        });
        for message in verdict.emit {
            answer::emit(&message.into());
        }
        match verdict.outcome {
            PublishOutcome::Pass => publish::Verdict::Pass,
            PublishOutcome::Rewrite(patch) => {
                answer::rewrite(&patch.into());
                publish::Verdict::Rewrite
            }
            PublishOutcome::Drop => publish::Verdict::Drop,
            PublishOutcome::Reject(failure) => {
                refuse(failure);
                publish::Verdict::Reject
            }
        }
    }
}

impl<E: Exported> subscribe::Guest for Component<E> {
    fn on_subscribe(client: u64, subscription: WitSubscription) -> subscribe::Verdict {
        let client = CallingClient::new(client);
        match E::guest().plugin.on_subscribe(&client, &subscription.into()) {
            SubscribeVerdict::Pass => subscribe::Verdict::Pass,
            SubscribeVerdict::Rewrite(other) => subscribe::Verdict::Rewrite(other.into()),
            SubscribeVerdict::Reject(failure) => subscribe::Verdict::Reject(failure.into()),
        }
    }

    fn on_unsubscribe(client: u64, filter: String) -> Option<String> {
        E::guest().plugin.on_unsubscribe(&CallingClient::new(client), &filter)
    }
}

impl<E: Exported> deliver::Guest for Component<E> {
    fn cohort(client: u64) -> Option<String> {
        E::guest().plugin.cohort(&CallingClient::new(client))
    }

    fn on_deliver(cohort: String, header: Header, payload: Option<Vec<u8>>) -> deliver::Verdict {
        let guest = E::guest();
        let payload = payload_of(payload, guest.wants_payload());
        let verdict =
            with_message(&header, &payload, |message| guest.plugin.on_deliver(&cohort, message));
        match verdict {
            DeliverVerdict::Pass => deliver::Verdict::Pass,
            DeliverVerdict::Rewrite(patch) => {
                answer::rewrite(&patch.into());
                deliver::Verdict::Rewrite
            }
            DeliverVerdict::Drop => deliver::Verdict::Drop,
        }
    }
}
