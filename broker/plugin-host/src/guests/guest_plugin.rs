use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use pintle_plugin_api::{
    Action, AuthStep, AuthVerdict, CacheHint, Client, ClientDescription, Credentials, Decision,
    DeliverVerdict, Failure, Hooks, Host, Message, Origin, PublishVerdict, Settings, SettingsError,
    Space, StampedEvent, StoreEntry, StoreOp, SubscribeVerdict, Subscription,
};

use tracing::warn;

use super::guest::Guest;
use super::program::{Program, TickBudgets};
use crate::fault::{Fault, caught};
use crate::hops::{after_hops, hops};
use crate::instance::{Abilities, CarriedState, Exchange, Instance, Reply, StoreAnswer, carried};
use crate::per_thread::PerThread;
use crate::service::{After, Service, ServiceBounds};
use crate::thread_time::building;

/// A plugin under one configuration, with an instance on each thread of its own.
struct Generation<G: Guest> {
    number: u64,
    program: Arc<Program<G::Code>>,
    beside: Service<G>,
    /// One thread, so that an exchange finds the instance that it began with.
    exchanges: Arc<Service<G>>,
    /// One thread, so that batches stay in their order.
    store: Service<G>,
}

impl<G: Guest> Generation<G> {
    fn new(number: u64, program: &Arc<Program<G::Code>>, about: &Abilities) -> Self {
        let limits = program.limits;
        let service = |threads_max, stays| {
            let program = Arc::clone(program);
            let bounds = ServiceBounds { threads_max, waiting_max: limits.waiting_max, stays };
            Service::new(&*program.name.clone(), bounds, move || {
                G::new(&program, program.deadlines.load)
            })
        };
        Self {
            number,
            // State that is to be carried over has one place where it comes together.
            beside: match about.hooks.contains(Hooks::STATE) {
                true => service(1, true),
                false => service(limits.threads_max, false),
            },
            exchanges: Arc::new(service(1, false)),
            store: service(1, false),
            program: Arc::clone(program),
        }
    }
}

/// An instance on a worker.
struct OnWorker<G> {
    /// Of the configuration that it was made under.
    generation: u64,
    guest: G,
}

/// A plugin whose code was loaded at run time.
pub(crate) struct GuestPlugin<G: Guest> {
    about: Abilities,
    generation: ArcSwap<Generation<G>>,
    /// The present one's number: a worker looks at it with each call, and at the rest when it makes
    /// an instance.
    generation_number: AtomicU64,
    on_workers: PerThread<OnWorker<G>>,
    deadlines: TickBudgets,
    next_exchange: AtomicU64,
}

impl<G: Guest> GuestPlugin<G> {
    /// Tries whether an instance can be made, and asks what it is.
    ///
    /// # Errors
    /// What is wrong with the code or its settings.
    pub(crate) fn new(program: Program<G::Code>) -> Result<Self, Fault> {
        let program = Arc::new(program);
        let mut first: G = built(&program, program.deadlines.load)?;
        let about = first.abilities(&program)?;
        Ok(Self {
            generation: ArcSwap::from_pointee(Generation::new(0, &program, &about)),
            about,
            generation_number: AtomicU64::new(0),
            on_workers: PerThread::new(),
            deadlines: program.deadlines,
            next_exchange: AtomicU64::new(0),
        })
    }

    /// Asks this thread's instance.
    #[inline]
    fn ask<T>(
        &self,
        budget: impl FnOnce(&TickBudgets) -> u64,
        ask: impl FnOnce(&mut G) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let generation = self.generation_number.load(Ordering::Acquire);
        let answer = self.on_workers.with(
            || self.on_worker(),
            |instance| {
                if instance.generation != generation {
                    *instance = self.on_worker()?;
                }
                caught(|| instance.guest.within(budget(&self.deadlines), ask)).and_then(|it| it)
            },
        );
        let answer = answer.and_then(|answer| answer);
        if let Err(fault) = &answer
            && G::is_spoilt_by(fault)
        {
            self.on_workers.discard();
        }
        answer
    }

    #[cold]
    fn on_worker(&self) -> Result<OnWorker<G>, Fault> {
        let generation = self.generation.load();
        let budget = self.deadlines.load_on_worker;
        let guest = building(|| built(&generation.program, budget))?;
        Ok(OnWorker { generation: generation.number, guest })
    }

    /// Asks the instance that is the store, and waits.
    fn ask_store<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut G) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let budget = self.deadlines.store;
        self.generation.load().store.call(move |guest| judged::<G, _>(guest.within(budget, ask)))
    }

    /// Asks an instance on a thread of the plugin's own, and waits.
    fn ask_beside<T: Send + 'static>(
        &self,
        budget: u64,
        ask: impl FnOnce(&mut G) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let hops = hops();
        self.generation
            .load()
            .beside
            .call(move |guest| after_hops(hops, || judged::<G, _>(guest.within(budget, ask))))
    }
}

fn built<G: Guest>(program: &Arc<Program<G::Code>>, budget: u64) -> Result<G, Fault> {
    caught(|| G::new(program, budget)).and_then(|built| built)
}

fn judged<G: Guest, T>(answer: Result<T, Fault>) -> (Result<T, Fault>, After) {
    let is_spoilt = answer.as_ref().is_err_and(G::is_spoilt_by);
    (answer, if is_spoilt { After::Discard } else { After::Keep })
}

fn described(client: &dyn Client) -> ClientDescription {
    ClientDescription {
        client_id: client.client_id().to_owned(),
        username: client.username().map(str::to_owned),
        principal: client.principal().map(str::to_owned),
        protocol: client.protocol(),
        transport: client.transport(),
        listener: client.listener().to_owned(),
        remote_addr: client.remote_addr(),
        session_key: client.session_key(),
    }
}

/// An exchange whose state is kept by an instance.
struct GuestExchange<G: Guest> {
    service: Arc<Service<G>>,
    id: u64,
    begin: Option<Begin>,
    /// Whether the plugin keeps something for it.
    is_open: bool,
    budget: u64,
}

/// What the plugin is told before the first step.
struct Begin {
    client: ClientDescription,
    method: String,
    reauth: bool,
}

const BAD_AUTHENTICATION_METHOD: u8 = 0x8c;

impl<G: Guest> Exchange for GuestExchange<G> {
    fn step(&mut self, data: Option<&[u8]>) -> Result<AuthStep, Fault> {
        let (id, begin, data) = (self.id, self.begin.take(), data.map(<[u8]>::to_vec));
        let budget = self.budget;
        let step = self.service.call(move |guest| {
            let step = guest.within(budget, |guest| {
                if let Some(begin) = begin
                    && !guest.auth_begin(id, &begin.client, &begin.method, begin.reauth)?
                {
                    return Ok(AuthStep::Reject(Failure::code(BAD_AUTHENTICATION_METHOD)));
                }
                let step = guest.auth_step(id, data.as_deref());
                if !matches!(step, Ok(AuthStep::Challenge(_))) {
                    guest.auth_end(id)?;
                }
                step
            });
            judged::<G, _>(step)
        });
        self.is_open = matches!(step, Ok(AuthStep::Challenge(_)));
        step
    }
}

impl<G: Guest> Drop for GuestExchange<G> {
    /// The client went away in the middle.
    fn drop(&mut self) {
        let (id, budget) = (self.id, self.budget);
        if self.is_open {
            drop(self.service.send(move |guest| {
                judged::<G, _>(guest.within(budget, |guest| guest.auth_end(id)))
            }));
        }
    }
}

impl<G: Guest> Instance for GuestPlugin<G> {
    fn about(&self) -> &Abilities {
        &self.about
    }

    fn configure(&self, settings: &Settings) -> Result<(), SettingsError> {
        let old = self.generation.load();
        let state = self.export_state().unwrap_or_else(|fault| {
            warn!(plugin = &*old.program.name, error = %fault, "A plugin's state is not carried over.");
            None
        });
        let program = Arc::new(old.program.with_settings(settings, state));
        let tried = built::<G>(&program, program.deadlines.load);
        let about = tried.and_then(|mut tried| tried.abilities(&program));
        let about = about.map_err(|fault| SettingsError::new(fault.to_string()))?;
        if about.hooks != self.about.hooks {
            let what = "with these settings the plugin has other hooks: reload it";
            return Err(SettingsError::new(what));
        }
        let number = old.number + 1;
        self.generation.store(Arc::new(Generation::new(number, &program, &self.about)));
        self.generation_number.store(number, Ordering::Release);
        Ok(())
    }

    /// It has had its host from the start.
    fn start(&self, _host: Arc<dyn Host>) -> Result<(), Fault> {
        Ok(())
    }

    fn export_state(&self) -> Result<Option<CarriedState>, Fault> {
        if !self.about.hooks.contains(Hooks::STATE) {
            return Ok(None);
        }
        carried(self.ask_beside(self.deadlines.load, G::export_state)?)
    }

    fn authenticate(
        &self,
        client: &dyn Client,
        credentials: &Credentials,
    ) -> Result<Reply<AuthVerdict>, Fault> {
        let generation = self.generation.load();
        let (client, mut credentials) = (described(client), credentials.clone());
        if !generation.program.with_password {
            credentials.password = None;
        }
        let budget = generation.program.deadlines.authenticate;
        Ok(Reply::Coming(generation.beside.send(move |guest| {
            let ask = |guest: &mut G| guest.authenticate(&client, &credentials);
            judged::<G, _>(guest.within(budget, ask))
        })))
    }

    fn auth_begin(
        &self,
        client: &dyn Client,
        method: &str,
        reauth: bool,
    ) -> Result<Option<Box<dyn Exchange>>, Fault> {
        let generation = self.generation.load();
        Ok(Some(Box::new(GuestExchange {
            service: Arc::clone(&generation.exchanges),
            id: self.next_exchange.fetch_add(1, Ordering::Relaxed),
            begin: Some(Begin { client: described(client), method: method.to_owned(), reauth }),
            is_open: false,
            budget: generation.program.deadlines.auth_step,
        })))
    }

    fn authorize(&self, client: &dyn Client, action: &Action<'_>) -> Result<Decision, Fault> {
        let ask = |guest: &mut G| guest.authorize(client, action);
        Ok(match self.ask(|budgets| budgets.authorize, ask)? {
            Some(decision) => *decision,
            None => Decision::Allow(CacheHint::default()),
        })
    }

    fn explain(&self, client: &dyn Client, action: &Action<'_>) -> Result<Option<String>, Fault> {
        self.ask(|budgets| budgets.authorize, |guest| guest.explain(client, action))
    }

    fn on_publish(
        &self,
        origin: Origin,
        client: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> Result<PublishVerdict, Fault> {
        let ask = |guest: &mut G| guest.on_publish(origin, client, message);
        Ok(match self.ask(|budgets| budgets.publish, ask)? {
            Some(verdict) => *verdict,
            None => PublishVerdict::default(),
        })
    }

    fn on_subscribe(
        &self,
        client: &dyn Client,
        subscription: &Subscription,
    ) -> Result<SubscribeVerdict, Fault> {
        self.ask(|budgets| budgets.subscribe, |guest| guest.on_subscribe(client, subscription))
    }

    fn on_unsubscribe(&self, client: &dyn Client, filter: &str) -> Result<Option<String>, Fault> {
        self.ask(|budgets| budgets.subscribe, |guest| guest.on_unsubscribe(client, filter))
    }

    fn cohort(&self, client: &dyn Client) -> Result<Option<String>, Fault> {
        self.ask(|budgets| budgets.deliver, |guest| guest.cohort(client))
    }

    fn on_deliver(&self, cohort: &str, message: &Message<'_>) -> Result<DeliverVerdict, Fault> {
        self.ask(|budgets| budgets.deliver, |guest| guest.on_deliver(cohort, message))
    }

    fn on_events(&self, events: &[StampedEvent], lost: u64) -> Result<(), Fault> {
        let events = events.to_vec();
        let budget = self.deadlines.events;
        self.ask_beside(budget, move |guest| guest.on_events(&events, lost))
    }

    fn on_timer(&self, name: &str) -> Result<(), Fault> {
        let name = name.to_owned();
        let budget = self.deadlines.timer;
        self.ask_beside(budget, move |guest| guest.on_timer(&name))
    }

    fn on_command(
        &self,
        principal: Option<&str>,
        command: &str,
        args: &str,
    ) -> Result<Result<String, String>, Fault> {
        let (principal, command, args) =
            (principal.map(str::to_owned), command.to_owned(), args.to_owned());
        let budget = self.deadlines.command;
        self.ask_beside(budget, move |guest| {
            guest.on_command(principal.as_deref(), &command, &args)
        })
    }

    fn store_open(&self) -> Result<StoreAnswer, Fault> {
        self.ask_store(G::store_open)
    }

    fn store_apply(&self, ops: &Arc<[StoreOp]>) -> Result<StoreAnswer, Fault> {
        let ops = Arc::clone(ops);
        self.ask_store(move |guest| guest.store_apply(&ops))
    }

    fn store_scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<StoreAnswer<Vec<StoreEntry>>, Fault> {
        let (prefix, after) = (prefix.to_vec(), after.map(<[u8]>::to_vec));
        self.ask_store(move |guest| guest.store_scan(space, &prefix, after.as_deref(), limit))
    }

    fn store_flush(&self) -> Result<StoreAnswer, Fault> {
        self.ask_store(G::store_flush)
    }

    fn store_close(&self) -> Result<StoreAnswer, Fault> {
        self.ask_store(G::store_close)
    }

    fn on_commit(&self, commit: u64, ops: &Arc<[StoreOp]>, lost: u64) -> Result<(), Fault> {
        let ops = Arc::clone(ops);
        self.ask_beside(self.deadlines.commit, move |guest| guest.on_commit(commit, &ops, lost))
    }

    fn renew(&self) {
        self.on_workers.discard();
    }
}
