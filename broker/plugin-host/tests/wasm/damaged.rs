//! Components that came to harm on their way.

use pintle_plugin_host::{Budgets, Code, PluginSpec, Script};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::{Table, named, try_load};

const CELSIUS: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../examples/wasm/celsius-c/celsius.wasm"
));

fn loaded(bytes: Vec<u8>) -> Option<Table> {
    let code = Code::Wasm(Script::new("celsius.wasm", bytes));
    let budgets = Budgets::default();
    let host = try_load([PluginSpec { code, budgets, ..named("celsius", "") }]).ok()?;
    let hooks = host.hooks();
    Some(Table::new(host, hooks))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// It is refused, fails, or says something else; the host goes on.
    #[test]
    fn a_damaged_component_harms_nobody_else(
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..5),
        cut in prop::option::weighted(0.2, any::<Index>()),
    ) {
        let mut bytes = CELSIUS.to_vec();
        for (at, byte) in damage {
            *at.get_mut(&mut bytes) = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Some(table) = loaded(bytes) {
            for _ in 0..3 {
                table.publish("sensors/a/temp", br#"{"temp_f":212}"#);
            }
        }
        let whole = loaded(CELSIUS.to_vec()).unwrap();
        let ruling = whole.publish("sensors/a/temp", br#"{"temp_f":212}"#);
        prop_assert!(crate::support::rewritten(&ruling).1.contains("100"));
    }
}
