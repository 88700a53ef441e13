use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Engine};

use super::bindings::Plugin;
use super::store_data::StoreData;
use crate::fault::{ErrorKind, Fault};
use crate::ticker::Ticker;

/// What all components of this process share while there is one: compiler settings, the host
/// functions, and the clock of their deadlines.
pub(super) struct Runtime {
    pub(super) engine: Engine,
    pub(super) linker: Linker<StoreData>,
    /// The epoch rises with every tick.
    _ticker: Ticker,
}

/// The stack of a component, in bytes.
const STACK_BYTES_MAX: usize = 256 << 10;

static RUNTIME: Mutex<Weak<Runtime>> = Mutex::new(Weak::new());

/// The runtime, made if there is none.
///
/// # Errors
/// If this machine can not run compiled components.
pub(super) fn runtime() -> Result<Arc<Runtime>, Fault> {
    let mut known = RUNTIME.lock();
    if let Some(runtime) = known.upgrade() {
        return Ok(runtime);
    }
    let runtime = Arc::new(Runtime::new().map_err(|error| {
        let what = format!("this machine can not run WebAssembly: {error:#}");
        Fault::new(ErrorKind::Internal, what)
    })?);
    *known = Arc::downgrade(&runtime);
    Ok(runtime)
}

impl Runtime {
    fn new() -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config.wasm_component_model(true);
        config.epoch_interruption(true);
        config.max_wasm_stack(STACK_BYTES_MAX);
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        Plugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |data: &mut StoreData| data)?;
        let clock = engine.clone();
        let ticker = Ticker::start(move || clock.increment_epoch());
        Ok(Self { engine, linker, _ticker: ticker })
    }
}
