/// Subscription Identifiers kept with a message that waits; no heap for none or one.
#[derive(Clone, Debug)]
pub(crate) enum SubscriptionIds {
    None,
    One(u32),
    Many(Box<[u32]>),
}

impl SubscriptionIds {
    pub(crate) fn new(ids: &[u32]) -> Self {
        match ids {
            [] => Self::None,
            [id] => Self::One(*id),
            many => Self::Many(Box::from(many)),
        }
    }

    pub(crate) fn as_slice(&self) -> &[u32] {
        match self {
            Self::None => &[],
            Self::One(id) => std::slice::from_ref(id),
            Self::Many(ids) => ids,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }
}
