//! What the bench of hooks asks of a component: the same as of a script.

use std::sync::{PoisonError, RwLock};

use pintle_plugin_api::{
    About, Action, CacheHint, Client, Decision, Failure, Hooks, Message, MessagePatch, Origin,
    Plugin, PublishOutcome, PublishVerdict, Settings, SettingsError,
};
use serde::Deserialize;

pintle_plugin_api::export!(Asked, interfaces: [acl, publish]);

const NOT_AUTHORIZED: u8 = 0x87;

/// The plugin.
#[derive(Default)]
struct Asked {
    terms: RwLock<Terms>,
}

/// What it is to do.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Terms {
    /// Whether it has `authorize`, and not `on_publish`.
    acl: bool,
    /// Whether it is handed payloads.
    payload: bool,
    /// Whether it makes another payload, longer by one byte.
    rewrite: bool,
    /// A topic that it gives the message beside.
    topic: Option<String>,
    /// The filter that a decision holds for.
    filter: Option<String>,
}

impl Asked {
    fn with_terms<T>(&self, ask: impl FnOnce(&Terms) -> T) -> T {
        ask(&self.terms.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Plugin for Asked {
    fn about(&self) -> About {
        self.with_terms(|terms| {
            let hooks = if terms.acl { Hooks::AUTHORIZE } else { Hooks::PUBLISH };
            let payload = terms.payload;
            About { payload, ..About::new("asked", env!("CARGO_PKG_VERSION"), hooks) }
        })
    }

    fn configure(&self, settings: &Settings) -> Result<(), SettingsError> {
        *self.terms.write().unwrap_or_else(PoisonError::into_inner) = settings.parse()?;
        Ok(())
    }

    fn authorize(&self, client: &dyn Client, action: &Action<'_>) -> Decision {
        let filter = self.with_terms(|terms| terms.filter.clone());
        match action {
            Action::Publish(message) if client.client_id() == "c1" && !message.topic.is_empty() => {
                Decision::Allow(CacheHint { filter, ..CacheHint::default() })
            }
            _ => Decision::Deny(Failure::code(NOT_AUTHORIZED), CacheHint::default()),
        }
    }

    fn on_publish(
        &self,
        _: Origin,
        _: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> PublishVerdict {
        self.with_terms(|terms| {
            if !terms.rewrite {
                return PublishOutcome::Pass.into();
            }
            let payload = Some([message.payload, b"!"].concat());
            let topic = terms.topic.clone();
            let patch = MessagePatch { topic, payload, ..MessagePatch::default() };
            PublishOutcome::Rewrite(patch).into()
        })
    }
}
