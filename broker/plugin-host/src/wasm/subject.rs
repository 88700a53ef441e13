use pintle_plugin_api::{Client, Message};
use scoped_tls_hkt::scoped_thread_local;

/// What the hook that runs on this thread is about. It is lent for the time of the call, so that
/// nothing of it is copied that the component does not ask for.
#[derive(Clone, Copy, Default)]
pub(super) struct Subject<'a> {
    pub(super) client: Option<&'a dyn Client>,
    pub(super) message: Option<&'a Message<'a>>,
}

scoped_thread_local!(static SUBJECT: for<'a> Subject<'a>);

/// Runs `call`, which is about `subject`.
#[inline]
pub(super) fn about<R>(subject: Subject<'_>, call: impl FnOnce() -> R) -> R {
    SUBJECT.set(subject, call)
}

/// Asks the client of the running hook; `nobody` if there is none.
pub(super) fn of_client<R>(nobody: R, ask: impl FnOnce(&dyn Client) -> R) -> R {
    if !SUBJECT.is_set() {
        return nobody;
    }
    SUBJECT.with(|subject| match subject.client {
        Some(client) => ask(client),
        None => nobody,
    })
}

/// Asks the message of the running hook; `nothing` if there is none.
pub(super) fn of_message<R>(nothing: R, ask: impl FnOnce(&Message<'_>) -> R) -> R {
    if !SUBJECT.is_set() {
        return nothing;
    }
    SUBJECT.with(|subject| match subject.message {
        Some(message) => ask(message),
        None => nothing,
    })
}
