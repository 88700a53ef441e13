//! The layer of environment variables: `PINTLE_LIMITS__QUEUE_MESSAGES_MAX=50` is
//! `limits.queue_messages_max`, `PINTLE_LISTENER__0__BIND` the bind of the first listener.

use super::file_layer::parse_value;
use super::layers::{Layers, Origin};
use super::problem::Problem;

const PREFIX: &str = "PINTLE_";

/// Lays every variable that is meant for us over `layers`.
pub(super) fn apply(
    layers: &mut Layers,
    variables: &[(String, String)],
    problems: &mut Vec<Problem>,
) {
    for (variable, text) in variables {
        let Some(name) = variable.strip_prefix(PREFIX).filter(|name| is_ours(name)) else {
            continue;
        };
        let name = name.to_lowercase().replace("__", ".");
        let origin = Origin::Environment(variable.as_str().into());
        let value = parse_value(text).unwrap_or_else(|| text.as_str().into());
        problems.extend(layers.add(origin, &name, value).err());
    }
}

/// `PINTLE_CONFIG` names the file; Kubernetes sets `PINTLE_SERVICE_…` and `PINTLE_PORT…` for a
/// service that is called `pintle`.
fn is_ours(name: &str) -> bool {
    name != "CONFIG" && !name.starts_with("SERVICE_") && !name.starts_with("PORT")
}
