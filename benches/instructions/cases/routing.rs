use std::hash::{Hash, Hasher};
use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, Result};
use pintle_mqtt::{QoS, ShareName, TopicFilter, TopicName};
use pintle_router::{Generations, RetainedIndex, SubscriptionOptions, TopicTree};

use crate::workload::{Case, Workload, repeated, staged};

const MANY: usize = 100_000;
const RECEIVERS: usize = 1000;
const FEWER: usize = 10_000;
const BATCH: usize = 100;

pub(crate) const CASES: &[Case] = &[
    case("route-exact-of-100k", BATCH, || routes(Some(0))),
    case("route-plus-of-100k", BATCH, || routes(Some(2))),
    case("route-multi-level-of-100k", BATCH, || routes(Some(3))),
    case("route-nobody-of-100k", BATCH, || routes(None)),
    case("route-to-1000", RECEIVERS, route_to_many),
    case("route-generation", BATCH, generations),
    case("shared-pick-of-8", BATCH, shared_pick),
    case("subscribe-beside-10k", BATCH, subscribe),
    case("unsubscribe-beside-10k", BATCH, unsubscribe),
    case("retained-match-all-of-10k", FEWER, || retained("#")),
    case("retained-match-plus-in-10k", BATCH, || retained("site2/+/+/door/#")),
];

const fn case(
    name: &'static str,
    operations: usize,
    prepare: fn() -> Result<Box<dyn Workload>>,
) -> Case {
    Case { name, operations: operations as u32, prepare }
}

/// A handle of eight bytes, compared as the engine's are: by where it points.
#[derive(Clone)]
struct Session(Arc<usize>);

impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Session {}

impl Hash for Session {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

fn sessions(count: usize) -> Vec<Session> {
    (0..count).map(|n| Session(Arc::new(n))).collect()
}

/// Half exact, a quarter each with `+` and with `#`.
fn filter(n: usize) -> String {
    match n % 4 {
        0 | 1 => format!("site{}/building{}/device{n}/temperature", n % 10, n % 100),
        2 => format!("site{}/building{}/device{n}/+/state", n % 10, n % 100),
        _ => format!("site{}/building{}/device{n}/#", n % 10, n % 100),
    }
}

fn topic(n: usize) -> String {
    filter(n).replace('+', "door").replace('#', "humidity")
}

fn add(tree: &mut TopicTree<Session>, filters: &[String], sessions: &[Session]) {
    let options = SubscriptionOptions { qos: QoS::AtLeastOnce, ..SubscriptionOptions::default() };
    for (filter, session) in filters.iter().zip(sessions.iter().cycle()) {
        tree.subscribe(TopicFilter::trusted(filter), session, options);
    }
}

fn remove(tree: &mut TopicTree<Session>, filters: &[String], sessions: &[Session]) {
    for (filter, session) in filters.iter().zip(sessions.iter().cycle()) {
        tree.unsubscribe(TopicFilter::trusted(filter), session);
    }
}

fn full_tree(count: usize, sessions: &[Session]) -> TopicTree<Session> {
    let filters: Vec<String> = (0..count).map(filter).collect();
    let mut tree = TopicTree::new();
    add(&mut tree, &filters, sessions);
    tree
}

/// Routes of topics whose filter is of `kind`, as [`filter`] makes them; none for no kind.
fn routes(kind: Option<usize>) -> Result<Box<dyn Workload>> {
    let tree = full_tree(MANY, &sessions(RECEIVERS));
    // Spread over the whole tree.
    let topics = (0..BATCH).map(|n| match kind {
        Some(kind) => topic(n * (MANY / BATCH) + kind),
        None => format!("site{}/building{}/office/lamp", n % 10, n % 100),
    });
    let topics: Vec<String> = topics.collect();
    Ok(repeated(tree, move |tree| {
        for topic in &topics {
            black_box(tree.route(TopicName::trusted(topic)));
        }
    }))
}

fn route_to_many() -> Result<Box<dyn Workload>> {
    let mut tree = TopicTree::new();
    for filter in ["news/today", "news/+"] {
        let filters = vec![filter.to_owned(); RECEIVERS / 2];
        add(&mut tree, &filters, &sessions(RECEIVERS / 2));
    }
    Ok(repeated(tree, |tree| _ = black_box(tree.route(TopicName::trusted("news/today")))))
}

fn generations() -> Result<Box<dyn Workload>> {
    let topic = topic(17);
    Ok(repeated(Generations::new(), move |generations| {
        for _ in 0..BATCH {
            black_box(generations.of(black_box(TopicName::trusted(&topic))));
        }
    }))
}

fn shared_pick() -> Result<Box<dyn Workload>> {
    let mut tree = TopicTree::new();
    let share = ShareName::new("workers").ok().context("not a Share Name")?;
    for session in &sessions(8) {
        let filter = TopicFilter::trusted("jobs/#");
        tree.subscribe_shared(share, filter, session, SubscriptionOptions::default());
    }
    let route = tree.route(TopicName::trusted("jobs/today"));
    let group = route.groups.first().cloned().context("there is no group")?;
    Ok(repeated(group, |group| {
        for _ in 0..BATCH {
            black_box(group.pick(|_| true).is_some());
        }
    }))
}

/// The tree, filters that are not in it, and whose they will be.
fn tree_and_more() -> (TopicTree<Session>, Vec<String>, Vec<Session>) {
    let sessions = sessions(RECEIVERS);
    let more = (FEWER..FEWER + BATCH).map(filter).collect();
    (full_tree(FEWER, &sessions), more, sessions)
}

fn subscribe() -> Result<Box<dyn Workload>> {
    let (tree, more, sessions) = tree_and_more();
    Ok(staged(
        (tree, more, sessions),
        |(tree, more, sessions)| remove(tree, more, sessions),
        |(tree, more, sessions)| add(tree, more, sessions),
    ))
}

fn unsubscribe() -> Result<Box<dyn Workload>> {
    let (tree, more, sessions) = tree_and_more();
    Ok(staged(
        (tree, more, sessions),
        |(tree, more, sessions)| add(tree, more, sessions),
        |(tree, more, sessions)| remove(tree, more, sessions),
    ))
}

fn retained(filter: &'static str) -> Result<Box<dyn Workload>> {
    let mut index = RetainedIndex::new();
    for n in 0..FEWER {
        index.set(TopicName::trusted(&topic(n)), n);
    }
    Ok(repeated(index, move |index| {
        index.for_each_match(TopicFilter::trusted(filter), &mut |n: &usize| _ = black_box(*n));
    }))
}

#[cfg(test)]
mod tests {
    use pintle_mqtt::TopicName;
    use pintle_router::TopicTree;

    use super::{add, filter, sessions, topic};

    #[test]
    fn each_topic_has_its_filter_alone() {
        let filters: Vec<String> = (0..400).map(filter).collect();
        let mut tree = TopicTree::new();
        add(&mut tree, &filters, &sessions(400));
        for n in 0..400 {
            let targets = tree.route(TopicName::trusted(&topic(n))).targets;
            assert_eq!(targets.iter().map(|t| *t.subscriber.0).collect::<Vec<_>>(), [n]);
        }
    }
}
