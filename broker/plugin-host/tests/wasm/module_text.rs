//! Components from core modules that are written as text.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Where an answer may be put together; zeros mean `next` and `none`.
pub(crate) const RESULT: u32 = 1024;

/// A component that exports `interfaces` and is made of `module`.
pub(crate) fn component(interfaces: &[&str], module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let wit = above.find_map(|folder| Some(folder.join("plugin-api/wit")).filter(|it| it.is_dir()));
    resolve.push_dir(wit.unwrap()).unwrap();
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

/// A component whose `on-publish` passes messages to topics of two letters and does `body` with
/// others. `fields` stand at the top of its module.
pub(crate) fn publish_component(fields: &str, body: &str) -> Vec<u8> {
    component(&["lifecycle", "publish"], &publish_module(fields, body))
}

pub(crate) fn publish_module(fields: &str, body: &str) -> String {
    const PUBLISH: u8 = 1 << 3;
    let params = format!("i32 i64 {}", "i32 ".repeat(11));
    module(
        PUBLISH,
        fields,
        &format!(
            r#"(func (export "pintle:plugin/publish@0.1.0#on-publish") (param {params}) (result i32)
                 (call $begin)
                 (if (i32.eq (local.get 3) (i32.const 2)) (then (return (i32.const 0))))
                 {body}
                 (i32.const 0))"#
        ),
    )
}

/// The same for `authorize`, which allows topics of two letters until that is taken back.
pub(crate) fn authorize_component(fields: &str, body: &str) -> Vec<u8> {
    const AUTHORIZE: u8 = 1 << 2;
    let params = format!("i64 {}", "i32 ".repeat(10));
    let acl = format!(
        r#"(func (export "pintle:plugin/acl@0.1.0#authorize") (param {params}) (result i32)
             (call $begin)
             (if (i32.eq (local.get 3) (i32.const 2)) (then (return (i32.const 1))))
             {body}
             (i32.const 0))
           (func (export "pintle:plugin/acl@0.1.0#explain") (param {params}) (result i32)
             (i32.const {RESULT}))"#
    );
    component(&["lifecycle", "acl"], &module(AUTHORIZE, fields, &acl))
}

/// The same for `authenticate`, which has no opinion of clients without a User Name.
pub(crate) fn authenticate_component(fields: &str, body: &str) -> Vec<u8> {
    const AUTHENTICATE: u8 = 1;
    let params = "i32 ".repeat(9);
    let auth = format!(
        r#"(func (export "pintle:plugin/auth@0.1.0#authenticate") (param {params}) (result i32)
             (call $begin)
             (if (i32.eqz (local.get 0)) (then (return (i32.const {RESULT}))))
             {body}
             (i32.const {RESULT}))"#
    );
    component(&["lifecycle", "auth"], &module(AUTHENTICATE, fields, &auth))
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
