//! The budget counts what kept runs hold, up and down.

use pintle_mqtt::{Budget, Layout, Publication, Run, Timestamp};

const FRAME: &[u8] = b"\x30\x06\0\x01tabc";

fn publication() -> Publication<'static> {
    let run = Run::single(FRAME, Layout::V3).unwrap();
    Publication::new(run, Timestamp::from_millis(0))
}

#[test]
fn a_kept_run_counts_once_however_often_it_is_shared() {
    let budget = Budget::new(u64::MAX);
    let mut publication = publication();
    assert_eq!(budget.used(), 0, "what is not kept costs nothing");
    let first = publication.kept(&budget);
    let used = budget.used();
    assert!(used > FRAME.len() as u64);
    let second = publication.kept(&budget);
    assert_eq!(budget.used(), used);
    drop((first, second));
    assert_eq!(budget.used(), used, "the publication still has it");
    drop(publication);
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_budget_is_exceeded_beyond_its_bytes() {
    let one = {
        let budget = Budget::new(0);
        let kept = publication().kept(&budget);
        assert!(budget.is_exceeded());
        drop(kept);
        assert!(!budget.is_exceeded());
        let _kept = publication().kept(&budget);
        budget.used()
    };
    let budget = Budget::new(2 * one);
    let mut kept: Vec<_> = (0..2).map(|_| publication().kept(&budget)).collect();
    assert!(!budget.is_exceeded(), "exactly full is not too much");
    kept.push(publication().kept(&budget));
    assert!(budget.is_exceeded());
    kept.pop();
    assert!(!budget.is_exceeded());
    assert_eq!(budget.used(), 2 * one);
}
