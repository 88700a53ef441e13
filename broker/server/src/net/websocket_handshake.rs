use std::sync::Arc;

use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, Response, create_response, write_response};
use tungstenite::http::HeaderValue;
use tungstenite::http::header::{HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL};

use super::origin::OriginPolicy;

/// The client's HTTP request, as far as it has come.
pub(super) struct Handshake {
    request: Vec<u8>,
    origins: Arc<OriginPolicy>,
}

/// What came of a piece of the request.
pub(super) enum Progress {
    Waiting,
    /// Accepted; the bytes came behind the request.
    Done(Vec<u8>),
    Refused(&'static str),
}

/// Why a request is refused: what HTTP says, and what a human reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refusal {
    status: &'static str,
    why: &'static str,
}

const REQUEST_BYTES_MAX: usize = 8 * 1024;
const END: &[u8] = b"\r\n\r\n";

/// What clients may call MQTT, best first.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

const TOO_LONG: Refusal = Refusal {
    status: "431 Request Header Fields Too Large",
    why: "the request is longer than 8 KiB",
};
const NOT_WEBSOCKET: Refusal = Refusal {
    status: "426 Upgrade Required",
    why: "this port speaks MQTT over WebSocket; the request asks for something else",
};
const NO_SUBPROTOCOL: Refusal = Refusal {
    status: "400 Bad Request",
    why: "the request does not offer the subprotocol \"mqtt\"",
};
const ORIGIN_REFUSED: Refusal =
    Refusal { status: "403 Forbidden", why: "pages of this origin are not allowed to connect" };

impl Handshake {
    pub(super) fn new(origins: Arc<OriginPolicy>) -> Self {
        Self { request: Vec::new(), origins }
    }

    /// Takes more of the request; the answer goes onto `wire`.
    pub(super) fn read(&mut self, bytes: &[u8], wire: &mut Vec<u8>) -> Progress {
        let looked_at = self.request.len().saturating_sub(END.len() - 1);
        self.request.extend_from_slice(bytes);
        let new = self.request.get(looked_at..).unwrap_or_default();
        let end = new.windows(END.len()).position(|window| window == END);
        let outcome = match end {
            Some(at) if looked_at + at <= REQUEST_BYTES_MAX => {
                let behind = self.request.split_off(looked_at + at + END.len());
                self.answer().map(|response| (response, behind))
            }
            None if self.request.len() <= REQUEST_BYTES_MAX => return Progress::Waiting,
            Some(_) | None => Err(TOO_LONG),
        };
        match outcome {
            Ok((response, behind)) => {
                wire.extend_from_slice(&response);
                Progress::Done(behind)
            }
            Err(refusal) => {
                refusal.write_to(wire);
                Progress::Refused(refusal.why)
            }
        }
    }

    fn answer(&self) -> Result<Vec<u8>, Refusal> {
        let Ok(Some((_, request))) = Request::try_parse(&self.request) else {
            return Err(NOT_WEBSOCKET);
        };
        let mut response: Response = create_response(&request).map_err(|_| NOT_WEBSOCKET)?;
        if !self.is_origin_allowed(&request) {
            return Err(ORIGIN_REFUSED);
        }
        let subprotocol = choose_subprotocol(&request).ok_or(NO_SUBPROTOCOL)?;
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
        let mut bytes = Vec::new();
        write_response(&mut bytes, &response).map_err(|_| NOT_WEBSOCKET)?;
        Ok(bytes)
    }

    fn is_origin_allowed(&self, request: &Request) -> bool {
        let Some(origin) = request.headers().get(ORIGIN) else { return true };
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        origin.to_str().is_ok_and(|origin| self.origins.allows(origin, host))
    }
}

impl Refusal {
    fn write_to(self, wire: &mut Vec<u8>) {
        let Self { status, why } = self;
        let text = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n\
             {why}\n",
            why.len() + 1
        );
        wire.extend_from_slice(text.as_bytes());
    }
}

/// The subprotocol to speak, which the client must offer [MQTT-6.0.0-3] and we must name
/// [MQTT-6.0.0-4].
fn choose_subprotocol(request: &Request) -> Option<&'static str> {
    let offered = |name: &str| {
        request
            .headers()
            .get_all(SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|offer| offer.trim() == name)
    };
    SUBPROTOCOLS.into_iter().find(|name| offered(name))
}
