//! What is refused before it is asked anything, and why.

use std::time::Duration;

use pintle_plugin_host::PluginSpec;

use crate::component::{on_publish, plugin};
use crate::module_text::{component, module, publish_module};
use crate::support::try_load;

fn refusal(spec: PluginSpec) -> String {
    match try_load([spec]) {
        Ok(_) => panic!("the component was loaded"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_no_component_is_refused_with_the_way_out() {
    let what = refusal(plugin(b"return {}".to_vec()));
    assert!(what.contains("hostile.wasm: it is no WebAssembly"), "{what}");
    let module = wat::parse_str("(module)").unwrap();
    let what = refusal(plugin(module));
    assert!(what.contains("wasm-component-ld"), "{what}");
    let what = refusal(plugin(wat::parse_str("(component)").unwrap()));
    assert!(what.contains("it is no plugin") && what.contains("lifecycle"), "{what}");
    let mut broken = component(&["lifecycle", "publish"], &publish_module("", ""));
    broken.truncate(200);
    let what = refusal(plugin(broken));
    assert!(what.contains("no valid component"), "{what}");
}

#[test]
fn what_wants_more_than_the_plugin_interfaces_is_refused_by_name() {
    let wants_files = r#"(component (import "wasi:filesystem/preopens@0.2.0" (instance
        (export "get-directories" (func)))))"#;
    let what = refusal(plugin(wat::parse_str(wants_files).unwrap()));
    assert!(what.contains("wasi:filesystem/preopens"), "{what}");
    assert!(what.contains("nothing else"), "{what}");
}

#[test]
fn a_component_over_the_bound_on_code_is_not_even_compiled() {
    let mut spec = on_publish("", "");
    spec.limits.code_bytes_max = 100;
    let what = refusal(spec);
    assert!(what.contains("limits.code allows 100"), "{what}");
}

#[test]
fn a_start_that_never_ends_is_refused() {
    let mut spec = on_publish("(func $f (loop $again (br $again))) (start $f)", "");
    spec.limits.load = Duration::from_millis(20);
    let what = refusal(spec);
    assert!(what.contains("did not answer in time"), "{what}");
}

#[test]
fn four_gibibytes_of_memory_are_refused() {
    let what = refusal(on_publish(r#"(memory (export "memory") 65536)"#, ""));
    assert!(what.contains("limits.memory"), "{what}");
}

#[test]
fn a_hook_that_is_named_and_not_exported_is_refused() {
    const AUTHORIZE: u8 = 1 << 2;
    let what = refusal(plugin(component(&["lifecycle"], &module(AUTHORIZE, "", ""))));
    assert!(what.contains("`acl`, which the component does not export"), "{what}");
    let what = refusal(plugin(component(&["lifecycle"], &module(0, "", ""))));
    assert!(what.contains("names no hook"), "{what}");
}

#[test]
fn an_interface_of_another_shape_is_refused() {
    let shape = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (instance $life (export "describe" (func $f)) (export "init" (func $f)))
        (export "pintle:plugin/lifecycle@0.1.0" (instance $life)))"#;
    let what = refusal(plugin(wat::parse_str(shape).unwrap()));
    assert!(what.contains("not those of pintle:plugin@0.1.0"), "{what}");
}
