use std::rc::Rc;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};
use mlua::{FromLuaMulti, Function, Lua, Table, Value};
use pintle_plugin_api::{
    Action, AuthStep, AuthVerdict, Client, ClientDescription, Credentials, Decision,
    DeliverVerdict, Message, Origin, PublishOutcome, PublishVerdict, Space, StampedEvent,
    StoreEntry, StoreOp, SubscribeVerdict, Subscription,
};

use super::answer::{
    auth_step, auth_verdict, decision, deliver_verdict, publish_outcome, subscribe_verdict,
};
use super::bound::Bound;
use super::client_table::ClientTables;
use super::encodings::to_lua;
use super::events::event_table;
use super::failure::fault_of;
use super::host_functions::Ground;
use super::json::{Unfit, encode};
use super::message_table::{message_table, subscription_table};
use super::sandbox::{Call, compile, sandbox};
use super::script::{HookFunction, ScriptHooks};
use super::source::Source;
use super::storage::{ScanCall, StoreCall};
use super::texts::Texts;
use super::{crypto, encodings, host_functions, json};
use crate::fault::{ErrorKind, Fault};
use crate::guests::{EXCHANGES_MAX, Guest, Program};
use crate::instance::{Abilities, StoreAnswer};
use crate::ticker::ticks;

/// One instance of a script, on one thread.
pub(super) struct LuaState {
    lua: Lua,
    call: Rc<Call>,
    pub(super) hooks: ScriptHooks,
    bound: Bound,
    clients: ClientTables,
    texts: Texts,
    /// Exchanges of enhanced authentication that wait for their clients.
    exchanges: HashMap<u64, Function>,
    host_calls_max: u32,
    /// The last part of the path of the script.
    file: String,
}

fn no_hook<T>() -> Result<T, Fault> {
    Err(Fault::invalid("the script has no such hook"))
}

fn checked<T>(answer: mlua::Result<T>) -> Result<T, Fault> {
    answer.map_err(|error| fault_of(&error))
}

impl LuaState {
    /// The fault with the file, where no line of it can be told.
    #[cold]
    fn placed(&self, fault: Fault) -> Fault {
        match fault.kind {
            ErrorKind::Memory => {
                let what = format!("{}: {fault} (limits.memory)", self.file);
                Fault::new(ErrorKind::Memory, what)
            }
            _ => fault,
        }
    }

    pub(super) fn lua(&self) -> &Lua {
        &self.lua
    }

    fn client(&mut self, client: &dyn Client) -> Result<Table, Fault> {
        checked(self.clients.table_of(&self.lua, client).cloned())
    }
}

impl Guest for LuaState {
    type Code = Source;

    fn new(program: &Arc<Program<Source>>, budget: u64) -> Result<Self, Fault> {
        let call = Rc::new(Call::new(program.limits.memory_bytes_max));
        let host_calls_max = program.limits.host_calls_max;
        call.begin(ticks().saturating_add(budget), host_calls_max);
        let ground = Ground {
            host: Arc::clone(&program.host),
            call: Rc::clone(&call),
            log_line_bytes_max: program.limits.log_line_bytes_max,
            log_rate: Arc::clone(&program.log_rate),
        };
        let furnish = |lua: &Lua| {
            encodings::add(lua)?;
            json::add(lua, &ground)?;
            crypto::add(lua)?;
            host_functions::add(lua, &ground, &program.settings)
        };
        let built = (|| {
            let lua = checked(sandbox(&call, program.limits.memory_bytes_max, furnish))?;
            let chunk = checked(compile(&lua, &program.file, &program.code.bytes))?;
            let returned: Value = checked(chunk.call(()))?;
            let hooks = ScriptHooks::read(&program.file, returned)?;
            if let (Some(hook), Some(state)) = (&hooks.import_state, &program.state) {
                let state = checked(lua.create_string(state))?;
                checked(hook.function.call::<()>(state))?;
            }
            Ok((lua, hooks))
        })();
        if call.end() {
            return Err(call.late());
        }
        let (lua, hooks) = built?;
        Ok(Self {
            bound: Bound::new(program.limits.memory_bytes_max),
            clients: ClientTables::new(),
            texts: checked(Texts::new(&lua))?,
            exchanges: HashMap::new(),
            lua,
            call,
            hooks,
            host_calls_max,
            file: program.file.clone(),
        })
    }

    fn abilities(&mut self, program: &Program<Source>) -> Result<Abilities, Fault> {
        Ok(self.hooks.abilities(&program.name))
    }

    fn export_state(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let Some(hook) = &self.hooks.export_state else { return no_hook() };
        let state: Option<mlua::LuaString> = checked(hook.function.call(()))?;
        Ok(state.map(|state| state.as_bytes().to_vec()))
    }

    /// Calls into the script with a deadline so many ticks from now.
    #[inline]
    fn within<T>(
        &mut self,
        budget: u64,
        ask: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.call.begin(ticks().saturating_add(budget), self.host_calls_max);
        let answer = ask(self);
        if self.call.end() {
            return Err(self.call.late());
        }
        answer.map_err(|fault| self.placed(fault))
    }

    /// An ordinary error of a script leaves its state as it was.
    fn is_spoilt_by(fault: &Fault) -> bool {
        matches!(fault.kind, ErrorKind::Late | ErrorKind::Memory | ErrorKind::Panic)
    }

    fn authenticate(
        &mut self,
        client: &ClientDescription,
        credentials: &Credentials,
    ) -> Result<AuthVerdict, Fault> {
        let table = self.client(client)?;
        let Some(hook) = &self.hooks.authenticate else { return no_hook() };
        let password = credentials.password.as_deref();
        let password = password.map(|bytes| self.lua.create_string(bytes)).transpose();
        let username = credentials.username.as_deref();
        let will_topic = credentials.will_topic.as_deref();
        let args = (table, username, checked(password)?, will_topic);
        let answer = checked(hook.function.call::<Value>(args))?;
        auth_verdict(&self.lua, answer)
    }

    /// Begins an exchange; false if the script does not want to.
    fn auth_begin(
        &mut self,
        exchange: u64,
        client: &ClientDescription,
        method: &str,
        reauth: bool,
    ) -> Result<bool, Fault> {
        let table = self.client(client)?;
        let Some(hook) = &self.hooks.auth_begin else { return no_hook() };
        match checked(hook.function.call::<Value>((table, method, reauth)))? {
            Value::Nil | Value::Boolean(false) => Ok(false),
            Value::Function(step) if self.exchanges.len() < EXCHANGES_MAX => {
                self.exchanges.insert(exchange, step);
                Ok(true)
            }
            Value::Function(_) => {
                let what = format!("more than {EXCHANGES_MAX} exchanges at once");
                Err(Fault::new(ErrorKind::Bound, what))
            }
            other => Err(Fault::invalid(format!(
                "auth_begin returned a {}: it should return the function that takes the \
                 client's data, or nil",
                other.type_name()
            ))),
        }
    }

    fn auth_step(&mut self, exchange: u64, data: Option<&[u8]>) -> Result<AuthStep, Fault> {
        let Some(step) = self.exchanges.get(&exchange) else {
            return Err(Fault::invalid("the exchange was lost with the instance that held it"));
        };
        let data = data.map(|data| self.lua.create_string(data)).transpose();
        let answer = checked(step.call::<Value>(checked(data)?))?;
        auth_step(&self.lua, answer)
    }

    fn auth_end(&mut self, exchange: u64) -> Result<(), Fault> {
        self.exchanges.remove(&exchange);
        Ok(())
    }

    fn authorize(
        &mut self,
        client: &dyn Client,
        action: &Action<'_>,
    ) -> Result<Option<Box<Decision>>, Fault> {
        let Self { lua, hooks, clients, texts, bound, .. } = self;
        let Some(hook) = &hooks.authorize else { return no_hook() };
        let (value, hint): (Value, Option<Table>) =
            ask_about(lua, *bound, hook, clients, texts, client, action)?;
        match (value, hint) {
            (Value::Boolean(true), None) => Ok(None),
            (Value::Nil, _) => Ok(Some(Box::new(Decision::Next))),
            (value, hint) => {
                checked(bound.after(lua, || decision(value, hint)))?.map(|it| Some(Box::new(it)))
            }
        }
    }

    fn explain(
        &mut self,
        client: &dyn Client,
        action: &Action<'_>,
    ) -> Result<Option<String>, Fault> {
        let Self { lua, hooks, clients, texts, bound, .. } = self;
        let Some(hook) = &hooks.explain else { return Ok(None) };
        ask_about(lua, *bound, hook, clients, texts, client, action)
    }

    /// `None` if it passes as it is, and nothing is emitted beside it. A verdict is long, and would be
    /// moved from one caller to the next.
    fn on_publish(
        &mut self,
        origin: Origin,
        client: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> Result<Option<Box<PublishVerdict>>, Fault> {
        let Self { lua, call, hooks, clients, texts, bound, .. } = self;
        let Some(hook) = &hooks.on_publish else { return no_hook() };
        call.may_emit.set(true);
        let answer = call_with_message(lua, *bound, hook, texts, message, Some(origin), || {
            client.map(|client| clients.table_of(lua, client)).transpose()
        });
        let emit = std::mem::take(&mut *call.emits.borrow_mut());
        let outcome = match answer? {
            Value::Nil if emit.is_empty() => return Ok(None),
            Value::Nil => PublishOutcome::Pass,
            answer => checked(bound.after(lua, || publish_outcome(lua, answer)))??,
        };
        Ok(Some(Box::new(PublishVerdict { outcome, emit })))
    }

    fn on_deliver(&mut self, cohort: &str, message: &Message<'_>) -> Result<DeliverVerdict, Fault> {
        let Self { lua, hooks, texts, bound, .. } = self;
        let Some(hook) = &hooks.on_deliver else { return no_hook() };
        let first = || Ok(cohort);
        match call_with_message(lua, *bound, hook, texts, message, None, first)? {
            Value::Nil => Ok(DeliverVerdict::Pass),
            answer => checked(bound.after(lua, || deliver_verdict(lua, answer)))?,
        }
    }

    fn on_subscribe(
        &mut self,
        client: &dyn Client,
        subscription: &Subscription,
    ) -> Result<SubscribeVerdict, Fault> {
        let client = self.client(client)?;
        let Some(hook) = &self.hooks.on_subscribe else { return no_hook() };
        let table = checked(subscription_table(&self.lua, subscription))?;
        let answer = checked(hook.function.call::<Value>((client, table)))?;
        subscribe_verdict(&self.lua, subscription, answer)
    }

    fn on_unsubscribe(
        &mut self,
        client: &dyn Client,
        filter: &str,
    ) -> Result<Option<String>, Fault> {
        let client = self.client(client)?;
        let Some(hook) = &self.hooks.on_unsubscribe else { return no_hook() };
        checked(hook.function.call((client, filter)))
    }

    fn cohort(&mut self, client: &dyn Client) -> Result<Option<String>, Fault> {
        let client = self.client(client)?;
        let Some(hook) = &self.hooks.cohort else { return no_hook() };
        checked(hook.function.call(client))
    }

    fn on_events(&mut self, events: &[StampedEvent], lost: u64) -> Result<(), Fault> {
        let Some(hook) = &self.hooks.on_events else { return no_hook() };
        let batch = checked(self.lua.create_table_with_capacity(events.len(), 0))?;
        for event in events {
            let table = checked(event_table(&self.lua, event))?;
            checked(batch.raw_push(table))?;
        }
        checked(hook.function.call((batch, lost as f64)))
    }

    fn on_timer(&mut self, name: &str) -> Result<(), Fault> {
        let Some(hook) = &self.hooks.on_timer else { return no_hook() };
        checked(hook.function.call(name))
    }

    /// What the script returns goes to the operator as JSON; a second value is a complaint.
    fn on_command(
        &mut self,
        principal: Option<&str>,
        command: &str,
        args: &str,
    ) -> Result<Result<String, String>, Fault> {
        let Some(hook) = &self.hooks.on_command else { return no_hook() };
        let args = if args.trim().is_empty() { "null" } else { args };
        let args: serde_json::Value = match serde_json::from_str(args) {
            Ok(args) => args,
            Err(error) => return Ok(Err(format!("the arguments are no JSON: {error}"))),
        };
        let args = checked(to_lua(&self.lua, &args))?;
        let answer: (Value, Option<String>) =
            checked(hook.function.call((principal, command, args)))?;
        match answer {
            (Value::Nil, Some(complaint)) => Ok(Err(complaint)),
            (value, _) => match encode(&self.lua, &self.call, &value) {
                Ok(text) => Ok(Ok(String::from_utf8_lossy(&text).into_owned())),
                Err(Unfit::Json(what)) => Err(Fault::invalid(format!("on_command: {what}"))),
                Err(Unfit::Lua(error)) => Err(fault_of(&error)),
            },
        }
    }

    fn store_open(&mut self) -> Result<StoreAnswer, Fault> {
        self.store(&StoreCall::Open)
    }

    fn store_apply(&mut self, ops: &[StoreOp]) -> Result<StoreAnswer, Fault> {
        self.store(&StoreCall::Apply(ops))
    }

    fn store_scan(
        &mut self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<StoreAnswer<Vec<StoreEntry>>, Fault> {
        self.scan(&ScanCall { space, prefix, after, limit })
    }

    fn store_flush(&mut self) -> Result<StoreAnswer, Fault> {
        self.store(&StoreCall::Flush)
    }

    fn store_close(&mut self) -> Result<StoreAnswer, Fault> {
        self.store(&StoreCall::Close)
    }

    fn on_commit(&mut self, commit: u64, ops: &[StoreOp], lost: u64) -> Result<(), Fault> {
        self.told(commit, ops, lost)
    }
}

fn ask_about<R: FromLuaMulti>(
    lua: &Lua,
    bound: Bound,
    hook: &HookFunction,
    clients: &mut ClientTables,
    texts: &mut Texts,
    client: &dyn Client,
    action: &Action<'_>,
) -> Result<R, Fault> {
    bound.around(lua, |bounded| {
        let client = clients.table_of(lua, client)?;
        let (name, topic) = texts.of_action(lua, action)?;
        if !hook.wants(4) {
            return hook.function.call((client, name, topic, bounded));
        }
        let message = match action {
            Action::Publish(message) | Action::Receive(message) | Action::Will(message) => {
                message_table(lua, message, None)?
            }
            Action::Subscribe(subscription) => subscription_table(lua, subscription)?,
        };
        hook.function.call((client, name, topic, message, bounded))
    })
}

/// The payload and what else there is are copied only for a function that has parameters for them.
fn call_with_message<F: mlua::IntoLua>(
    lua: &Lua,
    bound: Bound,
    hook: &HookFunction,
    texts: &mut Texts,
    message: &Message<'_>,
    origin: Option<Origin>,
    first: impl FnOnce() -> mlua::Result<F>,
) -> Result<Value, Fault> {
    bound.around(lua, |bounded| {
        let first = first()?;
        let topic = texts.topic(lua, message.topic)?;
        if !hook.wants(3) {
            return hook.function.call((first, topic, bounded));
        }
        if !hook.wants(4) {
            return match short_text(message.payload) {
                Some(payload) => hook.function.call((first, topic, payload, bounded)),
                None => {
                    let payload = lua.create_string(message.payload)?;
                    hook.function.call((first, topic, payload, bounded))
                }
            };
        }
        let payload = lua.create_string(message.payload)?;
        let rest = message_table(lua, message, origin)?;
        hook.function.call((first, topic, payload, rest, bounded))
    })
}

/// A payload that is plain text can be handed over as one, without a reference to it; of a long one it
/// is not worth looking. Of bytes that are no text, the first few show it.
fn short_text(payload: &[u8]) -> Option<&str> {
    const BYTES_MAX: usize = 512;
    let is_short_text = payload.len() <= BYTES_MAX && payload.is_ascii();
    is_short_text.then(|| std::str::from_utf8(payload).ok()).flatten()
}
