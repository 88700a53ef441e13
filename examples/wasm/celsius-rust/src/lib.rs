//! Fahrenheit becomes Celsius in JSON payloads: `{"temp_f": 70}` is delivered as `{"temp_c": 21.1}`.

use std::sync::{PoisonError, RwLock};

use pintle_plugin_api::{
    About, Client, Hooks, Message, MessagePatch, Origin, Plugin, PublishOutcome, PublishVerdict,
    Settings, SettingsError,
};
use serde::Deserialize;
use serde_json::Value;

pintle_plugin_api::export!(Celsius, interfaces: [publish]);

/// The plugin.
#[derive(Default)]
pub struct Celsius {
    fields: RwLock<Fields>,
}

/// Names of the fields that are read and written.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Fields {
    from: String,
    to: String,
}

impl Default for Fields {
    fn default() -> Self {
        Self { from: "temp_f".to_owned(), to: "temp_c".to_owned() }
    }
}

impl Plugin for Celsius {
    fn about(&self) -> About {
        About::new("celsius", env!("CARGO_PKG_VERSION"), Hooks::PUBLISH)
    }

    fn configure(&self, settings: &Settings) -> Result<(), SettingsError> {
        *self.fields.write().unwrap_or_else(PoisonError::into_inner) = settings.parse()?;
        Ok(())
    }

    fn on_publish(
        &self,
        _: Origin,
        _: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> PublishVerdict {
        let fields = self.fields.read().unwrap_or_else(PoisonError::into_inner);
        match fields.converted(message.payload) {
            Some(payload) => {
                let patch = MessagePatch { payload: Some(payload), ..MessagePatch::default() };
                PublishOutcome::Rewrite(patch).into()
            }
            None => PublishOutcome::Pass.into(),
        }
    }
}

impl Fields {
    /// The reading in Celsius; nothing if `payload` is no reading of ours.
    fn converted(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let Value::Object(mut reading) = serde_json::from_slice(payload).ok()? else {
            return None;
        };
        let fahrenheit = reading.get(&self.from)?.as_f64()?;
        let celsius = ((fahrenheit - 32.0) * 50.0 / 9.0).round() / 10.0;
        reading.remove(&self.from);
        reading.insert(self.to.clone(), celsius.into());
        serde_json::to_vec(&reading).ok()
    }
}
