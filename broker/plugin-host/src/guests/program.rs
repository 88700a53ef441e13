use std::sync::Arc;
use std::time::Duration;

use pintle_plugin_api::{Host, Settings};

use crate::code::ScriptLimits;
use crate::instance::{CarriedState, Stage};
use crate::log_rate::LogRate;
use crate::spec::Budgets;
use crate::ticker::ticks_of;

/// What every instance of a plugin is made from. `C` is its code, ready to be run.
pub(crate) struct Program<C> {
    /// The plugin's name in the configuration.
    pub(crate) name: Arc<str>,
    /// The last part of the path of its code.
    pub(crate) file: String,
    pub(crate) code: Arc<C>,
    pub(crate) settings: Settings,
    pub(crate) limits: ScriptLimits,
    pub(crate) deadlines: TickBudgets,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) with_password: bool,
    /// What the generation before said.
    pub(crate) state: Option<CarriedState>,
    /// All instances of a plugin share it.
    pub(crate) log_rate: Arc<LogRate>,
}

impl<C> Program<C> {
    pub(crate) fn new(stage: Stage, code: C) -> Self {
        Self {
            name: stage.name,
            file: stage.script.file_name(),
            code: Arc::new(code),
            settings: stage.settings,
            deadlines: TickBudgets::new(&stage.budgets, &stage.limits),
            limits: stage.limits,
            host: stage.host,
            with_password: stage.with_password,
            state: stage.state,
            log_rate: Arc::new(LogRate::new(stage.limits.log_lines_max)),
        }
    }

    /// The same under other settings.
    pub(crate) fn with_settings(&self, settings: &Settings, state: Option<CarriedState>) -> Self {
        Self {
            name: Arc::clone(&self.name),
            file: self.file.clone(),
            code: Arc::clone(&self.code),
            settings: settings.clone(),
            limits: self.limits,
            deadlines: self.deadlines,
            host: Arc::clone(&self.host),
            with_password: self.with_password,
            state,
            log_rate: Arc::clone(&self.log_rate),
        }
    }
}

/// Budgets in ticks.
#[derive(Clone, Copy)]
pub(crate) struct TickBudgets {
    pub(crate) load: u64,
    /// Of making one more instance on a worker, where everybody else waits.
    pub(crate) load_on_worker: u64,
    pub(crate) authenticate: u64,
    pub(crate) auth_step: u64,
    pub(crate) authorize: u64,
    pub(crate) publish: u64,
    pub(crate) subscribe: u64,
    pub(crate) deliver: u64,
    pub(crate) events: u64,
    pub(crate) timer: u64,
    pub(crate) command: u64,
    pub(crate) store: u64,
    pub(crate) commit: u64,
}

/// What was loaded before has no reason to take longer on a worker; if it does, its breaker opens
/// before others are kept waiting for long.
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
