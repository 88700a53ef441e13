//! A plugin that takes commands.

use std::sync::Arc;

use pintle_plugin_api::{
    About, Client, Hooks, Message, Origin, Plugin, PublishOutcome, PublishVerdict,
};
use pintle_server::{ErrorPolicy, PluginSpec, PublishErrorPolicy};

/// Answers `echo` with what came with it, and counts messages.
pub(crate) struct Probe;

impl Plugin for Probe {
    fn about(&self) -> About {
        About::new("probe", "1.2.3", Hooks::COMMAND.and(Hooks::PUBLISH))
    }

    fn on_publish(
        &self,
        _: Origin,
        _: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> PublishVerdict {
        assert!(!message.topic.ends_with("/panic"), "asked to");
        PublishOutcome::Pass.into()
    }

    fn on_command(&self, _: Option<&str>, command: &str, args: &str) -> Result<String, String> {
        match command {
            "echo" => Ok(args.to_owned()),
            other => Err(format!("there is no command `{other}`")),
        }
    }
}

pub(crate) fn probe() -> PluginSpec {
    let on_error =
        ErrorPolicy { publish: Some(PublishErrorPolicy::Pass), ..ErrorPolicy::default() };
    let topics = vec!["open/#".to_owned()];
    PluginSpec { on_error, topics, ..PluginSpec::new("probe", Arc::new(Probe)) }
}
