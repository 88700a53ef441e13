use std::fmt::{Debug, Display};

use pintle_plugin_api::{NewMessage, QoS};
use serde_json::Value;

use super::case_host::Seen;
use super::expect::{Body, Emitted, Expect};
use super::observed::Observed;

/// What differs between what was expected and what came, one line for each.
pub(super) fn differences(expect: &Expect, observed: &Observed, seen: &Seen) -> Vec<String> {
    let mut found = Differences(Vec::new());
    found.verdict(expect, observed);
    if observed.error.is_none() || expect.body.is_some() {
        found.goes_on(expect, observed.goes_on.as_ref());
    }
    found.texts(expect, observed);
    found.effects(expect, seen);
    found.0.extend(seen.refused.iter().cloned());
    found.0
}

struct Differences(Vec<String>);

impl Differences {
    fn differs(&mut self, what: &str, expected: impl Display, got: impl Display) {
        self.0.push(format!("{what}: expected {expected}, got {got}"));
    }

    fn same<T: PartialEq + Debug>(&mut self, what: &str, expected: &Option<T>, got: &Option<T>) {
        if expected.is_some() && expected != got {
            self.differs(what, shown(expected.as_ref()), shown(got.as_ref()));
        }
    }

    fn verdict(&mut self, expect: &Expect, observed: &Observed) {
        match (&observed.error, expect.wants_error()) {
            (Some(error), false) => {
                let wanted = expect.verdict.as_deref().unwrap_or("no error");
                self.differs("verdict", wanted, format!("an error: {error}"));
            }
            (None, true) => self.differs("verdict", "error", observed.verdict),
            (Some(error), true) => {
                let part = expect.error.as_deref().unwrap_or_default();
                if !error.contains(part) {
                    self.differs("error", format!("something with {part:?}"), format!("{error:?}"));
                }
            }
            (None, false) => {
                let got = Some(observed.verdict.to_owned());
                if expect.verdict.is_some() && expect.verdict != got {
                    let why = observed.code.map(|code| format!(" 0x{code:02x}"));
                    let got = format!("{}{}", observed.verdict, why.unwrap_or_default());
                    self.differs("verdict", expect.verdict.as_deref().unwrap_or_default(), got);
                }
            }
        }
        if let Some(code) = expect.code
            && observed.code != Some(code)
        {
            let got = observed.code.map_or("none".to_owned(), |code| format!("0x{code:02x}"));
            self.differs("code", format!("0x{code:02x}"), got);
        }
    }

    fn goes_on(&mut self, expect: &Expect, message: Option<&NewMessage>) {
        self.body("", &expect.body, message);
        let Some(message) = message else { return };
        self.same("qos", &expect.qos, &Some(number(message.qos)));
        self.same("retain", &expect.retain, &Some(message.retain));
        self.same("expiry_secs", &expect.expiry_secs, &message.expiry_secs);
        self.same("content_type", &expect.content_type, &message.content_type);
        self.same("response_topic", &expect.response_topic, &message.response_topic);
        let properties = Some(message.user_properties.clone());
        self.same("user_properties", &expect.user_properties, &properties);
    }

    fn texts(&mut self, expect: &Expect, observed: &Observed) {
        self.same("message", &expect.message, &observed.message);
        self.same("principal", &expect.principal, &observed.principal);
        self.same("rules", &expect.rules, &Some(observed.rules.clone()));
        self.same("filter", &expect.filter, &observed.filter);
        self.same("cohort", &expect.cohort, &observed.cohort);
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        let challenges = observed.challenges.iter().map(text).collect();
        self.same("challenges", &expect.challenges, &Some(challenges));
        if let Some(expected) = &expect.answer {
            let got = observed.answer.as_deref().unwrap_or_default();
            let json = serde_json::from_str::<Value>(got).unwrap_or_else(|_| got.into());
            if !same_json(expected, &json) {
                self.differs("answer", expected, got);
            }
        }
    }

    fn effects(&mut self, expect: &Expect, seen: &Seen) {
        if let Some(expected) = &expect.emit {
            self.emits(expected, &seen.emitted);
        }
        self.same("disconnect", &expect.disconnect, &Some(seen.disconnected.clone()));
        self.same("timers", &expect.timers, &Some(seen.timers.iter().cloned().collect()));
        for part in &expect.log {
            if !seen.log.iter().any(|line| line.contains(part)) {
                self.differs("log", format!("a line with {part:?}"), format!("{:?}", seen.log));
            }
        }
        for (key, expected) in &expect.kv {
            let got = seen.kv_text(key);
            if got.as_ref() != Some(expected) {
                self.differs(&format!("kv {key:?}"), format!("{expected:?}"), shown(got.as_ref()));
            }
        }
    }

    fn emits(&mut self, expected: &[Emitted], got: &[(Option<String>, NewMessage)]) {
        if expected.len() != got.len() {
            let topics: Vec<&str> = got.iter().map(|(_, message)| &*message.topic).collect();
            let expected = format!("{} message(s)", expected.len());
            self.differs("emit", expected, format!("{}: {topics:?}", got.len()));
            return;
        }
        for (place, (expected, (to, got))) in expected.iter().zip(got).enumerate() {
            let what = format!("emit {}: ", place + 1);
            self.body(&what, &expected.body, Some(got));
            self.same(&format!("{what}qos"), &expected.qos, &Some(number(got.qos)));
            self.same(&format!("{what}retain"), &expected.retain, &Some(got.retain));
            self.same(&format!("{what}to"), &expected.to, to);
        }
    }

    fn body(&mut self, what: &str, expected: &Body, message: Option<&NewMessage>) {
        let topic = message.map(|message| message.topic.clone());
        self.same(&format!("{what}topic"), &expected.topic, &topic);
        let payload = message.map(|message| message.payload.as_slice());
        let text = payload.map_or_else(|| "no message".to_owned(), payload_text);
        if let Some(bytes) = &expected.payload
            && payload != Some(bytes)
        {
            self.differs(&format!("{what}payload"), payload_text(bytes), &text);
        }
        let json = payload.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        let got = json.as_ref().map_or_else(|| text.clone(), Value::to_string);
        if let Some(expected) = &expected.json
            && !json.as_ref().is_some_and(|json| same_json(expected, json))
        {
            self.differs(&format!("{what}json"), expected, &got);
        }
        if let Some(expected) = &expected.json_has
            && !json.as_ref().is_some_and(|json| has_json(json, expected))
        {
            self.differs(&format!("{what}payload_json_has"), expected, &got);
        }
    }
}

impl Body {
    fn is_some(&self) -> bool {
        self.topic.is_some()
            || self.payload.is_some()
            || self.json.is_some()
            || self.json_has.is_some()
    }
}

fn shown<T: Debug>(value: Option<&T>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("{value:?}"))
}

const fn number(qos: QoS) -> u8 {
    match qos {
        QoS::AtMostOnce => 0,
        QoS::AtLeastOnce => 1,
        QoS::ExactlyOnce => 2,
    }
}

fn payload_text(bytes: &[u8]) -> String {
    const SHOWN_MAX: usize = 400;
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "),
    };
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}… ({} bytes)", text.get(..end).unwrap_or(""), bytes.len()),
        None => text,
    }
}

/// Numbers are the same if they are equal as numbers, whatever they are written like.
fn same_json(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
            _ => a == b,
        },
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let has = |key: &String, value| b.get(key).is_some_and(|b| same_json(value, b));
            a.len() == b.len() && a.iter().all(|(key, value)| has(key, value))
        }
        _ => a == b,
    }
}

/// Whether `json` has all that `part` has, at the same places.
fn has_json(json: &Value, part: &Value) -> bool {
    match (json, part) {
        (Value::Object(json), Value::Object(part)) => {
            part.iter().all(|(key, part)| json.get(key).is_some_and(|value| has_json(value, part)))
        }
        _ => same_json(json, part),
    }
}
