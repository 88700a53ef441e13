use std::sync::Arc;

use pintle_plugin_api::{
    Action, AuthStep, AuthVerdict, Client, ClientDescription, Credentials, Decision,
    DeliverVerdict, Message, Origin, PublishVerdict, Space, StampedEvent, StoreEntry, StoreOp,
    SubscribeVerdict, Subscription,
};

use super::program::Program;
use crate::fault::Fault;
use crate::instance::{Abilities, StoreAnswer};

/// One instance of a plugin's code, on one thread. Its hooks are called within
/// [`Guest::within`] only.
pub(crate) trait Guest: Sized + 'static {
    /// The code, ready to be run.
    type Code: Send + Sync + 'static;

    /// Makes an instance, lets it begin and take up the state there is, for `budget` ticks at most.
    ///
    /// # Errors
    /// What is wrong with the code or the settings.
    fn new(program: &Arc<Program<Self::Code>>, budget: u64) -> Result<Self, Fault>;

    /// What it says of itself.
    ///
    /// # Errors
    /// What makes no sense in it.
    fn abilities(&mut self, program: &Program<Self::Code>) -> Result<Abilities, Fault>;

    /// What the next generation is to know. Asked only if it has the hook.
    fn export_state(&mut self) -> Result<Option<Vec<u8>>, Fault>;

    /// Calls into the code with a deadline so many ticks from now.
    fn within<T>(
        &mut self,
        budget: u64,
        ask: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault>;

    /// Whether an instance is not to be used any more after this.
    fn is_spoilt_by(fault: &Fault) -> bool;

    fn authenticate(
        &mut self,
        client: &ClientDescription,
        credentials: &Credentials,
    ) -> Result<AuthVerdict, Fault>;

    /// Begins an exchange; false if it does not want to.
    fn auth_begin(
        &mut self,
        exchange: u64,
        client: &ClientDescription,
        method: &str,
        reauth: bool,
    ) -> Result<bool, Fault>;

    fn auth_step(&mut self, exchange: u64, data: Option<&[u8]>) -> Result<AuthStep, Fault>;

    /// The exchange is over.
    fn auth_end(&mut self, exchange: u64) -> Result<(), Fault>;

    /// `None` if it is allowed, until invalidated. A decision is long, and would be moved from one
    /// caller to the next.
    fn authorize(
        &mut self,
        client: &dyn Client,
        action: &Action<'_>,
    ) -> Result<Option<Box<Decision>>, Fault>;

    fn explain(
        &mut self,
        client: &dyn Client,
        action: &Action<'_>,
    ) -> Result<Option<String>, Fault>;

    /// `None` if it passes as it is, and nothing is emitted beside it. A verdict is long, and would be
    /// moved from one caller to the next.
    fn on_publish(
        &mut self,
        origin: Origin,
        client: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> Result<Option<Box<PublishVerdict>>, Fault>;

    fn on_subscribe(
        &mut self,
        client: &dyn Client,
        subscription: &Subscription,
    ) -> Result<SubscribeVerdict, Fault>;

    fn on_unsubscribe(
        &mut self,
        client: &dyn Client,
        filter: &str,
    ) -> Result<Option<String>, Fault>;

    fn cohort(&mut self, client: &dyn Client) -> Result<Option<String>, Fault>;
    fn on_deliver(&mut self, cohort: &str, message: &Message<'_>) -> Result<DeliverVerdict, Fault>;
    fn on_events(&mut self, events: &[StampedEvent], lost: u64) -> Result<(), Fault>;
    fn on_timer(&mut self, name: &str) -> Result<(), Fault>;

    /// An operator's command. The inner error is the plugin's answer, not a fault.
    fn on_command(
        &mut self,
        principal: Option<&str>,
        command: &str,
        args: &str,
    ) -> Result<Result<String, String>, Fault>;

    fn store_open(&mut self) -> Result<StoreAnswer, Fault>;
    fn store_apply(&mut self, ops: &[StoreOp]) -> Result<StoreAnswer, Fault>;

    fn store_scan(
        &mut self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<StoreAnswer<Vec<StoreEntry>>, Fault>;

    fn store_flush(&mut self) -> Result<StoreAnswer, Fault>;
    fn store_close(&mut self) -> Result<StoreAnswer, Fault>;
    fn on_commit(&mut self, commit: u64, ops: &[StoreOp], lost: u64) -> Result<(), Fault>;
}
