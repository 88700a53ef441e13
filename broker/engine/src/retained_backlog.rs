use std::collections::VecDeque;
use std::sync::Arc;

use pintle_mqtt::QoS;

use crate::retained_store::Retained;

/// Retained messages that a connection has asked for and not been given yet.
///
/// They go out as the outbox has room, so that a subscriber to `#` costs pointers, not copies.
#[derive(Default)]
pub(crate) struct RetainedBacklog {
    parts: VecDeque<Part>,
}

struct Part {
    messages: std::vec::IntoIter<Arc<Retained>>,
    terms: RetainedTerms,
}

/// What [`RetainedBacklog::pop`] found.
pub(crate) enum Next {
    Give(Arc<Retained>, RetainedTerms),
    NoRoom,
    Nothing,
}

/// The subscription that asked for them.
#[derive(Clone, Copy)]
pub(crate) struct RetainedTerms {
    pub(crate) qos: QoS,
    pub(crate) identifier: Option<u32>,
}

impl RetainedBacklog {
    /// Messages that may wait for one connection; what is beyond is dropped and counted.
    pub(crate) const RETAINED_BACKLOG_MAX: usize = 2_000_000;

    /// Adds what one subscription asked for; returns how many did not fit.
    pub(crate) fn push(&mut self, mut messages: Vec<Arc<Retained>>, terms: RetainedTerms) -> usize {
        let room = Self::RETAINED_BACKLOG_MAX.saturating_sub(self.len());
        let lost = messages.len().saturating_sub(room);
        if lost > 0 {
            messages.truncate(room);
            messages.shrink_to_fit();
        }
        if messages.is_empty() {
            return lost;
        }
        self.parts.push_back(Part { messages: messages.into_iter(), terms });
        lost
    }

    /// The next message that has not been replaced since, if `may` says that it can go now.
    pub(crate) fn pop(&mut self, may: impl Fn(&Retained, RetainedTerms) -> bool) -> Next {
        while let Some(part) = self.parts.front_mut() {
            let rest = part.messages.as_slice();
            let superseded = rest.iter().take_while(|message| message.is_superseded()).count();
            if superseded > 0 {
                part.messages.nth(superseded - 1);
            }
            match part.messages.as_slice().first() {
                None => drop(self.parts.pop_front()),
                Some(message) if !may(message, part.terms) => return Next::NoRoom,
                Some(_) => {
                    let terms = part.terms;
                    return part
                        .messages
                        .next()
                        .map_or(Next::Nothing, |next| Next::Give(next, terms));
                }
            }
        }
        Next::Nothing
    }

    fn len(&self) -> usize {
        self.parts.iter().map(|part| part.messages.len()).sum()
    }
}
