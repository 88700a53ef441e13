use pintle_plugin_api::SettingsError;
use thiserror::Error;

/// Why the plugins of a configuration were not loaded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    /// Two plugins have one name.
    #[error("two plugins are named `{name}`: give one of them another `name`")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// There are more plugins than can be told apart.
    #[error("{count} plugins are more than the 65535 that are possible")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// A hook can fail and nobody said what then.
    #[error(
        "plugin `{plugin}` has the hook `on_{hook}`: say what happens when it fails, as in \
         on_error = {{ {hook} = \"{example}\" }} (possible: {values})"
    )]
    NoErrorPolicy {
        /// The plugin's name.
        plugin: String,
        /// The key that is missing in `on_error`.
        hook: &'static str,
        /// One of the values.
        example: &'static str,
        /// The possible values.
        values: &'static str,
    },
    /// A Topic Filter is not one.
    #[error("plugin `{plugin}`: `{filter}` in `{key}` is not a Topic Filter: {why}")]
    InvalidFilter {
        /// The plugin's name.
        plugin: String,
        /// The key it stands in.
        key: &'static str,
        /// What stands there.
        filter: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An order names a plugin that does not exist.
    #[error("hooks.{hook} names `{name}`, and no plugin has that name")]
    UnknownInOrder {
        /// The key in `hooks`.
        hook: &'static str,
        /// The name.
        name: String,
    },
    /// An order names a plugin that has no such hook.
    #[error("hooks.{hook} names `{name}`, which does not have that hook")]
    HooklessInOrder {
        /// The key in `hooks`.
        hook: &'static str,
        /// The name.
        name: String,
    },
    /// An order names a plugin twice.
    #[error("hooks.{hook} names `{name}` twice")]
    TwiceInOrder {
        /// The key in `hooks`.
        hook: &'static str,
        /// The name.
        name: String,
    },
    /// An order would silently leave a plugin out.
    #[error("hooks.{hook} leaves out `{name}`, which has that hook: add it where it belongs")]
    MissingInOrder {
        /// The key in `hooks`.
        hook: &'static str,
        /// The name.
        name: String,
    },
    /// Two plugins own one authentication method.
    #[error("plugins `{first}` and `{second}` both own the authentication method `{method}`")]
    MethodTwice {
        /// The method.
        method: String,
        /// The plugin named first.
        first: String,
        /// The other one.
        second: String,
    },
    /// A plugin does not take its settings.
    #[error("plugin `{plugin}`: {error}")]
    Settings {
        /// The plugin's name.
        plugin: String,
        /// What it says.
        error: SettingsError,
    },
}
