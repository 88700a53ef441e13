use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use pintle_plugin_api::{
    Action, AuthStep, AuthVerdict, Client, ClientDescription, Credentials, Decision,
    DeliverVerdict, Host, Message, Origin, PublishVerdict, Settings, SettingsError, Space,
    StampedEvent, StoreEntry, StoreOp, SubscribeVerdict, Subscription,
};

use super::state::LuaState;
use super::storage::{ScanCall, StoreCall};
use crate::code::ScriptLimits;
use crate::fault::{ErrorKind, Fault, caught};
use crate::instance::{Abilities, Exchange, Instance, Reply, Stage, StoreAnswer};
use crate::log_rate::LogRate;
use crate::per_thread::PerThread;
use crate::service::{After, Service, ServiceBounds};
use crate::spec::Budgets;
use crate::ticker::{Ticker, ticks_of};

/// What every instance of one script is made from.
pub(super) struct Program {
    name: Arc<str>,
    pub(super) file: String,
    pub(super) source: Arc<[u8]>,
    pub(super) settings: Settings,
    pub(super) limits: ScriptLimits,
    pub(super) deadlines: TickBudgets,
    pub(super) host: Arc<dyn Host>,
    with_password: bool,
    /// All instances of a plugin share it.
    pub(super) log_rate: Arc<LogRate>,
}

/// Budgets in ticks.
#[derive(Clone, Copy)]
pub(super) struct TickBudgets {
    load: u64,
    /// Of making one more instance on a worker, where everybody else waits.
    load_on_worker: u64,
    authenticate: u64,
    auth_step: u64,
    authorize: u64,
    publish: u64,
    subscribe: u64,
    deliver: u64,
    events: u64,
    timer: u64,
    command: u64,
    store: u64,
    commit: u64,
}

/// A script that was loaded before has no reason to take longer on a worker; if it does, its breaker
/// opens before others are kept waiting for long.
const LOAD_ON_WORKER_MAX: Duration = Duration::from_millis(250);

impl TickBudgets {
    fn new(budgets: &Budgets, limits: &ScriptLimits) -> Self {
        Self {
            load: ticks_of(limits.load),
            load_on_worker: ticks_of(limits.load.min(LOAD_ON_WORKER_MAX)),
            authenticate: ticks_of(budgets.authenticate),
            auth_step: ticks_of(budgets.auth_step),
            authorize: ticks_of(budgets.authorize),
            publish: ticks_of(budgets.publish),
            subscribe: ticks_of(budgets.subscribe),
            deliver: ticks_of(budgets.deliver),
            events: ticks_of(budgets.events),
            timer: ticks_of(budgets.timer),
            command: ticks_of(budgets.command),
            store: ticks_of(budgets.store),
            commit: ticks_of(budgets.commit),
        }
    }
}

/// A script under one configuration, with an instance on each thread of its own.
struct Generation {
    number: u64,
    program: Arc<Program>,
    beside: Service<LuaState>,
    /// One thread, so that an exchange finds the instance that it began with.
    exchanges: Arc<Service<LuaState>>,
    /// One thread, so that batches stay in their order.
    store: Service<LuaState>,
}

impl Generation {
    fn new(number: u64, program: &Arc<Program>) -> Self {
        let limits = program.limits;
        let service = |threads_max| {
            let program = Arc::clone(program);
            let bounds = ServiceBounds { threads_max, waiting_max: limits.waiting_max };
            Service::new(&*program.name.clone(), bounds, move || {
                LuaState::new(&program, program.deadlines.load)
            })
        };
        Self {
            number,
            beside: service(limits.threads_max),
            exchanges: Arc::new(service(1)),
            store: service(1),
            program: Arc::clone(program),
        }
    }
}

/// An instance on a worker.
struct OnWorker {
    /// Of the configuration that it was made under.
    generation: u64,
    state: LuaState,
}

/// A plugin that is a Lua script.
pub(super) struct LuaPlugin {
    about: Abilities,
    generation: ArcSwap<Generation>,
    /// The present one's number: a worker looks at it with each call, and at the rest when it makes
    /// an instance.
    generation_number: AtomicU64,
    on_workers: PerThread<OnWorker>,
    deadlines: TickBudgets,
    next_exchange: AtomicU64,
    _ticker: Ticker,
}

impl LuaPlugin {
    /// # Errors
    /// What is wrong with the script.
    pub(super) fn stage(stage: Stage) -> Result<Self, Fault> {
        let ticker = Ticker::start(|| {});
        let length = stage.script.bytes.len();
        if length > stage.limits.code_bytes_max {
            let max = stage.limits.code_bytes_max;
            let what = format!("the script has {length} bytes, and limits.code allows {max}");
            return Err(Fault::new(ErrorKind::Bound, what));
        }
        let program = Arc::new(Program {
            name: stage.name,
            file: stage.script.file_name(),
            source: stage.script.bytes,
            settings: stage.settings,
            deadlines: TickBudgets::new(&stage.budgets, &stage.limits),
            limits: stage.limits,
            host: stage.host,
            with_password: stage.with_password,
            log_rate: Arc::new(LogRate::new(stage.limits.log_lines_max)),
        });
        let first = built(&program, program.deadlines.load)?;
        let about = first.hooks.abilities(&program.name);
        Ok(Self {
            about,
            generation: ArcSwap::from_pointee(Generation::new(0, &program)),
            generation_number: AtomicU64::new(0),
            on_workers: PerThread::new(),
            deadlines: program.deadlines,
            next_exchange: AtomicU64::new(0),
            _ticker: ticker,
        })
    }

    /// Asks this thread's instance.
    #[inline]
    fn ask<T>(
        &self,
        budget: impl FnOnce(&TickBudgets) -> u64,
        ask: impl FnOnce(&mut LuaState) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let generation = self.generation_number.load(Ordering::Acquire);
        let answer = self.on_workers.with(
            || self.on_worker(),
            |instance| {
                if instance.generation != generation {
                    *instance = self.on_worker()?;
                }
                caught(|| instance.state.within(budget(&self.deadlines), ask)).and_then(|it| it)
            },
        );
        let answer = answer.and_then(|answer| answer);
        if let Err(fault) = &answer
            && spoils(fault)
        {
            self.on_workers.discard();
        }
        answer
    }

    #[cold]
    fn on_worker(&self) -> Result<OnWorker, Fault> {
        let generation = self.generation.load();
        let state = built(&generation.program, self.deadlines.load_on_worker)?;
        Ok(OnWorker { generation: generation.number, state })
    }

    /// Asks the instance that is the store, and waits.
    fn ask_store<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut LuaState) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let budget = self.deadlines.store;
        self.generation.load().store.call(move |state| judged(state.within(budget, ask)))
    }

    /// Asks an instance on a thread of the plugin's own, and waits.
    fn ask_beside<T: Send + 'static>(
        &self,
        budget: u64,
        ask: impl FnOnce(&mut LuaState) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.generation.load().beside.call(move |state| judged(state.within(budget, ask)))
    }
}

fn built(program: &Arc<Program>, budget: u64) -> Result<LuaState, Fault> {
    caught(|| LuaState::new(program, budget)).and_then(|built| built)
}

/// Whether an instance is not to be trusted any more after this. An ordinary error of a script
/// leaves it as it was.
fn spoils(fault: &Fault) -> bool {
    matches!(fault.kind, ErrorKind::Late | ErrorKind::Memory | ErrorKind::Panic)
}

fn judged<T>(answer: Result<T, Fault>) -> (Result<T, Fault>, After) {
    let is_spoilt = answer.as_ref().is_err_and(spoils);
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

/// An exchange whose state is kept by an instance of the script.
struct LuaExchange {
    service: Arc<Service<LuaState>>,
    id: u64,
    begin: Option<Begin>,
    budget: u64,
}

/// What the script is told before the first step.
#[derive(Clone)]
struct Begin {
    client: ClientDescription,
    method: String,
    reauth: bool,
}

impl Exchange for LuaExchange {
    fn step(&mut self, data: Option<&[u8]>) -> Result<AuthStep, Fault> {
        let (id, begin, data) = (self.id, self.begin.take(), data.map(<[u8]>::to_vec));
        let budget = self.budget;
        self.service.call(move |state| {
            let step = state.within(budget, |state| {
                if let Some(begin) = begin
                    && !state.auth_begin(id, &begin.client, &begin.method, begin.reauth)?
                {
                    return Ok(AuthStep::Reject(pintle_plugin_api::Failure::code(0x8c)));
                }
                state.auth_step(id, data.as_deref())
            });
            if !matches!(step, Ok(AuthStep::Challenge(_))) {
                state.forget_exchange(id);
            }
            judged(step)
        })
    }
}

impl Drop for LuaExchange {
    /// The client went away in the middle.
    fn drop(&mut self) {
        let id = self.id;
        if self.begin.is_none() {
            drop(self.service.send(move |state| {
                state.forget_exchange(id);
                (Ok(()), After::Keep)
            }));
        }
    }
}

impl Instance for LuaPlugin {
    fn about(&self) -> &Abilities {
        &self.about
    }

    fn configure(&self, settings: &Settings) -> Result<(), SettingsError> {
        let old = self.generation.load();
        let program = Arc::new(Program {
            name: Arc::clone(&old.program.name),
            file: old.program.file.clone(),
            source: Arc::clone(&old.program.source),
            settings: settings.clone(),
            limits: old.program.limits,
            deadlines: old.program.deadlines,
            host: Arc::clone(&old.program.host),
            with_password: old.program.with_password,
            log_rate: Arc::clone(&old.program.log_rate),
        });
        let tried = built(&program, program.deadlines.load);
        let tried = tried.map_err(|fault| SettingsError::new(fault.to_string()))?;
        if tried.hooks.abilities(&program.name).hooks != self.about.hooks {
            let what = "with these settings the script has other hooks: reload the plugin";
            return Err(SettingsError::new(what));
        }
        let number = old.number + 1;
        self.generation.store(Arc::new(Generation::new(number, &program)));
        self.generation_number.store(number, Ordering::Release);
        Ok(())
    }

    /// A script has its host from the start.
    fn start(&self, _host: Arc<dyn Host>) -> Result<(), Fault> {
        Ok(())
    }

    fn authenticate(
        &self,
        client: &dyn Client,
        credentials: &Credentials,
    ) -> Result<Reply<AuthVerdict>, Fault> {
        let generation = self.generation.load();
        let (client, credentials) = (described(client), credentials.clone());
        let budget = generation.program.deadlines.authenticate;
        let with_password = generation.program.with_password;
        Ok(Reply::Coming(generation.beside.send(move |state| {
            judged(
                state.within(budget, |state| {
                    state.authenticate(&client, &credentials, with_password)
                }),
            )
        })))
    }

    fn auth_begin(
        &self,
        client: &dyn Client,
        method: &str,
        reauth: bool,
    ) -> Result<Option<Box<dyn Exchange>>, Fault> {
        let generation = self.generation.load();
        Ok(Some(Box::new(LuaExchange {
            service: Arc::clone(&generation.exchanges),
            id: self.next_exchange.fetch_add(1, Ordering::Relaxed),
            begin: Some(Begin { client: described(client), method: method.to_owned(), reauth }),
            budget: generation.program.deadlines.auth_step,
        })))
    }

    fn authorize(&self, client: &dyn Client, action: &Action<'_>) -> Result<Decision, Fault> {
        self.ask(|budgets| budgets.authorize, |state| state.authorize(client, action))
    }

    fn explain(&self, client: &dyn Client, action: &Action<'_>) -> Result<Option<String>, Fault> {
        self.ask(|budgets| budgets.authorize, |state| state.explain(client, action))
    }

    fn on_publish(
        &self,
        origin: Origin,
        client: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> Result<PublishVerdict, Fault> {
        let ask = |state: &mut LuaState| state.on_publish(origin, client, message);
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
        self.ask(|budgets| budgets.subscribe, |state| state.on_subscribe(client, subscription))
    }

    fn on_unsubscribe(&self, client: &dyn Client, filter: &str) -> Result<Option<String>, Fault> {
        self.ask(|budgets| budgets.subscribe, |state| state.on_unsubscribe(client, filter))
    }

    fn cohort(&self, client: &dyn Client) -> Result<Option<String>, Fault> {
        self.ask(|budgets| budgets.deliver, |state| state.cohort(client))
    }

    fn on_deliver(&self, cohort: &str, message: &Message<'_>) -> Result<DeliverVerdict, Fault> {
        self.ask(|budgets| budgets.deliver, |state| state.on_deliver(cohort, message))
    }

    fn on_events(&self, events: &[StampedEvent], lost: u64) -> Result<(), Fault> {
        let events = events.to_vec();
        let budget = self.generation.load().program.deadlines.events;
        self.ask_beside(budget, move |state| state.on_events(&events, lost))
    }

    fn on_timer(&self, name: &str) -> Result<(), Fault> {
        let name = name.to_owned();
        let budget = self.generation.load().program.deadlines.timer;
        self.ask_beside(budget, move |state| state.on_timer(&name))
    }

    fn on_command(
        &self,
        principal: Option<&str>,
        command: &str,
        args: &str,
    ) -> Result<Result<String, String>, Fault> {
        let (principal, command, args) =
            (principal.map(str::to_owned), command.to_owned(), args.to_owned());
        let budget = self.generation.load().program.deadlines.command;
        self.ask_beside(budget, move |state| {
            state.on_command(principal.as_deref(), &command, &args)
        })
    }

    fn store_open(&self) -> Result<StoreAnswer, Fault> {
        self.ask_store(|state| state.store(&StoreCall::Open))
    }

    fn store_apply(&self, ops: &Arc<[StoreOp]>) -> Result<StoreAnswer, Fault> {
        let call = StoreCall::Apply(Arc::clone(ops));
        self.ask_store(move |state| state.store(&call))
    }

    fn store_scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<StoreAnswer<Vec<StoreEntry>>, Fault> {
        let (prefix, after) = (prefix.to_vec(), after.map(<[u8]>::to_vec));
        let scan = ScanCall { space, prefix, after, limit };
        self.ask_store(move |state| state.store_scan(&scan))
    }

    fn store_flush(&self) -> Result<StoreAnswer, Fault> {
        self.ask_store(|state| state.store(&StoreCall::Flush))
    }

    fn store_close(&self) -> Result<StoreAnswer, Fault> {
        self.ask_store(|state| state.store(&StoreCall::Close))
    }

    fn on_commit(&self, commit: u64, ops: &Arc<[StoreOp]>, lost: u64) -> Result<(), Fault> {
        let ops = Arc::clone(ops);
        let budget = self.deadlines.commit;
        self.ask_beside(budget, move |state| state.on_commit(commit, &ops, lost))
    }

    fn renew(&self) {
        self.on_workers.discard();
    }
}
