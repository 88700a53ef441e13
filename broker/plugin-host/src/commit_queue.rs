use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use pintle_plugin_api::StoreOp;

/// What was stored and one plugin is yet to be told. When it is full, what is newer is lost and
/// counted.
#[derive(Debug, Default)]
pub(crate) struct CommitQueue {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    commits: VecDeque<(u64, Arc<[StoreOp]>)>,
    changes: usize,
    lost: u64,
}

/// A batch that was stored.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) number: u64,
    pub(crate) ops: Arc<[StoreOp]>,
    /// Changes before these that did not fit.
    pub(crate) lost: u64,
}

/// Changes that wait for one plugin.
const CHANGES_MAX: usize = 10_000;

impl CommitQueue {
    pub(crate) fn push(&self, number: u64, ops: &Arc<[StoreOp]>) {
        let mut waiting = self.waiting.lock();
        if !waiting.commits.is_empty() && waiting.changes + ops.len() > CHANGES_MAX {
            waiting.lost += ops.len() as u64;
            return;
        }
        waiting.changes += ops.len();
        waiting.commits.push_back((number, Arc::clone(ops)));
    }

    pub(crate) fn take(&self) -> Option<Commit> {
        let mut waiting = self.waiting.lock();
        let (number, ops) = waiting.commits.pop_front()?;
        waiting.changes -= ops.len();
        let lost = std::mem::take(&mut waiting.lost);
        Some(Commit { number, ops, lost })
    }

    /// A batch never reached the plugin: the next one tells.
    pub(crate) fn lose(&self, commit: &Commit) {
        self.waiting.lock().lost += commit.ops.len() as u64 + commit.lost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pintle_plugin_api::Space;

    fn batch(changes: usize) -> Arc<[StoreOp]> {
        vec![StoreOp::Delete { space: Space::Queue, key: Vec::new() }; changes].into()
    }

    #[test]
    fn what_does_not_fit_is_counted_and_told_with_the_next() {
        let queue = CommitQueue::default();
        queue.push(1, &batch(CHANGES_MAX));
        queue.push(2, &batch(3));
        let first = queue.take().unwrap();
        assert_eq!((first.number, first.ops.len(), first.lost), (1, CHANGES_MAX, 3));
        queue.lose(&first);
        queue.push(3, &batch(CHANGES_MAX + 1));
        let next = queue.take().unwrap();
        assert_eq!((next.number, next.lost), (3, CHANGES_MAX as u64 + 3));
        assert!(queue.take().is_none());
    }
}
