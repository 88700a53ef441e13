use foldhash::HashSet;
use pintle_mqtt::Timestamp;
use pintle_ports::CohortId;

use crate::retained_backlog::RetainedBacklog;
use crate::session::{PendingWill, SessionState};

/// What a session has that is more than connected: apart, so that an idle one is small.
pub(crate) struct Aside {
    /// The group for `on_deliver`, and the stamp of the hooks that said so.
    pub(crate) cohort: Option<(u64, CohortId)>,
    /// Filters as they were asked for, share prefix included.
    pub(crate) subscriptions: HashSet<Box<str>>,
    pub(crate) backlog: Option<Box<RetainedBacklog>>,
    pub(crate) will: Option<Box<PendingWill>>,
    deadlines: Deadlines,
    expiry_secs_max: u32,
}

/// When something is due for a session without a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadlines {
    pub(crate) will_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

impl Deadlines {
    pub(crate) const NONE: Self = Self { will_at: Timestamp::NEVER, expires_at: Timestamp::NEVER };

    pub(crate) fn first(self) -> Timestamp {
        self.will_at.min(self.expires_at)
    }
}

impl Default for Aside {
    fn default() -> Self {
        Self {
            cohort: None,
            subscriptions: HashSet::default(),
            backlog: None,
            will: None,
            deadlines: Deadlines::NONE,
            expiry_secs_max: u32::MAX,
        }
    }
}

impl SessionState {
    pub(crate) fn aside_mut(&mut self) -> &mut Aside {
        self.aside.get_or_insert_default()
    }

    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = &str> {
        self.aside.iter().flat_map(|aside| &aside.subscriptions).map(|filter| &**filter)
    }

    pub(crate) fn cohort(&self) -> Option<(u64, CohortId)> {
        self.aside.as_ref()?.cohort
    }

    pub(crate) fn forget_cohort(&mut self) {
        if let Some(aside) = &mut self.aside {
            aside.cohort = None;
        }
    }

    pub(crate) fn has_backlog(&self) -> bool {
        self.aside.as_ref().is_some_and(|aside| aside.backlog.is_some())
    }

    pub(crate) fn end_backlog(&mut self) {
        if let Some(aside) = &mut self.aside {
            aside.backlog = None;
        }
    }

    pub(crate) fn has_will(&self) -> bool {
        self.will().is_some()
    }

    pub(crate) fn will(&self) -> Option<&PendingWill> {
        self.aside.as_ref()?.will.as_deref()
    }

    /// The Will Delay Interval in seconds, 0 without a will.
    pub(crate) fn will_delay_secs(&self) -> u32 {
        self.will().map_or(0, |will| will.delay_secs)
    }

    pub(crate) fn set_will(&mut self, will: Option<Box<PendingWill>>) {
        if will.is_some() || self.has_will() {
            self.aside_mut().will = will;
        }
    }

    pub(crate) fn deadlines(&self) -> Deadlines {
        self.aside.as_ref().map_or(Deadlines::NONE, |aside| aside.deadlines)
    }

    pub(crate) fn set_deadlines(&mut self, deadlines: Deadlines) {
        if deadlines != self.deadlines() {
            self.aside_mut().deadlines = deadlines;
        }
    }

    /// The longest Session Expiry Interval that this client may have.
    pub(crate) fn expiry_secs_max(&self) -> u32 {
        self.aside.as_ref().map_or(u32::MAX, |aside| aside.expiry_secs_max)
    }

    pub(crate) fn set_expiry_secs_max(&mut self, secs: u32) {
        if secs != self.expiry_secs_max() {
            self.aside_mut().expiry_secs_max = secs;
        }
    }
}
