//! A [`Plugin`] as a WebAssembly component: between the interfaces of `wit/pintle-plugin.wit` and the
//! traits of this crate. Used by [`export!`](crate::export) alone.

mod acl;
mod auth;
pub mod bindings;
mod client;
mod control;
mod events;
mod host;
mod known_client;
mod lifecycle;
mod message;
mod publish;
mod settings;
mod storage;
mod values;

use std::marker::PhantomData;
use std::panic::PanicHookInfo;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

pub use self::settings::Settings;
use crate::{AuthExchange, Plugin};

/// Few at a time, so that a list of them is searched fast enough.
type Exchanges = Vec<(u64, Box<dyn AuthExchange>)>;

/// The plugin of an instance of a component, and what is kept for it.
pub struct Guest<P> {
    plugin: P,
    /// Whether its hooks are handed payloads; the settings may have a say in it.
    wants_payload: OnceLock<bool>,
    /// Exchanges of enhanced authentication that are under way, by the broker's number.
    exchanges: Mutex<Exchanges>,
}

impl<P: Plugin + Default> Guest<P> {
    /// A plugin without settings.
    pub fn new() -> Self {
        std::panic::set_hook(Box::new(log_panic));
        let (plugin, wants_payload) = (P::default(), OnceLock::new());
        Self { plugin, wants_payload, exchanges: Mutex::default() }
    }
}

impl<P: Plugin + Default> Default for Guest<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Plugin> Guest<P> {
    /// Asked in hooks, which come after the settings.
    fn wants_payload(&self) -> bool {
        *self.wants_payload.get_or_init(|| self.plugin.about().payload)
    }
}

impl<P> Guest<P> {
    fn exchanges(&self) -> MutexGuard<'_, Exchanges> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes one out, if it is there.
fn take(exchanges: &mut Exchanges, number: u64) -> Option<Box<dyn AuthExchange>> {
    let place = exchanges.iter().position(|(other, _)| *other == number)?;
    Some(exchanges.swap_remove(place).1)
}

/// Where [`export!`](crate::export) keeps a plugin.
pub trait Exported: 'static {
    /// The plugin.
    type Plugin: Plugin + Default;

    /// The one of this instance, made when it is first asked for.
    fn guest() -> &'static Guest<Self::Plugin>;
}

/// Answers the exports of the component in which `E` keeps its plugin.
pub struct Component<E>(PhantomData<E>);

/// The last words of an instance: what follows is a trap, which has no text of its own.
fn log_panic(panic: &PanicHookInfo<'_>) {
    use bindings::pintle::plugin::log;

    let what = panic.payload_as_str().unwrap_or("no text");
    let text = match panic.location() {
        Some(place) => format!("panicked at {}:{}: {what}", place.file(), place.line()),
        None => format!("panicked: {what}"),
    };
    log::write(log::Level::Error, &text);
}
