use pintle_mqtt::{Publish, ReasonCode, Timestamp, TopicName};
use pintle_plugin_api::{Client, MessagePatch, NewMessage, Origin, PublishOutcome, PublishVerdict};
use pintle_ports::{HookPath, Identity, MessageFrame, PublishRuling, PublishVerdict as Outcome};

use crate::client_view::ClientView;
use crate::core::Core;
use crate::fault::{ErrorKind, Fault};
use crate::hook::Hook;
use crate::hops::{HOPS_MAX, TOO_MANY_HOPS, come_through};
use crate::made_message::{made, patched};
use crate::message_view::{as_api_message, no_topic};
use crate::meter::Answered;
use crate::refusal_code::Carrier;
use crate::slot::{Slot, Stopwatch};
use crate::spec::PublishErrorPolicy;

/// Messages that one call may emit.
pub(crate) const EMITS_MAX: usize = 64;

/// What one plugin made of a message.
struct Turn {
    outcome: Outcome,
    emits: Vec<(NewMessage, MessageFrame)>,
}

/// What all plugins together know of the message on its way.
struct Passage<'a> {
    path: HookPath,
    who: Option<&'a Identity>,
    now: Timestamp,
    bytes_max: usize,
}

impl Core {
    pub(crate) fn wants_publish(&self, topic: TopicName<'_>) -> bool {
        self.chains.publish.iter().any(|slot| slot.wants(topic))
    }

    /// Passes a message through the chain, each plugin seeing what the one before made of it.
    pub(crate) fn on_publish(
        &self,
        path: HookPath,
        who: Option<&Identity>,
        publish: &Publish<'_>,
        now: Timestamp,
    ) -> PublishRuling {
        let _hops = match path {
            HookPath::Client | HookPath::Will | HookPath::Admin => None,
            HookPath::Plugin { hops, .. } => Some(come_through(hops)),
        };
        let passage = Passage { path, who, now, bytes_max: self.shared.message_bytes_max };
        let mut watch = Stopwatch::default();
        let mut emits = Vec::new();
        let mut rewritten = None;
        for slot in self.chain_below(path) {
            let verdict = match &rewritten {
                None => slot.take_turn(&passage, publish, &mut watch, &mut emits),
                Some(frame) => slot.take_turn_on(&passage, frame, &mut watch, &mut emits),
            };
            match verdict {
                Outcome::Pass => {}
                Outcome::Rewrite(frame) => rewritten = Some(frame),
                verdict @ (Outcome::Drop | Outcome::Reject(_)) => {
                    return PublishRuling { verdict, emits };
                }
            }
        }
        let verdict = match rewritten {
            None => Outcome::Pass,
            Some(frame) if self.may_become(path, publish, &frame, now) => Outcome::Rewrite(frame),
            Some(_) => Outcome::Drop,
        };
        PublishRuling { verdict, emits }
    }

    /// Whether what plugins made of a plugin's message is granted to the one that made it. The engine
    /// asks about those of clients.
    fn may_become(
        &self,
        path: HookPath,
        before: &Publish<'_>,
        frame: &MessageFrame,
        now: Timestamp,
    ) -> bool {
        let HookPath::Plugin { plugin, .. } = path else {
            return true;
        };
        let topic = frame.as_run().ok().map(|run| run.topic());
        if topic == before.topic {
            return true;
        }
        let (Some(topic), Some(author)) =
            (topic, self.slots.iter().find(|slot| slot.state.id == plugin))
        else {
            return false;
        };
        let may = author.state.may_publish(topic.as_str());
        if !may {
            let why = "`grants.publish` does not cover the topic that another plugin gave it";
            author.state.refuse_message(topic.as_str(), why, now);
        }
        may
    }

    /// What a plugin made passes those below it. One that is not in the chain is above all of it.
    fn chain_below(&self, path: HookPath) -> impl Iterator<Item = &Slot> {
        let chain = &self.chains.publish;
        let first = match path {
            HookPath::Client | HookPath::Will | HookPath::Admin => 0,
            HookPath::Plugin { plugin, .. } => {
                let at = chain.iter().position(|slot| slot.state.id == plugin);
                at.map_or(0, |at| at + 1)
            }
        };
        chain.iter().skip(first).map(|slot| &**slot)
    }
}

impl Slot {
    /// Whether the plugin named a filter that matches, or none.
    pub(crate) fn wants(&self, topic: TopicName<'_>) -> bool {
        self.topics.is_empty() || self.topics.matches(topic)
    }

    fn take_turn_on(
        &self,
        passage: &Passage<'_>,
        frame: &MessageFrame,
        watch: &mut Stopwatch,
        emits: &mut Vec<(MessageFrame, HookPath)>,
    ) -> Outcome {
        match frame.as_run() {
            Ok(run) => self.take_turn(passage, run.head(), watch, emits),
            Err(_) => self.publish_policy(),
        }
    }

    fn take_turn(
        &self,
        passage: &Passage<'_>,
        publish: &Publish<'_>,
        watch: &mut Stopwatch,
        emits: &mut Vec<(MessageFrame, HookPath)>,
    ) -> Outcome {
        let Some(topic) = publish.topic else {
            return self.publish_policy();
        };
        if !self.wants(topic) {
            return Outcome::Pass;
        }
        let client = passage.who.map(ClientView);
        let turn = self.call(Hook::Publish, passage.now, watch, |instance| {
            let client = client.as_ref().map(|client| client as &dyn Client);
            let origin = origin_of(passage.path);
            let turn =
                as_api_message(publish, |seen| match instance.on_publish(origin, client, seen) {
                    Ok(PublishVerdict { outcome: PublishOutcome::Pass, ref emit })
                        if emit.is_empty() =>
                    {
                        Ok((Answered::Pass, Turn { outcome: Outcome::Pass, emits: Vec::new() }))
                    }
                    verdict => checked(verdict?, publish, passage.bytes_max),
                });
            turn.unwrap_or_else(no_topic)
        });
        match turn {
            Ok(turn) => {
                if !turn.emits.is_empty() {
                    self.send_emits(passage, turn.emits, emits);
                }
                turn.outcome
            }
            Err(_) => self.publish_policy(),
        }
    }

    fn publish_policy(&self) -> Outcome {
        match self.on_error.publish {
            Some(PublishErrorPolicy::Pass) => Outcome::Pass,
            Some(PublishErrorPolicy::Drop) => Outcome::Drop,
            // The loader does not let `None` come this far.
            Some(PublishErrorPolicy::Reject) | None => {
                Outcome::Reject(ReasonCode::ImplementationSpecificError)
            }
        }
    }

    #[cold]
    fn send_emits(
        &self,
        passage: &Passage<'_>,
        made: Vec<(NewMessage, MessageFrame)>,
        emits: &mut Vec<(MessageFrame, HookPath)>,
    ) {
        let hops = hops_of(passage.path).saturating_add(1);
        for (message, frame) in made {
            if hops > HOPS_MAX {
                self.state.refuse_message(&message.topic, TOO_MANY_HOPS, passage.now);
            } else if !self.state.may_publish(&message.topic) {
                let why = "`grants.publish` does not cover its topic";
                self.state.refuse_message(&message.topic, why, passage.now);
            } else {
                let plugin = self.state.id;
                emits.push((frame, HookPath::Plugin { plugin, hops }));
            }
        }
    }
}

fn checked(
    verdict: PublishVerdict,
    publish: &Publish<'_>,
    bytes_max: usize,
) -> Result<(Answered, Turn), Fault> {
    if verdict.emit.len() > EMITS_MAX {
        let what = format!("more than {EMITS_MAX} messages emitted at once");
        return Err(Fault::new(ErrorKind::Bound, what));
    }
    let (answered, outcome) = match verdict.outcome {
        PublishOutcome::Pass => (Answered::Pass, Outcome::Pass),
        PublishOutcome::Rewrite(patch) if patch == MessagePatch::default() => {
            (Answered::Pass, Outcome::Pass)
        }
        PublishOutcome::Rewrite(patch) => {
            let frame = patched(publish, &patch, bytes_max)?;
            (Answered::Rewrite, Outcome::Rewrite(frame))
        }
        PublishOutcome::Drop => (Answered::Drop, Outcome::Drop),
        PublishOutcome::Reject(failure) => {
            let reason = Carrier::PubAck.check(&failure)?;
            (Answered::Reject, Outcome::Reject(reason))
        }
    };
    let mut emits = Vec::with_capacity(verdict.emit.len());
    for message in verdict.emit {
        let frame = made(&message, bytes_max)?;
        emits.push((message, frame));
    }
    Ok((answered, Turn { outcome, emits }))
}

fn origin_of(path: HookPath) -> Origin {
    match path {
        HookPath::Client => Origin::Client,
        HookPath::Will => Origin::Will,
        HookPath::Admin => Origin::Admin,
        HookPath::Plugin { .. } => Origin::Plugin,
    }
}

fn hops_of(path: HookPath) -> u8 {
    match path {
        HookPath::Client | HookPath::Will | HookPath::Admin => 0,
        HookPath::Plugin { hops, .. } => hops,
    }
}
