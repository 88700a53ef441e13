use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine};

use super::bindings::Plugin;
use super::compiled::Compiled;
use super::store_data::StoreData;
use crate::fault::{ErrorKind, Fault};
use crate::ticker::Ticker;

/// What all components of a broker share while there is one: compiler settings, the host
/// functions, the clock of their deadlines, and where compiled code is kept.
pub(super) struct Runtime {
    pub(super) engine: Engine,
    pub(super) linker: Linker<StoreData>,
    compiled: Option<Compiled>,
    /// The epoch rises with every tick.
    _ticker: Ticker,
}

/// The stack of a component, in bytes.
const STACK_BYTES_MAX: usize = 256 << 10;

/// One for each place where compiled code is kept, and one that keeps none.
static RUNTIMES: Mutex<Vec<(Option<PathBuf>, Weak<Runtime>)>> = Mutex::new(Vec::new());

/// The runtime for one more component, made if there is none. Compiled code is kept below
/// `data_dir`, if that is safe.
///
/// # Errors
/// If this machine can not run compiled components.
pub(super) fn runtime(data_dir: Option<&Path>) -> Result<Arc<Runtime>, Fault> {
    let runtime = known_or_new(data_dir)?;
    match &runtime.compiled {
        Some(compiled) if !compiled.is_sound() => known_or_new(None),
        _ => Ok(runtime),
    }
}

fn known_or_new(data_dir: Option<&Path>) -> Result<Arc<Runtime>, Fault> {
    let mut all = RUNTIMES.lock();
    all.retain(|(_, runtime)| runtime.strong_count() > 0);
    let known = all.iter().find(|(place, _)| place.as_deref() == data_dir);
    if let Some(runtime) = known.and_then(|(_, runtime)| runtime.upgrade()) {
        return Ok(runtime);
    }
    let runtime = Arc::new(Runtime::new(data_dir).map_err(|error| {
        let what = format!("this machine can not run WebAssembly: {error:#}");
        Fault::new(ErrorKind::Internal, what)
    })?);
    all.push((data_dir.map(Path::to_owned), Arc::downgrade(&runtime)));
    Ok(runtime)
}

impl Runtime {
    fn new(data_dir: Option<&Path>) -> wasmtime::Result<Self> {
        let compiled = data_dir.and_then(Compiled::open);
        let mut config = Config::new();
        config.wasm_component_model(true);
        config.epoch_interruption(true);
        config.max_wasm_stack(STACK_BYTES_MAX);
        config.cache(compiled.as_ref().map(Compiled::cache));
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        Plugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |data: &mut StoreData| data)?;
        let clock = engine.clone();
        let ticker = Ticker::start(move || clock.increment_epoch());
        Ok(Self { engine, linker, compiled, _ticker: ticker })
    }

    /// # Errors
    /// If the bytes are no valid component.
    pub(super) fn component(&self, bytes: &[u8]) -> wasmtime::Result<Component> {
        match &self.compiled {
            Some(compiled) => compiled.component(&self.engine, bytes),
            None => Component::from_binary(&self.engine, bytes),
        }
    }
}
