//! What a component says beside the words that its hooks return.

use std::mem;

use pintle_plugin_api::{
    CacheHint, Decision, DeliverVerdict, Failure, MessagePatch, NewMessage, PublishOutcome,
    PublishVerdict,
};

use super::bindings::exports::pintle::plugin::{acl, deliver, publish};
use crate::fault::Fault;
use crate::on_publish::EMITS_MAX;

/// Said in the running call so far. Most calls say nothing, and have nothing made for it.
#[derive(Default)]
pub(super) struct Answer(Option<Box<Said>>);

#[derive(Default)]
struct Said {
    patch: Option<MessagePatch>,
    failure: Option<Failure>,
    hint: Option<CacheHint>,
    emits: Vec<NewMessage>,
}

/// The Reason Code of a refusal for which there is none said.
const NOT_AUTHORIZED: u8 = 0x87;

impl Answer {
    fn said(&mut self) -> &mut Said {
        self.0.get_or_insert_default()
    }

    pub(super) fn rewrite(&mut self, patch: MessagePatch) {
        self.said().patch = Some(patch);
    }

    pub(super) fn refuse(&mut self, failure: Failure) {
        self.said().failure = Some(failure);
    }

    pub(super) fn hint(&mut self, hint: CacheHint) {
        self.said().hint = Some(hint);
    }

    /// One above the bound is kept, by which the others are seen to be too many.
    pub(super) fn emit(&mut self, message: NewMessage) {
        let emits = &mut self.said().emits;
        if emits.len() <= EMITS_MAX {
            emits.push(message);
        }
    }

    /// `None` if it is allowed, until invalidated.
    #[inline]
    pub(super) fn decision(&mut self, word: acl::Decision) -> Option<Box<Decision>> {
        match (word, &self.0) {
            (acl::Decision::Allow, None) => None,
            _ => Some(Box::new(self.long_decision(word))),
        }
    }

    fn long_decision(&mut self, word: acl::Decision) -> Decision {
        match word {
            acl::Decision::Next => Decision::Next,
            acl::Decision::Allow => Decision::Allow(self.take_hint()),
            acl::Decision::Deny => Decision::Deny(self.take_failure(), self.take_hint()),
            acl::Decision::Disconnect => Decision::Disconnect(self.take_failure()),
        }
    }

    /// `None` if the message passes as it is, and nothing is emitted beside it.
    ///
    /// # Errors
    /// If it did not say what the word needs.
    #[inline]
    pub(super) fn publish_verdict(
        &mut self,
        word: publish::Verdict,
    ) -> Result<Option<Box<PublishVerdict>>, Fault> {
        match (word, &self.0) {
            (publish::Verdict::Pass, None) => Ok(None),
            _ => self.long_publish_verdict(word).map(Some),
        }
    }

    fn long_publish_verdict(
        &mut self,
        word: publish::Verdict,
    ) -> Result<Box<PublishVerdict>, Fault> {
        let outcome = match word {
            publish::Verdict::Pass => PublishOutcome::Pass,
            publish::Verdict::Rewrite => PublishOutcome::Rewrite(self.take_patch()?),
            publish::Verdict::Drop => PublishOutcome::Drop,
            publish::Verdict::Reject => PublishOutcome::Reject(self.take_failure()),
        };
        let emit = self.0.as_mut().map_or_else(Vec::new, |said| mem::take(&mut said.emits));
        Ok(Box::new(PublishVerdict { outcome, emit }))
    }

    /// # Errors
    /// If it did not say what the word needs.
    pub(super) fn deliver_verdict(
        &mut self,
        word: deliver::Verdict,
    ) -> Result<DeliverVerdict, Fault> {
        Ok(match word {
            deliver::Verdict::Pass => DeliverVerdict::Pass,
            deliver::Verdict::Rewrite => DeliverVerdict::Rewrite(self.take_patch()?),
            deliver::Verdict::Drop => DeliverVerdict::Drop,
        })
    }

    fn take_hint(&mut self) -> CacheHint {
        self.0.as_mut().and_then(|said| said.hint.take()).unwrap_or_default()
    }

    fn take_failure(&mut self) -> Failure {
        let failure = self.0.as_mut().and_then(|said| said.failure.take());
        failure.unwrap_or(Failure { code: NOT_AUTHORIZED, message: None })
    }

    fn take_patch(&mut self) -> Result<MessagePatch, Fault> {
        self.0.as_mut().and_then(|said| said.patch.take()).ok_or_else(|| {
            Fault::invalid("it returned `rewrite` and did not say what changes (answer.rewrite)")
        })
    }
}
