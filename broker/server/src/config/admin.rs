//! `[admin]`: where the admin interface answers, and to whom.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Value};

use super::layers::{Node, Origin};
use super::secret;
use super::section::Section;

/// Where the admin interface answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// The Unix socket; `None` for none.
    pub socket: Option<PathBuf>,
    /// Whether nobody has asked for that socket: then the broker also runs where it can not be
    /// made.
    pub is_socket_default: bool,
    /// The loopback address for HTTP; `None` for none.
    pub bind: Option<SocketAddr>,
    /// What HTTP clients show.
    pub token: Option<Token>,
    /// Where it is written.
    pub origin: Origin,
}

/// A secret that lets in whoever shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// A token that is shorter can be guessed.
const TOKEN_BYTES_MIN: usize = 16;

impl Token {
    /// What is to be shown.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl AdminConfig {
    /// No admin interface at all.
    pub fn none() -> Self {
        Self {
            socket: None,
            is_socket_default: true,
            bind: None,
            token: None,
            origin: Origin::Default,
        }
    }

    /// The socket that a broker with this `data_dir` has without a word.
    pub fn default_socket(data_dir: &Path) -> PathBuf {
        data_dir.join("admin.sock")
    }
}

pub(super) fn read(
    mut section: Section<'_>,
    data_dir: &Path,
    environment: &[(String, String)],
) -> AdminConfig {
    let (socket, is_socket_default) = read_socket(&mut section, data_dir);
    let bind = read_bind(&mut section);
    let token = read_token(&mut section, environment);
    if bind.is_some() && token.is_none() && section.origin_of("token") == Origin::Default {
        let what = "missing: over HTTP a token is needed, as in token = { env = \"PINTLE_TOKEN\" } \
                    or token = { file = \"admin-token\" }";
        section.problem("token", &section.origin_of("bind"), what);
    }
    let origin = section.origin.clone();
    section.finish();
    AdminConfig { socket, is_socket_default, bind, token, origin }
}

fn read_socket(section: &mut Section<'_>, data_dir: &Path) -> (Option<PathBuf>, bool) {
    enum Socket {
        Off,
        At(String),
    }
    let read = section.read("socket", "a path, or false for no socket", |node| {
        match (node.value.to_bool(), node.text()) {
            (Some(false), _) => Some(Socket::Off),
            (_, Some(path)) if !path.is_empty() => Some(Socket::At(path)),
            _ => None,
        }
    });
    let origin = section.origin_of("socket");
    match read {
        Some(Socket::Off) => {
            section.show("socket", &false, &origin);
            (None, false)
        }
        Some(Socket::At(path)) => {
            let path = origin.base().join(path);
            section.show("socket", &format!("{:?}", path.display().to_string()), &origin);
            (Some(path), false)
        }
        None => {
            let path = AdminConfig::default_socket(data_dir);
            section.show("socket", &format!("{:?}", path.display().to_string()), &origin);
            (Some(path), true)
        }
    }
}

fn read_bind(section: &mut Section<'_>) -> Option<SocketAddr> {
    let expected = "an address and a port, such as \"127.0.0.1:9090\"";
    let bind: SocketAddr = section.read("bind", expected, |node| node.text()?.parse().ok())?;
    section.show_as_written("bind");
    if !bind.ip().is_loopback() {
        let what = format!(
            "{bind} is reachable beyond this machine, and the admin interface speaks no TLS: bind \
             it to 127.0.0.1, and let a proxy or an SSH tunnel bring others there"
        );
        section.problem("bind", &section.origin_of("bind"), what);
        return None;
    }
    Some(bind)
}

fn read_token(section: &mut Section<'_>, environment: &[(String, String)]) -> Option<Token> {
    let node = section.node("token")?;
    let origin = node.origin();
    if !secret::is_reference(node.value) {
        let what = "a secret is kept elsewhere: token = { env = \"NAME\" } or token = { file = \
                    \"path\" }";
        section.problem("token", &origin, what);
        return None;
    }
    section.show_as_written("token");
    let table: Dict = Dict::from([("token".to_owned(), Value::clone(node.value))]);
    let above = node.name.trim_end_matches(".token").to_owned();
    let above = Node { value: node.value, name: above, layers: node.layers };
    let fetched = secret::fetch(&above, &table, environment);
    for (_, what) in &fetched.problems {
        section.problem("token", &origin, what.as_str());
    }
    let token = fetched.config.get("token")?.as_str()?.to_owned();
    if token.len() < TOKEN_BYTES_MIN {
        let what = format!(
            "the token has {} bytes, and fewer than {TOKEN_BYTES_MIN} can be guessed; `openssl \
             rand -hex 32` makes one",
            token.len()
        );
        section.problem("token", &origin, what);
        return None;
    }
    Some(Token(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    fn config(admin: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pintle.toml");
        std::fs::write(&file, format!("[admin]\n{admin}")).unwrap();
        let environment = vec![
            ("LONG".to_owned(), "0123456789abcdef".to_owned()),
            ("SHORT".to_owned(), "secret".to_owned()),
        ];
        let sources = Sources { file: Some(file), environment, ..Sources::default() };
        Config::load(&sources).map_err(|error| error.to_string())
    }

    #[test]
    fn the_socket_is_in_data_dir_unless_it_is_moved_or_turned_off() {
        let default = config("").unwrap();
        assert_eq!(default.admin.socket, Some(default.data_dir.join("admin.sock")));
        let moved = config("socket = \"run/a.sock\"").unwrap().admin;
        assert!(moved.socket.unwrap().ends_with("run/a.sock"));
        assert!(!moved.is_socket_default);
        assert_eq!(config("socket = false").unwrap().admin.socket, None);
    }

    #[test]
    fn http_is_for_this_machine_alone() {
        let error = config("bind = \"0.0.0.0:9090\"\ntoken = { env = \"LONG\" }").unwrap_err();
        assert!(error.contains("pintle.toml:2: admin.bind: 0.0.0.0:9090 is reachable"), "{error}");
    }

    #[test]
    fn http_takes_a_token_that_is_kept_elsewhere_and_long_enough() {
        let bind = "bind = \"127.0.0.1:0\"\n";
        let admin = config(&format!("{bind}token = {{ env = \"LONG\" }}")).unwrap().admin;
        assert_eq!(admin.token.as_ref().map(Token::reveal), Some("0123456789abcdef"));
        assert_eq!(format!("{:?}", admin.token), "Some(Token)");
        let refused = |token: &str| config(&format!("{bind}{token}")).unwrap_err();
        assert!(refused("").contains("over HTTP a token is needed"));
        assert!(refused("token = \"0123456789abcdef\"").contains("a secret is kept elsewhere"));
        assert!(refused("token = { env = \"SHORT\" }").contains("the token has 6 bytes"));
        assert!(refused("token = { env = \"NONE\" }").contains("no variable NONE"));
    }
}
