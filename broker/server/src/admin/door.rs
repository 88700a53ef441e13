use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tracing::{info, warn};

use super::serve::{Desk, accept_http, accept_local};
use super::{AdminError, SocketFile};
use crate::broker::Controls;
use crate::config::{AdminConfig, Token};

/// The places where the admin interface answers, open but not served yet.
pub(crate) struct AdminDoors {
    local: Option<(UnixListener, SocketFile)>,
    http: Option<(TcpListener, SocketAddr, Token)>,
}

/// Where the admin interface answers.
#[derive(Debug)]
pub(crate) struct AdminPlace {
    pub(crate) socket: Option<SocketFile>,
    pub(crate) address: Option<SocketAddr>,
}

/// Connections at a time, over both doors.
const CONNECTIONS_MAX: usize = 64;

impl AdminDoors {
    /// Opens what `config` asks for. A socket that nobody has asked for may fail with a warning,
    /// unless another broker has it.
    ///
    /// # Errors
    /// What can not be opened.
    pub(crate) fn open(config: &AdminConfig) -> Result<Self, AdminError> {
        let local = match config.socket.as_deref().map(SocketFile::bind).transpose() {
            Ok(local) => local,
            Err(error @ AdminError::Live(_)) => return Err(error),
            Err(error) if config.is_socket_default => {
                warn!("Commands reach this broker by no socket: {error}");
                None
            }
            Err(error) => return Err(error),
        };
        let http = match (config.bind, &config.token) {
            (Some(address), Some(token)) => {
                let (listener, address) = listen(address)?;
                Some((listener, address, token.clone()))
            }
            _ => None,
        };
        Ok(Self { local, http })
    }

    /// Serves them until it is dropped. Returns it beside the places.
    pub(crate) fn serve(
        self,
        controls: Arc<Controls>,
    ) -> (AdminPlace, impl Future<Output = ()> + Send + 'static) {
        let (local, socket) = self.local.unzip();
        let address = self.http.as_ref().map(|(_, address, _)| *address);
        if let Some(socket) = &socket {
            info!("Commands are taken on {}.", socket.path().display());
        }
        if let Some(address) = address {
            info!("Commands are taken on http://{address} from who shows the token.");
        }
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let serve = async move {
            let local = async {
                if let Some(listener) = local {
                    let desk = Arc::new(Desk::new(Arc::clone(&controls), None));
                    accept_local(listener, desk, Arc::clone(&places)).await;
                }
            };
            let http = async {
                if let Some((listener, _, token)) = self.http {
                    let desk = Arc::new(Desk::new(Arc::clone(&controls), Some(token)));
                    accept_http(listener, desk, Arc::clone(&places)).await;
                }
            };
            tokio::join!(local, http);
            // Neither is there: whoever waits for this waits for the broker's end.
            std::future::pending::<()>().await;
        };
        (AdminPlace { socket, address }, serve)
    }
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), AdminError> {
    let failed = |source| AdminError::Http { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
