use std::ops::Range;
use std::sync::Arc;

use pintle_mqtt::{Publication, Publish, ReasonCode, Run};
use pintle_ports::{
    Action, HookPath, Identity, MessageFrame, PublishRuling, PublishVerdict, Verdict,
};

use crate::carry::carry;
use crate::session::SessionRef;
use crate::worker::Worker;

/// Proof that what it holds was authorised and has passed the hooks. Only this file makes one.
pub(crate) struct Authorized<P>(P);

impl<'a> Authorized<Publication<'a>> {
    pub(crate) fn run(&self) -> &Run<'a> {
        self.0.run()
    }

    pub(crate) fn publication(&mut self) -> &mut Publication<'a> {
        &mut self.0
    }
}

/// Where a message comes from.
pub(crate) struct Source<'a> {
    /// The client that published it, or whose will it is.
    pub(crate) who: Option<&'a Arc<Identity>>,
    /// The session that published it, for No Local.
    pub(crate) session: Option<&'a SessionRef>,
    pub(crate) path: HookPath,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Carried out; whether anybody subscribed.
    Accepted { matched: bool },
    /// Not taken, with the code for PUBACK or PUBREC.
    Refused(ReasonCode),
    /// Not taken, and the connection ends.
    Disconnect(ReasonCode),
}

/// Takes a run on its way: authorise, transform, authorise again what changed, carry out.
pub(crate) fn admit(worker: &Worker, source: &Source<'_>, run: Run<'_>) -> Admission {
    match permit(worker, source, run.head()) {
        Verdict::Allow => admit_permitted(worker, source, run),
        Verdict::Deny(reason) => Admission::Refused(reason),
        Verdict::Disconnect(reason) => Admission::Disconnect(reason),
    }
}

/// The same for a run whose publisher is known to have the right to its topic, QoS and RETAIN.
pub(crate) fn admit_permitted(worker: &Worker, source: &Source<'_>, run: Run<'_>) -> Admission {
    if !worker.interest().publish || !worker.hooks().wants_publish(run.topic()) {
        let publication = Publication::new(run, worker.now);
        let matched = carry(worker, source, &mut Authorized(publication));
        return Admission::Accepted { matched };
    }
    transform(worker, source, run)
}

/// The messages of a run through the `on_publish` chain, one by one; none behind one with which the
/// connection ended. Those that pass as they are stay together.
fn transform(worker: &Worker, source: &Source<'_>, run: Run<'_>) -> Admission {
    let who = source.who.map(|who| &**who);
    let mut last = Admission::Accepted { matched: false };
    let mut passed = Passed::default();
    let mut seen = 0;
    let epoch = source.session.map(|session| (session, session.epoch()));
    for (publish, frame) in run.iter() {
        if seen > 0 && epoch.is_some_and(|(session, epoch)| !session.is_current(epoch)) {
            break;
        }
        let ruling = worker.hooks().on_publish(source.path, who, &publish, worker.now);
        let before = seen;
        seen += frame.len();
        if ruling.verdict == PublishVerdict::Pass && ruling.emits.is_empty() {
            passed.add(publish, before..seen);
            continue;
        }
        passed.carry(worker, source, &run);
        last = obey(worker, source, Run::new(publish, run.layout(), frame, 1), &ruling);
        if matches!(last, Admission::Disconnect(_)) {
            return last;
        }
    }
    passed.carry(worker, source, &run).unwrap_or(last)
}

/// Messages of a run, one behind the other, that nobody changed.
#[derive(Default)]
struct Passed<'a> {
    head: Option<Publish<'a>>,
    bytes: Range<usize>,
    count: u32,
}

impl<'a> Passed<'a> {
    fn add(&mut self, publish: Publish<'a>, bytes: Range<usize>) {
        let start = match self.head {
            Some(_) => self.bytes.start,
            None => bytes.start,
        };
        self.head.get_or_insert(publish);
        self.bytes = start..bytes.end;
        self.count += 1;
    }

    /// Sends them on their way, if there are any.
    fn carry(&mut self, worker: &Worker, source: &Source<'_>, of: &Run<'a>) -> Option<Admission> {
        let Self { head, bytes, count } = std::mem::take(self);
        let frames = of.frames().get(bytes)?;
        let publication = Publication::new(Run::new(head?, of.layout(), frames, count), worker.now);
        let matched = carry(worker, source, &mut Authorized(publication));
        Some(Admission::Accepted { matched })
    }
}

/// Does with one message as the chain says.
fn obey(worker: &Worker, source: &Source<'_>, run: Run<'_>, ruling: &PublishRuling) -> Admission {
    let admission = match &ruling.verdict {
        PublishVerdict::Pass => {
            let publication = Publication::new(run, worker.now);
            Admission::Accepted { matched: carry(worker, source, &mut Authorized(publication)) }
        }
        PublishVerdict::Rewrite(frame) => admit_rewritten(worker, source, &run, frame),
        PublishVerdict::Drop => Admission::Accepted { matched: true },
        PublishVerdict::Reject(reason) => Admission::Refused(*reason),
    };
    for (frame, path) in &ruling.emits {
        if let Ok(run) = frame.as_run() {
            admit(worker, &Source { who: None, session: None, path: *path }, run);
        }
    }
    admission
}

fn admit_rewritten(
    worker: &Worker,
    source: &Source<'_>,
    before: &Run<'_>,
    frame: &MessageFrame,
) -> Admission {
    let Ok(run) = frame.as_run() else {
        return Admission::Refused(ReasonCode::ImplementationSpecificError);
    };
    let same = run.topic() == before.topic()
        && run.qos() == before.qos()
        && run.retain() == before.retain();
    if !same {
        match permit(worker, source, run.head()) {
            Verdict::Allow => {}
            Verdict::Deny(reason) => return Admission::Refused(reason),
            Verdict::Disconnect(reason) => return Admission::Disconnect(reason),
        }
    }
    let publication = Publication::new(run, worker.now);
    Admission::Accepted { matched: carry(worker, source, &mut Authorized(publication)) }
}

/// May the source publish this? Messages of plugins and operators were granted where they were made.
fn permit(worker: &Worker, source: &Source<'_>, publish: &Publish<'_>) -> Verdict {
    let Some(who) = source.who else {
        return Verdict::Allow;
    };
    let action = match source.path {
        HookPath::Will => Action::Will(publish),
        HookPath::Client | HookPath::Admin | HookPath::Plugin { .. } => Action::Publish(publish),
    };
    let ruling = worker.authorize(who, action);
    if ruling.verdict != Verdict::Allow {
        let topic = publish.topic.map(|topic| topic.as_str());
        let (Verdict::Deny(reason) | Verdict::Disconnect(reason)) = ruling.verdict else {
            return ruling.verdict;
        };
        worker.tell_denial(who, "Publish", topic, reason, ruling.decided_by.as_deref());
    }
    ruling.verdict
}
