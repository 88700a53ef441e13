use std::sync::Arc;

use pintle_mqtt::{Publish, Timestamp, TopicName};
use pintle_plugin_api::{DeliverVerdict, MessagePatch};
use pintle_ports::{CohortId, DeliverRuling, Identity, MessageFrame};
use smallvec::SmallVec;

use crate::client_view::ClientView;
use crate::cohort_table::Membership;
use crate::core::Core;
use crate::fault::{ErrorKind, Fault};
use crate::hook::Hook;
use crate::made_message::patched;
use crate::message_view::{as_api_message, no_topic};
use crate::meter::Answered;
use crate::slot::{Slot, Stopwatch};
use crate::spec::DeliverErrorPolicy;

impl Core {
    /// The group of `who`: the tuple of what each plugin named.
    pub(crate) fn cohort(&self, who: &Identity) -> CohortId {
        let generation = self.shared.generation();
        let now = self.shared.now();
        let mut watch = Stopwatch::default();
        let mut memberships: SmallVec<[Membership; 4]> = SmallVec::new();
        for slot in &self.chains.deliver {
            let asked = slot.call(Hook::Cohort, now, &mut watch, |instance| {
                Ok((Answered::Done, instance.cohort(&ClientView(who))?))
            });
            memberships.push(match asked {
                Ok(None) => Membership::Untouched,
                Ok(Some(name)) => Membership::Named(name.into()),
                Err(_) => {
                    self.shared.errands.retry_cohorts();
                    Membership::Failed
                }
            });
        }
        if let Some(id) = self.cohorts.intern(&memberships, generation) {
            return id;
        }
        self.cohort_beyond_bound(&mut memberships, generation, now)
    }

    #[cold]
    fn cohort_beyond_bound(
        &self,
        memberships: &mut [Membership],
        generation: u64,
        now: Timestamp,
    ) -> CohortId {
        for (slot, membership) in self.chains.deliver.iter().zip(memberships.iter_mut()) {
            if matches!(membership, Membership::Named(_)) {
                let fault = Fault::new(ErrorKind::Bound, "there are too many cohorts");
                slot.note(Hook::Cohort, None, now, &fault);
                *membership = Membership::Failed;
            }
        }
        let failed = self.cohorts.intern(memberships, generation);
        failed.unwrap_or(CohortId::NONE)
    }

    pub(crate) fn wants_deliver(&self, topic: TopicName<'_>) -> bool {
        self.chains.deliver.iter().any(|slot| slot.wants(topic))
    }

    /// Passes a message through the plugins that touch `cohort`.
    pub(crate) fn on_deliver(
        &self,
        cohort: CohortId,
        publish: &Publish<'_>,
        now: Timestamp,
    ) -> DeliverRuling {
        if cohort == CohortId::NONE {
            return DeliverRuling::Pass;
        }
        let memberships = self.cohorts.get(cohort);
        let mut watch = Stopwatch::default();
        let mut rewritten: Option<MessageFrame> = None;
        for (at, slot) in self.chains.deliver.iter().enumerate() {
            let known = memberships.as_ref().and_then(|all| all.get(at));
            let membership = known.unwrap_or(&Membership::Failed);
            let ruling = match &rewritten {
                None => slot.deliver(
                    membership,
                    publish,
                    now,
                    &mut watch,
                    self.shared.message_bytes_max,
                ),
                Some(frame) => match frame.as_run() {
                    Ok(run) => {
                        let bytes_max = self.shared.message_bytes_max;
                        slot.deliver(membership, run.head(), now, &mut watch, bytes_max)
                    }
                    Err(_) => slot.deliver_policy(),
                },
            };
            match ruling {
                DeliverRuling::Pass => {}
                DeliverRuling::Rewrite(frame) => rewritten = Some(frame),
                DeliverRuling::Drop => return DeliverRuling::Drop,
            }
        }
        rewritten.map_or(DeliverRuling::Pass, DeliverRuling::Rewrite)
    }
}

impl Slot {
    fn deliver(
        &self,
        membership: &Membership,
        publish: &Publish<'_>,
        now: Timestamp,
        watch: &mut Stopwatch,
        bytes_max: usize,
    ) -> DeliverRuling {
        let Some(topic) = publish.topic else {
            return self.deliver_policy();
        };
        if !self.wants(topic) {
            return DeliverRuling::Pass;
        }
        let cohort: &Arc<str> = match membership {
            Membership::Untouched => return DeliverRuling::Pass,
            Membership::Failed => return self.deliver_policy(),
            Membership::Named(cohort) => cohort,
        };
        let ruling = self.call(Hook::Deliver, now, watch, |instance| {
            let verdict = as_api_message(publish, |seen| instance.on_deliver(cohort, seen));
            checked(verdict.unwrap_or_else(no_topic)?, publish, bytes_max)
        });
        ruling.unwrap_or_else(|_| self.deliver_policy())
    }

    fn deliver_policy(&self) -> DeliverRuling {
        match self.on_error.deliver {
            Some(DeliverErrorPolicy::Pass) => DeliverRuling::Pass,
            // The loader does not let `None` come this far.
            Some(DeliverErrorPolicy::Drop) | None => DeliverRuling::Drop,
        }
    }
}

fn checked(
    verdict: DeliverVerdict,
    publish: &Publish<'_>,
    bytes_max: usize,
) -> Result<(Answered, DeliverRuling), Fault> {
    Ok(match verdict {
        DeliverVerdict::Pass => (Answered::Pass, DeliverRuling::Pass),
        DeliverVerdict::Drop => (Answered::Drop, DeliverRuling::Drop),
        DeliverVerdict::Rewrite(patch) if patch == MessagePatch::default() => {
            (Answered::Pass, DeliverRuling::Pass)
        }
        DeliverVerdict::Rewrite(patch) => {
            if patch.topic.is_some() || patch.qos.is_some() || patch.retain.is_some() {
                let what = "`on_deliver` can not change topic, QoS or RETAIN";
                return Err(Fault::invalid(what));
            }
            let frame = patched(publish, &patch, bytes_max)?;
            (Answered::Rewrite, DeliverRuling::Rewrite(frame))
        }
    })
}
