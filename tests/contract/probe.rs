//! The probe: linked in, and in a component.
//!
//! A probe in another language does the same. What a hook is to do stands in the first level of a
//! topic, or in a user name; everything else passes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use pintle_plugin_api::{
    About, Accepted, Action, Answer, AuthExchange, AuthStep, AuthVerdict, CacheHint, Client,
    Credentials, Decision, DeliverVerdict, Disconnect, Event, EventKind, EventKinds, Failure,
    Hooks, Host, Limits, Message, MessagePatch, NewMessage, Origin, Plugin, PublishOutcome,
    PublishVerdict, QoS, Rule, RuleAction, RuleEffect, Settings, SettingsError, StampedEvent,
    SubscribeVerdict, Subscription,
};

/// See the hooks.
#[derive(Default)]
pub(crate) struct Probe {
    role: Mutex<Role>,
    host: OnceLock<Arc<dyn Host>>,
    deliveries: Mutex<BTreeMap<String, u32>>,
    remembered: Mutex<String>,
}

/// What it is called, and what it is to do.
#[derive(Clone, Default)]
struct Role {
    name: String,
    hooks: Hooks,
}

/// The hooks by the names that `config.hooks` has for them.
pub(crate) const HOOKS: [(Hooks, &str); 11] = [
    (Hooks::AUTHENTICATE, "authenticate"),
    (Hooks::ENHANCED_AUTH, "enhanced-auth"),
    (Hooks::AUTHORIZE, "authorize"),
    (Hooks::PUBLISH, "publish"),
    (Hooks::SUBSCRIBE, "subscribe"),
    (Hooks::UNSUBSCRIBE, "unsubscribe"),
    (Hooks::DELIVER, "deliver"),
    (Hooks::EVENTS, "events"),
    (Hooks::TIMER, "timer"),
    (Hooks::COMMAND, "command"),
    (Hooks::STATE, "state"),
];

impl Probe {
    /// The probe that is called so and has these hooks; a component is told by its settings.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn new(name: &str, hooks: Hooks) -> Self {
        Self { role: Mutex::new(Role { name: name.to_owned(), hooks }), ..Self::default() }
    }

    fn role(&self) -> Role {
        self.role.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn host(&self) -> &dyn Host {
        &**self.host.get().expect("start comes before hooks")
    }

    fn says(&self, topic: String, payload: impl Into<Vec<u8>>) {
        let message = NewMessage::new(topic, payload);
        self.host().publish(message).expect("the probe may publish everywhere");
    }
}

impl Plugin for Probe {
    fn about(&self) -> About {
        let kinds = [
            EventKind::Connected,
            EventKind::AuthFailed,
            EventKind::Disconnected,
            EventKind::ConnectionLost,
            EventKind::SessionCreated,
            EventKind::SessionResumed,
            EventKind::SessionTakenOver,
            EventKind::SessionExpired,
            EventKind::Subscribed,
            EventKind::Unsubscribed,
            EventKind::RetainedSet,
            EventKind::RetainedCleared,
            EventKind::WillSent,
        ];
        let events = kinds.into_iter().fold(EventKinds::NONE, EventKinds::with);
        let hooks = self.role().hooks;
        About {
            auth_methods: if hooks.contains(Hooks::ENHANCED_AUTH) { &["COUNT"] } else { &[] },
            events: if hooks.contains(Hooks::EVENTS) { events } else { EventKinds::NONE },
            ..About::new("probe", "1", hooks)
        }
    }

    /// `name`, and `hooks` by their names; without settings it stays what it was made.
    fn configure(&self, settings: &Settings) -> Result<(), SettingsError> {
        if settings.config.is_null() {
            return Ok(());
        }
        let name = settings.config["name"].as_str().ok_or_else(|| SettingsError::new("no name"))?;
        let named = settings.config["hooks"].as_array().into_iter().flatten();
        let named: Vec<&str> = named.filter_map(|name| name.as_str()).collect();
        let there = HOOKS.into_iter().filter(|(_, name)| named.contains(name));
        let hooks = there.fold(Hooks::NONE, |hooks, (hook, _)| hooks.and(hook));
        *self.role.lock().unwrap_or_else(PoisonError::into_inner) =
            Role { name: name.to_owned(), hooks };
        Ok(())
    }

    fn start(&self, host: Arc<dyn Host>) {
        assert!(self.host.set(host).is_ok(), "start is called once");
    }

    /// By user name: `in` and `slow` are let in (`slow` off the worker), `out` is refused with 0x86
    /// and `banned` with 0x8A, `alias` is the principal `somebody`, `ruled` has rules, `limited` has
    /// limits, `crash` panics; all others are none of its business.
    fn authenticate(&self, client: &dyn Client, credentials: &Credentials) -> Answer<AuthVerdict> {
        let accept = |accepted| Answer::Now(AuthVerdict::Accept(accepted));
        assert_eq!(client.username(), credentials.username.as_deref());
        match credentials.username.as_deref() {
            Some("in") => accept(Accepted {
                connack_user_properties: vec![("welcome".to_owned(), self.role().name)],
                ..Accepted::default()
            }),
            Some("slow") => Answer::Blocking(Box::new(|| AuthVerdict::Accept(Accepted::default()))),
            Some("out") => Answer::Now(AuthVerdict::Reject(Failure::new(0x86, "out means out"))),
            Some("banned") => Answer::Now(AuthVerdict::Reject(Failure::code(0x8A))),
            Some("alias") => {
                accept(Accepted { principal: Some("somebody".to_owned()), ..Accepted::default() })
            }
            Some("ruled") => accept(Accepted { rules: rules(), ..Accepted::default() }),
            Some("limited") => accept(Accepted {
                limits: Limits {
                    packet_bytes_max: Some(1000),
                    receive_maximum: Some(7),
                    max_qos: Some(QoS::AtLeastOnce),
                    subscriptions_max: Some(2),
                    session_expiry_secs_max: Some(60),
                    ..Limits::default()
                },
                ..Accepted::default()
            }),
            Some("crash") => panic!("asked to"),
            _ => Answer::Now(AuthVerdict::Next),
        }
    }

    /// The method COUNT: the client counts 1, is asked 2, answers 3, and is let in with 4. A wrong
    /// number is refused with 0x87; begun with `in` it is let in at once.
    fn auth_begin(
        &self,
        _client: &dyn Client,
        method: &str,
        _reauth: bool,
    ) -> Option<Box<dyn AuthExchange>> {
        (method == "COUNT").then(|| Box::new(Counting { expected: b"1" }) as Box<dyn AuthExchange>)
    }

    /// By the first level of topic or filter: `deny` is denied with 0x87 (`deny-publish`,
    /// `deny-subscribe` and `deny-receive` for that alone), `hang-up` ends the connection with 0x98,
    /// `next` is left to others, `crash` panics, `only` is for the principal `somebody`.
    fn authorize(&self, client: &dyn Client, action: &Action<'_>) -> Decision {
        let (what, topic) = match action {
            Action::Publish(message) | Action::Will(message) => ("deny-publish", message.topic),
            Action::Subscribe(subscription) => ("deny-subscribe", subscription.filter.as_str()),
            Action::Receive(message) => ("deny-receive", message.topic),
        };
        let deny = || Decision::Deny(Failure::code(0x87), CacheHint::never());
        match first_level(topic) {
            "deny" => deny(),
            level if level == what => deny(),
            "only" if client.principal() != Some("somebody") => deny(),
            "hang-up" => Decision::Disconnect(Failure::code(0x98)),
            "next" => Decision::Next,
            "crash" => panic!("asked to"),
            _ => Decision::Allow(CacheHint::never()),
        }
    }

    /// By the first level of the topic: `shout` makes the payload upper case, `move` puts the message
    /// under the rest of the topic, `dress` sets every property, `keep` sets RETAIN, `drop` drops,
    /// `reject` refuses with 0x99, `emit` has two messages follow under `emitted`, `sign` appends the
    /// plugin's name to the payload, `emit-sign` emits to `sign`, `origin` replaces the payload by
    /// where the message is from, `timer` sets a timer, `kick` ends the connection of the client that
    /// the payload names, `crash` panics.
    fn on_publish(
        &self,
        origin: Origin,
        client: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> PublishVerdict {
        let payload = |payload: Vec<u8>| {
            PublishOutcome::Rewrite(MessagePatch {
                payload: Some(payload),
                ..MessagePatch::default()
            })
        };
        let emits = |topic: &str, payloads: &[&str]| PublishVerdict {
            outcome: PublishOutcome::Pass,
            emit: payloads.iter().map(|payload| NewMessage::new(topic, *payload)).collect(),
        };
        let outcome = match first_level(message.topic) {
            "shout" => payload(message.payload.to_ascii_uppercase()),
            "move" => PublishOutcome::Rewrite(MessagePatch {
                topic: message.topic.strip_prefix("move/").map(str::to_owned),
                ..MessagePatch::default()
            }),
            "dress" => PublishOutcome::Rewrite(dress()),
            "keep" => PublishOutcome::Rewrite(MessagePatch {
                retain: Some(true),
                ..MessagePatch::default()
            }),
            "drop" => PublishOutcome::Drop,
            "reject" => PublishOutcome::Reject(Failure::new(0x99, "not like this")),
            "emit" => return emits("emitted", &["one", "two"]),
            "emit-sign" => return emits("sign", &["made"]),
            "sign" => payload([message.payload, b" ", self.role().name.as_bytes()].concat()),
            "origin" => {
                let who = client.map_or("nobody", |client| client.client_id());
                payload(format!("{origin:?} {who}").into_bytes())
            }
            "timer" => {
                let delay = Duration::from_millis(1);
                self.host().set_timer("probe timer", delay, None).expect("a timer is free");
                PublishOutcome::Pass
            }
            "kick" => {
                let client = String::from_utf8_lossy(message.payload).into_owned();
                self.host().disconnect(Disconnect::Client(client), 0x98).expect("granted");
                PublishOutcome::Pass
            }
            "crash" => panic!("asked to"),
            _ => PublishOutcome::Pass,
        };
        outcome.into()
    }

    /// By the first level of the filter: `move` subscribes to the rest instead, `lower` grants QoS 0
    /// at most, `reject` refuses with 0x83, `crash` panics.
    fn on_subscribe(&self, _client: &dyn Client, subscription: &Subscription) -> SubscribeVerdict {
        let instead = |subscription| SubscribeVerdict::Rewrite(subscription);
        match first_level(&subscription.filter) {
            "move" => instead(Subscription {
                filter: subscription.filter.replacen("move/", "", 1),
                ..subscription.clone()
            }),
            "lower" => instead(Subscription { qos: QoS::AtMostOnce, ..subscription.clone() }),
            "reject" => SubscribeVerdict::Reject(Failure::code(0x83)),
            "crash" => panic!("asked to"),
            _ => SubscribeVerdict::Pass,
        }
    }

    /// `move` unsubscribes from the rest of the filter instead.
    fn on_unsubscribe(&self, _client: &dyn Client, filter: &str) -> Option<String> {
        filter.strip_prefix("move/").map(str::to_owned)
    }

    /// The user name; clients without one are left alone.
    fn cohort(&self, client: &dyn Client) -> Option<String> {
        client.username().map(str::to_owned)
    }

    /// The cohort `loud` gets upper case, `none` gets nothing, `counted` gets how many calls there
    /// were for it instead of the payload, `crash` panics, others what was sent, followed by the name
    /// of the cohort.
    fn on_deliver(&self, cohort: &str, message: &Message<'_>) -> DeliverVerdict {
        let payload = |payload: Vec<u8>| {
            DeliverVerdict::Rewrite(MessagePatch {
                payload: Some(payload),
                ..MessagePatch::default()
            })
        };
        match cohort {
            "loud" => payload(message.payload.to_ascii_uppercase()),
            "none" => DeliverVerdict::Drop,
            "plain" => DeliverVerdict::Pass,
            "counted" => {
                let mut deliveries = self.deliveries.lock().expect("no hook panics here");
                let calls = deliveries.entry(cohort.to_owned()).or_default();
                *calls += 1;
                payload(calls.to_string().into_bytes())
            }
            "crash" => panic!("asked to"),
            other => payload([message.payload, b" ", other.as_bytes()].concat()),
        }
    }

    /// Publishes each event to `event/` and its kind, with client or topic as payload.
    fn on_events(&self, events: &[StampedEvent], lost: u64) {
        assert_eq!(lost, 0, "few events fit the queue");
        for StampedEvent { event, .. } in events {
            let kind = format!("event/{:?}", event.kind());
            match event {
                Event::Connected { who }
                | Event::ConnectionLost { who }
                | Event::SessionCreated { who }
                | Event::SessionResumed { who }
                | Event::SessionTakenOver { who }
                | Event::SessionExpired { who } => self.says(kind, who.client_id.as_str()),
                Event::AuthFailed { who, code } | Event::Disconnected { who, code } => {
                    self.says(kind, format!("{} {code:#04x}", who.client_id));
                }
                Event::Subscribed { who, subscription } => {
                    self.says(kind, format!("{} {}", who.client_id, subscription.filter));
                }
                Event::Unsubscribed { who, filter } => {
                    self.says(kind, format!("{} {filter}", who.client_id));
                }
                Event::RetainedSet { topic } | Event::RetainedCleared { topic } => {
                    self.says(kind, topic.as_str());
                }
                Event::WillSent { who, topic } => {
                    self.says(kind, format!("{} {topic}", who.client_id));
                }
                Event::Published { .. } | Event::Dropped { .. } => {
                    panic!("a kind that it did not name: {event:?}")
                }
            }
        }
    }

    /// `remember` keeps its argument, and `recall` gives it.
    fn on_command(
        &self,
        _principal: Option<&str>,
        command: &str,
        args: &str,
    ) -> Result<String, String> {
        let mut remembered = self.remembered.lock().expect("no hook panics here");
        match command {
            "remember" => *remembered = args.to_owned(),
            "recall" => {}
            _ => return Err("remember or recall".to_owned()),
        }
        Ok(remembered.clone())
    }

    /// What `remember` kept, if anything.
    fn export_state(&self) -> Option<Vec<u8>> {
        let remembered = self.remembered.lock().expect("no hook panics here").clone();
        assert_ne!(remembered, r#""crash""#, "asked to");
        let too_much = (remembered == r#""too much""#).then(|| vec![0; 2 * 1024 * 1024]);
        too_much.or_else(|| (!remembered.is_empty()).then(|| remembered.into_bytes()))
    }

    /// `poison` is refused.
    fn import_state(&self, state: &[u8]) -> Result<(), SettingsError> {
        let state = String::from_utf8_lossy(state).into_owned();
        if state == POISON {
            return Err(SettingsError::new("this is poison"));
        }
        *self.remembered.lock().expect("no hook panics here") = state;
        Ok(())
    }

    /// Publishes the timer's name to `timer-rang`.
    fn on_timer(&self, name: &str) {
        self.says("timer-rang".to_owned(), name);
    }
}

const POISON: &str = r#""poison""#;

fn first_level(topic: &str) -> &str {
    topic.split('/').next().unwrap_or_default()
}

/// May do anything under `own/` and its user name, but not under `own/…/closed`, publish to `lower`
/// at QoS 0 without RETAIN, and subscribe to `news/#`; `asked/#` is for others to decide.
fn rules() -> Vec<Rule> {
    let rule = |effect, action, filter: &str| Rule {
        effect,
        action,
        filter: filter.to_owned(),
        max_qos: None,
        allow_retain: None,
    };
    vec![
        rule(RuleEffect::Deny, RuleAction::All, "own/%u/closed/#"),
        rule(RuleEffect::Allow, RuleAction::All, "own/%u/#"),
        Rule {
            max_qos: Some(QoS::AtMostOnce),
            allow_retain: Some(false),
            ..rule(RuleEffect::Allow, RuleAction::Publish, "lower")
        },
        rule(RuleEffect::Allow, RuleAction::Subscribe, "news/#"),
        rule(RuleEffect::Allow, RuleAction::Receive, "news/#"),
        rule(RuleEffect::Ask, RuleAction::All, "asked/#"),
        rule(RuleEffect::Deny, RuleAction::All, "#"),
    ]
}

fn dress() -> MessagePatch {
    MessagePatch {
        expiry_secs: Some(Some(5000)),
        content_type: Some(Some("text/plain".to_owned())),
        response_topic: Some(Some("answers".to_owned())),
        correlation_data: Some(Some(vec![1, 2, 3])),
        user_properties: Some(vec![("dressed".to_owned(), "yes".to_owned())]),
        ..MessagePatch::default()
    }
}

struct Counting {
    expected: &'static [u8],
}

impl AuthExchange for Counting {
    fn step(&mut self, data: Option<&[u8]>) -> AuthStep {
        match (self.expected, data) {
            (b"1", Some(b"in")) => AuthStep::Accept(Box::default(), None),
            (b"1", Some(b"1")) => {
                self.expected = b"3";
                AuthStep::Challenge(b"2".to_vec())
            }
            (b"3", Some(b"3")) => AuthStep::Accept(Box::default(), Some(b"4".to_vec())),
            _ => AuthStep::Reject(Failure::code(0x87)),
        }
    }
}
