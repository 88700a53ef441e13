//! What the admin interface answers to what.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::address::{decode, query};
use super::answer::{Answer, json, refusal, text};
use super::explain::Question;
use super::serve::Desk;
use super::{log_stream, metrics, plugin_json};
use crate::broker::{Controls, Done, Refusal, RefusalKind};

/// Of what is sent with a request.
const BODY_BYTES_MAX: usize = 16 << 20;
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

type Outcome = Result<Value, Refusal>;

pub(super) async fn answer(desk: &Desk, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let segments = parts.uri.path().split('/').filter(|part| !part.is_empty());
    let Some(segments) = segments.map(decode).collect::<Option<Vec<String>>>() else {
        return refusal(StatusCode::BAD_REQUEST, "the path of the request is no text", None);
    };
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let body = match body_of(body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let controls = Arc::clone(&desk.controls);
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, ["health"]) => health(&controls),
        (&Method::GET, ["metrics"]) => {
            text(metrics::CONTENT_TYPE, metrics::encode(&controls.counters(), &controls.host))
        }
        (&Method::GET, ["logs"]) => {
            let value = |key| query(parts.uri.query(), key);
            log_stream::lines(value("plugin"), value("follow").is_some_and(|value| value != "0"))
        }
        (&Method::POST, ["explain"]) => {
            blocking(move || parse::<Question>(&body)?.ask(&controls.host)).await
        }
        (_, ["plugins", rest @ ..]) => {
            let rest = rest.iter().map(|part| (*part).to_owned()).collect();
            plugins(controls, parts.method, rest, body).await
        }
        (_, ["health" | "metrics" | "logs" | "explain"]) => wrong_method(),
        _ => no_such_route(),
    }
}

async fn plugins(
    controls: Arc<Controls>,
    method: Method,
    rest: Vec<String>,
    body: Bytes,
) -> Answer {
    blocking(move || {
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        match (&method, rest.as_slice()) {
            (&Method::GET, []) => list(&controls),
            (&Method::POST, []) => load(&controls, &body),
            (&Method::GET, [name]) => {
                Ok(plugin_json::info(&controls.plugin(name)?, &controls.origin_of(name)))
            }
            (&Method::DELETE, [name]) => done(&controls, controls.remove_plugin(name)),
            (&Method::GET, [name, "stats"]) => stats(&controls, name),
            (&Method::POST, [name, "reload"]) => done(&controls, controls.reload_plugin(name)),
            (&Method::POST, [name, "disable"]) => done(&controls, controls.disable_plugin(name)),
            (&Method::POST, [name, "enable"]) => done(&controls, controls.enable_plugin(name)),
            (&Method::POST, [name, "rollback"]) => done(&controls, controls.roll_back_plugin(name)),
            (&Method::POST, [name, "command"]) => command(&controls, name, &body),
            _ => Err(Refusal::new(RefusalKind::Missing, NO_SUCH_ROUTE).with_hint(ROUTES)),
        }
    })
    .await
}

const NO_SUCH_ROUTE: &str = "there is nothing to ask for at this path with this method";
const ROUTES: &str = "GET /health /metrics /plugins /plugins/NAME /plugins/NAME/stats /logs, POST \
                      /plugins /plugins/NAME/{reload,disable,enable,rollback,command} /explain, \
                      DELETE /plugins/NAME";

fn no_such_route() -> Answer {
    refusal(StatusCode::NOT_FOUND, NO_SUCH_ROUTE, Some(ROUTES))
}

fn wrong_method() -> Answer {
    refusal(StatusCode::METHOD_NOT_ALLOWED, NO_SUCH_ROUTE, Some(ROUTES))
}

/// Reads what was sent, as far as it is not too much and does not take too long.
async fn body_of(body: Incoming) -> Result<Bytes, Answer> {
    let body = Limited::new(body, BODY_BYTES_MAX).collect();
    match timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let what = "what was sent is over 16 MiB";
            Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, what, None))
        }
        Ok(Err(error)) => Err(refusal(StatusCode::BAD_REQUEST, &error.to_string(), None)),
        Err(_) => {
            let what = "what was announced did not come in time";
            Err(refusal(StatusCode::REQUEST_TIMEOUT, what, None))
        }
    }
}

/// Does what may take long beside the runtime.
async fn blocking(work: impl FnOnce() -> Outcome + Send + 'static) -> Answer {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => json(&value),
        Ok(Err(refused)) => refused.into(),
        Err(_) => {
            let what = "the broker failed over this; its log says where";
            Refusal::new(RefusalKind::Broker, what).into()
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        Refusal::new(RefusalKind::Question, format!("what was sent makes no sense: {error}"))
    })
}

fn health(controls: &Controls) -> Answer {
    let counters = controls.counters();
    let value = |name| counters.iter().find(|(key, _)| *key == name).map_or(0, |(_, n)| *n);
    json(&json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": value("uptime"),
        "clients_connected": value("clients/connected"),
    }))
}

fn list(controls: &Controls) -> Outcome {
    let plugins = controls.host.list();
    let plugins =
        plugins.iter().map(|info| plugin_json::info(info, &controls.origin_of(&info.name)));
    Ok(plugins.collect())
}

fn done(controls: &Controls, outcome: Result<Done, Refusal>) -> Outcome {
    let done = outcome?;
    Ok(plugin_json::done(&done, &controls.origin_of(&done.info.name)))
}

fn stats(controls: &Controls, name: &str) -> Outcome {
    let info = controls.plugin(name)?;
    let all = controls.host.stats();
    match all.iter().find(|stats| stats.name == info.name) {
        Some(stats) => Ok(plugin_json::stats(stats)),
        None => {
            let what = format!("the plugin `{name}` is disabled and has no figures");
            Err(Refusal::new(RefusalKind::State, what))
        }
    }
}

/// `{path, save?}` and else what an entry of the configuration may hold.
fn load(controls: &Controls, body: &[u8]) -> Outcome {
    let mut sent: Map<String, Value> = parse(body)?;
    let question = |what: String| Refusal::new(RefusalKind::Question, what);
    let Some(Value::String(path)) = sent.remove("path") else {
        let what = "`path` is missing: say which script, component or folder to load";
        return Err(question(what.to_owned()));
    };
    let save = match sent.remove("save") {
        None => false,
        Some(Value::Bool(save)) => save,
        Some(other) => {
            return Err(question(format!("`save`: expected true or false, found {other}")));
        }
    };
    let mut entry = toml::Table::try_from(&sent)
        .map_err(|error| question(format!("what was sent is no entry for a plugin: {error}")))?;
    let used = if path.starts_with("builtin:") {
        path
    } else {
        let whole = std::path::absolute(Path::new(&path));
        whole.map_or(path, |whole| whole.display().to_string())
    };
    entry.insert("use".to_owned(), used.into());
    done(controls, controls.load_plugin(entry, save))
}

/// `{command, args?}`: what a plugin answers to a command.
fn command(controls: &Controls, name: &str, body: &[u8]) -> Outcome {
    let mut sent: Map<String, Value> = parse(body)?;
    let Some(Value::String(command)) = sent.remove("command") else {
        let what = "`command` is missing: say which command the plugin is to be given";
        return Err(Refusal::new(RefusalKind::Question, what));
    };
    let args = match sent.remove("args") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    };
    match controls.host.command(name, None, &command, &args)? {
        Ok(answer) => Ok(json!({ "answer": answer })),
        Err(refused) => Err(Refusal::new(RefusalKind::Plugin, refused)),
    }
}
