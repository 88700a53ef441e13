//! A client of the admin interface.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::SourceArgs;
use crate::config::Config;

/// Which broker is meant.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct BrokerArgs {
    /// The admin socket of the broker; else that of the configuration
    #[arg(long, value_name = "PATH")]
    pub(super) socket: Option<PathBuf>,
    /// The configuration that the broker runs with [env: PINTLE_CONFIG]
    #[arg(short = 'c', long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The folder that the broker keeps its state in
    #[arg(long, value_name = "FOLDER")]
    pub(super) data_dir: Option<PathBuf>,
}

impl BrokerArgs {
    /// The same without a socket.
    pub(super) fn sources(&self) -> SourceArgs {
        SourceArgs {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            ..SourceArgs::default()
        }
    }

    /// A client for it; nothing is opened yet.
    pub(super) fn client(&self) -> Result<AdminClient> {
        let socket = match &self.socket {
            Some(socket) => socket.clone(),
            None => self.configured_socket()?,
        };
        AdminClient::new(socket)
    }

    fn configured_socket(&self) -> Result<PathBuf> {
        let config = Config::load(&self.sources().sources())
            .context("cannot tell from the configuration where the broker is; --socket says it")?;
        config.admin.socket.ok_or_else(|| {
            anyhow!("the configuration says [admin] socket = false, so no broker takes commands")
        })
    }
}

/// Asks one broker.
pub(super) struct AdminClient {
    socket: PathBuf,
    runtime: Runtime,
}

/// Nobody listens at the socket.
#[derive(Debug, thiserror::Error)]
#[error(
    "no broker answers at {}. Is it running, with this configuration and from this folder? \
     --socket PATH, --config FILE or --data-dir FOLDER say where it is", .0.display()
)]
pub(super) struct NoBroker(PathBuf);

impl AdminClient {
    pub(super) fn new(socket: PathBuf) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self { socket, runtime: runtime.context("cannot start the runtime")? })
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) fn get(&self, path: &str) -> Result<Value> {
        self.ask(Method::GET, path, None)
    }

    pub(super) fn post(&self, path: &str, body: Option<&Value>) -> Result<Value> {
        self.ask(Method::POST, path, body)
    }

    pub(super) fn delete(&self, path: &str) -> Result<Value> {
        self.ask(Method::DELETE, path, None)
    }

    /// The answer; what the broker refuses is an error with its hint.
    fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        self.runtime.block_on(async {
            let answer = self.send(method, path, body).await?;
            let is_success = answer.status().is_success();
            let bytes = answer.into_body().collect().await?.to_bytes();
            let value: Value =
                serde_json::from_slice(&bytes).context("the broker's answer makes no sense")?;
            if is_success { Ok(value) } else { Err(refusal(&value)) }
        })
    }

    /// Hands every line of the answer to `each`, as they come.
    pub(super) fn lines(&self, path: &str, mut each: impl FnMut(&str) -> Result<()>) -> Result<()> {
        self.runtime.block_on(async {
            let mut body = self.send(Method::GET, path, None).await?.into_body();
            let mut rest = Vec::new();
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame.context("the broker has gone")?.into_data() else { continue };
                rest.extend_from_slice(&data);
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    each(String::from_utf8_lossy(&line).trim_end())?;
                }
            }
            Ok(())
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>> {
        let stream = match UnixStream::connect(&self.socket).await {
            Ok(stream) => stream,
            Err(error) if is_nobody(error.kind()) => bail!(NoBroker(self.socket.clone())),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot open {}", self.socket.display()));
            }
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        Ok(sender.send_request(request).await?)
    }
}

fn is_nobody(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

fn refusal(value: &Value) -> anyhow::Error {
    let text = |key| value.get(key).and_then(Value::as_str);
    let error = text("error").unwrap_or("the broker refuses without a word");
    match text("hint") {
        Some(hint) => anyhow!("{error}\nhint: {hint}"),
        None => anyhow!("{error}"),
    }
}
