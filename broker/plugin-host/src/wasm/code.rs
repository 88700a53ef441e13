use std::sync::Arc;

use wasmtime::component::InstancePre;

use super::bindings::exports::pintle::plugin::{
    acl, auth, commits, control, deliver, enhanced_auth, events, lifecycle, publish, state, store,
    subscribe, timers,
};
use super::failure::shortened;
use super::runtime::Runtime;
use super::store_data::StoreData;
use crate::fault::{ErrorKind, Fault};
use crate::instance::Stage;

/// A compiled component with all its imports found.
pub(super) struct ComponentCode {
    pub(super) before: InstancePre<StoreData>,
    pub(super) exports: Indices,
    pub(super) runtime: Arc<Runtime>,
}

/// Where the interfaces are that it exports.
pub(super) struct Indices {
    pub(super) lifecycle: lifecycle::GuestIndices,
    pub(super) state: Option<state::GuestIndices>,
    pub(super) auth: Option<auth::GuestIndices>,
    pub(super) enhanced_auth: Option<enhanced_auth::GuestIndices>,
    pub(super) acl: Option<acl::GuestIndices>,
    pub(super) publish: Option<publish::GuestIndices>,
    pub(super) subscribe: Option<subscribe::GuestIndices>,
    pub(super) deliver: Option<deliver::GuestIndices>,
    pub(super) events: Option<events::GuestIndices>,
    pub(super) timers: Option<timers::GuestIndices>,
    pub(super) control: Option<control::GuestIndices>,
    pub(super) store: Option<store::GuestIndices>,
    pub(super) commits: Option<commits::GuestIndices>,
}

impl ComponentCode {
    /// Compiles the file of a stage, unless its compiled code was kept. Nothing can cut this short,
    /// so the length of the file is bounded.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn compile(runtime: Arc<Runtime>, stage: &Stage) -> Result<Self, Fault> {
        let bytes = &stage.script.bytes;
        let (length, max) = (bytes.len(), stage.limits.code_bytes_max);
        if length > max {
            let what = format!("the component has {length} bytes, and limits.code allows {max}");
            return Err(Fault::new(ErrorKind::Bound, what));
        }
        let file = stage.script.file_name();
        let wrong = |what: String| Fault::invalid(format!("{file}: {what}"));
        check_header(bytes).map_err(|what| wrong(what.to_owned()))?;
        let component = runtime.component(bytes).map_err(|error| {
            wrong(format!("it is no valid component: {}", shortened(&format!("{error:#}"))))
        })?;
        let before = runtime.linker.instantiate_pre(&component).map_err(|error| {
            wrong(format!(
                "{}. A plugin may import the interfaces of pintle:plugin@0.1.0 and nothing else: no \
                 files, no network, no environment. In Rust, build for wasm32-unknown-unknown.",
                shortened(&format!("{error:#}"))
            ))
        })?;
        let exports = Indices::of(&before).map_err(|error| {
            wrong(format!("it is no plugin: {}", shortened(&format!("{error:#}"))))
        })?;
        Ok(Self { before, exports, runtime })
    }
}

/// A first look, for errors that help.
fn check_header(bytes: &[u8]) -> Result<(), &'static str> {
    match bytes {
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(
            "it is a core module and no component: link it with wasm-component-ld, or make it one \
             with `wasm-tools component new`",
        ),
        [0, b'a', b's', b'm', ..] => Err("it is WebAssembly of a version that is not known here"),
        _ => Err("it is no WebAssembly"),
    }
}

macro_rules! exported {
    ($before:expr, $interface:ident, $name:literal) => {{
        let name = concat!("pintle:plugin/", $name, "@0.1.0");
        match $before.component().get_export_index(None, name) {
            Some(_) => Some($interface::GuestIndices::new($before)?),
            None => None,
        }
    }};
}

impl Indices {
    fn of(before: &InstancePre<StoreData>) -> wasmtime::Result<Self> {
        Ok(Self {
            lifecycle: lifecycle::GuestIndices::new(before)?,
            state: exported!(before, state, "state"),
            auth: exported!(before, auth, "auth"),
            enhanced_auth: exported!(before, enhanced_auth, "enhanced-auth"),
            acl: exported!(before, acl, "acl"),
            publish: exported!(before, publish, "publish"),
            subscribe: exported!(before, subscribe, "subscribe"),
            deliver: exported!(before, deliver, "deliver"),
            events: exported!(before, events, "events"),
            timers: exported!(before, timers, "timers"),
            control: exported!(before, control, "control"),
            store: exported!(before, store, "store"),
            commits: exported!(before, commits, "commits"),
        })
    }
}
