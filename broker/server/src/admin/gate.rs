//! Who may ask over HTTP: who shows the token, and names this machine.

use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Request, StatusCode};
use subtle::ConstantTimeEq as _;

use super::answer::{Answer, refusal};
use crate::config::Token;

/// Lets a request pass, or answers it.
///
/// A page of another site can have a browser ask this machine under a name that it has made point
/// here; the name in `Host` is then still its own.
#[expect(clippy::result_large_err, reason = "the error is the answer itself, made once")]
pub(super) fn check<B>(request: &Request<B>, token: Option<&Token>) -> Result<(), Answer> {
    let Some(token) = token else { return Ok(()) };
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if !header(HOST).is_some_and(is_this_machine) {
        let what = "the Host of the request is not this machine";
        let hint = "ask for 127.0.0.1, [::1] or localhost";
        return Err(refusal(StatusCode::FORBIDDEN, what, Some(hint)));
    }
    let shown = header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let is_right =
        shown.is_some_and(|shown| shown.trim().as_bytes().ct_eq(token.reveal().as_bytes()).into());
    if !is_right {
        let what = "the token is missing or wrong";
        let hint = "send the header `Authorization: Bearer TOKEN`";
        return Err(refusal(StatusCode::UNAUTHORIZED, what, Some(hint)));
    }
    Ok(())
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = address.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    is_loopback || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_taken() {
        for host in ["127.0.0.1", "127.0.0.1:9090", "localhost:9090", "[::1]:9090", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["example.org", "127.0.0.1.example.org", "localhost.example.org:9090", ""] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
