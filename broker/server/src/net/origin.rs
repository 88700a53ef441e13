/// Which browser pages may open a WebSocket. Clients that are no browsers send no origin and are
/// not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginPolicy {
    /// Pages that come from the host they connect to, whatever the port.
    SameHost,
    /// All pages.
    Any,
    /// Pages of these origins, each as browsers send it: `https://example.org`, with the port if
    /// it is not the scheme's own.
    List(Vec<String>),
}

impl OriginPolicy {
    /// Whether a page of `origin` may connect, where `host` is the `Host` of its request.
    pub(super) fn allows(&self, origin: &str, host: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::List(allowed) => {
                allowed.iter().any(|one| one.trim_end_matches('/').eq_ignore_ascii_case(origin))
            }
            Self::SameHost => {
                let Some((_, authority)) = origin.split_once("://") else { return false };
                host.is_some_and(|host| {
                    without_port(host).eq_ignore_ascii_case(without_port(authority))
                })
            }
        }
    }
}

fn without_port(authority: &str) -> &str {
    let after_address = authority.rfind(']').map_or(0, |at| at + 1);
    match authority.get(after_address..).and_then(|rest| rest.find(':')) {
        Some(at) => authority.get(..after_address + at).unwrap_or(authority),
        None => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_the_same_host_may_connect_from_any_port() {
        for (origin, host) in [
            ("http://broker.example:8080", "broker.example:9001"),
            ("https://Broker.Example", "broker.example"),
            ("http://[::1]:8080", "[::1]:9001"),
            ("http://127.0.0.1", "127.0.0.1:9001"),
        ] {
            assert!(OriginPolicy::SameHost.allows(origin, Some(host)), "{origin} to {host}");
        }
    }

    #[test]
    fn a_page_of_another_host_may_not() {
        for (origin, host) in [
            ("http://evil.example", Some("broker.example:9001")),
            ("http://broker.example.evil.example", Some("broker.example")),
            ("http://[::2]:9001", Some("[::1]:9001")),
            ("null", Some("broker.example")),
            ("http://broker.example", None),
        ] {
            assert!(!OriginPolicy::SameHost.allows(origin, host), "{origin}");
        }
    }

    #[test]
    fn a_list_allows_what_it_names() {
        let policy = OriginPolicy::List(vec!["https://app.example/".to_owned()]);

        assert!(policy.allows("https://app.example", None));
        assert!(!policy.allows("http://app.example", None));
        assert!(!policy.allows("https://app.example:444", None));
        assert!(OriginPolicy::Any.allows("null", None));
    }
}
