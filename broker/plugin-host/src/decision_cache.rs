use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::HashMap;
use parking_lot::RwLock;
use pintle_mqtt::{QoS, ReasonCode, Timestamp, TopicFilter};
use pintle_plugin_api::{CacheHint, CacheScope};
use pintle_ports::{Action, Identity};

use crate::fault::Fault;
use crate::recent_decisions::RecentDecisions;
use crate::topic_set::PrefixedFilter;

/// What a plugin decided on one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Vote {
    /// No opinion.
    Next,
    /// Yes, until then.
    Allow(Timestamp),
    /// No, until then; who and why.
    Deny(ReasonCode, Timestamp, Arc<str>),
    /// No, and the connection ends; who and why.
    Disconnect(ReasonCode, Arc<str>),
}

/// The decisions of one plugin that hold for several topics or sessions.
///
/// What holds for one topic and one session is kept by the engine with the route, not here.
#[derive(Debug)]
pub(crate) struct DecisionCache {
    decisions_max: usize,
    len: AtomicUsize,
    kept: RwLock<Kept>,
    /// What threads found here last, for which there is no lock to be taken.
    recent: RecentDecisions,
}

#[derive(Debug, Default)]
struct Kept {
    by_session: HashMap<u64, Vec<Arc<Entry>>>,
    by_principal: HashMap<Box<str>, Vec<Arc<Entry>>>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    scope: Scope,
    question: Question,
    pattern: Pattern,
    generation: u64,
    until: Timestamp,
    vote: Vote,
}

#[derive(Debug)]
enum Scope {
    Session(u64),
    Principal(Box<str>),
}

/// What must be equal for an answer to be used again, apart from the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    kind: u8,
    qos: QoS,
    retain: bool,
    share_name: Option<Box<str>>,
}

#[derive(Debug)]
enum Pattern {
    This(Box<str>),
    All(PrefixedFilter),
}

impl DecisionCache {
    pub(crate) fn new(decisions_max: usize) -> Self {
        Self {
            decisions_max,
            len: AtomicUsize::new(0),
            kept: RwLock::default(),
            recent: RecentDecisions::new(),
        }
    }

    /// Shows `seen` a decision that still holds for `action`, made under `generation`; whether there
    /// is one.
    #[inline]
    pub(crate) fn find(
        &self,
        who: &Identity,
        action: Action<'_>,
        generation: u64,
        now: Timestamp,
        mut seen: impl FnMut(&Vote),
    ) -> bool {
        if self.len.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let question = Question::of(action);
        let holds = |entry: &Entry| {
            entry.generation == generation
                && now < entry.until
                && entry.question == question
                && entry.pattern.holds_for(action)
        };
        let place = who.session_key.wrapping_mul(4).wrapping_add(question.kind.into());
        self.recent.find(
            place,
            |entry| entry.scope.holds_for(who) && holds(entry),
            || self.kept.read().find(who, holds),
            |entry| seen(&entry.vote),
        )
    }

    /// Whether a decision with this hint holds for more than one topic and session.
    pub(crate) fn is_for(hint: &CacheHint) -> bool {
        hint.filter.is_some() || hint.scope == CacheScope::Principal
    }

    /// Keeps `vote`, made under `generation`, as long and as widely as `hint` says.
    ///
    /// # Errors
    /// If the filter of the hint is none, or does not hold for the action itself.
    pub(crate) fn keep(
        &self,
        who: &Identity,
        action: Action<'_>,
        hint: &CacheHint,
        generation: u64,
        now: Timestamp,
        vote: &Vote,
    ) -> Result<(), Fault> {
        let pattern = match &hint.filter {
            None => Pattern::This(target_of(action).into()),
            Some(filter) => Pattern::All(PrefixedFilter::new(filter).map_err(|why| {
                Fault::invalid(format!("the filter `{filter}` of a cache hint: {why}"))
            })?),
        };
        if !pattern.holds_for(action) {
            let what = "the filter of a cache hint does not hold for what was asked";
            return Err(Fault::invalid(what));
        }
        let until = now.plus(hint.ttl);
        if until <= now {
            return Ok(());
        }
        let scope = match (hint.scope, who.principal()) {
            (CacheScope::Session, _) => Scope::Session(who.session_key),
            (CacheScope::Principal, Some(principal)) => Scope::Principal(principal.into()),
            // Clients without a name have nothing in common.
            (CacheScope::Principal, None) => return Ok(()),
        };
        let question = Question::of(action);
        self.insert(Entry { scope, question, pattern, generation, until, vote: vote.clone() }, now);
        Ok(())
    }

    fn insert(&self, entry: Entry, now: Timestamp) {
        let mut kept = self.kept.write();
        if self.len.load(Ordering::Relaxed) >= self.decisions_max {
            *kept = Kept::default();
            self.len.store(0, Ordering::Relaxed);
        }
        let entries = match &entry.scope {
            Scope::Session(key) => kept.by_session.entry(*key).or_default(),
            Scope::Principal(name) => kept.by_principal.entry(name.clone()).or_default(),
        };
        let before = entries.len();
        entries.retain(|old| old.until > now && old.generation == entry.generation);
        if entries.len() >= SCOPE_DECISIONS_MAX {
            entries.remove(0);
        }
        entries.push(Arc::new(entry));
        let len = self.len.load(Ordering::Relaxed) + entries.len();
        self.len.store(len.saturating_sub(before), Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        let mut kept = self.kept.write();
        *kept = Kept::default();
        self.len.store(0, Ordering::Relaxed);
        self.recent.forget();
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    pub(crate) fn hits(&self) -> u64 {
        self.recent.hits()
    }
}

/// Decisions kept for one session or one principal; the oldest makes way.
const SCOPE_DECISIONS_MAX: usize = 64;

impl Kept {
    fn find(&self, who: &Identity, holds: impl Fn(&Entry) -> bool) -> Option<Arc<Entry>> {
        let of_session = self.by_session.get(&who.session_key);
        let of_principal = who.principal().and_then(|it| self.by_principal.get(it));
        let mut entries = of_session.into_iter().chain(of_principal).flatten();
        entries.find(|entry| holds(entry)).cloned()
    }
}

impl Scope {
    fn holds_for(&self, who: &Identity) -> bool {
        match self {
            Self::Session(key) => *key == who.session_key,
            Self::Principal(name) => who.principal() == Some(&**name),
        }
    }
}

impl Question {
    fn of(action: Action<'_>) -> Self {
        let (kind, publish) = match action {
            Action::Publish(publish) => (0, publish),
            Action::Receive(publish) => (1, publish),
            Action::Will(publish) => (2, publish),
            Action::Subscribe(request) => {
                return Self {
                    kind: 3,
                    qos: request.qos,
                    retain: false,
                    share_name: request.share_name.as_deref().map(Box::from),
                };
            }
        };
        Self { kind, qos: publish.flags.qos, retain: publish.flags.retain, share_name: None }
    }
}

/// The topic or filter that an action is about.
pub(crate) fn target_of(action: Action<'_>) -> &str {
    match action {
        Action::Publish(publish) | Action::Receive(publish) | Action::Will(publish) => {
            publish.topic.map_or("", |topic| topic.as_str())
        }
        Action::Subscribe(request) => &request.filter,
    }
}

impl Pattern {
    fn holds_for(&self, action: Action<'_>) -> bool {
        match (self, action) {
            (Self::This(target), _) => **target == *target_of(action),
            (Self::All(filter), Action::Subscribe(request)) => {
                TopicFilter::new(&request.filter).is_ok_and(|asked| filter.covers(asked))
            }
            (
                Self::All(filter),
                Action::Publish(publish) | Action::Receive(publish) | Action::Will(publish),
            ) => publish.topic.is_some_and(|topic| filter.matches(topic)),
        }
    }
}
