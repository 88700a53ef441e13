use std::time::Duration;

use pintle_plugin_api::{HttpError, HttpRequest, HttpResponse};
use ureq::http::{Method, Request, Uri};
use ureq::{Agent, Error};

/// Longest wait for a server.
const TIMEOUT_MAX: Duration = Duration::from_secs(5);
/// Largest answer taken.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// Asks a server by HTTP, if one of `granted` covers the address. Redirects are not followed: they
/// would lead where nothing was granted.
///
/// # Errors
/// Why there is no answer.
pub(crate) fn fetch(request: &HttpRequest, granted: &[String]) -> Result<HttpResponse, HttpError> {
    let url = parsed(&request.url).map_err(HttpError::Failed)?;
    if !granted.iter().any(|grant| parsed(grant).is_ok_and(|grant| grant.covers(&url))) {
        return Err(HttpError::NotGranted(format!("http = [\"{}\"]", request.url)));
    }
    let timeout = request.timeout.unwrap_or(TIMEOUT_MAX).min(TIMEOUT_MAX);
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .build()
        .into();
    let method: Method = request.method.parse().map_err(|_| {
        HttpError::Failed(format!("`{}` is no method, as GET or POST are", request.method))
    })?;
    let mut built = Request::builder().method(method).uri(&request.url);
    for (name, value) in &request.headers {
        built = built.header(name, value);
    }
    let built = built.body(&*request.body).map_err(|error| HttpError::Failed(error.to_string()))?;
    let mut response = agent.run(built).map_err(|error| failure(&error))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = response.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect();
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec();
    Ok(HttpResponse { status, headers, body: body.map_err(|error| failure(&error))? })
}

fn failure(error: &Error) -> HttpError {
    match error {
        Error::Timeout(_) => HttpError::Timeout,
        Error::BodyExceedsLimit(_) => HttpError::TooLarge,
        other => HttpError::Failed(other.to_string()),
    }
}

/// The parts of an address that a grant compares.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    scheme: String,
    host: String,
    port: u16,
    path: String,
}

fn parsed(url: &str) -> Result<Address, String> {
    let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
    let scheme = uri.scheme_str().unwrap_or_default().to_ascii_lowercase();
    let port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return Err(format!("{url}: an address begins with http:// or https://")),
    };
    // A name before `@` looks like the host and is not.
    if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(format!("{url}: an address has a host, and no user before it"));
    }
    let path = uri.path().to_owned();
    if path.split('/').any(|part| part == ".." || part.to_ascii_lowercase().contains("%2e")) {
        return Err(format!("{url}: the path leads upwards"));
    }
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    Ok(Address { scheme, host, port: uri.port_u16().unwrap_or(port), path })
}

impl Address {
    fn covers(&self, other: &Self) -> bool {
        let same_place =
            self.scheme == other.scheme && self.host == other.host && self.port == other.port;
        // A path ends where a part of it ends.
        let rest = other.path.strip_prefix(self.path.as_str());
        let is_below = rest.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/')
        });
        same_place && is_below
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use pintle_plugin_api::{HttpError, HttpRequest};

    use super::{fetch, parsed};

    fn is_covered(grant: &str, url: &str) -> bool {
        parsed(url).is_ok_and(|url| parsed(grant).unwrap().covers(&url))
    }

    #[test]
    fn a_grant_covers_what_lies_below_it_and_nothing_else() {
        let grant = "https://good.example/auth";
        for url in ["https://good.example/auth", "https://GOOD.example:443/auth/x?y=z"] {
            assert!(is_covered(grant, url), "{url}");
        }
        for url in [
            "http://good.example/auth",
            "https://good.example.evil/auth",
            "https://good.example@evil/auth",
            "https://good.example:444/auth",
            "https://good.example/author",
            "https://good.example/auth/../admin",
            "https://good.example/auth/%2e%2e/admin",
            "https://good.example/",
            "file:///etc/passwd",
            "good.example/auth",
        ] {
            assert!(!is_covered(grant, url), "{url}");
        }
    }

    /// A server that answers once, whatever is asked.
    fn server(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\nbody") {
                let mut part = [0; 1024];
                let length = stream.read(&mut part).unwrap();
                asked.extend_from_slice(&part[..length]);
            }
            stream.write_all(answer).unwrap();
        });
        format!("http://{address}/")
    }

    fn post(url: &str) -> HttpRequest {
        HttpRequest {
            method: "POST".to_owned(),
            url: url.to_owned(),
            body: b"body".to_vec(),
            ..HttpRequest::default()
        }
    }

    #[test]
    fn an_answer_comes_as_it_is_errors_and_redirects_too() {
        let url = server(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nhi");
        let response = fetch(&post(&url), std::slice::from_ref(&url)).unwrap();
        assert_eq!((response.status, &*response.body), (302, &b"hi"[..]));
        assert!(response.headers.contains(&("location".to_owned(), "/x".to_owned())));
    }

    #[test]
    fn an_address_that_is_not_granted_is_not_asked() {
        let error = fetch(&post("http://127.0.0.1:1/"), &[]).unwrap_err();
        assert_eq!(error, HttpError::NotGranted("http = [\"http://127.0.0.1:1/\"]".to_owned()));
    }
}
