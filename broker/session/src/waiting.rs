use std::sync::Arc;

use pintle_mqtt::{KeptRun, Publish, QoS};

use crate::run_part::RunPart;

/// One message that is not the client's yet, handed out for others to see.
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

    /// Its packet, as it is kept.
    pub fn frame(&self) -> &[u8] {
        self.part.frames().get(..self.part.first_len()).unwrap_or_default()
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
