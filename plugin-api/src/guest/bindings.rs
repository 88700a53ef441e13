//! What `wit/pintle-plugin.wit` comes to in Rust. Generated; the only unsafe code of a component.
//!
//! Every interface that a component may export is a world of its own, and
//! [`export!`](crate::export) takes those that it is told: what is not exported is not in the
//! component, and neither are its types.
#![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, clippy::restriction)]

wit_bindgen::generate!({
    path: "wit",
    inline: "
        package pintle:guest;
        world imported {
            include pintle:plugin/imports@0.1.0;
            import pintle:plugin/auth-types@0.1.0;
            import pintle:plugin/storage-types@0.1.0;
        }
    ",
    generate_all,
    generate_unused_types: true,
});

macro_rules! exported {
    ($($name:ident: $world:literal, $with:tt;)*) => {
        $(pub mod $name {
            wit_bindgen::generate!({
                path: "wit",
                inline: $world,
                with: $with,
                pub_export_macro: true,
            });
        })*

        pub mod exports {
            pub mod pintle {
                pub mod plugin {
                    $(pub use super::super::super::$name::exports::pintle::plugin::*;)*
                }
            }
        }
    };
}

exported! {
    lifecycle: "package pintle:guest; world lifecycle { export pintle:plugin/lifecycle@0.1.0; }",
        { "pintle:plugin/types@0.1.0": super::pintle::plugin::types };
    state: "package pintle:guest; world state { export pintle:plugin/state@0.1.0; }",
        { "pintle:plugin/types@0.1.0": super::pintle::plugin::types };
    auth: "package pintle:guest; world auth { export pintle:plugin/auth@0.1.0; }",
        {
            "pintle:plugin/types@0.1.0": super::pintle::plugin::types,
            "pintle:plugin/auth-types@0.1.0": super::pintle::plugin::auth_types,
        };
    enhanced_auth:
        "package pintle:guest; world enhanced-auth { export pintle:plugin/enhanced-auth@0.1.0; }",
        {
            "pintle:plugin/types@0.1.0": super::pintle::plugin::types,
            "pintle:plugin/auth-types@0.1.0": super::pintle::plugin::auth_types,
        };
    acl: "package pintle:guest; world acl { export pintle:plugin/acl@0.1.0; }",
        { "pintle:plugin/types@0.1.0": super::pintle::plugin::types };
    publish: "package pintle:guest; world publish { export pintle:plugin/publish@0.1.0; }",
        { "pintle:plugin/types@0.1.0": super::pintle::plugin::types };
    subscribe: "package pintle:guest; world subscribe { export pintle:plugin/subscribe@0.1.0; }",
        { "pintle:plugin/types@0.1.0": super::pintle::plugin::types };
    deliver: "package pintle:guest; world deliver { export pintle:plugin/deliver@0.1.0; }",
        { "pintle:plugin/types@0.1.0": super::pintle::plugin::types };
    events: "package pintle:guest; world events { export pintle:plugin/events@0.1.0; }",
        { "pintle:plugin/types@0.1.0": super::pintle::plugin::types };
    timers: "package pintle:guest; world timers { export pintle:plugin/timers@0.1.0; }", {};
    control: "package pintle:guest; world control { export pintle:plugin/control@0.1.0; }", {};
    store: "package pintle:guest; world store { export pintle:plugin/store@0.1.0; }",
        { "pintle:plugin/storage-types@0.1.0": super::pintle::plugin::storage_types };
    commits: "package pintle:guest; world commits { export pintle:plugin/commits@0.1.0; }",
        { "pintle:plugin/storage-types@0.1.0": super::pintle::plugin::storage_types };
}
