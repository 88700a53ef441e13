use std::fmt;

use pintle_mqtt::QoS;
use pintle_ports::{Action, Identity, Verdict};

use crate::authorize::{Asked, Tally, vote_of_rules};
use crate::breaker::BreakerState;
use crate::client_view::ClientView;
use crate::core::Core;
use crate::decision_cache::{Vote, target_of};
use crate::fault::Fault;
use crate::hook::Hook;
use crate::message_view::as_api_action;
use crate::rules::RuleSet;
use crate::slot::Slot;

/// Who says what on one action, and what comes of it. [`fmt::Display`] writes it for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What was asked, in words.
    pub question: String,
    /// Every voter in the order of asking, also those that no longer count.
    pub voters: Vec<VoterAnswer>,
    /// What comes of it.
    pub verdict: Verdict,
    /// Who decided: plugin and rule; `None` if the answer is yes.
    pub decided_by: Option<String>,
}

/// What one voter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoterAnswer {
    /// The plugin; for the session's rules, the one that returned them.
    pub voter: String,
    /// `next`, `allow`, `deny 0x87`, `disconnect 0x98`, or `error: …`.
    pub answer: String,
    /// The rule, if the voter named one.
    pub line: Option<String>,
}

impl Core {
    /// Asks everybody afresh: neither caches nor figures take part. An open breaker does.
    pub(crate) fn explain(&self, who: &Identity, action: Action<'_>) -> Explanation {
        let now = self.shared.now();
        let mut tally = Tally::new();
        let mut voters = Vec::new();
        let mut count = |vote: Vote, voter: VoterAnswer| {
            if tally.is_open() {
                tally.add(&vote);
            }
            voters.push(voter);
        };
        if let Some(rules) = who.rules() {
            let rules: Option<&RuleSet> = rules.as_any().downcast_ref();
            let vote = vote_of_rules(rules, action);
            let voter = VoterAnswer {
                voter: rules.map_or("?", RuleSet::plugin).to_owned(),
                answer: words(&vote),
                line: rules.and_then(|rules| rules.decide(action)).map(|rule| rule.to_string()),
            };
            count(vote, voter);
        }
        as_api_action(action, |seen| {
            let asked = Asked { who, action, seen, now };
            for slot in &self.chains.authorize {
                let (vote, voter) = slot.explain(&asked);
                count(vote, voter);
            }
        });
        let ruling = tally.ruling(now);
        Explanation {
            question: question(who, action),
            voters,
            verdict: ruling.verdict,
            decided_by: ruling.decided_by.map(|by| by.to_string()),
        }
    }
}

impl Slot {
    fn explain(&self, asked: &Asked<'_>) -> (Vote, VoterAnswer) {
        let breaker = self.meter(Hook::Authorize).breaker();
        let (instance, client) = (&*self.instance, ClientView(asked.who));
        let vote = if breaker.state(asked.now) == BreakerState::Open {
            Err(Fault::breaker_open())
        } else {
            let decision = instance.authorize(&client, asked.seen);
            decision.and_then(|decision| self.vote_of(instance, &decision, asked))
        };
        let line = instance.explain(&client, asked.seen).ok().flatten();
        let (vote, answer) = match vote {
            Ok(vote) => {
                let answer = words(&vote);
                (vote, answer)
            }
            Err(fault) => (self.denial_for(&fault, asked.now), format!("error: {fault}")),
        };
        let voter = self.state.name.to_string();
        (vote, VoterAnswer { voter, answer, line })
    }
}

fn words(vote: &Vote) -> String {
    match vote {
        Vote::Next => "next".to_owned(),
        Vote::Allow(_) => "allow".to_owned(),
        Vote::Deny(reason, ..) => format!("deny 0x{:02x}", reason.as_u8()),
        Vote::Disconnect(reason, _) => format!("disconnect 0x{:02x}", reason.as_u8()),
    }
}

fn question(who: &Identity, action: Action<'_>) -> String {
    let (verb, qos, retain) = match action {
        Action::Publish(publish) => ("publish", publish.flags.qos, publish.flags.retain),
        Action::Receive(publish) => ("receive", publish.flags.qos, publish.flags.retain),
        Action::Will(publish) => ("leave a will", publish.flags.qos, publish.flags.retain),
        Action::Subscribe(request) => ("subscribe", request.qos, false),
    };
    let qos = match qos {
        QoS::AtMostOnce => 0,
        QoS::AtLeastOnce => 1,
        QoS::ExactlyOnce => 2,
    };
    let retained = if retain { ", retained" } else { "" };
    let (client, target) = (&who.client_id, target_of(action));
    let principal = who.principal().unwrap_or("nobody");
    format!("may `{client}` ({principal}) {verb} `{target}` with QoS {qos}{retained}?")
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.question)?;
        for VoterAnswer { voter, answer, line } in &self.voters {
            match line {
                Some(line) => writeln!(f, "  {voter}: {answer} ({line})")?,
                None => writeln!(f, "  {voter}: {answer}")?,
            }
        }
        let verdict = match self.verdict {
            Verdict::Allow => "yes".to_owned(),
            Verdict::Deny(reason) => format!("no, with 0x{:02x}", reason.as_u8()),
            Verdict::Disconnect(reason) => {
                format!("no, and it is disconnected with 0x{:02x}", reason.as_u8())
            }
        };
        match &self.decided_by {
            Some(by) => write!(f, "{verdict}: {by}"),
            None => f.write_str(&verdict),
        }
    }
}
