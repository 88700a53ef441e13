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
/// pintle_plugin_api::export!(Quiet);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
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
            $crate::guest::bindings::export_component!(
                Component with_types_in $crate::guest::bindings
            );
        };
    };
}
