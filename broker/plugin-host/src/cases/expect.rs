use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::step::Step;
use super::step_text::payload;

/// What should come of a step. What it does not name is not looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Expect {
    pub(super) verdict: Option<String>,
    pub(super) code: Option<u8>,
    pub(super) message: Option<String>,
    pub(super) body: Body,
    pub(super) qos: Option<u8>,
    pub(super) retain: Option<bool>,
    pub(super) expiry_secs: Option<u32>,
    pub(super) content_type: Option<String>,
    pub(super) response_topic: Option<String>,
    pub(super) user_properties: Option<Vec<(String, String)>>,
    pub(super) principal: Option<String>,
    pub(super) rules: Option<Vec<String>>,
    pub(super) filter: Option<String>,
    pub(super) cohort: Option<String>,
    pub(super) challenges: Option<Vec<String>>,
    pub(super) answer: Option<Value>,
    pub(super) emit: Option<Vec<Emitted>>,
    pub(super) disconnect: Option<Vec<String>>,
    pub(super) timers: Option<Vec<String>>,
    pub(super) log: Vec<String>,
    pub(super) kv: BTreeMap<String, String>,
    pub(super) error: Option<String>,
}

impl Expect {
    pub(super) fn wants_error(&self) -> bool {
        self.error.is_some() || self.verdict.as_deref() == Some("error")
    }
}

/// Topic and payload of a message, as far as they are expected to be something.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    pub(super) topic: Option<String>,
    pub(super) payload: Option<Vec<u8>>,
    pub(super) json: Option<Value>,
    pub(super) json_has: Option<Value>,
}

/// A message that should be made.
#[derive(Clone, Debug)]
pub(super) struct Emitted {
    pub(super) body: Body,
    pub(super) qos: Option<u8>,
    pub(super) retain: Option<bool>,
    pub(super) to: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectText {
    verdict: Option<String>,
    code: Option<u8>,
    message: Option<String>,
    topic: Option<String>,
    payload: Option<String>,
    json: Option<Value>,
    hex: Option<String>,
    payload_json_has: Option<Value>,
    qos: Option<u8>,
    retain: Option<bool>,
    expiry_secs: Option<u32>,
    content_type: Option<String>,
    response_topic: Option<String>,
    user_properties: Option<Vec<(String, String)>>,
    principal: Option<String>,
    rules: Option<Vec<String>>,
    filter: Option<String>,
    cohort: Option<String>,
    challenges: Option<Vec<String>>,
    answer: Option<Value>,
    emit: Option<Vec<EmittedText>>,
    disconnect: Option<Vec<String>>,
    timers: Option<Vec<String>>,
    #[serde(default)]
    log: Vec<String>,
    #[serde(default)]
    kv: BTreeMap<String, String>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmittedText {
    topic: Option<String>,
    payload: Option<String>,
    json: Option<Value>,
    hex: Option<String>,
    payload_json_has: Option<Value>,
    qos: Option<u8>,
    retain: Option<bool>,
    /// The one client that it is for.
    to: Option<String>,
}

impl ExpectText {
    pub(super) fn read(self, step: &Step) -> Result<Expect, String> {
        if let Some(verdict) = &self.verdict
            && verdict != "error"
            && !step.verdicts().contains(&verdict.as_str())
        {
            let known = step.verdicts().join(", ");
            return Err(format!(
                "expect.verdict: {verdict:?} is no answer to this; there are: {known}, error"
            ));
        }
        let emit = self.emit.map(|list| list.into_iter().map(EmittedText::read).collect());
        Ok(Expect {
            verdict: self.verdict,
            code: self.code,
            message: self.message,
            body: body(self.topic, self.payload, self.json, self.hex, self.payload_json_has)?,
            qos: self.qos,
            retain: self.retain,
            expiry_secs: self.expiry_secs,
            content_type: self.content_type,
            response_topic: self.response_topic,
            user_properties: self.user_properties,
            principal: self.principal,
            rules: self.rules,
            filter: self.filter,
            cohort: self.cohort,
            challenges: self.challenges,
            answer: self.answer,
            emit: emit.transpose()?,
            disconnect: self.disconnect,
            timers: self.timers,
            log: self.log,
            kv: self.kv,
            error: self.error,
        })
    }
}

impl EmittedText {
    fn read(self) -> Result<Emitted, String> {
        Ok(Emitted {
            body: body(self.topic, self.payload, self.json, self.hex, self.payload_json_has)?,
            qos: self.qos,
            retain: self.retain,
            to: self.to,
        })
    }
}

fn body(
    topic: Option<String>,
    text: Option<String>,
    json: Option<Value>,
    hex: Option<String>,
    json_has: Option<Value>,
) -> Result<Body, String> {
    if text.is_some() && json.is_some() {
        return Err("expect: give one of `payload`, `json` and `hex`".to_owned());
    }
    let payload = payload(text, None, hex.as_deref())?;
    Ok(Body { topic, payload, json, json_has })
}
