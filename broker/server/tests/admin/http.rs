//! Requests, written by hand so that they can be wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use crate::client::PATIENCE;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The error and the hint of a refusal.
    #[track_caller]
    pub(crate) fn refuses(self, status: u16) -> String {
        let value = self.is(status);
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        assert!(!text("error").is_empty(), "{value}");
        format!("{}\n{}", text("error"), text("hint"))
    }
}

pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

pub(crate) fn over_socket(socket: &Path, request: &str) -> Answer {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    exchange(stream, request.as_bytes())
}

pub(crate) fn over_tcp(address: SocketAddr, request: &str) -> Answer {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    exchange(stream, request.as_bytes())
}

fn exchange(mut stream: impl Read + Write, request: &[u8]) -> Answer {
    // It may be refused before it is whole.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").expect("an answer with a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    Answer { status, text: text.to_owned() }
}

/// The log of plugins, as it comes.
pub(crate) struct Follower(BufReader<UnixStream>);

impl Follower {
    /// Follows from now on.
    pub(crate) fn new(socket: &Path, plugin: &str) -> Self {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let path = format!("/logs?plugin={plugin}&follow=1");
        stream.write_all(request("GET", &path, "Host: localhost\r\n", "").as_bytes()).unwrap();
        let mut follower = Self(BufReader::new(stream));
        while !follower.line().is_empty() {}
        // The chunk with what was said before ends with an empty line.
        while follower.line() != "\n" {}
        follower
    }

    /// The next line of JSON.
    pub(crate) fn next(&mut self) -> Value {
        loop {
            if let Ok(value @ Value::Object(_)) = serde_json::from_str(&self.line()) {
                return value;
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the log has ended");
        if line == "\r\n" { String::new() } else { line }
    }
}
