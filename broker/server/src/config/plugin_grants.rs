//! `grants`: what a plugin may do, and whether that is what it needs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pintle_mqtt::TopicFilter;
use pintle_plugin_host::{Grants, KvGrant};

use super::layers::{Node, Origin};
use super::plugin::check_filters;
use super::quantity::Bytes;
use super::secret;
use super::section::Section;

/// Grants as written, and the files that secrets are in.
pub(super) struct Granted {
    pub(super) grants: Grants,
    pub(super) files: Vec<PathBuf>,
}

/// Reads the grants of an entry; `usual` are those of a plugin that is linked in.
pub(super) fn read_grants(
    mut section: Section<'_>,
    usual: Grants,
    environment: &[(String, String)],
) -> Granted {
    let (secrets, files) = read_secrets(&mut section, environment);
    let grants = Grants { secrets, ..read_rights(&mut section, usual) };
    section.finish();
    Granted { grants, files }
}

/// What a manifest says that its plugin needs; of secrets these are the names.
pub(super) fn read_needs(mut section: Section<'_>) -> Grants {
    let names = section.texts("secrets").unwrap_or_default();
    let secrets = names.into_iter().map(|name| (name, Vec::new())).collect();
    let grants = Grants { secrets, ..read_rights(&mut section, Grants::default()) };
    section.finish();
    grants
}

fn read_rights(section: &mut Section<'_>, usual: Grants) -> Grants {
    let publish = section.texts_or("publish", usual.publish);
    check_filters(section, "publish", &publish);
    let retained = section.texts("retained").unwrap_or(usual.retained);
    check_filters(section, "retained", &retained);
    let http = section.texts("http").unwrap_or(usual.http);
    check_addresses(section, &http);
    Grants {
        publish,
        retained,
        http,
        disconnect: section.bool_or("disconnect", usual.disconnect),
        stats: section.bool_or("stats", usual.stats),
        subscribe: section.bool_or("subscribe", usual.subscribe),
        credentials: section.bool_or("credentials", usual.credentials),
        kv: read_kv(section).or(usual.kv),
        secrets: BTreeMap::new(),
    }
}

/// `kv = "1MiB"`, or a table that also says whether it outlives the broker.
fn read_kv(section: &mut Section<'_>) -> Option<KvGrant> {
    let node = section.node("kv")?;
    section.show_as_written("kv");
    let (bytes, persist) = match node.value.as_dict() {
        Some(_) => {
            let mut table = section.section("kv");
            let persist = table.bool("persist").unwrap_or(false);
            let bytes = table.read("bytes", KV_EXPECTED, bytes);
            if bytes.is_none() && table.origin_of("bytes") == Origin::Default {
                let what = "missing: say how much it may keep, as in bytes = \"1MiB\"";
                table.problem("bytes", &table.origin, what);
            }
            table.finish();
            (bytes, persist)
        }
        None => (section.read("kv", KV_EXPECTED, bytes), false),
    };
    Some(KvGrant { bytes_max: bytes?, persist })
}

const KV_EXPECTED: &str =
    "a size such as \"1MiB\", or a table such as { bytes = \"1MiB\", persist = true }";

fn bytes(node: &Node<'_>) -> Option<usize> {
    let bytes = match node.value.as_str() {
        Some(text) => Bytes::parse(text)?.0,
        None => node.value.to_i128()?.try_into().ok()?,
    };
    bytes.try_into().ok()
}

/// The beginning of an address has to hold the whole name of the host.
fn check_addresses(section: &Section<'_>, addresses: &[String]) {
    for address in addresses {
        let rest = ["http://", "https://"].iter().find_map(|scheme| address.strip_prefix(scheme));
        let what = match rest {
            None => format!("{address:?}: an address begins with http:// or https://"),
            Some(rest) if rest.starts_with('/') || rest.is_empty() => {
                format!("{address:?} names no host")
            }
            Some(rest) if !rest.contains('/') => format!(
                "{address:?} would cover every host whose name begins like this; write \
                 \"{address}/\""
            ),
            Some(_) => continue,
        };
        section.problem("http", &section.origin_of("http"), what);
    }
}

fn read_secrets(
    section: &mut Section<'_>,
    environment: &[(String, String)],
) -> (BTreeMap<String, Vec<u8>>, Vec<PathBuf>) {
    let Some(node) = section.node("secrets") else {
        return (BTreeMap::new(), Vec::new());
    };
    let Some(table) = node.value.as_dict() else {
        section.problem("secrets", &node.origin(), format!("expected a table, found {node}"));
        return (BTreeMap::new(), Vec::new());
    };
    for (name, value) in table {
        if !secret::is_reference(value) {
            let key = format!("secrets.{name}");
            let what = format!(
                "a secret is kept elsewhere: {name} = {{ env = \"NAME\" }} or {name} = \
                 {{ file = \"path\" }}"
            );
            section.problem(&key, &section.origin_of("secrets"), what);
        }
    }
    let references: Vec<_> =
        table.iter().filter(|(_, value)| secret::is_reference(value)).collect();
    for (name, _) in &references {
        section.show(&format!("secrets.{name}"), &"(secret)", &node.origin());
    }
    let table = references.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let fetched = secret::fetch(&node, &table, environment);
    for (origin, what) in &fetched.problems {
        section.problem("secrets", origin, what.as_str());
    }
    let values = fetched.config.as_object().into_iter().flatten();
    let bytes = |value: &serde_json::Value| value.as_str().unwrap_or_default().as_bytes().to_vec();
    let secrets = values.map(|(name, value)| (name.clone(), bytes(value))).collect();
    (secrets, fetched.files)
}

/// What `needed` has and `granted` does not cover, each as it would be written; none if all is
/// there.
pub(super) fn missing(granted: &Grants, needed: &Grants) -> Vec<String> {
    let mut missing = Vec::new();
    let mut list = |key: &str, absent: Vec<&str>| {
        if !absent.is_empty() {
            missing.push(format!("{key} = {absent:?}"));
        }
    };
    list("publish", uncovered(&granted.publish, &needed.publish));
    list("retained", uncovered(&granted.retained, &needed.retained));
    let is_reached = |address: &&str| granted.http.iter().any(|begin| address.starts_with(begin));
    let http = needed.http.iter().map(String::as_str);
    list("http", http.filter(|address| !is_reached(address)).collect());
    let flags = [
        ("disconnect", granted.disconnect, needed.disconnect),
        ("stats", granted.stats, needed.stats),
        ("subscribe", granted.subscribe, needed.subscribe),
        ("credentials", granted.credentials, needed.credentials),
    ];
    let absent = flags.into_iter().filter(|(_, granted, needed)| *needed && !granted);
    missing.extend(absent.map(|(key, ..)| format!("{key} = true")));
    if let Some(kv) = needed.kv
        && granted.kv.is_none_or(|granted| {
            granted.bytes_max < kv.bytes_max || (kv.persist && !granted.persist)
        })
    {
        missing.push(kv_line(kv));
    }
    let secrets = needed.secrets.keys().filter(|name| !granted.secrets.contains_key(*name));
    let secrets: Vec<String> = secrets.map(|name| secret_line(name)).collect();
    if !secrets.is_empty() {
        missing.push(format!("secrets = {{ {} }}", secrets.join(", ")));
    }
    missing
}

fn uncovered<'a>(granted: &[String], needed: &'a [String]) -> Vec<&'a str> {
    let is_covered = |filter: &str| {
        let Ok(filter) = TopicFilter::new(filter) else { return true };
        let mut granted = granted.iter().filter_map(|text| TopicFilter::new(text).ok());
        granted.any(|granted| granted.covers(filter))
    };
    needed.iter().map(String::as_str).filter(|filter| !is_covered(filter)).collect()
}

/// Everything in `grants`, in one line as it would be written.
pub(crate) fn grants_line(grants: &Grants) -> String {
    let secrets = grants.secrets.keys().map(|name| (name.clone(), Vec::new())).collect();
    let grants = Grants { secrets, ..grants.clone() };
    let lines = missing(&Grants::default(), &grants);
    if lines.is_empty() {
        "grants = {}".to_owned()
    } else {
        format!("grants = {{ {} }}", lines.join(", "))
    }
}

/// `granted` and what of `needed` it does not cover.
pub(super) fn both(granted: &Grants, needed: &Grants) -> Grants {
    let texts = |granted: &[String], more: Vec<&str>| -> Vec<String> {
        granted.iter().cloned().chain(more.into_iter().map(str::to_owned)).collect()
    };
    let http = needed.http.iter().map(String::as_str);
    let is_reached = |address: &&str| granted.http.iter().any(|begin| address.starts_with(begin));
    let mut secrets = granted.secrets.clone();
    for (name, value) in &needed.secrets {
        secrets.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Grants {
        publish: texts(&granted.publish, uncovered(&granted.publish, &needed.publish)),
        retained: texts(&granted.retained, uncovered(&granted.retained, &needed.retained)),
        http: texts(&granted.http, http.filter(|address| !is_reached(address)).collect()),
        disconnect: granted.disconnect || needed.disconnect,
        stats: granted.stats || needed.stats,
        subscribe: granted.subscribe || needed.subscribe,
        credentials: granted.credentials || needed.credentials,
        kv: match (granted.kv, needed.kv) {
            (Some(a), Some(b)) => Some(KvGrant {
                bytes_max: a.bytes_max.max(b.bytes_max),
                persist: a.persist || b.persist,
            }),
            (granted, needed) => granted.or(needed),
        },
        secrets,
    }
}

fn kv_line(kv: KvGrant) -> String {
    let bytes = Bytes(kv.bytes_max.try_into().unwrap_or(u64::MAX));
    if kv.persist {
        format!("kv = {{ bytes = {bytes}, persist = true }}")
    } else {
        format!("kv = {bytes}")
    }
}

fn secret_line(name: &str) -> String {
    format!("{name} = {{ env = \"{}\" }}", name.to_uppercase().replace(['-', '.'], "_"))
}
