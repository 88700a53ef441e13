use std::fmt;

use pintle_plugin_api::Hooks;

/// The calls to a plugin that have figures and a breaker of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// `authenticate`.
    Authenticate,
    /// `auth_begin` and the steps of its exchange.
    EnhancedAuth,
    /// `authorize`.
    Authorize,
    /// `on_publish`.
    Publish,
    /// `on_subscribe`.
    Subscribe,
    /// `on_unsubscribe`.
    Unsubscribe,
    /// `cohort`.
    Cohort,
    /// `on_deliver`.
    Deliver,
    /// `on_events`.
    Events,
    /// `on_timer`.
    Timer,
    /// `on_command`.
    Command,
    /// `store_apply` and the others of a store.
    Store,
    /// `on_commit`.
    Commit,
}

impl Hook {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Authenticate,
        Self::EnhancedAuth,
        Self::Authorize,
        Self::Publish,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Cohort,
        Self::Deliver,
        Self::Events,
        Self::Timer,
        Self::Command,
        Self::Store,
        Self::Commit,
    ];

    /// Its name in figures and logs, which is that of the plugin's method.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authenticate => "authenticate",
            Self::EnhancedAuth => "auth_begin",
            Self::Authorize => "authorize",
            Self::Publish => "on_publish",
            Self::Subscribe => "on_subscribe",
            Self::Unsubscribe => "on_unsubscribe",
            Self::Cohort => "cohort",
            Self::Deliver => "on_deliver",
            Self::Events => "on_events",
            Self::Timer => "on_timer",
            Self::Command => "on_command",
            Self::Store => "store",
            Self::Commit => "on_commit",
        }
    }

    /// What a plugin names to have it called.
    pub const fn flag(self) -> Hooks {
        match self {
            Self::Authenticate => Hooks::AUTHENTICATE,
            Self::EnhancedAuth => Hooks::ENHANCED_AUTH,
            Self::Authorize => Hooks::AUTHORIZE,
            Self::Publish => Hooks::PUBLISH,
            Self::Subscribe => Hooks::SUBSCRIBE,
            Self::Unsubscribe => Hooks::UNSUBSCRIBE,
            Self::Cohort | Self::Deliver => Hooks::DELIVER,
            Self::Events => Hooks::EVENTS,
            Self::Timer => Hooks::TIMER,
            Self::Command => Hooks::COMMAND,
            Self::Store => Hooks::STORE,
            Self::Commit => Hooks::OBSERVE,
        }
    }

    /// Whether the engine's own thread makes the call.
    pub(crate) const fn is_on_worker(self) -> bool {
        !matches!(self, Self::Events | Self::Timer | Self::Command | Self::Store | Self::Commit)
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
