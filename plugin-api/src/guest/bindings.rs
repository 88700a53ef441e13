//! What `wit/pintle-plugin.wit` comes to in Rust. Generated; the only unsafe code of a component.
#![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, clippy::restriction)]

wit_bindgen::generate!({
    path: "wit",
    world: "plugin",
    pub_export_macro: true,
    export_macro_name: "export_component",
    generate_all,
});
