//! Lets in whoever knows the token, and confines each user to the topics below its name.

use std::sync::{Arc, OnceLock};

use pintle_plugin_api::{
    About, Accepted, Answer, AuthVerdict, Client, Credentials, Failure, Hooks, Host, LogLevel,
    Plugin, Rule, RuleAction, RuleEffect,
};

pintle_plugin_api::export!(Login, interfaces: [auth]);

const BAD_USER_NAME_OR_PASSWORD: u8 = 0x86;
const SERVER_UNAVAILABLE: u8 = 0x88;

#[derive(Default)]
struct Login {
    host: OnceLock<Arc<dyn Host>>,
}

impl Plugin for Login {
    fn about(&self) -> About {
        About::new("{{name}}", env!("CARGO_PKG_VERSION"), Hooks::AUTHENTICATE)
    }

    fn start(&self, host: Arc<dyn Host>) {
        let _ = self.host.set(host);
    }

    /// `Next`: no opinion, the next plugin is asked.
    fn authenticate(&self, _: &dyn Client, credentials: &Credentials) -> Answer<AuthVerdict> {
        Answer::Now(self.decide(credentials))
    }
}

impl Login {
    fn decide(&self, credentials: &Credentials) -> AuthVerdict {
        let Some(user) = &credentials.username else { return AuthVerdict::Next };
        let Some(host) = self.host.get() else { return AuthVerdict::Next };
        let token = match host.secret("token") {
            Ok(token) => token,
            Err(error) => {
                host.log(LogLevel::Error, &error.to_string());
                return AuthVerdict::Reject(Failure::code(SERVER_UNAVAILABLE));
            }
        };
        let password = credentials.password.as_deref().unwrap_or_default();
        if !is_same(password, &token) {
            return AuthVerdict::Reject(Failure::new(BAD_USER_NAME_OR_PASSWORD, "wrong token"));
        }
        AuthVerdict::Accept(Accepted {
            principal: Some(user.clone()),
            rules: vec![Rule {
                effect: RuleEffect::Allow,
                action: RuleAction::All,
                filter: "users/%u/#".to_owned(),
                max_qos: None,
                allow_retain: None,
            }],
            ..Accepted::default()
        })
    }
}

/// Looks at every byte, however many differ, so that the time it takes tells nothing.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}
