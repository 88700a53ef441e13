use proptest::collection::vec;
use proptest::prelude::*;

use crate::story::{AUTHORS, Doings, GRANTS, Rights, Step, Story, TOPICS, Table, Vote};

fn votes() -> impl Strategy<Value = [Vote; TOPICS.len()]> {
    prop::array::uniform4(prop_oneof![
        3 => Just(Vote::Allow),
        1 => Just(Vote::Deny),
        1 => Just(Vote::Next),
    ])
}

fn rights() -> impl Strategy<Value = Rights> {
    (votes(), votes()).prop_map(|(publish, receive)| Rights { publish, receive })
}

fn doings() -> impl Strategy<Value = Doings> {
    let topic = || 0..TOPICS.len();
    let some = || prop::option::of(topic());
    let seldom = || prop::option::weighted(0.2, topic());
    let several = || vec(topic(), 0..3);
    let granted = prop::option::weighted(0.8, 0..GRANTS.len());
    (seldom(), some(), any::<bool>(), seldom(), several(), several(), some(), granted).prop_map(
        |(wants, rewrites_to, retains, drops, emits, publishes, gives_to_a_reader, granted)| {
            Doings {
                wants,
                rewrites_to,
                retains,
                drops,
                emits,
                publishes,
                gives_to_a_reader,
                granted,
            }
        },
    )
}

fn table() -> impl Strategy<Value = Table> {
    let rules = prop::array::uniform4(prop::option::of(rights()));
    (rules, vec(rights(), 0..3), vec(doings(), 1..4))
        .prop_map(|(rules, authorizers, chain)| Table { rules, authorizers, chain })
}

fn step() -> impl Strategy<Value = Step> {
    (0..AUTHORS.len(), 0..TOPICS.len(), any::<bool>(), 0_u8..3)
        .prop_map(|(author, topic, retain, qos)| Step { author, topic, retain, qos })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_comes_that_neither_its_client_nor_its_plugin_may_send(
        table in table(),
        steps in vec(step(), 1..6),
    ) {
        let mut story = Story::new(table);
        for step in steps {
            story.take(step);
        }
        story.wills();
        prop_assert_eq!(story.undue(), None);
    }
}

const ALL: Rights = Rights { publish: [Vote::Allow; 4], receive: [Vote::Allow; 4] };

/// One plugin that makes a message in each way there is, granted everything but `$SYS/#`.
fn maker() -> Doings {
    Doings {
        wants: Some(0),
        rewrites_to: None,
        retains: false,
        drops: None,
        emits: vec![1, 3],
        publishes: vec![1, 3],
        gives_to_a_reader: Some(2),
        granted: Some(2),
    }
}

fn of_one_message(chain: Vec<Doings>) -> Vec<String> {
    let mut story = Story::new(Table { rules: [Some(ALL); 4], authorizers: vec![ALL], chain });
    story.take(Step { author: 0, topic: 0, retain: false, qos: 1 });
    let heard = story.heard("s");
    let mut heard: Vec<_> =
        heard.iter().map(|seen| format!("{}: {}", seen.topic(), seen.payload())).collect();
    heard.sort();
    heard
}

#[test]
fn what_both_may_send_comes() {
    assert_eq!(
        of_one_message(vec![maker()]),
        ["a/c: given 0 a/c", "a: client p a", "b: emitted 0 b", "b: published 0 b"]
    );
}

#[test]
fn what_a_plugin_makes_of_the_message_of_another_needs_the_grant_of_the_other() {
    let moving_to = |topic| Doings {
        wants: Some(1),
        rewrites_to: Some(topic),
        emits: Vec::new(),
        publishes: Vec::new(),
        gives_to_a_reader: None,
        ..maker()
    };
    let moved = |topic| of_one_message(vec![maker(), moving_to(topic)]);
    assert_eq!(
        moved(2),
        ["a/c: emitted 0 b", "a/c: given 0 a/c", "a/c: published 0 b", "a: client p a"]
    );
    assert_eq!(moved(3), ["a/c: given 0 a/c", "a: client p a"]);
}
