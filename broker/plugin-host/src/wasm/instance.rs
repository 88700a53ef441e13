use std::sync::Arc;

use pintle_plugin_api::{
    Action, AuthStep, AuthVerdict, Client, ClientDescription, Credentials, Decision,
    DeliverVerdict, Message, Origin, PublishVerdict, Space, StampedEvent, StoreEntry, StoreOp,
    SubscribeVerdict, Subscription,
};
use wasmtime::Store;
use wasmtime::component::Instance;

use super::bindings::exports::pintle::plugin::{
    acl, auth, commits, control, deliver, enhanced_auth, events, lifecycle, publish, state, store,
    subscribe, timers,
};
use super::code::{ComponentCode, Indices};
use super::failure::{fault_of, shortened};
use super::store_data::StoreData;
use super::subject::{Subject, about};
use super::{about as description, convert, from_guest};
use crate::fault::{ErrorKind, Fault};
use crate::guests::{EXCHANGES_MAX, Guest, Program};
use crate::instance::{Abilities, StoreAnswer};

/// One instance of a component, on one thread.
pub(super) struct WasmGuest {
    store: Store<StoreData>,
    exports: Exports,
    about: lifecycle::About,
    /// Exchanges of enhanced authentication that wait for their clients.
    exchanges: usize,
}

/// The interfaces that it exports.
struct Exports {
    state: Option<state::Guest>,
    auth: Option<auth::Guest>,
    enhanced_auth: Option<enhanced_auth::Guest>,
    acl: Option<acl::Guest>,
    publish: Option<publish::Guest>,
    subscribe: Option<subscribe::Guest>,
    deliver: Option<deliver::Guest>,
    events: Option<events::Guest>,
    timers: Option<timers::Guest>,
    control: Option<control::Guest>,
    store: Option<store::Guest>,
    commits: Option<commits::Guest>,
}

fn no_hook() -> Fault {
    Fault::invalid("the component has no such hook")
}

impl Exports {
    fn load(
        indices: &Indices,
        store: &mut Store<StoreData>,
        instance: &Instance,
    ) -> wasmtime::Result<Self> {
        macro_rules! loaded {
            ($interface:ident) => {
                match &indices.$interface {
                    Some(indices) => Some(indices.load(&mut *store, instance)?),
                    None => None,
                }
            };
        }
        Ok(Self {
            state: loaded!(state),
            auth: loaded!(auth),
            enhanced_auth: loaded!(enhanced_auth),
            acl: loaded!(acl),
            publish: loaded!(publish),
            subscribe: loaded!(subscribe),
            deliver: loaded!(deliver),
            events: loaded!(events),
            timers: loaded!(timers),
            control: loaded!(control),
            store: loaded!(store),
            commits: loaded!(commits),
        })
    }
}

/// What is about the client alone.
fn of_client<'a>(client: &'a dyn Client) -> Subject<'a> {
    Subject { client: Some(client), message: None }
}

fn of_action<'a>(client: &'a dyn Client, action: &Action<'a>) -> Subject<'a> {
    let message = match *action {
        Action::Publish(message) | Action::Receive(message) | Action::Will(message) => {
            Some(message)
        }
        Action::Subscribe(_) => None,
    };
    Subject { client: Some(client), message }
}

impl WasmGuest {
    #[inline]
    fn checked<T>(&self, answer: wasmtime::Result<T>) -> Result<T, Fault> {
        answer.map_err(|error| self.fault_of(&error))
    }

    /// The fault that an error comes to, with the file.
    #[cold]
    fn fault_of(&self, error: &wasmtime::Error) -> Fault {
        self.named(&fault_of(error, &self.store.data().memory))
    }

    /// The fault with the file.
    #[cold]
    fn named(&self, fault: &Fault) -> Fault {
        Fault::new(fault.kind, format!("{}: {fault}", self.store.data().program.file))
    }

    fn begin(&mut self, budget: u64) {
        self.store.set_epoch_deadline(budget);
        self.store.data_mut().begin();
    }
}

impl Guest for WasmGuest {
    type Code = ComponentCode;

    fn new(program: &Arc<Program<ComponentCode>>, budget: u64) -> Result<Self, Fault> {
        let code = &program.code;
        let mut store = Store::new(&code.runtime.engine, StoreData::new(program));
        store.limiter(|data| &mut data.memory);
        store.set_hostcall_fuel(program.limits.memory_bytes_max / 2);
        store.set_epoch_deadline(budget);
        let named = |fault: Fault| Fault::new(fault.kind, format!("{}: {fault}", program.file));
        let trapped = |store: &Store<StoreData>, error: &wasmtime::Error| {
            named(fault_of(error, &store.data().memory))
        };
        let instance = code.before.instantiate(&mut store).map_err(|it| trapped(&store, &it))?;
        let (lifecycle, exports) = code
            .exports
            .lifecycle
            .load(&mut store, &instance)
            .and_then(|found| Ok((found, Exports::load(&code.exports, &mut store, &instance)?)))
            .map_err(|error| {
                named(Fault::invalid(format!(
                    "its interfaces are not those of pintle:plugin@0.1.0: {}",
                    shortened(&format!("{error:#}"))
                )))
            })?;
        let begun = lifecycle.call_init(&mut store).map_err(|it| trapped(&store, &it))?;
        begun.map_err(|error| Fault::invalid(settings_error(&error)))?;
        if let (Some(interface), Some(state)) = (&exports.state, &program.state) {
            let taken = interface.call_import_state(&mut store, state);
            let taken = taken.map_err(|it| trapped(&store, &it))?;
            taken.map_err(|error| Fault::invalid(settings_error(&error)))?;
        }
        let about = lifecycle.call_describe(&mut store).map_err(|it| trapped(&store, &it))?;
        Ok(Self { store, exports, about, exchanges: 0 })
    }

    fn abilities(&mut self, program: &Program<ComponentCode>) -> Result<Abilities, Fault> {
        description::abilities(&self.about, &program.code.exports, &program.settings)
            .map_err(|fault| Fault::new(fault.kind, format!("{}: {fault}", program.file)))
    }

    fn export_state(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let interface = self.exports.state.as_ref().ok_or_else(no_hook)?;
        let state = interface.call_export_state(&mut self.store);
        self.checked(state)
    }

    #[inline]
    fn within<T>(
        &mut self,
        budget: u64,
        ask: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.begin(budget);
        ask(self)
    }

    /// A component that trapped can not be entered again.
    fn is_spoilt_by(_: &Fault) -> bool {
        true
    }

    fn authenticate(
        &mut self,
        client: &ClientDescription,
        credentials: &Credentials,
    ) -> Result<AuthVerdict, Fault> {
        let auth = self.exports.auth.as_ref().ok_or_else(no_hook)?;
        let verdict = about(of_client(client), || {
            auth.call_authenticate(&mut self.store, convert::credentials(credentials))
        });
        from_guest::auth_verdict(self.checked(verdict)?)
    }

    fn auth_begin(
        &mut self,
        exchange: u64,
        client: &ClientDescription,
        method: &str,
        reauth: bool,
    ) -> Result<bool, Fault> {
        if self.exchanges >= EXCHANGES_MAX {
            let what = format!("more than {EXCHANGES_MAX} exchanges at once");
            return Err(Fault::new(ErrorKind::Bound, what));
        }
        let auth = self.exports.enhanced_auth.as_ref().ok_or_else(no_hook)?;
        let begun =
            about(of_client(client), || auth.call_begin(&mut self.store, exchange, method, reauth));
        let is_begun = self.checked(begun)?;
        self.exchanges += usize::from(is_begun);
        Ok(is_begun)
    }

    fn auth_step(&mut self, exchange: u64, data: Option<&[u8]>) -> Result<AuthStep, Fault> {
        let auth = self.exports.enhanced_auth.as_ref().ok_or_else(no_hook)?;
        let step = auth.call_step(&mut self.store, exchange, data);
        from_guest::auth_step(self.checked(step)?)
    }

    fn auth_end(&mut self, exchange: u64) -> Result<(), Fault> {
        self.exchanges = self.exchanges.saturating_sub(1);
        let auth = self.exports.enhanced_auth.as_ref().ok_or_else(no_hook)?;
        let ended = auth.call_end(&mut self.store, exchange);
        self.checked(ended)
    }

    #[inline]
    fn authorize(
        &mut self,
        client: &dyn Client,
        action: &Action<'_>,
    ) -> Result<Option<Box<Decision>>, Fault> {
        let acl = self.exports.acl.as_ref().ok_or_else(no_hook)?;
        let number = self.store.data_mut().clients.number_of(client);
        let word = about(of_action(client, action), || {
            acl.call_authorize(&mut self.store, number, convert::action(action))
        });
        let word = self.checked(word)?;
        Ok(self.store.data_mut().answer.decision(word))
    }

    fn explain(
        &mut self,
        client: &dyn Client,
        action: &Action<'_>,
    ) -> Result<Option<String>, Fault> {
        let acl = self.exports.acl.as_ref().ok_or_else(no_hook)?;
        let number = self.store.data_mut().clients.number_of(client);
        let why = about(of_action(client, action), || {
            acl.call_explain(&mut self.store, number, convert::action(action))
        });
        self.checked(why)
    }

    #[inline]
    fn on_publish(
        &mut self,
        origin: Origin,
        client: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> Result<Option<Box<PublishVerdict>>, Fault> {
        let publish = self.exports.publish.as_ref().ok_or_else(no_hook)?;
        let header = convert::header(message);
        let payload = convert::inline(message, self.about.payload);
        let origin = convert::origin(origin);
        let clients = &mut self.store.data_mut().clients;
        let number = client.map_or(0, |client| clients.number_of(client));
        let word = about(Subject { client, message: Some(message) }, || {
            publish.call_on_publish(&mut self.store, origin, number, header, payload)
        });
        let word = self.checked(word)?;
        let verdict = self.store.data_mut().answer.publish_verdict(word);
        verdict.map_err(|fault| self.named(&fault))
    }

    fn on_subscribe(
        &mut self,
        client: &dyn Client,
        subscription: &Subscription,
    ) -> Result<SubscribeVerdict, Fault> {
        let subscribe = self.exports.subscribe.as_ref().ok_or_else(no_hook)?;
        let number = self.store.data_mut().clients.number_of(client);
        let asked = convert::subscription(subscription);
        let verdict = about(of_client(client), || {
            subscribe.call_on_subscribe(&mut self.store, number, asked)
        });
        Ok(from_guest::subscribe_verdict(self.checked(verdict)?))
    }

    fn on_unsubscribe(
        &mut self,
        client: &dyn Client,
        filter: &str,
    ) -> Result<Option<String>, Fault> {
        let subscribe = self.exports.subscribe.as_ref().ok_or_else(no_hook)?;
        let number = self.store.data_mut().clients.number_of(client);
        let other = about(of_client(client), || {
            subscribe.call_on_unsubscribe(&mut self.store, number, filter)
        });
        self.checked(other)
    }

    fn cohort(&mut self, client: &dyn Client) -> Result<Option<String>, Fault> {
        let deliver = self.exports.deliver.as_ref().ok_or_else(no_hook)?;
        let number = self.store.data_mut().clients.number_of(client);
        let cohort = about(of_client(client), || deliver.call_cohort(&mut self.store, number));
        self.checked(cohort)
    }

    fn on_deliver(&mut self, cohort: &str, message: &Message<'_>) -> Result<DeliverVerdict, Fault> {
        let deliver = self.exports.deliver.as_ref().ok_or_else(no_hook)?;
        let header = convert::header(message);
        let payload = convert::inline(message, self.about.payload);
        let word = about(Subject { client: None, message: Some(message) }, || {
            deliver.call_on_deliver(&mut self.store, cohort, header, payload)
        });
        let word = self.checked(word)?;
        let verdict = self.store.data_mut().answer.deliver_verdict(word);
        verdict.map_err(|fault| self.named(&fault))
    }

    fn on_events(&mut self, batch: &[StampedEvent], lost: u64) -> Result<(), Fault> {
        let events = self.exports.events.as_ref().ok_or_else(no_hook)?;
        let addresses = convert::addresses(batch);
        let told: Vec<_> = batch
            .iter()
            .zip(&addresses)
            .map(|(stamped, address)| convert::event(stamped, address.as_deref()))
            .collect();
        let told = events.call_on_events(&mut self.store, &told, lost);
        self.checked(told)
    }

    fn on_timer(&mut self, name: &str) -> Result<(), Fault> {
        let timers = self.exports.timers.as_ref().ok_or_else(no_hook)?;
        let told = timers.call_on_timer(&mut self.store, name);
        self.checked(told)
    }

    fn on_command(
        &mut self,
        principal: Option<&str>,
        command: &str,
        args: &str,
    ) -> Result<Result<String, String>, Fault> {
        let control = self.exports.control.as_ref().ok_or_else(no_hook)?;
        let answer = control.call_on_command(&mut self.store, principal, command, args);
        self.checked(answer)
    }

    fn store_open(&mut self) -> Result<StoreAnswer, Fault> {
        let store = self.exports.store.as_ref().ok_or_else(no_hook)?;
        let answer = store.call_open(&mut self.store);
        Ok(self.checked(answer)?.map_err(from_guest::store_error))
    }

    fn store_apply(&mut self, ops: &[StoreOp]) -> Result<StoreAnswer, Fault> {
        let store = self.exports.store.as_ref().ok_or_else(no_hook)?;
        let ops: Vec<_> = ops.iter().map(convert::store_op).collect();
        let answer = store.call_apply(&mut self.store, &ops);
        Ok(self.checked(answer)?.map_err(from_guest::store_error))
    }

    fn store_scan(
        &mut self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<StoreAnswer<Vec<StoreEntry>>, Fault> {
        let store = self.exports.store.as_ref().ok_or_else(no_hook)?;
        let (space, limit) = (convert::space(space), u32::try_from(limit).unwrap_or(u32::MAX));
        let answer = store.call_scan(&mut self.store, space, prefix, after, limit);
        Ok(match self.checked(answer)? {
            Ok(entries) => Ok(entries.into_iter().map(from_guest::store_entry).collect()),
            Err(error) => Err(from_guest::store_error(error)),
        })
    }

    fn store_flush(&mut self) -> Result<StoreAnswer, Fault> {
        let store = self.exports.store.as_ref().ok_or_else(no_hook)?;
        let answer = store.call_flush(&mut self.store);
        Ok(self.checked(answer)?.map_err(from_guest::store_error))
    }

    fn store_close(&mut self) -> Result<StoreAnswer, Fault> {
        let store = self.exports.store.as_ref().ok_or_else(no_hook)?;
        let answer = store.call_close(&mut self.store);
        Ok(self.checked(answer)?.map_err(from_guest::store_error))
    }

    fn on_commit(&mut self, commit: u64, ops: &[StoreOp], lost: u64) -> Result<(), Fault> {
        let commits = self.exports.commits.as_ref().ok_or_else(no_hook)?;
        let ops: Vec<_> = ops.iter().map(convert::store_op).collect();
        let told = commits.call_on_commit(&mut self.store, commit, &ops, lost);
        self.checked(told)
    }
}

fn settings_error(error: &lifecycle::SettingsError) -> String {
    match (&error.path, error.line) {
        (Some(path), Some(line)) => format!("{path}:{line}: {}", error.what),
        (Some(path), None) => format!("{path}: {}", error.what),
        (None, _) => error.what.clone(),
    }
}
