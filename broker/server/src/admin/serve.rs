use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::gate;
use super::routes;
use crate::broker::Controls;
use crate::config::Token;

/// What requests of one door need.
pub(super) struct Desk {
    pub(super) controls: Arc<Controls>,
    /// What has to be shown; `None` where the door itself lets in only who may.
    pub(super) token: Option<Token>,
}

impl Desk {
    pub(super) fn new(controls: Arc<Controls>, token: Option<Token>) -> Self {
        Self { controls, token }
    }
}

const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// From the first byte to the last, but for a log that is followed. Longer than a plugin may take
/// to load.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
const HEADER_BYTES_MAX: usize = 64 << 10;
/// How long to wait when the system has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the Unix socket: this user and root.
pub(super) async fn accept_local(
    listener: std::os::unix::net::UnixListener,
    desk: Arc<Desk>,
    places: Arc<Semaphore>,
) {
    let listener = match UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return warn!(%error, "The admin socket is not served."),
    };
    let mut connections = JoinSet::new();
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) if is_ours(&stream) => {
                connections.spawn(serve(stream, Arc::clone(&desk), place));
            }
            Ok(_) => warn!("The admin socket was opened by another user, and closed again."),
            Err(error) => pause(&error).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Serves the loopback port.
pub(super) async fn accept_http(
    listener: std::net::TcpListener,
    desk: Arc<Desk>,
    places: Arc<Semaphore>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return warn!(%error, "The admin port is not served."),
    };
    let mut connections = JoinSet::new();
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, Arc::clone(&desk), place));
            }
            Err(error) => pause(&error).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

fn is_ours(stream: &UnixStream) -> bool {
    let us = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == us || peer.uid() == 0)
}

async fn pause(error: &io::Error) {
    warn!(%error, "The admin interface can not take a connection.");
    sleep(ACCEPT_PAUSE).await;
}

/// One request and its answer.
async fn serve<S>(stream: S, desk: Arc<Desk>, _place: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let is_endless = Arc::new(AtomicBool::new(false));
    let service = service_fn(|request| {
        let (desk, is_endless) = (Arc::clone(&desk), Arc::clone(&is_endless));
        async move {
            let answer = match gate::check(&request, desk.token.as_ref()) {
                Ok(()) => routes::answer(&desk, request).await,
                Err(refusal) => refusal,
            };
            is_endless.store(answer.body().is_endless(), Ordering::Relaxed);
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_header_size(HEADER_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = sleep(ANSWER_TIMEOUT) => {
            if !is_endless.load(Ordering::Relaxed) {
                return;
            }
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "A request to the admin interface broke off.");
    }
}
