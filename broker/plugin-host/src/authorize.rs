use std::sync::Arc;
use std::sync::atomic::Ordering;

use pintle_mqtt::{ReasonCode, Timestamp};
use pintle_plugin_api::{self as api, Decision, Failure, RuleEffect};
use pintle_ports::{Action, Identity, Ruling, Verdict};

use crate::client_view::ClientView;
use crate::core::Core;
use crate::decision_cache::{DecisionCache, Vote};
use crate::fault::Fault;
use crate::hook::Hook;
use crate::instance::Instance;
use crate::message_view::as_api_action;
use crate::meter::Answered;
use crate::refusal_code::Carrier;
use crate::rules::RuleSet;
use crate::slot::{Slot, Stopwatch};

impl Core {
    /// The session's rules, then the plugins in order: a no is final, else any yes is a yes, else
    /// it is a yes only if there was nobody to ask. An error is a no.
    pub(crate) fn authorize(&self, who: &Identity, action: Action<'_>, now: Timestamp) -> Ruling {
        let mut tally = Tally::new();
        if let Some(rules) = who.rules() {
            tally.add(&vote_of_rules(rules.as_any().downcast_ref(), action));
        }
        let mut watch = Stopwatch::default();
        for slot in &self.chains.authorize {
            if !tally.is_open() {
                break;
            }
            slot.vote(who, action, now, &mut watch, &mut tally);
        }
        tally.ruling(now)
    }
}

/// One question to all plugins.
pub(crate) struct Asked<'a> {
    pub(crate) who: &'a Identity,
    pub(crate) action: Action<'a>,
    /// `action` as plugins see it.
    pub(crate) seen: &'a api::Action<'a>,
    pub(crate) now: Timestamp,
}

impl Slot {
    fn vote(
        &self,
        who: &Identity,
        action: Action<'_>,
        now: Timestamp,
        watch: &mut Stopwatch,
        tally: &mut Tally,
    ) {
        let generation = self.state.generation.load(Ordering::Acquire);
        // Counted where it is kept: to move it here would take longer than to find it.
        if self.state.decisions.find(who, action, generation, now, |vote| tally.add(vote)) {
            return;
        }
        let asked = as_api_action(action, |seen| {
            self.new_vote(&Asked { who, action, seen, now }, generation, watch)
        });
        tally.add(&asked.unwrap_or_else(|| denial("a message without a topic", now)));
    }

    fn new_vote(&self, asked: &Asked<'_>, generation: u64, watch: &mut Stopwatch) -> Vote {
        let Asked { who, action, now, .. } = *asked;
        let vote = self.call(Hook::Authorize, now, watch, |instance| {
            let decision = instance.authorize(&ClientView(who), asked.seen)?;
            let vote = self.vote_of(instance, &decision, asked)?;
            if let Decision::Allow(hint) | Decision::Deny(_, hint) = &decision
                && DecisionCache::is_for(hint)
            {
                self.state.decisions.keep(who, action, hint, generation, now, &vote)?;
            }
            Ok((answered(&vote), vote))
        });
        vote.unwrap_or_else(|fault| self.denial_for(&fault, now))
    }

    pub(crate) fn vote_of(
        &self,
        instance: &dyn Instance,
        decision: &Decision,
        asked: &Asked<'_>,
    ) -> Result<Vote, Fault> {
        let now = asked.now;
        Ok(match decision {
            Decision::Next => Vote::Next,
            Decision::Allow(hint) => Vote::Allow(now.plus(hint.ttl)),
            Decision::Deny(failure, hint) => {
                let reason = carrier_of(asked.action).check(failure)?;
                let why = self.why(instance, failure, asked);
                Vote::Deny(reason, now.plus(hint.ttl), why)
            }
            Decision::Disconnect(failure) => {
                let reason = Carrier::Disconnect.check(failure)?;
                Vote::Disconnect(reason, self.why(instance, failure, asked))
            }
        })
    }

    /// An error is no answer and so not kept: the next time, the plugin is asked again.
    pub(crate) fn denial_for(&self, fault: &Fault, now: Timestamp) -> Vote {
        denial(&format!("{}: error: {fault}", self.state.name), now)
    }

    #[cold]
    fn why(&self, instance: &dyn Instance, failure: &Failure, asked: &Asked<'_>) -> Arc<str> {
        let line = match instance.explain(&ClientView(asked.who), asked.seen) {
            Ok(Some(line)) => line,
            Ok(None) | Err(_) => match &failure.message {
                Some(message) => message.to_string(),
                None => format!("denied with 0x{:02x}", failure.code),
            },
        };
        format!("{}: {line}", self.state.name).into()
    }
}

fn denial(why: &str, until: Timestamp) -> Vote {
    Vote::Deny(ReasonCode::NotAuthorized, until, why.into())
}

fn answered(vote: &Vote) -> Answered {
    match vote {
        Vote::Next => Answered::Next,
        Vote::Allow(_) => Answered::Allow,
        Vote::Deny(..) => Answered::Deny,
        Vote::Disconnect(..) => Answered::Disconnect,
    }
}

/// The packet that tells a client of a denial. Of one on receiving nobody is told; a code for
/// PUBACK will do.
fn carrier_of(action: Action<'_>) -> Carrier {
    match action {
        Action::Publish(_) | Action::Receive(_) => Carrier::PubAck,
        Action::Subscribe(_) => Carrier::SubAck,
        Action::Will(_) => Carrier::ConnAck,
    }
}

/// `rules` is `None` if they were not made here, and so cannot be looked into.
pub(crate) fn vote_of_rules(rules: Option<&RuleSet>, action: Action<'_>) -> Vote {
    let Some(rules) = rules else {
        return denial("the session's rules are of an unknown kind", Timestamp::NEVER);
    };
    let Some(rule) = rules.decide(action) else {
        return Vote::Next;
    };
    match rule.effect {
        RuleEffect::Ask => Vote::Next,
        RuleEffect::Allow => Vote::Allow(Timestamp::NEVER),
        RuleEffect::Deny => denial(&format!("{}: {rule}", rules.plugin()), Timestamp::NEVER),
    }
}

/// Adds votes up.
pub(crate) struct Tally {
    voters: u32,
    allowed: bool,
    until: Timestamp,
    refusal: Option<(Verdict, Arc<str>)>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { voters: 0, allowed: false, until: Timestamp::NEVER, refusal: None }
    }

    #[inline]
    pub(crate) fn add(&mut self, vote: &Vote) {
        self.voters += 1;
        match vote {
            Vote::Next => {}
            Vote::Allow(until) => {
                self.allowed = true;
                self.until = self.until.min(*until);
            }
            // A no holds as long as it holds, whatever was said before it.
            Vote::Deny(reason, until, why) => {
                self.until = *until;
                self.refusal = Some((Verdict::Deny(*reason), Arc::clone(why)));
            }
            Vote::Disconnect(reason, why) => {
                self.until = Timestamp::default();
                self.refusal = Some((Verdict::Disconnect(*reason), Arc::clone(why)));
            }
        }
    }

    /// Whether another vote can still change anything.
    pub(crate) fn is_open(&self) -> bool {
        self.refusal.is_none()
    }

    pub(crate) fn ruling(self, now: Timestamp) -> Ruling {
        if let Some((verdict, why)) = self.refusal {
            return Ruling { verdict, valid_until: self.until.max(now), decided_by: Some(why) };
        }
        if self.allowed || self.voters == 0 {
            return Ruling { verdict: Verdict::Allow, valid_until: self.until, decided_by: None };
        }
        Ruling {
            verdict: Verdict::Deny(ReasonCode::NotAuthorized),
            valid_until: Timestamp::NEVER,
            decided_by: Some(Arc::from("nobody allows it")),
        }
    }
}
