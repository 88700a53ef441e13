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
    /// Two plugins want to be the store.
    #[error("plugins `{first}` and `{second}` both are a store, and there can be one")]
    TwoStores {
        /// The plugin named first.
        first: String,
        /// The other one.
        second: String,
    },
    /// The store of a running broker would go.
    #[error(
        "plugin `{plugin}` is the store: it can be replaced, and not be taken out while the broker runs"
    )]
    StoreInUse {
        /// The plugin's name.
        plugin: String,
    },
    /// A store came to a broker that runs without one.
    #[error(
        "plugin `{plugin}` is a store: the broker has to begin with it; add it to the configuration"
    )]
    StoreTooLate {
        /// The plugin's name.
        plugin: String,
    },
    /// A new generation of the store can not take over.
    #[error("plugin `{plugin}`, which is the store, can not be replaced: {why}")]
    StoreStays {
        /// The plugin's name.
        plugin: String,
        /// What failed.
        why: String,
    },
    /// A plugin does not take its settings.
    #[error("plugin `{plugin}`: {error}")]
    Settings {
        /// The plugin's name.
        plugin: String,
        /// What it says.
        error: SettingsError,
    },
    /// A script or component can not be run.
    #[error("plugin `{plugin}`: {why}")]
    Code {
        /// The plugin's name.
        plugin: String,
        /// What is wrong, with file and line where that is known.
        why: String,
    },
    /// There is no plugin of this name.
    #[error("there is no plugin named `{name}`{}", list_of(.known))]
    NoSuchPlugin {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A plugin has not been replaced, and so has nothing to go back to.
    #[error("plugin `{plugin}` has no earlier generation to go back to")]
    NothingBefore {
        /// The plugin's name.
        plugin: String,
    },
    /// A plugin failed one of its own cases.
    #[error("plugin `{plugin}` fails its own case `{case}`: {why}")]
    Case {
        /// The plugin's name.
        plugin: String,
        /// The name of the case.
        case: String,
        /// What was expected and what came.
        why: String,
    },
}

fn list_of(names: &[String]) -> String {
    match names {
        [] => ": there are none".to_owned(),
        names => format!("; there are: {}", names.join(", ")),
    }
}
