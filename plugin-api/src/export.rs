/// Makes a WebAssembly component of a [`Plugin`](crate::Plugin) that has a [`Default`].
///
/// On other targets it only checks that it could, so that the same crate can be linked into the
/// broker as well. Say it once in a crate of the type `cdylib`.
///
/// ```
/// use pintle_plugin_api::{About, Hooks, Plugin};
///
/// #[derive(Default)]
/// struct Quiet;
///
/// impl Plugin for Quiet {
///     fn about(&self) -> About {
///         About::new("quiet", "1.0.0", Hooks::PUBLISH)
///     }
/// }
///
/// pintle_plugin_api::export!(Quiet, interfaces: [publish]);
/// # fn main() {}
/// ```
///
/// `interfaces` are those of the WIT package that the hooks stand for, and all that the component
/// has: what is not named makes it no larger. They are `auth`, `enhanced_auth`, `acl`, `publish`,
/// `subscribe` (with `on_unsubscribe`), `deliver` (with `cohort`), `events`, `timers`, `control`
/// (`on_command`), `store`, `commits` and `state`. `export!(Quiet)` exports all of them.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        $crate::export!($plugin, interfaces: [
            state, auth, enhanced_auth, acl, publish, subscribe, deliver, events, timers, control,
            store, commits,
        ]);
    };
    ($plugin:ty, interfaces: [$($interface:ident),+ $(,)?]) => {
        $($crate::export!(@known $interface);)+

        const _: () = {
            const fn is_a_plugin<P: $crate::Plugin + ::core::default::Default>() {}
            is_a_plugin::<$plugin>();
        };

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the exports of a component are generated")]
        const _: () = {
            struct Exported;

            impl $crate::guest::Exported for Exported {
                type Plugin = $plugin;

                fn guest() -> &'static $crate::guest::Guest<$plugin> {
                    static GUEST: ::std::sync::OnceLock<$crate::guest::Guest<$plugin>> =
                        ::std::sync::OnceLock::new();
                    GUEST.get_or_init($crate::guest::Guest::new)
                }
            }

            type Component = $crate::guest::Component<Exported>;
            $crate::export!(@interfaces Component: lifecycle $($interface)+);
        };
    };
    (@interfaces $component:ident: $($interface:ident)+) => {
        $($crate::guest::bindings::$interface::export!(
            $component with_types_in $crate::guest::bindings::$interface
        );)+
    };
    (@known auth) => {};
    (@known enhanced_auth) => {};
    (@known acl) => {};
    (@known publish) => {};
    (@known subscribe) => {};
    (@known deliver) => {};
    (@known events) => {};
    (@known timers) => {};
    (@known control) => {};
    (@known store) => {};
    (@known commits) => {};
    (@known state) => {};
    (@known $other:ident) => {
        ::core::compile_error!(::core::concat!(
            "a component exports no interface `", ::core::stringify!($other), "`"
        ));
    };
}
