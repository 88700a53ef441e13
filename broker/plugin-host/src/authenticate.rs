use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pintle_mqtt::{ReasonCode, is_mqtt_string};
use pintle_plugin_api::{Accepted, AuthVerdict, Credentials, Failure, Limits};
use pintle_ports::{
    Admission, AuthOutcome, ConnectAttempt, Identity, Refusal, SessionBounds, Step, Voter,
};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::auth_gate::{Deadlines, OffWorker};
use crate::breaker::Permit;
use crate::client_view::ClientView;
use crate::core::Core;
use crate::fault::{Fault, caught};
use crate::hook::Hook;
use crate::instance::Reply;
use crate::message_view::from_api_qos;
use crate::meter::Answered;
use crate::refusal_code::Carrier;
use crate::rules::RuleSet;
use crate::service::gone;
use crate::slot::{Slot, Stopwatch};

/// Who connects, and with what.
struct Attempt {
    who: Arc<Identity>,
    credentials: Credentials,
}

/// A plugin that has work to do before it answers.
struct Blocked {
    at: usize,
    permit: Permit,
    took: Duration,
    work: Work,
}

/// What stands between a plugin and its answer.
enum Work {
    /// To be done on a blocking thread.
    Here(Box<dyn FnOnce() -> AuthVerdict + Send>),
    /// Being done on a thread of the plugin's own.
    There(oneshot::Receiver<Result<AuthVerdict, Fault>>),
}

enum Asked {
    Settled(AuthOutcome),
    Blocked(Blocked),
}

impl Core {
    /// Asks in order; the first answer other than `Next` counts, and so does the first error,
    /// which is a refusal.
    pub(crate) fn authenticate(self: &Arc<Self>, attempt: ConnectAttempt) -> Step<AuthOutcome> {
        let attempt = Attempt {
            credentials: Credentials {
                username: attempt.who.username.as_deref().map(str::to_owned),
                password: attempt.password,
                will_topic: attempt.will_topic,
            },
            who: attempt.who,
        };
        match self.ask_from(0, &attempt) {
            Asked::Settled(outcome) => Step::Done(outcome),
            Asked::Blocked(blocked) => match self.shared.runtime() {
                Some(runtime) => self.wait_for(&runtime, attempt, blocked),
                None => Step::Done(self.settle_here(&attempt, blocked)),
            },
        }
    }

    fn ask_from(&self, first: usize, attempt: &Attempt) -> Asked {
        for (at, slot) in self.chains.authenticate.iter().enumerate().skip(first) {
            let now = self.shared.now();
            let mut watch = Stopwatch::start();
            let Ok(permit) = slot.begin(Hook::Authenticate, now) else {
                return Asked::Settled(unavailable(slot));
            };
            let client = ClientView(&attempt.who);
            let answer = slot.in_hook(Hook::Authenticate, |instance| {
                instance.authenticate(&client, &attempt.credentials)
            });
            let took = watch.lap();
            let verdict = match answer {
                Ok(Reply::Blocking(work)) => {
                    let work = Work::Here(work);
                    return Asked::Blocked(Blocked { at, permit, took, work });
                }
                Ok(Reply::Coming(answer)) => {
                    let work = Work::There(answer);
                    return Asked::Blocked(Blocked { at, permit, took, work });
                }
                Ok(Reply::Now(verdict)) => Ok(verdict),
                Err(fault) => Err(fault),
            };
            if let Some(outcome) = self.conclude(slot, permit, took, verdict, attempt) {
                return Asked::Settled(outcome);
            }
        }
        Asked::Settled(AuthOutcome::NoAnswer)
    }

    /// Counts one plugin's verdict; `None` if the next one is to be asked.
    fn conclude(
        &self,
        slot: &Slot,
        permit: Permit,
        took: Duration,
        verdict: Result<AuthVerdict, Fault>,
        attempt: &Attempt,
    ) -> Option<AuthOutcome> {
        let answer = verdict.and_then(|verdict| match verdict {
            AuthVerdict::Next => Ok((Answered::Next, None)),
            AuthVerdict::Accept(accepted) => {
                let admission = slot.admission(&accepted, &attempt.who)?;
                Ok((Answered::Allow, Some(AuthOutcome::Accept(admission))))
            }
            AuthVerdict::Reject(failure) => {
                let refusal = slot.refusal(&failure, Carrier::ConnAck)?;
                Ok((Answered::Deny, Some(AuthOutcome::Refuse(refusal))))
            }
        });
        slot.end(Hook::Authenticate, permit, self.shared.now(), took, answer)
            .unwrap_or_else(|_| Some(unavailable(slot)))
    }

    /// Goes on without a runtime: the work is done here and now.
    fn settle_here(&self, attempt: &Attempt, mut blocked: Blocked) -> AuthOutcome {
        loop {
            let Some(slot) = self.chains.authenticate.get(blocked.at) else {
                return AuthOutcome::NoAnswer;
            };
            let began = Instant::now();
            let verdict = match blocked.work {
                Work::Here(work) => slot.in_hook(Hook::Authenticate, |_| caught(work)),
                Work::There(answer) => answer.blocking_recv().unwrap_or_else(|_| Err(gone())),
            };
            let took = blocked.took + began.elapsed();
            if let Some(outcome) = self.conclude(slot, blocked.permit, took, verdict, attempt) {
                return outcome;
            }
            match self.ask_from(blocked.at + 1, attempt) {
                Asked::Settled(outcome) => return outcome,
                Asked::Blocked(next) => blocked = next,
            }
        }
    }

    fn wait_for(
        self: &Arc<Self>,
        runtime: &Handle,
        attempt: Attempt,
        blocked: Blocked,
    ) -> Step<AuthOutcome> {
        let slot = self.chains.authenticate.get(blocked.at);
        let gone = slot.map_or(AuthOutcome::NoAnswer, |slot| unavailable(slot));
        let core = Arc::clone(self);
        let task = runtime.spawn(async move { core.settle(&attempt, blocked).await });
        let task = Aborting(task);
        Step::Wait(Box::pin(async move { task.await.unwrap_or(gone) }))
    }

    async fn settle(&self, attempt: &Attempt, mut blocked: Blocked) -> AuthOutcome {
        let budget = self.chains.authenticate.get(blocked.at);
        let budget = budget.map_or(Duration::ZERO, |slot| slot.budgets.authenticate);
        let deadlines = Deadlines::within(budget);
        loop {
            let Some(slot) = self.chains.authenticate.get(blocked.at) else {
                return AuthOutcome::NoAnswer;
            };
            let done = match blocked.work {
                Work::Here(work) => self.shared.gate.run(deadlines, work).await,
                Work::There(answer) => deadlines.wait_for(answer).await,
            };
            let (verdict, took) = match done {
                OffWorker::Ran(verdict, took) => (verdict, blocked.took + took),
                OffWorker::Busy => return AuthOutcome::Refuse(busy(slot)),
            };
            if let Some(outcome) = self.conclude(slot, blocked.permit, took, verdict, attempt) {
                return outcome;
            }
            match self.ask_from(blocked.at + 1, attempt) {
                Asked::Settled(outcome) => return outcome,
                Asked::Blocked(next) => blocked = next,
            }
        }
    }
}

/// A task that ends when nobody waits for it any more.
pub(crate) struct Aborting<T>(pub(crate) JoinHandle<T>);

impl<T> Future for Aborting<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

impl<T> Drop for Aborting<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn unavailable(slot: &Slot) -> AuthOutcome {
    AuthOutcome::Refuse(failed(slot))
}

/// What the client is told when a plugin failed.
pub(crate) fn failed(slot: &Slot) -> Refusal {
    Refusal {
        reason: ReasonCode::ServerUnavailable,
        message: None,
        decided_by: Arc::clone(&slot.state.name),
    }
}

/// What the client is told when too many wait.
pub(crate) fn busy(slot: &Slot) -> Refusal {
    Refusal { reason: ReasonCode::ServerBusy, ..failed(slot) }
}

impl Slot {
    /// # Errors
    /// If a rule, the principal or a User Property is not what it should be.
    pub(crate) fn admission(
        &self,
        accepted: &Accepted,
        who: &Identity,
    ) -> Result<Admission, Fault> {
        let pairs = &accepted.connack_user_properties;
        let mut texts = pairs.iter().flat_map(|(name, value)| [name, value]);
        if !texts.all(|text| is_mqtt_string(text.as_bytes())) {
            let what = "a User Property for CONNACK is not a string that MQTT can carry";
            return Err(Fault::invalid(what));
        }
        let rules = if accepted.rules.is_empty() {
            None
        } else {
            let rules = RuleSet::compile(&self.state.name, &accepted.rules, who)?;
            Some(Arc::new(rules) as Arc<dyn Voter>)
        };
        Ok(Admission {
            principal: accepted.principal.as_deref().map(Box::from),
            rules,
            bounds: bounds_of(&accepted.limits),
            user_properties: pairs.clone(),
        })
    }

    /// # Errors
    /// If the code or the text cannot be sent.
    pub(crate) fn refusal(&self, failure: &Failure, carrier: Carrier) -> Result<Refusal, Fault> {
        Ok(Refusal {
            reason: carrier.check(failure)?,
            message: failure.message.as_deref().map(str::to_owned),
            decided_by: Arc::clone(&self.state.name),
        })
    }
}

fn bounds_of(limits: &Limits) -> SessionBounds {
    SessionBounds {
        packet_bytes_max: limits.packet_bytes_max,
        receive_maximum: limits.receive_maximum,
        max_qos: limits.max_qos.map(from_api_qos),
        subscriptions_max: limits.subscriptions_max,
        queue_messages_max: limits.queue_messages_max,
        session_expiry_secs_max: limits.session_expiry_secs_max,
    }
}
