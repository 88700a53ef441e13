use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pintle_mqtt::{
    Auth, Connect, Frame, Packet, PacketType, Property, PropertyBuffer, ReasonCode, Violation,
};
use pintle_ports::{Admission, AuthProgress, Exchange, Granted, Identity, Refusal, Step};
use pintle_session::{AuthExchange, AuthStep};

use crate::connect::{Awaited, PendingConnect, WaitingConnect};
use crate::connection::{Connection, Halt, Phase};
use crate::counters::add;
use crate::store::Unsaved;
use crate::worker::Worker;

/// A CONNECT whose enhanced authentication waits for the client's AUTH.
pub(crate) struct Challenged {
    pub(crate) pending: PendingConnect,
    exchange: Box<dyn Exchange>,
}

/// Enhanced authentication of a connection that is in: for re-authentication (4.12.1).
pub(crate) struct LiveAuth {
    rules: AuthExchange,
    exchange: Option<Box<dyn Exchange>>,
    awaited: Option<Pin<Box<dyn Future<Output = AuthProgress> + Send>>>,
}

impl LiveAuth {
    pub(crate) fn new(rules: AuthExchange) -> Self {
        Self { rules, exchange: None, awaited: None }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.awaited.is_some()
    }
}

impl Connection {
    /// CONNECT named an Authentication Method: its plugin begins an exchange [MQTT-4.12.0-1].
    pub(crate) fn begin_enhanced_auth(
        &mut self,
        worker: &mut Worker,
        pending: PendingConnect,
        connect: &Connect<'_>,
    ) -> Result<(), Halt> {
        let data = connect.properties.authentication_data();
        let method = pending.auth.method().unwrap_or_default();
        let begun = if worker.interest().enhanced_auth {
            worker.hooks().auth_begin(&pending.identity, method, data, false)
        } else {
            None
        };
        match begun {
            None => {
                let refusal = Refusal {
                    reason: ReasonCode::BadAuthenticationMethod,
                    message: None,
                    decided_by: "core: no plugin has this authentication method".into(),
                };
                Err(self.refuse_client(worker, &pending, &refusal))
            }
            Some(Step::Done(progress)) => self.progress(worker, pending, progress),
            Some(Step::Wait(future)) => self.wait_for(pending, Awaited::Progress(future)),
        }
    }

    fn wait_for(&mut self, pending: PendingConnect, awaited: Awaited) -> Result<(), Halt> {
        self.phase = Phase::Waiting(Box::new(WaitingConnect { pending, awaited }));
        Ok(())
    }

    /// The plugin's answer to CONNECT, or to an AUTH during it.
    pub(crate) fn progress(
        &mut self,
        worker: &mut Worker,
        mut pending: PendingConnect,
        progress: AuthProgress,
    ) -> Result<(), Halt> {
        match progress {
            AuthProgress::Accept(admission, data) => self.open(worker, pending, *admission, data),
            AuthProgress::Refuse(refusal) => Err(self.refuse_client(worker, &pending, &refusal)),
            AuthProgress::Challenge(data, exchange) => {
                let mut out = Vec::new();
                encode_auth(ReasonCode::ContinueAuthentication, &pending.auth, &data, &mut out);
                pending.link.send(&out);
                let counts = worker.counts();
                counts.sent(&counts.auth_sent, 1);
                add(&counts.bytes_sent, out.len() as u64);
                pending.auth.challenged();
                self.phase = Phase::Challenged(Box::new(Challenged { pending, exchange }));
                Ok(())
            }
        }
    }

    /// A packet before CONNACK: only AUTH goes on, DISCONNECT ends it [MQTT-3.1.2-30].
    pub(crate) fn auth_during_connect(
        &mut self,
        worker: &mut Worker,
        frame: &Frame<'_>,
    ) -> Result<(), Halt> {
        let Phase::Challenged(challenged) = &mut self.phase else {
            return Err(Halt::Gone);
        };
        let version = challenged.pending.identity.protocol;
        let auth = match PacketType::from_first_byte(frame.first_byte) {
            Some(PacketType::Auth) => match Packet::decode(frame, version)? {
                Packet::Auth(auth) => auth,
                _ => return Err(Halt::Gone),
            },
            Some(PacketType::Disconnect) => {
                let counts = worker.counts();
                counts.received(&counts.disconnect_received, 1);
                challenged.pending.link.close(Vec::new());
                return Err(Halt::Gone);
            }
            Some(_) | None => {
                let what = "a packet other than AUTH or DISCONNECT came before CONNACK";
                return Err(Violation::protocol_error(what).into());
            }
        };
        let counts = worker.counts();
        counts.received(&counts.auth_received, 1);
        let method = auth.properties.authentication_method();
        challenged.pending.auth.auth(auth.reason, method)?;
        let data = auth.properties.authentication_data().map(<[u8]>::to_vec);
        let Phase::Challenged(challenged) = std::mem::replace(&mut self.phase, Phase::Closed)
        else {
            return Err(Halt::Gone);
        };
        let Challenged { pending, exchange } = *challenged;
        match exchange.step(data) {
            Step::Done(progress) => self.progress(worker, pending, progress),
            Step::Wait(future) => self.wait_for(pending, Awaited::Progress(future)),
        }
    }

    /// AUTH of a client that is in: re-authentication, by the same method [MQTT-4.12.1-1].
    pub(crate) fn reauthenticate(
        &mut self,
        worker: &mut Worker,
        auth: &Auth<'_>,
    ) -> Result<(), Halt> {
        let counts = worker.counts();
        counts.received(&counts.auth_received, 1);
        let Phase::Live(live) = &mut self.phase else {
            return Err(Halt::Gone);
        };
        let Some(state) = &mut live.auth else {
            let what = "an AUTH came though CONNECT had no Authentication Method";
            return Err(Violation::protocol_error(what).into());
        };
        let data = auth.properties.authentication_data();
        let step = state.rules.auth(auth.reason, auth.properties.authentication_method())?;
        let begun = match step {
            AuthStep::BeginReAuthentication => {
                let method = state.rules.method().unwrap_or_default();
                if worker.interest().enhanced_auth {
                    worker.hooks().auth_begin(&live.identity, method, data, true)
                } else {
                    None
                }
            }
            AuthStep::ContinueReAuthentication | AuthStep::ContinueConnect => {
                state.exchange.take().map(|exchange| exchange.step(data.map(<[u8]>::to_vec)))
            }
        };
        match begun {
            None => {
                let what = "no plugin has this authentication method";
                Err(Halt::close(ReasonCode::BadAuthenticationMethod, what))
            }
            Some(Step::Done(progress)) => self.reauth_progress(worker, progress),
            Some(Step::Wait(future)) => {
                state.awaited = Some(future);
                Ok(())
            }
        }
    }

    pub(crate) fn poll_reauthentication(
        &mut self,
        worker: &mut Worker,
        task: &mut Context<'_>,
    ) -> Poll<Result<(), Halt>> {
        let Phase::Live(live) = &mut self.phase else {
            return Poll::Ready(Ok(()));
        };
        let Some(state) = &mut live.auth else {
            return Poll::Ready(Ok(()));
        };
        let Some(future) = &mut state.awaited else {
            return Poll::Ready(Ok(()));
        };
        let Poll::Ready(progress) = future.as_mut().poll(task) else {
            return Poll::Pending;
        };
        state.awaited = None;
        Poll::Ready(self.reauth_progress(worker, progress))
    }

    fn reauth_progress(&mut self, worker: &mut Worker, progress: AuthProgress) -> Result<(), Halt> {
        let (reason, data) = match progress {
            AuthProgress::Challenge(data, exchange) => {
                let state = self.live_auth()?;
                state.exchange = Some(exchange);
                state.rules.challenged();
                (ReasonCode::ContinueAuthentication, data)
            }
            AuthProgress::Accept(admission, data) => {
                self.live_auth()?.rules.succeeded();
                self.change_rights(worker, &admission)?;
                (ReasonCode::Success, data.unwrap_or_default())
            }
            AuthProgress::Refuse(refusal) => {
                let by = Some(&*refusal.decided_by);
                let identity = &self.live()?.identity;
                worker.tell_denial(identity, "Re-authentication", None, refusal.reason, by);
                return Err(Halt::close(refusal.reason, "re-authentication failed"));
            }
        };
        encode_auth(reason, &self.live_auth()?.rules, &data, &mut worker.replies);
        let counts = worker.counts();
        counts.sent(&counts.auth_sent, 1);
        Ok(())
    }

    fn live_auth(&mut self) -> Result<&mut LiveAuth, Halt> {
        match &mut self.phase {
            Phase::Live(live) => live.auth.as_deref_mut().ok_or(Halt::Gone),
            Phase::Fresh(_) | Phase::Waiting(_) | Phase::Challenged(_) | Phase::Closed => {
                Err(Halt::Gone)
            }
        }
    }

    /// From now on the client has the rights of `admission`.
    fn change_rights(&mut self, worker: &Worker, admission: &Admission) -> Result<(), Halt> {
        let identity = Arc::new(with_new_rights(&self.live()?.identity, admission));
        {
            let mut state = self.own_state()?;
            state.identity = Arc::clone(&identity);
            state.forget_cohort();
            worker.engine().forget_routes_to(&state);
            if state.is_lasting() {
                worker.engine().note(&self.live()?.session, Unsaved::SESSION);
            }
        }
        self.last = None;
        if let Phase::Live(live) = &mut self.phase {
            live.identity = identity;
        }
        Ok(())
    }

    /// Whether a hook is deciding on a re-authentication.
    pub(crate) fn is_waiting_live(&self) -> bool {
        let Phase::Live(live) = &self.phase else {
            return false;
        };
        live.auth.as_ref().is_some_and(|auth| auth.is_waiting())
    }
}

fn with_new_rights(before: &Identity, admission: &Admission) -> Identity {
    let before_it = || before.granted.as_ref()?.principal.clone();
    let principal = admission.principal.clone().or_else(before_it);
    Identity { granted: Granted::new(principal, admission.rules.clone()), ..before.copied() }
}

fn encode_auth(reason: ReasonCode, rules: &AuthExchange, data: &[u8], out: &mut Vec<u8>) {
    let mut properties = PropertyBuffer::new();
    properties.push_some(rules.method().map(Property::AuthenticationMethod));
    if !data.is_empty() {
        properties.push(Property::AuthenticationData(data));
    }
    Auth { reason, properties: properties.as_properties() }.encode(out);
}
