//! Keeps a retained message for each client that says whether it is connected.

use std::sync::{Arc, OnceLock};

use pintle_plugin_api::{
    About, Event, EventKind, EventKinds, Hooks, Host, LogLevel, NewMessage, Plugin, QoS,
    StampedEvent,
};

pintle_plugin_api::export!(Presence, interfaces: [events]);

/// It is told of these only.
const EVENTS: EventKinds = EventKinds::NONE
    .with(EventKind::Connected)
    .with(EventKind::Disconnected)
    .with(EventKind::ConnectionLost);

#[derive(Default)]
struct Presence {
    host: OnceLock<Arc<dyn Host>>,
}

impl Plugin for Presence {
    fn about(&self) -> About {
        let about = About::new("{{name}}", env!("CARGO_PKG_VERSION"), Hooks::EVENTS);
        About { events: EVENTS, ..about }
    }

    fn start(&self, host: Arc<dyn Host>) {
        let _ = self.host.set(host);
    }

    /// Events come in batches, after the fact; `lost` did not fit into the queue.
    fn on_events(&self, events: &[StampedEvent], lost: u64) {
        let Some(host) = self.host.get() else { return };
        for stamped in events {
            let (who, text) = match &stamped.event {
                Event::Connected { who } => (who, "online"),
                Event::Disconnected { who, .. } | Event::ConnectionLost { who } => (who, "offline"),
                _ => continue,
            };
            // A Client Identifier must not widen the topic.
            let name = who.client_id.replace(['+', '#', '/'], "_");
            let message = NewMessage::new(format!("presence/{name}"), text);
            let message = message.retained().with_qos(QoS::AtLeastOnce);
            if let Err(error) = host.publish(message) {
                host.log(LogLevel::Warn, &error.to_string());
            }
        }
        if lost > 0 {
            host.log(LogLevel::Warn, &format!("{lost} events were lost"));
        }
    }
}
