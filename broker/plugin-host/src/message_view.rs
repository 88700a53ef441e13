use pintle_mqtt::{Property, Publish, QoS, TopicName};
use pintle_plugin_api as api;
use pintle_ports::{Action, SubscriptionRequest};
use smallvec::SmallVec;

/// A PUBLISH as plugins see it; copies nothing but the places of its User Properties.
pub(crate) struct MessageView<'a> {
    pub(crate) topic: TopicName<'a>,
    fields: api::Message<'a>,
    user_properties: SmallVec<[(&'a str, &'a str); 4]>,
}

impl<'a> MessageView<'a> {
    /// `None` without a Topic Name, which the engine never leaves out.
    #[inline]
    pub(crate) fn new(publish: &Publish<'a>) -> Option<Self> {
        let topic = publish.topic?;
        let mut view = Self {
            topic,
            fields: api::Message {
                qos: to_api_qos(publish.flags.qos),
                retain: publish.flags.retain,
                ..api::Message::new(topic.as_str(), publish.payload)
            },
            user_properties: SmallVec::new(),
        };
        if !publish.properties.is_empty() {
            view.read_properties(publish);
        }
        Some(view)
    }

    fn read_properties(&mut self, publish: &Publish<'a>) {
        let fields = &mut self.fields;
        for property in publish.properties.iter() {
            match property {
                Property::PayloadFormatIndicator(is_utf8) => fields.payload_is_utf8 = is_utf8,
                Property::MessageExpiryInterval(secs) => fields.expiry_secs = Some(secs),
                Property::ContentType(text) => fields.content_type = Some(text),
                Property::ResponseTopic(text) => fields.response_topic = Some(text),
                Property::CorrelationData(data) => fields.correlation_data = Some(data),
                Property::UserProperty(pair) => self.user_properties.push(pair),
                _ => {}
            }
        }
    }

    pub(crate) fn message(&self) -> api::Message<'_> {
        api::Message { user_properties: &self.user_properties, ..self.fields }
    }

    /// The message without its payload.
    fn header(&self) -> api::Message<'_> {
        api::Message { payload: &[], ..self.message() }
    }
}

/// Lets `ask` see `action` as plugins do; `None` if a PUBLISH has no Topic Name.
pub(crate) fn as_api_action<T>(
    action: Action<'_>,
    ask: impl FnOnce(&api::Action<'_>) -> T,
) -> Option<T> {
    match action {
        Action::Publish(publish) => {
            let view = MessageView::new(publish)?;
            Some(ask(&api::Action::Publish(&view.header())))
        }
        Action::Receive(publish) => {
            let view = MessageView::new(publish)?;
            Some(ask(&api::Action::Receive(&view.header())))
        }
        Action::Will(publish) => {
            let view = MessageView::new(publish)?;
            Some(ask(&api::Action::Will(&view.header())))
        }
        Action::Subscribe(request) => Some(ask(&api::Action::Subscribe(&to_api(request)))),
    }
}

pub(crate) fn to_api(request: &SubscriptionRequest) -> api::Subscription {
    api::Subscription {
        filter: request.filter.clone(),
        share_name: request.share_name.clone(),
        qos: to_api_qos(request.qos),
        no_local: request.no_local,
        retain_as_published: request.retain_as_published,
        retain_handling: request.retain_handling,
    }
}

pub(crate) fn from_api(subscription: api::Subscription) -> SubscriptionRequest {
    SubscriptionRequest {
        filter: subscription.filter,
        share_name: subscription.share_name,
        qos: from_api_qos(subscription.qos),
        no_local: subscription.no_local,
        retain_as_published: subscription.retain_as_published,
        retain_handling: subscription.retain_handling,
    }
}

pub(crate) fn to_api_qos(qos: QoS) -> api::QoS {
    match qos {
        QoS::AtMostOnce => api::QoS::AtMostOnce,
        QoS::AtLeastOnce => api::QoS::AtLeastOnce,
        QoS::ExactlyOnce => api::QoS::ExactlyOnce,
    }
}

pub(crate) fn from_api_qos(qos: api::QoS) -> QoS {
    match qos {
        api::QoS::AtMostOnce => QoS::AtMostOnce,
        api::QoS::AtLeastOnce => QoS::AtLeastOnce,
        api::QoS::ExactlyOnce => QoS::ExactlyOnce,
    }
}
