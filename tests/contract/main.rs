//! What plugins are promised, as clients see it: an embedded broker with the probe, a plugin whose
//! answers are written into user names and topics.
//!
//! The cases are one body for every kind of plugin. A kind is a [`ContractHost`]: it brings its own
//! probe, written in its own language, and [`contract!`] lists it.

mod authenticate;
mod authorize;
mod chain;
mod embedded;
mod enhanced_auth;
mod events;
mod failures;
mod lua_probe;
mod native_probe;
mod on_deliver;
mod on_publish;
mod on_subscribe;
mod probe;
mod state;
mod storage;
mod timers;
mod wasm_probe;

use pintle_plugin_api::Hooks;
use pintle_server::PluginSpec;

use embedded::Embedded;

/// A kind of plugin.
trait ContractHost {
    /// Its probe under this name, with these hooks alone. The probe does what the doc comments of
    /// `probe.rs` say; it is granted to publish everywhere and to end connections.
    fn probe(&self, name: &str, hooks: Hooks) -> PluginSpec;

    /// A broker whose only plugin besides the built-in ones is a probe with these hooks.
    fn broker(&self, hooks: Hooks) -> Embedded {
        Embedded::start([self.probe("probe", hooks)])
    }
}

/// Plugins linked into the process.
struct Native;

impl ContractHost for Native {
    fn probe(&self, name: &str, hooks: Hooks) -> PluginSpec {
        native_probe::spec(name, hooks)
    }
}

/// Scripts in Lua.
struct Lua;

impl ContractHost for Lua {
    fn probe(&self, name: &str, hooks: Hooks) -> PluginSpec {
        lua_probe::spec(name, hooks)
    }
}

/// WebAssembly components.
struct Wasm;

impl ContractHost for Wasm {
    fn probe(&self, name: &str, hooks: Hooks) -> PluginSpec {
        wasm_probe::spec(name, hooks)
    }
}

/// Turns cases, functions of a host, into tests for each host there is.
macro_rules! contract {
    ($($(#[$doc:meta])* fn $name:ident($host:ident) $body:block)*) => {
        $($(#[$doc])* fn $name($host: &dyn $crate::ContractHost) $body)*

        mod native {
            $(#[test]
            fn $name() {
                super::$name(&$crate::Native);
            })*
        }

        mod lua {
            $(#[test]
            fn $name() {
                super::$name(&$crate::Lua);
            })*
        }

        mod wasm {
            $(#[test]
            fn $name() {
                super::$name(&$crate::Wasm);
            })*
        }
    };
}

use contract;
