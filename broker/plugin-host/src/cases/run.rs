use std::cell::Cell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use pintle_mqtt::TopicName;
use pintle_plugin_api::{
    Action, AuthStep, Host, Message, NewMessage, Origin, PublishVerdict, StampedEvent,
};

use super::case_file::{Case, CaseFile};
use super::case_host::{CaseHost, Seen};
use super::compare::differences;
use super::observed::Observed;
use super::step::{Ask, Step, with_message};
use crate::code::Code;
use crate::fault::{ErrorKind, Fault};
use crate::instance::{Instance, Reply};
use crate::load::{Surroundings, instance_on};
use crate::refusal_code::Carrier;
use crate::spec::PluginSpec;
use crate::topic_set::TopicSet;

/// How often a case is played that fails by being late.
pub(super) const TRIES_MAX: u32 = 3;

/// How one case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    /// The file it stands in.
    pub path: PathBuf,
    /// The line where it begins, from 1.
    pub line: u32,
    /// Its name.
    pub name: String,
    /// What was expected and did not come; empty if the case passed.
    pub failures: Vec<String>,
    /// What the plugin logged.
    pub log: Vec<String>,
}

impl CaseResult {
    /// Whether everything was as expected.
    pub fn is_passed(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for CaseResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_passed() { "ok  " } else { "FAIL" };
        write!(f, "{word}  {}  ({}:{})", self.name, self.path.display(), self.line)?;
        for failure in &self.failures {
            write!(f, "\n      {}", failure.replace('\n', "\n      "))?;
        }
        Ok(())
    }
}

/// Runs every case against a fresh instance of the plugin, one after another, on a thread of their
/// own. A plugin linked in has one instance only, and is given the settings of each case in turn.
pub fn run_cases(spec: &PluginSpec, cases: &[CaseFile]) -> Vec<CaseResult> {
    let unbounded = Bound { until: None, failures_max: usize::MAX };
    each(spec, cases, unbounded, None)
}

/// The first case that fails, if one does. All together may take as long as loading. Compiled code
/// is kept below `data_dir`.
pub(crate) fn first_failure(spec: &PluginSpec, data_dir: Option<&Path>) -> Option<CaseResult> {
    let until = Instant::now().checked_add(spec.limits.load);
    let results = each(spec, &spec.cases, Bound { until, failures_max: 1 }, data_dir);
    results.into_iter().find(|result| !result.is_passed())
}

/// How far cases are run.
#[derive(Clone, Copy)]
struct Bound {
    until: Option<Instant>,
    failures_max: usize,
}

impl Bound {
    fn is_over(self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

fn each(
    spec: &PluginSpec,
    files: &[CaseFile],
    bound: Bound,
    data_dir: Option<&Path>,
) -> Vec<CaseResult> {
    beside(|| {
        let mut results: Vec<CaseResult> = Vec::new();
        let cases = files.iter().flat_map(|file| file.cases.iter().map(move |case| (file, case)));
        for (file, case) in cases {
            let failed = results.iter().filter(|result| !result.is_passed()).count();
            if failed >= bound.failures_max {
                break;
            }
            results
                .push(in_time(|| run(&Player::new(spec, file, case, data_dir), file, case, bound)));
        }
        results
    })
}

/// Does `work` on another thread and waits: the caller may be one that must not block in the ways
/// in which a plugin's answer is waited for.
pub(super) fn beside<T: Send + Default>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().unwrap_or_default())
}

/// Plays a case, again if it fails by being late: a machine with more to do than processors takes one
/// away for longer than a hook has.
fn in_time(mut play: impl FnMut() -> (CaseResult, bool)) -> CaseResult {
    for _ in 1..TRIES_MAX {
        let (result, was_late) = play();
        if result.is_passed() || !was_late {
            return result;
        }
    }
    play().0
}

/// What came of it, and whether some answer was late.
fn run(
    player: &Result<Player<'_>, String>,
    file: &CaseFile,
    case: &Case,
    bound: Bound,
) -> (CaseResult, bool) {
    let (failures, log) = match player {
        Ok(player) => player.play(case, bound),
        // A mistake in a `config` of its own.
        Err(why) if case.expect.wants_error() && !case.world.config.is_empty() => {
            let observed = Observed { error: Some(why.clone()), ..Observed::of("error") };
            (differences(&case.expect, &observed, &Seen::default()), Vec::new())
        }
        Err(why) => (vec![format!("the plugin does not load: {why}")], Vec::new()),
    };
    let (path, name) = (file.path.clone(), case.name.clone());
    let was_late = player.as_ref().is_ok_and(|player| player.was_late.get());
    (CaseResult { path, line: case.line, name, failures, log }, was_late)
}

/// A plugin on stage, with the broker that it sees.
pub(super) struct Player<'a> {
    case: &'a Case,
    pub(super) host: Arc<CaseHost>,
    pub(super) instance: Box<dyn Instance>,
    topics: TopicSet,
    sees_passwords: bool,
    too_long: String,
    /// Whether some answer was.
    was_late: Cell<bool>,
}

impl<'a> Player<'a> {
    pub(super) fn new(
        spec: &PluginSpec,
        file: &CaseFile,
        case: &'a Case,
        data_dir: Option<&Path>,
    ) -> Result<Self, String> {
        let mut spec = spec.clone();
        if let Some(written_for) = &file.written_for {
            spec.settings = written_for.settings.clone();
            spec.topics = written_for.topics.clone();
        }
        if let serde_json::Value::Object(config) = &mut spec.settings.config {
            config.extend(case.world.config.clone());
        } else if !case.world.config.is_empty() {
            spec.settings.config = case.world.config.clone().into();
        }
        let topics = TopicSet::new(&spec.topics);
        let topics = topics.map_err(|(filter, why)| format!("topics: `{filter}`: {why}"))?;
        let host = Arc::new(CaseHost::new(&spec.grants, &case.world)?);
        let name = Arc::from(spec.name.as_str());
        let around =
            Surroundings { host: Arc::clone(&host) as Arc<dyn Host>, state: None, data_dir };
        let instance = instance_on(&spec, &name, around).map_err(|error| error.to_string())?;
        let sees_passwords = spec.grants.credentials || matches!(spec.code, Code::Native(_));
        let too_long = format!("its cases take longer than {:?} together", spec.limits.load);
        let was_late = Cell::new(false);
        Ok(Self { case, host, instance, topics, sees_passwords, too_long, was_late })
    }

    fn play(&self, case: &Case, bound: Bound) -> (Vec<String>, Vec<String>) {
        if let Err(fault) = self.instance.start(Arc::clone(&self.host) as Arc<dyn Host>) {
            return (vec![format!("the plugin does not start: {fault}")], self.host.seen().log);
        }
        let too_long = || (vec![self.too_long.clone()], self.host.seen().log);
        for (place, step) in (1..).zip(&case.before) {
            if bound.is_over() {
                return too_long();
            }
            let fault = self.take(step).and_then(|observed| observed.error);
            if let Some(error) = fault {
                let what = format!("step {place} of `before` failed: {error}");
                return (vec![what], self.host.seen().log);
            }
        }
        let mut observed = Observed::of("done");
        for _ in 0..case.repeat {
            if bound.is_over() {
                return too_long();
            }
            self.host.forget();
            match self.take(&case.step) {
                Some(seen) => observed = seen,
                None => return (vec![self.no_hook(&case.step)], self.host.seen().log),
            }
        }
        let seen: Seen = self.host.seen();
        (differences(&case.expect, &observed, &seen), seen.log)
    }

    /// Starts it and does what comes before; whether nothing failed.
    pub(super) fn before(&self, case: &Case) -> bool {
        self.instance.start(Arc::clone(&self.host) as Arc<dyn Host>).is_ok()
            && case.before.iter().all(|step| self.ask(step).is_ok())
    }

    fn no_hook(&self, step: &Step) -> String {
        let hook = step.hook().map_or("", |hook| hook.name());
        format!("the plugin has no {hook}")
    }

    /// Does one step; `None` if the plugin does not have the hook.
    fn take(&self, step: &Step) -> Option<Observed> {
        let has = |hook: crate::hook::Hook| self.instance.about().hooks.contains(hook.flag());
        if step.hook().is_some_and(|hook| !has(hook)) {
            return None;
        }
        Some(self.ask(step).unwrap_or_else(|fault| {
            self.was_late.set(self.was_late.get() || fault.kind == ErrorKind::Late);
            Observed::failed(&fault)
        }))
    }

    /// # Errors
    /// How the plugin failed.
    pub(super) fn ask(&self, step: &Step) -> Result<Observed, Fault> {
        let (instance, client) = (&*self.instance, &self.case.world.client);
        match step {
            Step::Connect(credentials) => {
                let mut credentials = credentials.clone();
                credentials.password = credentials.password.filter(|_| self.sees_passwords);
                let verdict = match instance.authenticate(client, &credentials)? {
                    Reply::Now(verdict) => verdict,
                    Reply::Blocking(work) => work(),
                    Reply::Coming(answer) => {
                        answer.blocking_recv().unwrap_or_else(|_| Err(gone()))?
                    }
                };
                Observed::of_auth(verdict, client.username.as_deref())
            }
            Step::Auth { method, reauth, data } => self.exchange(method, *reauth, data),
            Step::Publish(origin, message) => self.publish(*origin, message),
            Step::Subscribe(asked) => {
                Observed::of_subscribe(instance.on_subscribe(client, asked)?, asked)
            }
            Step::Unsubscribe(filter) => Ok(match instance.on_unsubscribe(client, filter)? {
                Some(changed) => Observed { filter: Some(changed), ..Observed::of("rewrite") },
                None => Observed { filter: Some(filter.clone()), ..Observed::of("pass") },
            }),
            Step::Deliver(cohort, message) => self.deliver(cohort.as_deref(), message),
            Step::Authorize(ask) => self.authorize(ask),
            Step::Events(events) => self.tell(events),
            Step::Timer(name) => instance.on_timer(name).map(|()| Observed::of("done")),
            Step::Command { principal, command, args } => {
                Ok(match instance.on_command(principal.as_deref(), command, args)? {
                    Ok(answer) => Observed { answer: Some(answer), ..Observed::of("answer") },
                    Err(why) => Observed { message: Some(why), ..Observed::of("refuse") },
                })
            }
            Step::Wait(span) => {
                self.host.wait(*span);
                Ok(Observed::of("done"))
            }
        }
    }

    fn publish(&self, origin: Origin, sent: &NewMessage) -> Result<Observed, Fault> {
        if !self.wants(&sent.topic) {
            return Observed::of_publish(pintle_plugin_api::PublishOutcome::Pass, sent);
        }
        let client = Some(&self.case.world.client as &dyn pintle_plugin_api::Client)
            .filter(|_| matches!(origin, Origin::Client | Origin::Will));
        let verdict: PublishVerdict =
            with_message(sent, |message| self.instance.on_publish(origin, client, message))?;
        for message in verdict.emit {
            // What is refused is noted there.
            let _ = self.host.emit(None, message);
        }
        Observed::of_publish(verdict.outcome, sent)
    }

    /// Whether a message of this topic reaches `on_publish` and `on_deliver` at all.
    fn wants(&self, topic: &str) -> bool {
        let is_named = || TopicName::new(topic).is_ok_and(|topic| self.topics.matches(topic));
        self.topics.is_empty() || is_named()
    }

    fn deliver(&self, cohort: Option<&str>, sent: &NewMessage) -> Result<Observed, Fault> {
        let cohort = match cohort {
            Some(cohort) => Some(cohort.to_owned()),
            None => self.instance.cohort(&self.case.world.client)?,
        };
        let verdict = match &cohort {
            Some(cohort) if self.wants(&sent.topic) => {
                let ask = |message: &Message<'_>| self.instance.on_deliver(cohort, message);
                with_message(sent, ask)?
            }
            Some(_) | None => pintle_plugin_api::DeliverVerdict::Pass,
        };
        Ok(Observed { cohort, ..Observed::of_deliver(verdict, sent)? })
    }

    fn authorize(&self, ask: &Ask) -> Result<Observed, Fault> {
        let client = &self.case.world.client;
        let decide = |action: Action<'_>| self.instance.authorize(client, &action);
        let bare = |message: &NewMessage| NewMessage { payload: Vec::new(), ..message.clone() };
        let (decision, carrier) = match ask {
            Ask::Publish(message) => {
                let asked =
                    with_message(&bare(message), |message| decide(Action::Publish(message)));
                (asked?, Carrier::PubAck)
            }
            Ask::Receive(message) => {
                let asked =
                    with_message(&bare(message), |message| decide(Action::Receive(message)));
                (asked?, Carrier::PubAck)
            }
            Ask::Will(message) => {
                let asked = with_message(&bare(message), |message| decide(Action::Will(message)));
                (asked?, Carrier::ConnAck)
            }
            Ask::Subscribe(asked) => (decide(Action::Subscribe(asked))?, Carrier::SubAck),
        };
        Observed::of_decision(decision, carrier)
    }

    fn tell(&self, events: &[StampedEvent]) -> Result<Observed, Fault> {
        let wanted = self.instance.about().events;
        let unheard = events.iter().find(|event| !wanted.contains(event.event.kind()));
        if let Some(event) = unheard {
            let what = format!(
                "it is not told of {:?}: it does not name that kind of event",
                event.event.kind()
            );
            return Err(Fault::new(ErrorKind::InvalidAnswer, what));
        }
        self.instance.on_events(events, 0).map(|()| Observed::of("done"))
    }

    fn exchange(
        &self,
        method: &str,
        reauth: bool,
        data: &[Option<Vec<u8>>],
    ) -> Result<Observed, Fault> {
        let client = &self.case.world.client;
        let owns = self.instance.about().auth_methods.iter().any(|owned| owned == method);
        let begun = if owns { self.instance.auth_begin(client, method, reauth)? } else { None };
        let Some(mut exchange) = begun else {
            return Ok(Observed::of("next"));
        };
        let mut challenges = Vec::new();
        for data in data {
            match exchange.step(data.as_deref())? {
                AuthStep::Challenge(challenge) => challenges.push(challenge),
                AuthStep::Accept(accepted, data) => {
                    challenges.extend(data);
                    let user = client.username.as_deref();
                    return Ok(Observed { challenges, ..Observed::accepted(*accepted, user) });
                }
                AuthStep::Reject(failure) => {
                    return Ok(Observed { challenges, ..Observed::rejected(&failure)? });
                }
            }
        }
        Ok(Observed { challenges, ..Observed::of("challenge") })
    }
}

fn gone() -> Fault {
    Fault::new(ErrorKind::Internal, "its thread has ended")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{CaseResult, TRIES_MAX, in_time};

    /// How a case ends that is played so: whether it passes and is late, each time.
    fn ends(plays: &[(bool, bool)]) -> (bool, usize) {
        let mut played = 0;
        let result = in_time(|| {
            let (passes, was_late) = plays[played];
            played += 1;
            let failures = if passes { vec![] } else { vec!["another answer".to_owned()] };
            let path = PathBuf::from("cases/a.toml");
            (CaseResult { path, line: 1, name: "a".to_owned(), failures, log: vec![] }, was_late)
        });
        (result.is_passed(), played)
    }

    #[test]
    fn a_case_that_was_late_is_played_again_and_one_that_fails_is_not() {
        assert_eq!(ends(&[(true, false)]), (true, 1));
        assert_eq!(ends(&[(false, false)]), (false, 1));
        assert_eq!(ends(&[(false, true), (true, false)]), (true, 2));
        assert_eq!(ends(&[(false, true), (false, false)]), (false, 2));
        assert_eq!(ends(&[(true, true)]), (true, 1), "it is to be late");
    }

    #[test]
    fn a_case_that_is_always_late_fails() {
        let always = vec![(false, true); TRIES_MAX as usize];
        assert_eq!(ends(&always), (false, always.len()));
    }
}
