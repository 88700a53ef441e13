use std::sync::Arc;
use std::time::Instant;

use pintle_plugin_api::AuthStep;
use pintle_ports::{AuthProgress, AuthReply, Exchange as _, Identity, Step};

use crate::auth_gate::{Deadlines, OffWorker};
use crate::authenticate::{Aborting, busy, failed};
use crate::breaker::Permit;
use crate::client_view::ClientView;
use crate::core::Core;
use crate::fault::Fault;
use crate::hook::Hook;
use crate::instance::Exchange;
use crate::meter::Answered;
use crate::refusal_code::Carrier;
use crate::slot::{Slot, Stopwatch};

/// An exchange of enhanced authentication, pinned to the plugin that began it.
struct HostedExchange {
    core: Arc<Core>,
    slot: Arc<Slot>,
    who: Arc<Identity>,
    reauth: bool,
    exchange: Box<dyn Exchange>,
}

impl Core {
    /// Lets the plugin that owns `method` begin, with the data that came along.
    pub(crate) fn auth_begin(
        self: &Arc<Self>,
        who: &Arc<Identity>,
        method: &str,
        data: Option<&[u8]>,
        reauth: bool,
    ) -> Option<Step<AuthProgress>> {
        let owns = |slot: &&Arc<Slot>| {
            slot.has(Hook::EnhancedAuth.flag())
                && slot.about().auth_methods.iter().any(|owned| owned == method)
        };
        let slot = self.slots.iter().find(owns)?;
        let begun =
            slot.call(Hook::EnhancedAuth, self.shared.now(), &mut Stopwatch::start(), |instance| {
                let exchange = instance.auth_begin(&ClientView(who), method, reauth)?;
                Ok((Answered::Done, exchange))
            });
        let exchange = match begun {
            Ok(exchange) => exchange?,
            Err(_) => return Some(Step::Done(AuthProgress::Refuse(failed(slot)))),
        };
        let hosted = Box::new(HostedExchange {
            core: Arc::clone(self),
            slot: Arc::clone(slot),
            who: Arc::clone(who),
            reauth,
            exchange,
        });
        Some(hosted.step(data.map(<[u8]>::to_vec)))
    }
}

impl pintle_ports::Exchange for HostedExchange {
    fn step(self: Box<Self>, data: AuthReply) -> Step<AuthProgress> {
        let Ok(permit) = self.slot.begin(Hook::EnhancedAuth, self.core.shared.now()) else {
            return Step::Done(AuthProgress::Refuse(failed(&self.slot)));
        };
        let Some(runtime) = self.core.shared.runtime() else {
            return Step::Done(self.step_here(permit, data));
        };
        let gone = failed(&self.slot);
        let task = Aborting(runtime.spawn(self.step_off_worker(permit, data)));
        Step::Wait(Box::pin(async move { task.await.unwrap_or(AuthProgress::Refuse(gone)) }))
    }
}

impl HostedExchange {
    fn step_here(mut self: Box<Self>, permit: Permit, data: AuthReply) -> AuthProgress {
        let began = Instant::now();
        let slot = Arc::clone(&self.slot);
        let step = slot.in_hook(Hook::EnhancedAuth, |_| self.exchange.step(data.as_deref()));
        self.progress(permit, began.elapsed(), step)
    }

    async fn step_off_worker(mut self: Box<Self>, permit: Permit, data: AuthReply) -> AuthProgress {
        let deadlines = Deadlines::within(self.slot.budgets.auth_step);
        let (core, slot) = (Arc::clone(&self.core), Arc::clone(&self.slot));
        let work = move || {
            let step = self.exchange.step(data.as_deref());
            (self, step)
        };
        match core.shared.gate.run(deadlines, work).await {
            OffWorker::Ran(Ok((hosted, step)), took) => hosted.progress(permit, took, step),
            OffWorker::Ran(Err(fault), took) => {
                let answer = Err::<(Answered, ()), _>(fault);
                let _ = slot.end(Hook::EnhancedAuth, permit, core.shared.now(), took, answer);
                AuthProgress::Refuse(failed(&slot))
            }
            OffWorker::Busy => AuthProgress::Refuse(busy(&slot)),
        }
    }

    fn progress(
        self: Box<Self>,
        permit: Permit,
        took: std::time::Duration,
        step: Result<AuthStep, Fault>,
    ) -> AuthProgress {
        let (core, slot) = (Arc::clone(&self.core), Arc::clone(&self.slot));
        let answer = step.and_then(|step| self.checked(step));
        slot.end(Hook::EnhancedAuth, permit, core.shared.now(), took, answer)
            .unwrap_or_else(|_| AuthProgress::Refuse(failed(&slot)))
    }

    fn checked(self: Box<Self>, step: AuthStep) -> Result<(Answered, AuthProgress), Fault> {
        Ok(match step {
            AuthStep::Challenge(data) => {
                check_len(&data)?;
                (Answered::Challenge, AuthProgress::Challenge(data, self))
            }
            AuthStep::Accept(accepted, data) => {
                check_len(data.as_deref().unwrap_or_default())?;
                let admission = Box::new(self.slot.admission(&accepted, &self.who)?);
                (Answered::Allow, AuthProgress::Accept(admission, data))
            }
            AuthStep::Reject(failure) => {
                let carrier = if self.reauth { Carrier::Disconnect } else { Carrier::ConnAck };
                let refusal = self.slot.refusal(&failure, carrier)?;
                (Answered::Deny, AuthProgress::Refuse(refusal))
            }
        })
    }
}

fn check_len(data: &[u8]) -> Result<(), Fault> {
    if data.len() > usize::from(u16::MAX) {
        let what = "Authentication Data is longer than 65,535 bytes";
        return Err(Fault::invalid(what));
    }
    Ok(())
}
