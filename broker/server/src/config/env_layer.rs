//! The layer of environment variables: `PINTLE_LIMITS__QUEUE_MESSAGES_MAX=50` is
//! `limits.queue_messages_max`, `PINTLE_LISTENER__0__BIND` the bind of the first listener.

use super::file_layer::parse_value;
use super::layers::{Node, Origin, Table, Value, put};
use super::problem::Problem;

const PREFIX: &str = "PINTLE_";

/// Lays every variable that is meant for us over `base`.
pub(super) fn apply(base: &mut Table, variables: &[(String, String)], problems: &mut Vec<Problem>) {
    for (name, text) in variables {
        let Some(path) = name.strip_prefix(PREFIX).filter(|path| is_ours(path)) else {
            continue;
        };
        let path: Vec<String> = path.to_lowercase().split("__").map(str::to_owned).collect();
        let origin = Origin::Environment(name.as_str().into());
        let value = parse_value(text, &origin).unwrap_or_else(|| Value::Text(text.clone()));
        let node = Node { value, origin: origin.clone() };
        if let Err(what) = put(base, &path, node) {
            problems.push(Problem::new(origin, &path.join("."), what));
        }
    }
}

/// `PINTLE_CONFIG` names the file; Kubernetes sets `PINTLE_SERVICE_…` and `PINTLE_PORT…` for a
/// service that is called `pintle`.
fn is_ours(path: &str) -> bool {
    path != "CONFIG" && !path.starts_with("SERVICE_") && !path.starts_with("PORT")
}
