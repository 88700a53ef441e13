//! Who would say what on an action of a client.

use std::sync::Arc;

use pintle_mqtt::{
    Properties, ProtocolVersion, Publish, PublishFlags, QoS, SubscriptionFilter, TopicName,
};
use pintle_plugin_host::{Explanation, PluginHost};
use pintle_ports::{Action, Identity, SubscriptionRequest, Transport, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::broker::{Refusal, RefusalKind};

/// What a client would do.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// Client Identifier.
    #[serde(default)]
    pub(crate) client: String,
    /// User name; `None` for an anonymous client.
    #[serde(default)]
    pub(crate) user: Option<String>,
    /// Topic Name; of a subscription the Topic Filter.
    pub(crate) topic: String,
    pub(crate) action: ActionName,
    #[serde(default)]
    pub(crate) qos: u8,
    #[serde(default)]
    pub(crate) retain: bool,
    /// Name of the listener it comes by.
    #[serde(default)]
    pub(crate) listener: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ActionName {
    #[default]
    Publish,
    Subscribe,
    Receive,
    Will,
}

impl Question {
    /// Asks everybody afresh.
    pub(super) fn ask(&self, host: &PluginHost) -> Result<Value, Refusal> {
        let who = self.identity();
        let explanation = match self.action {
            ActionName::Subscribe => host.explain(&who, Action::Subscribe(&self.subscription()?)),
            ActionName::Publish => host.explain(&who, Action::Publish(&self.message()?)),
            ActionName::Receive => host.explain(&who, Action::Receive(&self.message()?)),
            ActionName::Will => host.explain(&who, Action::Will(&self.message()?)),
        };
        Ok(as_json(&explanation))
    }

    fn identity(&self) -> Identity {
        Identity {
            session_key: 1,
            client_id: self.client.as_str().into(),
            username: self.user.as_deref().map(Box::from),
            protocol: ProtocolVersion::V5_0,
            transport: Transport::Tcp,
            listener: Arc::from(self.listener.as_str()),
            remote_addr: None,
            granted: None,
        }
    }

    fn qos(&self) -> Result<QoS, Refusal> {
        match self.qos {
            0 => Ok(QoS::AtMostOnce),
            1 => Ok(QoS::AtLeastOnce),
            2 => Ok(QoS::ExactlyOnce),
            other => Err(question(format!("there is no QoS {other}"))),
        }
    }

    fn message(&self) -> Result<Publish<'_>, Refusal> {
        let topic = TopicName::new(&self.topic).map_err(|fault| {
            question(format!("{:?} is no Topic Name: {}", self.topic, fault.what))
        })?;
        Ok(Publish {
            flags: PublishFlags { dup: false, qos: self.qos()?, retain: self.retain },
            topic: Some(topic),
            packet_id: None,
            properties: Properties::EMPTY,
            payload: b"",
        })
    }

    fn subscription(&self) -> Result<SubscriptionRequest, Refusal> {
        let filter = SubscriptionFilter::new(&self.topic).map_err(|fault| {
            question(format!("{:?} is no Topic Filter: {}", self.topic, fault.what))
        })?;
        Ok(SubscriptionRequest {
            filter: filter.filter.as_str().to_owned(),
            share_name: filter.share.map(|name| name.as_str().to_owned()),
            qos: self.qos()?,
            no_local: false,
            retain_as_published: false,
            retain_handling: 0,
        })
    }
}

fn question(what: String) -> Refusal {
    Refusal::new(RefusalKind::Question, what)
}

fn as_json(explanation: &Explanation) -> Value {
    let (verdict, code) = match explanation.verdict {
        Verdict::Allow => ("allow", None),
        Verdict::Deny(reason) => ("deny", Some(reason.as_u8())),
        Verdict::Disconnect(reason) => ("disconnect", Some(reason.as_u8())),
    };
    let voters = explanation
        .voters
        .iter()
        .map(|voter| json!({ "voter": voter.voter, "answer": voter.answer, "line": voter.line }));
    json!({
        "question": explanation.question,
        "voters": voters.collect::<Vec<_>>(),
        "verdict": verdict,
        "reason_code": code,
        "decided_by": explanation.decided_by,
        "text": explanation.to_string(),
    })
}
