//! Each client publishes below its own name, and reads what is public.

use pintle_plugin_api::{About, Action, CacheHint, Client, Decision, Failure, Hooks, Plugin};

pintle_plugin_api::export!(Rights, interfaces: [acl]);

const NOT_AUTHORIZED: u8 = 0x87;

#[derive(Default)]
struct Rights;

impl Plugin for Rights {
    fn about(&self) -> About {
        About::new("{{name}}", env!("CARGO_PKG_VERSION"), Hooks::AUTHORIZE)
    }

    /// `Allow`: yes, unless another plugin says no. `Deny`: no, that is final. `Next`: no opinion;
    /// what nobody allows is denied. The broker uses an answer again for as long as its hint says.
    fn authorize(&self, client: &dyn Client, action: &Action<'_>) -> Decision {
        let may = client.username() == Some("admin")
            || match action {
                Action::Publish(message) | Action::Will(message) => {
                    is_below("devices", client.client_id(), message.topic)
                }
                Action::Receive(message) => message.topic.starts_with("public/"),
                Action::Subscribe(subscription) => subscription.filter.starts_with("public/"),
            };
        let hint = CacheHint::default();
        if may {
            Decision::Allow(hint)
        } else {
            Decision::Deny(Failure::code(NOT_AUTHORIZED), hint)
        }
    }
}

/// Whether `topic` begins with `first/second/`.
fn is_below(first: &str, second: &str, topic: &str) -> bool {
    let rest = topic.strip_prefix(first).and_then(|rest| rest.strip_prefix('/'));
    let rest = rest.and_then(|rest| rest.strip_prefix(second));
    rest.is_some_and(|rest| rest.starts_with('/'))
}
