//! A broker inside your own program, with a plugin of ten lines.

use std::io;
use std::sync::Arc;

use pintle_plugin_api::{
    About, Client, Hooks, Message, MessagePatch, Origin, Plugin, PublishOutcome, PublishVerdict,
};
use pintle_server::{Broker, ErrorPolicy, PluginSpec, PublishErrorPolicy};

/// Says everything that is said below `shout/` in capitals.
struct Shout;

impl Plugin for Shout {
    fn about(&self) -> About {
        About::new("shout", "1.0.0", Hooks::PUBLISH)
    }

    fn on_publish(&self, _: Origin, _: Option<&dyn Client>, said: &Message<'_>) -> PublishVerdict {
        let payload = Some(said.payload.to_ascii_uppercase());
        PublishOutcome::Rewrite(MessagePatch { payload, ..MessagePatch::default() }).into()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shout = PluginSpec {
        // It is asked about these topics only.
        topics: vec!["shout/#".to_owned()],
        // A message that it fails on goes to nobody; there is no silent default.
        on_error: ErrorPolicy {
            publish: Some(PublishErrorPolicy::Reject),
            ..ErrorPolicy::default()
        },
        ..PluginSpec::new("shout", Arc::new(Shout))
    };
    let bind = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:1883".to_owned());
    let broker = Broker::builder().listen(&bind).plugin_with(shout).start()?;
    for address in broker.addresses() {
        println!("listening on {address}; press Enter to end");
    }
    io::stdin().read_line(&mut String::new())?;
    broker.shutdown();
    Ok(())
}
