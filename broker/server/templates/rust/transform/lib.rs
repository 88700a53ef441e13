//! Adds the unit to readings: `{"value": 21}` becomes `{"value": 21, "unit": "C"}`.

use std::sync::{PoisonError, RwLock};

use pintle_plugin_api::{
    About, Client, Hooks, Message, MessagePatch, Origin, Plugin, PublishOutcome, PublishVerdict,
    Settings, SettingsError,
};
use serde::Deserialize;
use serde_json::Value;

pintle_plugin_api::export!(Units, interfaces: [publish]);

#[derive(Default)]
struct Units {
    config: RwLock<Config>,
}

/// The `config` table of the plugin.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    unit: String,
}

impl Plugin for Units {
    fn about(&self) -> About {
        About::new("{{name}}", env!("CARGO_PKG_VERSION"), Hooks::PUBLISH)
    }

    fn configure(&self, settings: &Settings) -> Result<(), SettingsError> {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = settings.parse()?;
        Ok(())
    }

    /// `Pass`, `Rewrite` what the patch names, `Drop`, or `Reject` with a Reason Code; and messages to
    /// `emit` beside it.
    fn on_publish(
        &self,
        _: Origin,
        _: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> PublishVerdict {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        let Some(payload) = with_unit(message.payload, &config.unit) else {
            return PublishOutcome::Pass.into();
        };
        let patch = MessagePatch { payload: Some(payload), ..MessagePatch::default() };
        PublishOutcome::Rewrite(patch).into()
    }
}

/// The reading with its unit; nothing if it is none.
fn with_unit(payload: &[u8], unit: &str) -> Option<Vec<u8>> {
    let mut reading: Value = serde_json::from_slice(payload).ok()?;
    let fields = reading
        .as_object_mut()
        .filter(|fields| fields.get("value").is_some_and(Value::is_number))?;
    fields.insert("unit".to_owned(), unit.into());
    serde_json::to_vec(&reading).ok()
}
