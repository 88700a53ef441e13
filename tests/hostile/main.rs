//! Plugins that mean harm, in a broker that others use: over real sockets, against the broker's own
//! binary, in Lua and as components.

mod authenticate;
mod authorize;
mod house;
mod in_flight;
mod loops;
mod on_publish;
mod share;

#[path = "../../broker/plugin-host/tests/wasm/module_text.rs"]
mod module_text;

use pintle_tests::Program;

const PINTLE: Program = Program(env!("CARGO_BIN_EXE_pintle-under-test"));
