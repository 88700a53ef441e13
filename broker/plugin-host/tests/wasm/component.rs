//! Components from core modules that are written as text.

use pintle_plugin_host::{Code, PluginSpec, Script};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::support::named;

/// Where a verdict may be put together; zeros mean `pass` and `next`.
pub(crate) const RESULT: u32 = 1024;

/// A plugin with the strictest policies that is this component.
pub(crate) fn plugin(component: Vec<u8>) -> PluginSpec {
    PluginSpec { code: Code::Wasm(Script::new("hostile.wasm", component)), ..named("hostile", "") }
}

/// A component that exports `interfaces` and is made of `module`.
pub(crate) fn component(interfaces: &[&str], module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugin-api/wit");
    resolve.push_dir(wit).unwrap();
    let exports: String =
        interfaces.iter().map(|name| format!("export pintle:plugin/{name}@0.1.0;")).collect();
    let world =
        format!("package a:test; world w {{ include pintle:plugin/imports@0.1.0; {exports} }}");
    let package = resolve.push_str("test.wit", &world).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// A plugin whose `on-publish` passes messages to the topic `ok` and does `body` with others.
/// `fields` stand at the top of its module.
pub(crate) fn on_publish(fields: &str, body: &str) -> PluginSpec {
    plugin(component(&["lifecycle", "publish"], &publish_module(fields, body)))
}

pub(crate) fn publish_module(fields: &str, body: &str) -> String {
    const PUBLISH: u8 = 1 << 3;
    let params = "i32 ".repeat(13);
    module(
        PUBLISH,
        fields,
        &format!(
            r#"(func (export "pintle:plugin/publish@0.1.0#on-publish") (param {params}) (result i32)
                 (call $begin)
                 (if (i32.eq (local.get 3) (i32.const 2)) (then (return (i32.const {RESULT}))))
                 {body}
                 (i32.const {RESULT}))"#
        ),
    )
}

/// The same for `authorize`, which has no opinion of the topic `ok`.
pub(crate) fn authorize(fields: &str, body: &str) -> PluginSpec {
    const AUTHORIZE: u8 = 1 << 2;
    let params = "i32 ".repeat(10);
    let acl = format!(
        r#"(func (export "pintle:plugin/acl@0.1.0#authorize") (param {params}) (result i32)
             (call $begin)
             (if (i32.eq (local.get 2) (i32.const 2)) (then (return (i32.const {RESULT}))))
             {body}
             (i32.const {RESULT}))
           (func (export "pintle:plugin/acl@0.1.0#explain") (param {params}) (result i32)
             (i32.const {RESULT}))"#
    );
    plugin(component(&["lifecycle", "acl"], &module(AUTHORIZE, fields, &acl)))
}

/// A module that says it has `hooks`, whose heap and last answer are forgotten at each
/// `$begin`.
pub(crate) fn module(hooks: u8, fields: &str, exports: &str) -> String {
    let memory = if fields.contains("(memory") { "" } else { r#"(memory (export "memory") 2)"# };
    format!(
        r#"(module
             {fields}
             {memory}
             (global $heap (mut i32) (i32.const 65536))
             (func $begin
               (global.set $heap (i32.const 65536))
               (memory.fill (i32.const {RESULT}) (i32.const 0) (i32.const 256)))
             (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
               (local $at i32)
               (local.set $at (i32.and
                 (i32.add (global.get $heap) (i32.const 7)) (i32.const 0xfffffff8)))
               (global.set $heap (i32.add (local.get $at) (local.get 3)))
               (local.get $at))
             (data (i32.const 16) "hostile")
             (data (i32.const 2048)
               "\10\00\00\00\07\00\00\00"
               "\10\00\00\00\01\00\00\00"
               "\{hooks:02x}\00\00\00")
             (func (export "pintle:plugin/lifecycle@0.1.0#describe") (result i32)
               (i32.const 2048))
             (func (export "pintle:plugin/lifecycle@0.1.0#init") (result i32)
               (call $begin)
               (i32.const {RESULT}))
             {exports})"#
    )
}
