use std::sync::Arc;

use pintle_mqtt::{KeptRun, Publish, QoS};

use crate::run_part::RunPart;

/// One queued message, handed out so that hooks may see it before the client does.
#[derive(Debug)]
pub struct Waiting {
    part: RunPart,
}

impl Waiting {
    pub(crate) fn new(part: RunPart) -> Self {
        Self { part }
    }

    pub(crate) fn into_part(self) -> RunPart {
        self.part
    }

    /// The run that the message is one of.
    pub fn run(&self) -> &Arc<KeptRun> {
        self.part.run()
    }

    /// The message itself, as it was published.
    pub fn publish(&self) -> Publish<'_> {
        self.part.first()
    }

    /// QoS of the delivery.
    pub fn qos(&self) -> QoS {
        self.part.qos()
    }

    /// RETAIN as the client is to see it.
    pub fn retain(&self) -> bool {
        self.part.retain()
    }

    /// Subscription Identifiers of all subscriptions that matched.
    pub fn subscription_ids(&self) -> &[u32] {
        self.part.subscription_ids()
    }
}

/// What hooks made of a message that was handed to them.
#[derive(Clone, Debug)]
pub enum Hooked {
    /// Goes out as it is.
    Send,
    /// The one message of this run goes out in its place, with the delivery's own QoS and RETAIN.
    Replace(Arc<KeptRun>),
    /// Does not go out.
    Drop,
}
