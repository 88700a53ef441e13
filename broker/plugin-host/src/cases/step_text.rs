use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use pintle_mqtt::{SubscriptionFilter, TopicName};
use pintle_plugin_api::{
    ClientDescription, Credentials, DropReason, Event, NewMessage, Origin, Protocol, QoS,
    StampedEvent, Subscription, Transport, Who,
};
use serde::Deserialize;
use serde_json::Value;

use super::step::{Ask, Step};

/// A step as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepText {
    pub(super) connect: Option<ConnectText>,
    pub(super) auth: Option<AuthText>,
    pub(super) publish: Option<MessageText>,
    pub(super) subscribe: Option<SubscribeText>,
    pub(super) unsubscribe: Option<UnsubscribeText>,
    pub(super) deliver: Option<MessageText>,
    pub(super) authorize: Option<AuthorizeText>,
    pub(super) event: Option<EventText>,
    pub(super) events: Option<Vec<EventText>>,
    pub(super) timer: Option<TimerText>,
    pub(super) command: Option<CommandText>,
    pub(super) wait: Option<f64>,
    pub(super) repeat: Option<u32>,
}

/// The client of a case.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientText {
    id: Option<String>,
    user: Option<String>,
    principal: Option<String>,
    protocol: Option<String>,
    transport: Option<String>,
    listener: Option<String>,
    address: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectText {
    pub(super) user: Option<String>,
    password: Option<String>,
    password_hex: Option<String>,
    will_topic: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthText {
    method: String,
    #[serde(default)]
    reauth: bool,
    /// What the client sends, step by step.
    #[serde(default)]
    data: Vec<String>,
    #[serde(default)]
    data_hex: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageText {
    topic: String,
    payload: Option<String>,
    json: Option<Value>,
    hex: Option<String>,
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    retain: bool,
    expiry_secs: Option<u32>,
    content_type: Option<String>,
    response_topic: Option<String>,
    correlation_data: Option<String>,
    #[serde(default)]
    user_properties: Vec<(String, String)>,
    /// Of a publish.
    origin: Option<String>,
    /// Of a delivery.
    cohort: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscribeText {
    filter: String,
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    no_local: bool,
    #[serde(default)]
    retain_as_published: bool,
    #[serde(default)]
    retain_handling: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnsubscribeText {
    filter: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthorizeText {
    action: String,
    topic: Option<String>,
    filter: Option<String>,
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    retain: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventText {
    kind: String,
    client: Option<ClientText>,
    at_ms: Option<u64>,
    code: Option<u8>,
    topic: Option<String>,
    filter: Option<String>,
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    payload_len: usize,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimerText {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandText {
    name: String,
    args: Option<Value>,
    principal: Option<String>,
}

impl StepText {
    pub(super) fn read(self, client: &ClientDescription, now_ms: u64) -> Result<Step, String> {
        let mut steps: Vec<Result<Step, String>> = Vec::new();
        steps.extend(self.connect.map(|text| text.read(client)));
        steps.extend(self.auth.map(AuthText::read));
        steps.extend(self.publish.map(MessageText::published));
        steps.extend(self.subscribe.map(|text| Ok(Step::Subscribe(text.read()?))));
        steps.extend(self.unsubscribe.map(|text| {
            filter(&text.filter)?;
            Ok(Step::Unsubscribe(text.filter))
        }));
        steps.extend(self.deliver.map(|text| {
            let cohort = text.cohort.clone();
            Ok(Step::Deliver(cohort, text.read()?))
        }));
        steps.extend(self.authorize.map(|text| Ok(Step::Authorize(text.read()?))));
        let events: Option<Vec<EventText>> = self.events.or(self.event.map(|event| vec![event]));
        steps.extend(events.map(|events| {
            let event = |text: EventText| {
                let at_ms = text.at_ms.unwrap_or(now_ms);
                Ok(StampedEvent { at_ms, event: text.read(client)? })
            };
            Ok(Step::Events(events.into_iter().map(event).collect::<Result<_, String>>()?))
        }));
        steps.extend(self.timer.map(|text| Ok(Step::Timer(text.name))));
        steps.extend(self.command.map(|text| Ok(text.read())));
        steps.extend(self.wait.map(|secs| {
            let span = Duration::try_from_secs_f64(secs).map_err(|error| error.to_string())?;
            Ok(Step::Wait(span))
        }));
        match (steps.pop(), steps.is_empty()) {
            (Some(step), true) => step,
            (None, _) => Err(format!("it asks nothing: it needs one of {STEPS}")),
            (Some(_), false) => Err(format!("it asks several things: it may have one of {STEPS}")),
        }
    }
}

const STEPS: &str = "connect, auth, publish, subscribe, unsubscribe, deliver, authorize, event, \
                     timer, command";

impl ClientText {
    pub(super) fn read(self) -> Result<ClientDescription, String> {
        let ours = ClientDescription::new("client", None);
        Ok(ClientDescription {
            client_id: self.id.unwrap_or(ours.client_id),
            username: self.user,
            principal: self.principal,
            protocol: match self.protocol.as_deref() {
                None | Some("5" | "5.0") => Protocol::Mqtt5,
                Some("3.1.1") => Protocol::Mqtt311,
                Some("3.1") => Protocol::Mqtt31,
                Some(other) => return Err(expected("protocol", "5, 3.1.1 or 3.1", other)),
            },
            transport: match self.transport.as_deref() {
                None | Some("tcp") => Transport::Tcp,
                Some("tls") => Transport::Tls,
                Some("websocket") => Transport::WebSocket,
                Some("websocket-tls") => Transport::WebSocketTls,
                Some(other) => {
                    let known = "tcp, tls, websocket or websocket-tls";
                    return Err(expected("transport", known, other));
                }
            },
            listener: self.listener.unwrap_or(ours.listener),
            remote_addr: self.address.map(|text| address(&text)).transpose()?,
            session_key: ours.session_key,
        })
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let alone = |_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 50_000));
    text.parse::<SocketAddr>()
        .or_else(alone)
        .map_err(|_| expected("address", "an IP address, with or without a port", text))
}

fn expected(key: &str, known: &str, found: &str) -> String {
    format!("{key}: expected {known}, found {found:?}")
}

impl ConnectText {
    fn read(self, client: &ClientDescription) -> Result<Step, String> {
        let password = match (self.password, self.password_hex) {
            (Some(text), None) => Some(text.into_bytes()),
            (None, hex) => hex.map(|hex| unhex("password_hex", &hex)).transpose()?,
            (Some(_), Some(_)) => {
                return Err("give one of `password` and `password_hex`".to_owned());
            }
        };
        Ok(Step::Connect(Credentials {
            username: self.user.or_else(|| client.username.clone()),
            password,
            will_topic: self.will_topic,
        }))
    }
}

impl AuthText {
    fn read(self) -> Result<Step, String> {
        let texts = self.data.into_iter().map(|text| Ok(Some(text.into_bytes())));
        let bytes = self.data_hex.iter().map(|text| unhex("data_hex", text).map(Some));
        let data: Vec<Option<Vec<u8>>> = texts.chain(bytes).collect::<Result<_, String>>()?;
        let data = if data.is_empty() { vec![None] } else { data };
        Ok(Step::Auth { method: self.method, reauth: self.reauth, data })
    }
}

impl MessageText {
    fn published(self) -> Result<Step, String> {
        let origin = match self.origin.as_deref() {
            None | Some("client") => Origin::Client,
            Some("will") => Origin::Will,
            Some("plugin") => Origin::Plugin,
            Some("admin") => Origin::Admin,
            Some(other) => {
                return Err(expected("origin", "client, will, plugin or admin", other));
            }
        };
        Ok(Step::Publish(origin, self.read()?))
    }

    fn read(self) -> Result<NewMessage, String> {
        topic(&self.topic)?;
        Ok(NewMessage {
            payload: payload(self.payload, self.json.as_ref(), self.hex.as_deref())?
                .unwrap_or_default(),
            topic: self.topic,
            qos: qos(self.qos)?,
            retain: self.retain,
            expiry_secs: self.expiry_secs,
            content_type: self.content_type,
            response_topic: self.response_topic,
            correlation_data: self.correlation_data.map(String::into_bytes),
            user_properties: self.user_properties,
        })
    }
}

impl SubscribeText {
    fn read(self) -> Result<Subscription, String> {
        Ok(Subscription {
            qos: qos(self.qos)?,
            no_local: self.no_local,
            retain_as_published: self.retain_as_published,
            retain_handling: self.retain_handling,
            ..filter(&self.filter)?
        })
    }
}

impl AuthorizeText {
    fn read(self) -> Result<Ask, String> {
        let name = self.topic.or(self.filter).unwrap_or_default();
        if self.action == "subscribe" {
            let asked = filter(&name)?;
            return Ok(Ask::Subscribe(Subscription { qos: qos(self.qos)?, ..asked }));
        }
        topic(&name)?;
        let message = NewMessage {
            qos: qos(self.qos)?,
            retain: self.retain,
            ..NewMessage::new(name, Vec::new())
        };
        match self.action.as_str() {
            "publish" => Ok(Ask::Publish(message)),
            "receive" => Ok(Ask::Receive(message)),
            "will" => Ok(Ask::Will(message)),
            other => Err(expected("action", "publish, subscribe, receive or will", other)),
        }
    }
}

impl EventText {
    fn read(self, ours: &ClientDescription) -> Result<Event, String> {
        let client = self.client.map(ClientText::read).transpose()?;
        let who = Who::of(client.as_ref().unwrap_or(ours));
        let code = self.code.unwrap_or(0);
        let topic = self.topic.unwrap_or_default();
        Ok(match self.kind.as_str() {
            "connected" => Event::Connected { who },
            "auth_failed" => Event::AuthFailed { who, code: self.code.unwrap_or(0x87) },
            "disconnected" => Event::Disconnected { who, code },
            "connection_lost" => Event::ConnectionLost { who },
            "session_created" => Event::SessionCreated { who },
            "session_resumed" => Event::SessionResumed { who },
            "session_taken_over" => Event::SessionTakenOver { who },
            "session_expired" => Event::SessionExpired { who },
            "subscribed" => {
                let asked = filter(&self.filter.unwrap_or_default())?;
                Event::Subscribed {
                    who,
                    subscription: Subscription { qos: qos(self.qos)?, ..asked },
                }
            }
            "unsubscribed" => Event::Unsubscribed { who, filter: self.filter.unwrap_or_default() },
            "published" => Event::Published {
                who: Some(who),
                topic,
                qos: qos(self.qos)?,
                payload_len: self.payload_len,
            },
            "dropped" => Event::Dropped { who, topic, reason: reason(self.reason.as_deref())? },
            "retained_set" => Event::RetainedSet { topic },
            "retained_cleared" => Event::RetainedCleared { topic },
            "will_sent" => Event::WillSent { who, topic },
            other => return Err(expected("event kind", EVENTS, other)),
        })
    }
}

const EVENTS: &str = "connected, auth_failed, disconnected, connection_lost, session_created, \
                      session_resumed, session_taken_over, session_expired, subscribed, \
                      unsubscribed, published, dropped, retained_set, retained_cleared or \
                      will_sent";

fn reason(text: Option<&str>) -> Result<DropReason, String> {
    Ok(match text {
        None | Some("queue_full") => DropReason::QueueFull,
        Some("expired") => DropReason::Expired,
        Some("too_large") => DropReason::TooLarge,
        Some("unauthorized") => DropReason::Unauthorized,
        Some("plugin") => DropReason::Plugin,
        Some("slow_consumer") => DropReason::SlowConsumer,
        Some(other) => {
            let known = "queue_full, expired, too_large, unauthorized, plugin or slow_consumer";
            return Err(expected("reason", known, other));
        }
    })
}

impl CommandText {
    fn read(self) -> Step {
        let args = self.args.map_or_else(|| "null".to_owned(), |args| args.to_string());
        Step::Command { principal: self.principal, command: self.name, args }
    }
}

/// The payload by the one key that gives it.
pub(super) fn payload(
    text: Option<String>,
    json: Option<&Value>,
    hex: Option<&str>,
) -> Result<Option<Vec<u8>>, String> {
    match (text, json, hex) {
        (None, None, None) => Ok(None),
        (Some(text), None, None) => Ok(Some(text.into_bytes())),
        (None, Some(json), None) => Ok(Some(json.to_string().into_bytes())),
        (None, None, Some(hex)) => unhex("hex", hex).map(Some),
        _ => Err("give one of `payload`, `json` and `hex`".to_owned()),
    }
}

pub(super) fn unhex(key: &str, text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| character.to_digit(16))
        .collect::<Option<_>>()
        .ok_or_else(|| expected(key, "hexadecimal digits", text))?;
    let bytes = digits.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    bytes.collect::<Option<_>>().ok_or_else(|| expected(key, "pairs of digits", text))
}

pub(super) fn qos(number: u8) -> Result<QoS, String> {
    match number {
        0 => Ok(QoS::AtMostOnce),
        1 => Ok(QoS::AtLeastOnce),
        2 => Ok(QoS::ExactlyOnce),
        other => Err(format!("qos: expected 0, 1 or 2, found {other}")),
    }
}

fn topic(name: &str) -> Result<(), String> {
    match TopicName::new(name) {
        Ok(_) => Ok(()),
        Err(violation) => Err(format!("{name:?} is no Topic Name: {}", violation.what)),
    }
}

/// A Topic Filter with or without `$share/NAME/`.
fn filter(text: &str) -> Result<Subscription, String> {
    let parsed = SubscriptionFilter::new(text)
        .map_err(|violation| format!("{text:?} is no Topic Filter: {}", violation.what))?;
    Ok(Subscription {
        filter: parsed.filter.as_str().to_owned(),
        share_name: parsed.share.map(|name| name.as_str().to_owned()),
        qos: QoS::AtMostOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
    })
}
