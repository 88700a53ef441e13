use std::collections::HashSet;

use super::*;

/// A connection with everybody who has a hand in it, small enough to try every order of events.
///
/// The outbox works as [`pintle_ports::Outbox`] says: it tells of its first byte after each take.
#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    outgoing: Outgoing,
    outbox: Vec<u8>,
    noted: bool,
    /// Calls of `begin` that are due: one for each time the outbox told of a byte.
    due: u8,
    /// What each of two threads is about to do as the writer.
    writers: [Option<Step>; 2],
    owner_is_signalled: bool,
    sent: Vec<u8>,
    to_publish: Vec<u8>,
    to_close: bool,
    refusals_left: u8,
    finished: bool,
}

const LAST: u8 = 0xff;

impl World {
    fn new(publications: u8, refusals: u8, closes: bool) -> Self {
        Self {
            outgoing: Outgoing::default(),
            outbox: Vec::new(),
            noted: false,
            due: 0,
            writers: [None, None],
            owner_is_signalled: false,
            sent: Vec::new(),
            to_publish: (0..publications).rev().collect(),
            to_close: closes,
            refusals_left: refusals,
            finished: false,
        }
    }

    /// Every state that one event can lead to from here.
    fn successors(&self) -> Vec<World> {
        let mut all = Vec::new();
        if !self.to_publish.is_empty() {
            all.push(self.then(World::publish));
        }
        if self.to_close {
            all.push(self.then(World::close));
        }
        for thread in [0, 1] {
            if self.writers[thread].is_some() {
                all.push(self.then(|world| world.write(thread)));
                if self.refusals_left > 0 {
                    all.extend(self.refused(thread));
                }
            } else if self.due > 0 {
                all.push(self.then(|world| world.flush(thread)));
            }
        }
        if self.owner_is_signalled && self.writers[0].is_none() {
            all.push(self.then(World::own));
        }
        all
    }

    fn then(&self, event: impl FnOnce(&mut World)) -> World {
        let mut next = self.clone();
        event(&mut next);
        next
    }

    fn publish(&mut self) {
        self.outbox.extend(self.to_publish.pop());
        if !self.noted {
            self.noted = true;
            self.due += 1;
        }
    }

    fn close(&mut self) {
        self.to_close = false;
        assert!(self.outgoing.close(vec![LAST]));
        self.owner_is_signalled = true;
    }

    fn flush(&mut self, thread: usize) {
        self.due -= 1;
        let step = self.outgoing.begin();
        self.become_writer(thread, step);
    }

    /// Thread 0 is the owner. Here the socket is writable whenever it looks.
    fn own(&mut self) {
        self.owner_is_signalled = false;
        let step = self.outgoing.resume().or_else(|| self.outgoing.begin());
        self.become_writer(0, step);
    }

    fn become_writer(&mut self, thread: usize, step: Option<Step>) {
        let Some(step) = step else { return };
        assert!(self.writers.iter().all(Option::is_none), "two writers at a time");
        self.writers[thread] = (step != Step::Idle).then_some(step);
    }

    fn write(&mut self, thread: usize) {
        let next = match self.writers[thread].take().unwrap() {
            Step::Wire(bytes, from) => {
                self.sent.extend_from_slice(&bytes[from..]);
                self.outgoing.next()
            }
            Step::Mqtt(bytes) => {
                self.sent.extend_from_slice(&bytes);
                self.outgoing.next()
            }
            Step::Take => {
                self.noted = false;
                let taken = mem::take(&mut self.outbox);
                if taken.is_empty() { self.outgoing.next() } else { Step::Wire(taken, 0) }
            }
            Step::Finish => {
                self.finished = true;
                self.outgoing.end();
                Step::Idle
            }
            Step::Idle => unreachable!("an idle writer is none"),
        };
        self.writers[thread] = (next != Step::Idle).then_some(next);
    }

    /// The socket takes one byte, or none, of what the thread is about to send.
    fn refused(&self, thread: usize) -> Vec<World> {
        let (bytes, from) = match self.writers[thread].clone() {
            Some(Step::Wire(bytes, from)) => (bytes, from),
            Some(Step::Mqtt(bytes)) => (bytes, 0),
            Some(Step::Take | Step::Finish | Step::Idle) | None => return Vec::new(),
        };
        (from..bytes.len())
            .take(2)
            .map(|sent| {
                self.then(|world| {
                    world.refusals_left -= 1;
                    world.writers[thread] = None;
                    world.sent.extend_from_slice(&bytes[from..sent]);
                    world.outgoing.block(bytes.clone(), sent, false);
                    world.owner_is_signalled = true;
                })
            })
            .collect()
    }
}

/// Visits every state that can be reached and returns those where nothing can happen any more.
fn endings(start: World) -> Vec<World> {
    let mut seen = HashSet::from([start.clone()]);
    let mut open = vec![start];
    let mut ends = Vec::new();
    while let Some(world) = open.pop() {
        let successors = world.successors();
        if successors.is_empty() {
            ends.push(world);
            continue;
        }
        open.extend(successors.into_iter().filter(|next| seen.insert(next.clone())));
    }
    ends
}

#[test]
fn in_every_order_of_events_all_bytes_are_sent_once_and_in_order() {
    let ends = endings(World::new(4, 3, false));

    assert!(!ends.is_empty());
    for end in ends {
        assert_eq!(end.sent, [0, 1, 2, 3]);
        assert!(end.outgoing.state == Sending::Idle);
    }
}

#[test]
fn in_every_order_of_events_the_last_bytes_follow_what_was_taken_and_the_stream_ends() {
    let ends = endings(World::new(3, 2, true));

    assert!(!ends.is_empty());
    for end in ends {
        let (last, before) = end.sent.split_last().unwrap();
        assert_eq!(*last, LAST);
        assert!(before.iter().copied().eq(0..u8::try_from(before.len()).unwrap()));
        assert!(end.finished && end.outgoing.has_ended());
    }
}

#[test]
fn only_the_first_close_counts() {
    let mut outgoing = Outgoing::default();

    assert!(outgoing.close(vec![1]));
    assert!(!outgoing.close(vec![2]));

    outgoing.give(&[3]);
    assert_eq!(outgoing.begin(), Some(Step::Mqtt(vec![1])));
    assert_eq!(outgoing.next(), Step::Finish);
}

#[test]
fn answers_for_a_peer_that_never_reads_are_bounded() {
    let mut outgoing = Outgoing::default();
    outgoing.begin();
    outgoing.block(vec![0; KEPT_BYTES_MAX], 0, false);

    assert!(matches!(outgoing.begin_with(vec![1]), Begun::Kept));
    assert!(matches!(outgoing.begin_with(vec![1]), Begun::TooMuch));
}
