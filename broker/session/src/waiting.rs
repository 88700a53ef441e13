use std::sync::Arc;

use pintle_mqtt::{KeptRun, Publish, QoS};

use crate::delivery::Delivery;
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

impl Waiting {
    /// The one message of `run`, to be delivered as it was meant to be.
    pub fn restored(run: Arc<KeptRun>, delivery: &Delivery<'_>) -> Self {
        Self::new(RunPart::whole(run, 1, delivery.qos, delivery))
    }

    /// How it is to be delivered.
    pub fn delivery(&self) -> Delivery<'_> {
        Delivery {
            qos: self.qos(),
            retain: self.retain(),
            subscription_ids: self.subscription_ids(),
            shared: self.part.is_shared(),
        }
    }

    /// Where in its run it begins.
    pub fn offset(&self) -> u32 {
        self.part.offset()
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
