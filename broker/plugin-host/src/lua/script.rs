use mlua::{Function, Table, Value};
use pintle_plugin_api::{EventKinds, Hooks};

use super::events::kinds_of;
use super::failure::fault_of;
use crate::fault::Fault;
use crate::instance::Abilities;

/// A function of the script, and how much of what it could be told it wants to hear.
#[derive(Clone)]
pub(super) struct HookFunction {
    pub(super) function: Function,
    params: u8,
}

impl HookFunction {
    /// Whether it names a parameter at this place, counted from 1: what it does not name is not
    /// made for it.
    pub(super) const fn wants(&self, place: u8) -> bool {
        self.params >= place
    }
}

/// What the table that a script returns holds.
pub(super) struct ScriptHooks {
    pub(super) export_state: Option<HookFunction>,
    pub(super) import_state: Option<HookFunction>,
    pub(super) authenticate: Option<HookFunction>,
    pub(super) auth_begin: Option<HookFunction>,
    pub(super) authorize: Option<HookFunction>,
    pub(super) explain: Option<HookFunction>,
    pub(super) on_publish: Option<HookFunction>,
    pub(super) on_subscribe: Option<HookFunction>,
    pub(super) on_unsubscribe: Option<HookFunction>,
    pub(super) cohort: Option<HookFunction>,
    pub(super) on_deliver: Option<HookFunction>,
    pub(super) on_events: Option<HookFunction>,
    pub(super) on_timer: Option<HookFunction>,
    pub(super) on_command: Option<HookFunction>,
    pub(super) store_open: Option<HookFunction>,
    pub(super) store_apply: Option<HookFunction>,
    pub(super) store_scan: Option<HookFunction>,
    pub(super) store_flush: Option<HookFunction>,
    pub(super) store_close: Option<HookFunction>,
    pub(super) on_commit: Option<HookFunction>,
    name: Option<String>,
    version: Option<String>,
    events: EventKinds,
    auth_methods: Vec<String>,
}

/// Every function that a script may have.
const FUNCTIONS: [&str; 20] = [
    "authenticate",
    "auth_begin",
    "authorize",
    "explain",
    "on_publish",
    "on_subscribe",
    "on_unsubscribe",
    "cohort",
    "on_deliver",
    "on_events",
    "on_timer",
    "on_command",
    "store_open",
    "store_apply",
    "store_scan",
    "store_flush",
    "store_close",
    "on_commit",
    "export_state",
    "import_state",
];

impl ScriptHooks {
    /// Reads what the script `file` returned.
    ///
    /// # Errors
    /// What is not as it should be.
    pub(super) fn read(file: &str, returned: Value) -> Result<Self, Fault> {
        let Value::Table(table) = returned else {
            let what = returned.type_name();
            return Err(Fault::invalid(format!(
                "{file} returns {what}: it should end with `return P`, where P is the table of its hooks"
            )));
        };
        check_names(file, &table)?;
        let named = |key: &str| function(file, &table, key);
        let events: Vec<String> = field(file, &table, "events")?;
        let hooks = Self {
            export_state: named("export_state")?,
            import_state: named("import_state")?,
            authenticate: named("authenticate")?,
            auth_begin: named("auth_begin")?,
            authorize: named("authorize")?,
            explain: named("explain")?,
            on_publish: named("on_publish")?,
            on_subscribe: named("on_subscribe")?,
            on_unsubscribe: named("on_unsubscribe")?,
            cohort: named("cohort")?,
            on_deliver: named("on_deliver")?,
            on_events: named("on_events")?,
            on_timer: named("on_timer")?,
            on_command: named("on_command")?,
            store_open: named("store_open")?,
            store_apply: named("store_apply")?,
            store_scan: named("store_scan")?,
            store_flush: named("store_flush")?,
            store_close: named("store_close")?,
            on_commit: named("on_commit")?,
            name: field(file, &table, "name")?,
            version: field(file, &table, "version")?,
            events: kinds_of(&events)
                .map_err(|fault| Fault::invalid(format!("{file}: {fault}")))?,
            auth_methods: field(file, &table, "auth_methods")?,
        };
        hooks.check(file)?;
        Ok(hooks)
    }

    fn check(&self, file: &str) -> Result<(), Fault> {
        let fault = |what: &str| Err(Fault::invalid(format!("{file}: {what}")));
        if self.on_events.is_some() && self.events == EventKinds::NONE {
            return fault("on_events needs P.events, as in P.events = { \"connected\" }");
        }
        if self.on_events.is_none() && self.events != EventKinds::NONE {
            return fault("P.events is there and on_events is not");
        }
        if self.auth_begin.is_some() == self.auth_methods.is_empty() {
            return fault("auth_begin and P.auth_methods = { \"NAME\" } belong together");
        }
        if self.cohort.is_some() != self.on_deliver.is_some() {
            return fault("cohort and on_deliver belong together: cohort(client) names the group");
        }
        let beside = [&self.store_open, &self.store_scan, &self.store_flush, &self.store_close];
        let is_store = self.store_apply.is_some();
        if self.store_scan.is_some() != is_store
            || !is_store && beside.iter().any(|it| it.is_some())
        {
            return fault(
                "a store needs both store_apply(ops) and store_scan(space, prefix, after, limit)",
            );
        }
        if self.export_state.is_some() != self.import_state.is_some() {
            return fault("export_state() and import_state(state) belong together");
        }
        if Hooks::STATE.contains(self.hooks()) {
            return fault(
                "the table has no hooks, as in `function P.on_publish(client, topic, payload)`",
            );
        }
        Ok(())
    }

    fn hooks(&self) -> Hooks {
        let all = [
            (&self.authenticate, Hooks::AUTHENTICATE),
            (&self.auth_begin, Hooks::ENHANCED_AUTH),
            (&self.authorize, Hooks::AUTHORIZE),
            (&self.on_publish, Hooks::PUBLISH),
            (&self.on_subscribe, Hooks::SUBSCRIBE),
            (&self.on_unsubscribe, Hooks::UNSUBSCRIBE),
            (&self.on_deliver, Hooks::DELIVER),
            (&self.on_events, Hooks::EVENTS),
            (&self.on_timer, Hooks::TIMER),
            (&self.on_command, Hooks::COMMAND),
            (&self.store_apply, Hooks::STORE),
            (&self.on_commit, Hooks::OBSERVE),
            (&self.export_state, Hooks::STATE),
        ];
        let there = all.into_iter().filter(|(function, _)| function.is_some());
        there.fold(Hooks::NONE, |hooks, (_, hook)| hooks.and(hook))
    }

    pub(super) fn abilities(&self, plugin: &str) -> Abilities {
        Abilities {
            name: self.name.clone().unwrap_or_else(|| plugin.to_owned()),
            version: self.version.clone().unwrap_or_else(|| "0".to_owned()),
            hooks: self.hooks(),
            events: self.events,
            auth_methods: self.auth_methods.clone(),
        }
    }
}

fn function(file: &str, table: &Table, key: &str) -> Result<Option<HookFunction>, Fault> {
    let function: Option<Function> = field(file, table, key)?;
    Ok(function.map(|function| {
        let info = function.info();
        HookFunction { params: if info.is_vararg { u8::MAX } else { info.num_params }, function }
    }))
}

fn field<T: mlua::FromLua + Default>(file: &str, table: &Table, key: &str) -> Result<T, Fault> {
    let value: Option<T> = table
        .raw_get(key)
        .map_err(|error| Fault::invalid(format!("{file}: P.{key}: {}", fault_of(&error))))?;
    Ok(value.unwrap_or_default())
}

/// A hook whose name is misspelt would silently never be called.
fn check_names(file: &str, table: &Table) -> Result<(), Fault> {
    for pair in table.pairs::<Value, Value>() {
        let Ok((Value::String(key), Value::Function(_))) = pair else {
            continue;
        };
        let key = key.to_string_lossy();
        if !FUNCTIONS.contains(&key.as_str()) && !key.starts_with('_') {
            let known = FUNCTIONS.join(", ");
            return Err(Fault::invalid(format!(
                "{file}: P.{key} is no hook: there are {known}. Functions for yourself are \
                 `local`, or begin with `_`."
            )));
        }
    }
    Ok(())
}
