use std::sync::Arc;

use foldhash::HashMap;
use pintle_mqtt::{Publish, Timestamp, TopicName};
use pintle_ports::CohortId;
use pintle_router::{SharedGroup, Target};

use crate::session::SessionRef;
use crate::worker::{HooksStamp, Worker};

/// The receivers of one topic, those without the right to receive left out.
///
/// It dies with the generation of the topic's part of the tree, of the rights, of the cohorts, and
/// with the first decision in it that expires.
pub(crate) struct Route {
    /// In the order of their cohorts, those without one first.
    pub(crate) targets: Vec<RouteTarget>,
    /// Whether any of them is in a cohort.
    pub(crate) has_cohorts: bool,
    pub(crate) groups: Vec<Arc<SharedGroup<SessionRef>>>,
    generation: u64,
    stamp: HooksStamp,
    valid_until: Timestamp,
}

/// One receiver.
pub(crate) struct RouteTarget {
    pub(crate) target: Target<SessionRef>,
    pub(crate) cohort: CohortId,
}

impl Route {
    /// Asks the topic tree, then, with no lock held, the hooks.
    pub(crate) fn build(worker: &Worker, topic: TopicName<'_>, publish: &Publish<'_>) -> Self {
        let engine = worker.engine();
        let generation = engine.generations.of(topic);
        let found = engine.topics.read().route(topic);
        let mut valid_until = Timestamp::NEVER;
        let asks = worker.interest().authorize;
        let delivers = worker.interest().deliver && worker.hooks().wants_deliver(topic);
        let mut targets = Vec::with_capacity(found.targets.len());
        for target in found.targets {
            let identity = target.subscriber.identity();
            if asks || identity.rules().is_some() {
                let (may, until) = worker.may_receive(&identity, publish);
                valid_until = valid_until.min(until);
                if !may {
                    continue;
                }
            }
            let cohort =
                if delivers { worker.cohort_of(&target.subscriber) } else { CohortId::NONE };
            targets.push(RouteTarget { target, cohort });
        }
        targets.sort_by_key(|target| target.cohort);
        let has_cohorts = targets.last().is_some_and(|last| last.cohort != CohortId::NONE);
        let stamp = worker.hooks_stamp();
        let groups = found.groups;
        Self { targets, has_cohorts, groups, generation, stamp, valid_until }
    }

    pub(crate) fn is_valid(&self, worker: &Worker, topic: TopicName<'_>) -> bool {
        self.generation == worker.engine().generations.of(topic)
            && self.stamp == worker.hooks_stamp()
            && self.valid_until > worker.now
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.groups.is_empty()
    }

    fn entries(&self) -> usize {
        1 + self.targets.len()
    }
}

/// Routes by topic, one cache a worker.
#[derive(Default)]
pub(crate) struct RouteCache {
    places: HashMap<Box<str>, usize>,
    routes: Vec<Route>,
    entries: usize,
}

impl RouteCache {
    /// Routes kept before all are forgotten; one of them, with one receiver, takes some 300 bytes.
    const ROUTES_MAX: usize = 1 << 17;
    /// Receivers in all routes kept before all are forgotten.
    const TARGETS_MAX: usize = 1 << 20;

    /// The route of `topic`, made anew unless the one kept still holds.
    pub(crate) fn find(
        &mut self,
        worker: &Worker,
        topic: TopicName<'_>,
        publish: &Publish<'_>,
    ) -> &Route {
        let place = self.places.get(topic.as_str()).copied();
        let known = place.and_then(|place| self.routes.get(place));
        let place = match (place, known) {
            (Some(place), Some(route)) if route.is_valid(worker, topic) => place,
            _ => self.put(place, topic, Route::build(worker, topic, publish)),
        };
        #[expect(clippy::indexing_slicing, reason = "every place in use is below the length")]
        &self.routes[place]
    }

    fn put(&mut self, place: Option<usize>, topic: TopicName<'_>, route: Route) -> usize {
        self.entries += route.entries();
        if let Some((place, old)) = place.and_then(|at| Some((at, self.routes.get_mut(at)?))) {
            self.entries -= old.entries();
            *old = route;
            return place;
        }
        if self.routes.len() >= Self::ROUTES_MAX || self.entries > Self::TARGETS_MAX {
            self.places.clear();
            self.routes.clear();
            self.entries = route.entries();
        }
        self.routes.push(route);
        let place = self.routes.len() - 1;
        self.places.insert(topic.as_str().into(), place);
        place
    }
}
