use std::sync::Arc;

use crate::{
    Action, Answer, AuthExchange, AuthVerdict, Client, Credentials, Decision, DeliverVerdict,
    EventKinds, Host, Message, Origin, PublishOutcome, PublishVerdict, Settings, SettingsError,
    Space, StampedEvent, StoreEntry, StoreError, StoreOp, SubscribeVerdict, Subscription,
};

/// A set of hooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hooks(u32);

impl Hooks {
    /// None.
    pub const NONE: Self = Self(0);
    /// [`Plugin::authenticate`].
    pub const AUTHENTICATE: Self = Self(1);
    /// [`Plugin::auth_begin`].
    pub const ENHANCED_AUTH: Self = Self(1 << 1);
    /// [`Plugin::authorize`].
    pub const AUTHORIZE: Self = Self(1 << 2);
    /// [`Plugin::on_publish`].
    pub const PUBLISH: Self = Self(1 << 3);
    /// [`Plugin::on_subscribe`].
    pub const SUBSCRIBE: Self = Self(1 << 4);
    /// [`Plugin::on_unsubscribe`].
    pub const UNSUBSCRIBE: Self = Self(1 << 5);
    /// [`Plugin::cohort`] and [`Plugin::on_deliver`].
    pub const DELIVER: Self = Self(1 << 6);
    /// [`Plugin::on_events`].
    pub const EVENTS: Self = Self(1 << 7);
    /// [`Plugin::on_timer`].
    pub const TIMER: Self = Self(1 << 8);
    /// [`Plugin::on_command`].
    pub const COMMAND: Self = Self(1 << 9);
    /// [`Plugin::store_apply`] and the others of a store.
    pub const STORE: Self = Self(1 << 10);
    /// [`Plugin::on_commit`].
    pub const OBSERVE: Self = Self(1 << 11);
    /// [`Plugin::export_state`] and [`Plugin::import_state`].
    pub const STATE: Self = Self(1 << 12);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every hook of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What a plugin says of itself; asked once, before it is started.
#[derive(Clone, Debug)]
pub struct About {
    /// Its name, as people know it: `password-file`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The hooks it implements; others are never called.
    pub hooks: Hooks,
    /// The events it wants to hear of.
    pub events: EventKinds,
    /// Names of the authentication methods it owns.
    pub auth_methods: &'static [&'static str],
    /// Whether [`Plugin::on_publish`] and [`Plugin::on_deliver`] look at payloads. A component that
    /// does not is not handed any, which spares a copy.
    pub payload: bool,
    /// Keys of `config` that name files for the host to read and watch.
    pub files: &'static [&'static str],
    /// Keys of `config` that name files which may be missing.
    pub optional_files: &'static [&'static str],
}

impl About {
    /// A plugin with these hooks and nothing else.
    pub const fn new(name: &'static str, version: &'static str, hooks: Hooks) -> Self {
        Self {
            name,
            version,
            hooks,
            events: EventKinds::NONE,
            auth_methods: &[],
            payload: true,
            files: &[],
            optional_files: &[],
        }
    }

    /// The same for a plugin that does not look at payloads.
    #[must_use]
    pub const fn without_payload(mut self) -> Self {
        self.payload = false;
        self
    }
}

/// A plugin: implement the hooks named in [`Plugin::about`], leave the rest.
///
/// Hooks may be called from several threads at once. A panic in a hook counts as an error of the
/// plugin, and the hook's failure policy answers in its place; it has then not said yes.
pub trait Plugin: Send + Sync + 'static {
    /// What it is and which hooks it has.
    fn about(&self) -> About;

    /// Takes its settings: once before anything else, and again whenever the configuration or one
    /// of its files changes.
    ///
    /// # Errors
    /// What is wrong with them. At the start the plugin is then not loaded; later the settings it
    /// had stay in force, so change nothing before everything is checked.
    fn configure(&self, settings: &Settings) -> Result<(), SettingsError> {
        let _ = settings;
        Ok(())
    }

    /// The broker is about to serve: the place to keep `host` and to set timers.
    fn start(&self, host: Arc<dyn Host>) {
        // To drop it would keep every function of the host in a component that calls none.
        if cfg!(target_arch = "wasm32") {
            std::mem::forget(host);
        }
    }

    /// What the next generation of the plugin is to know: at most 1 MiB, which only the plugin itself
    /// reads. Asked when the plugin is loaded anew or is given other settings; what it learns from
    /// then on is not carried over.
    ///
    /// As a component the plugin has one instance beside those of the workers, which is the one that is asked
    /// and sees `authenticate`, events, timers and commands.
    fn export_state(&self) -> Option<Vec<u8>> {
        None
    }

    /// Takes up what the generation before said in [`Plugin::export_state`]; after
    /// [`Plugin::configure`] and before any hook.
    ///
    /// # Errors
    /// Why it can not. It is then not loaded, and the generation before goes on.
    fn import_state(&self, state: &[u8]) -> Result<(), SettingsError> {
        let _ = state;
        Ok(())
    }

    /// Decides who connects. First answer other than `Next` counts.
    fn authenticate(&self, client: &dyn Client, credentials: &Credentials) -> Answer<AuthVerdict> {
        let _ = (client, credentials);
        Answer::Now(AuthVerdict::Next)
    }

    /// Begins an exchange of enhanced authentication by one of its methods. `reauth` if the client
    /// is connected already.
    fn auth_begin(
        &self,
        client: &dyn Client,
        method: &str,
        reauth: bool,
    ) -> Option<Box<dyn AuthExchange>> {
        let _ = (client, method, reauth);
        None
    }

    /// Decides what a client may do, from the header alone, so that the answer can be cached.
    fn authorize(&self, client: &dyn Client, action: &Action<'_>) -> Decision {
        let _ = (client, action);
        Decision::Next
    }

    /// Says in one line which of its rules decides [`Plugin::authorize`], for people.
    fn explain(&self, client: &dyn Client, action: &Action<'_>) -> Option<String> {
        let _ = (client, action);
        None
    }

    /// A message on its way in, after authorisation, before it is retained and routed. `client` is
    /// `None` where the message is not of a client.
    fn on_publish(
        &self,
        origin: Origin,
        client: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> PublishVerdict {
        let _ = (origin, client, message);
        PublishOutcome::Pass.into()
    }

    /// One entry of a SUBSCRIBE, after authorisation.
    fn on_subscribe(&self, client: &dyn Client, subscription: &Subscription) -> SubscribeVerdict {
        let _ = (client, subscription);
        SubscribeVerdict::Pass
    }

    /// One entry of an UNSUBSCRIBE, share prefix included. What it returns is unsubscribed instead.
    fn on_unsubscribe(&self, client: &dyn Client, filter: &str) -> Option<String> {
        let _ = (client, filter);
        None
    }

    /// The group of clients for which [`Plugin::on_deliver`] gives the same bytes; `None` if it
    /// does not touch this client. Asked when a session starts, and after `invalidate`.
    fn cohort(&self, client: &dyn Client) -> Option<String> {
        let _ = client;
        None
    }

    /// A message on its way out to all clients of one cohort.
    fn on_deliver(&self, cohort: &str, message: &Message<'_>) -> DeliverVerdict {
        let _ = (cohort, message);
        DeliverVerdict::Pass
    }

    /// Things that happened, in batches, from a bounded queue; `lost` did not fit.
    fn on_events(&self, events: &[StampedEvent], lost: u64) {
        let _ = (events, lost);
    }

    /// A timer that it set.
    fn on_timer(&self, name: &str) {
        let _ = name;
    }

    /// A command of an operator, by the admin interface. `principal` is who sent it, if that is
    /// known; `args` is JSON, and so should be the answer.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    fn on_command(
        &self,
        principal: Option<&str>,
        command: &str,
        args: &str,
    ) -> Result<String, String> {
        let _ = (principal, args);
        Err(format!("there is no command `{command}`"))
    }

    /// The broker begins to use this plugin as its store. Called before everything else of a store,
    /// and again after [`Plugin::store_close`].
    ///
    /// # Errors
    /// Why it can not be used.
    fn store_open(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Does all of `ops`, in their order, or nothing of them. A batch that failed comes again as it
    /// was, so that doing it twice must be the same as doing it once.
    ///
    /// # Errors
    /// Why nothing was done.
    fn store_apply(&self, ops: &[StoreOp]) -> Result<(), StoreError> {
        let _ = ops;
        Err(StoreError::Unavailable("the plugin has no store".to_owned()))
    }

    /// The first records of `space`, at most `limit` (at least 1), whose keys begin with `prefix` and
    /// come behind `after`, in the order of their keys. Fewer than `limit` may be given, but none
    /// only if there are none.
    ///
    /// # Errors
    /// Why they can not be read.
    fn store_scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<StoreEntry>, StoreError> {
        let _ = (space, prefix, after, limit);
        Err(StoreError::Unavailable("the plugin has no store".to_owned()))
    }

    /// Returns when all that was applied would outlive the broker.
    ///
    /// # Errors
    /// If it might not.
    fn store_flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The broker is done with it: it stops, or another generation of the plugin follows.
    ///
    /// # Errors
    /// If something could not be kept.
    fn store_close(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// What was stored: batch number `commit`, which no other batch has while the broker runs, and
    /// its changes. `lost` changes before these did not fit into the queue.
    fn on_commit(&self, commit: u64, ops: &[StoreOp], lost: u64) {
        let _ = (commit, ops, lost);
    }
}
