/// Subscription Identifiers kept with a message that waits; no heap for none or one.
#[derive(Clone, Debug)]
pub(crate) enum SubscriptionIds {
    One(u32),
    /// None or several.
    Others(Box<[u32]>),
}

impl SubscriptionIds {
    pub(crate) fn new(ids: &[u32]) -> Self {
        match ids {
            [id] => Self::One(*id),
            others => Self::Others(Box::from(others)),
        }
    }

    pub(crate) fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(id) => std::slice::from_ref(id),
            Self::Others(ids) => ids,
        }
    }
}
