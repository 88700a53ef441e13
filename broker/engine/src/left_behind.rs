use std::sync::Arc;

use pintle_mqtt::{Publication, Run, TopicName};
use pintle_router::SharedGroup;
use pintle_session::Waiting;

use crate::deliver::{Totals, to_some_member};
use crate::session::SessionRef;
use crate::worker::Worker;

impl Worker {
    /// Gives what a session that has ended leaves of its Shared Subscriptions to other members, each
    /// message to one (4.8.2). The session is still in the topic tree.
    pub(crate) fn pass_on(&self, session: &SessionRef, left: &[Waiting]) {
        let mut totals = Totals::default();
        for (place, waiting) in left.iter().enumerate() {
            let Ok(run) = Run::single(waiting.frame(), waiting.run().layout()) else {
                continue;
            };
            // A message that came by several groups is here once for each of them.
            let earlier = left.iter().take(place).filter(|one| is_same(one, waiting)).count();
            if let Some(group) = self.groups_with(session, run.topic()).get(earlier) {
                let mut publication = Publication::new(run, waiting.run().received_at());
                to_some_member(self, &mut publication, group, &mut totals);
            }
        }
        totals.count(self);
    }

    /// The groups that the session is a member of and that get messages of `topic`.
    fn groups_with(
        &self,
        session: &SessionRef,
        topic: TopicName<'_>,
    ) -> Vec<Arc<SharedGroup<SessionRef>>> {
        let mut groups = self.engine().topics.read().route(topic).groups;
        groups.retain(|group| group.members().any(|member| member.subscriber == *session));
        groups
    }
}

/// Whether both are the same message of the same run.
fn is_same(one: &Waiting, other: &Waiting) -> bool {
    std::ptr::eq(one.frame(), other.frame())
}
