use super::bindings::exports::pintle::plugin::{control, timers};
use super::{Component, Exported};
use crate::Plugin;

impl<E: Exported> timers::Guest for Component<E> {
    fn on_timer(name: String) {
        E::guest().plugin.on_timer(&name);
    }
}

impl<E: Exported> control::Guest for Component<E> {
    fn on_command(
        principal: Option<String>,
        command: String,
        args: String,
    ) -> Result<String, String> {
        E::guest().plugin.on_command(principal.as_deref(), &command, &args)
    }
}
