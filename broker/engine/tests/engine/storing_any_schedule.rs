use pintle_engine::EngineSettings;
use pintle_mqtt::{AckKind, Packet, Property, ProtocolVersion, QoS, ReasonCode};
use pintle_ports::{DeliverRuling, Ruling};
use proptest::prelude::*;

use crate::client::at;
use crate::draft::publish;
use crate::memory_store::Storing;
use crate::seen::Seen;
use crate::test_hooks::TestHooks;

const FILTERS: [&str; 5] = ["t", "t/#", "+", "$share/g/t", "$share/g/t/+"];
const TOPICS: [&str; 4] = ["t", "t/1", "t/2", "u"];

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Publish {
        topic: usize,
        count: u8,
        qos: u8,
        expires: bool,
    },
    Retain {
        topic: usize,
        empty: bool,
    },
    Connect {
        who: usize,
        receive_maximum: u16,
        keep_secs: u32,
        clean: bool,
        by_hand: bool,
    },
    Lose(usize),
    /// With another Session Expiry Interval, if any.
    Leave {
        who: usize,
        keep_secs: Option<u32>,
    },
    Subscribe {
        who: usize,
        filter: usize,
        qos: u8,
    },
    Unsubscribe {
        who: usize,
        filter: usize,
    },
    /// The next step of one of the deliveries that are not finished.
    Ack {
        who: usize,
        which: usize,
    },
    SendQos2 {
        who: usize,
        id: u16,
    },
    Release {
        who: usize,
        id: u16,
    },
    SecondsPass(u8),
    Save,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..3_usize;
    prop_oneof![
        8 => (0..TOPICS.len(), 1_u8..6, 0_u8..3, any::<bool>())
            .prop_map(|(topic, count, qos, expires)| Step::Publish { topic, count, qos, expires }),
        2 => (0..TOPICS.len(), any::<bool>())
            .prop_map(|(topic, empty)| Step::Retain { topic, empty }),
        4 => (who(), 1_u16..6, prop_oneof![1 => Just(0), 4 => 5..100_u32], prop::bool::weighted(0.2), any::<bool>())
            .prop_map(|(who, receive_maximum, keep_secs, clean, by_hand)| {
                Step::Connect { who, receive_maximum, keep_secs, clean, by_hand }
            }),
        2 => who().prop_map(Step::Lose),
        1 => (who(), prop_oneof![Just(None), Just(Some(0)), Just(Some(50))])
            .prop_map(|(who, keep_secs)| Step::Leave { who, keep_secs }),
        4 => (who(), 0..FILTERS.len(), 0_u8..3)
            .prop_map(|(who, filter, qos)| Step::Subscribe { who, filter, qos }),
        2 => (who(), 0..FILTERS.len()).prop_map(|(who, filter)| Step::Unsubscribe { who, filter }),
        8 => (who(), 0..20_usize).prop_map(|(who, which)| Step::Ack { who, which }),
        2 => (who(), 1_u16..5).prop_map(|(who, id)| Step::SendQos2 { who, id }),
        2 => (who(), 1_u16..5).prop_map(|(who, id)| Step::Release { who, id }),
        2 => (0_u8..30).prop_map(Step::SecondsPass),
        4 => Just(Step::Save),
        1 => Just(Step::Restart),
    ]
}

/// Three clients that come and go, and one that publishes.
struct Story {
    it: Storing,
    /// How often each has connected.
    connections: [usize; 3],
    is_open: [bool; 3],
    /// What each is still to answer.
    unanswered: [Vec<(AckKind, u16)>; 3],
}

impl Story {
    fn new(hooks: fn() -> TestHooks) -> Self {
        let settings = EngineSettings { queue_messages_max: 12, ..EngineSettings::default() };
        let it = Storing::with(hooks, settings);
        Self { it, connections: [0; 3], is_open: [false; 3], unanswered: Default::default() }
    }

    fn name(&self, who: usize) -> String {
        format!("{who}-{}", self.connections[who])
    }

    fn take(mut self, step: &Step) -> Self {
        if let Step::Restart = step {
            self.it = self.it.restart();
            self.is_open = [false; 3];
            return self;
        }
        self.go_on(step);
        self
    }

    fn go_on(&mut self, step: &Step) {
        match *step {
            Step::Publish { topic, count, qos, expires } => {
                let draft = |number: u8| {
                    let draft = publish(TOPICS[topic], number.to_string()).qos(qos);
                    if expires { draft.expiring_in(10) } else { draft }
                };
                let drafts: Vec<_> = (0..count).map(draft).collect();
                drop(self.it.b.client("p").publishes_at_once(&drafts));
                self.it.b.wire("p").next_id = 1;
            }
            Step::Retain { topic, empty } => {
                let payload = if empty { "" } else { "retained" };
                self.it.b.client("p").publishes(TOPICS[topic], payload).retained();
            }
            Step::Connect { who, receive_maximum, keep_secs, clean, by_hand } => {
                self.connections[who] += 1;
                let (name, client_id) = (self.name(who), format!("c{who}"));
                let mut connects = self.it.b.connects(&name).as_client_id(&client_id);
                if !clean {
                    connects = connects.resuming();
                }
                if by_hand {
                    connects = connects.by_hand();
                }
                let connects = connects
                    .property(Property::SessionExpiryInterval(keep_secs))
                    .property(Property::ReceiveMaximum(receive_maximum))
                    .will("t", "will")
                    .will_delay(7);
                connects.is_let_in();
                self.is_open[who] = true;
                self.unanswered[who].clear();
            }
            Step::SecondsPass(secs) => self.it.b.seconds_pass(secs.into()),
            Step::Save => {
                self.it.save();
                assert_eq!(self.it.store.content(), self.it.whole().content());
            }
            Step::Restart => {}
            Step::Lose(who) => {
                if std::mem::take(&mut self.is_open[who]) {
                    let name = self.name(who);
                    self.it.b.client(&name).is_lost();
                }
            }
            Step::Leave { who, .. }
            | Step::Subscribe { who, .. }
            | Step::Unsubscribe { who, .. }
            | Step::Ack { who, .. }
            | Step::SendQos2 { who, .. }
            | Step::Release { who, .. } => {
                let name = self.name(who);
                if self.is_open[who] && self.it.b.wire(&name).link.is_closed() {
                    self.is_open[who] = false;
                }
                if self.is_open[who] {
                    self.say(who, step);
                }
            }
        }
    }

    /// A client that is connected says something.
    fn say(&mut self, who: usize, step: &Step) {
        let name = self.name(who);
        let mut client = self.it.b.client(&name);
        match *step {
            Step::Leave { keep_secs, .. } => {
                drop(match keep_secs {
                    None => client.disconnects(ReasonCode::Success),
                    Some(secs) => client.disconnects_keeping_session(secs),
                });
                self.is_open[who] = false;
            }
            Step::Subscribe { filter, qos, .. } => {
                let bytes = client.subscribe_bytes(&[(FILTERS[filter], at(qos))], Some(3));
                drop(client.sends(&bytes));
            }
            Step::Unsubscribe { filter, .. } => {
                let mut buffer = pintle_mqtt::UnsubscribeBuffer::new();
                buffer.push(FILTERS[filter]);
                drop(client.sends_packet(&pintle_mqtt::Packet::Unsubscribe(
                    pintle_mqtt::Unsubscribe {
                        packet_id: pintle_mqtt::PacketId::FIRST,
                        properties: pintle_mqtt::Properties::EMPTY,
                        filters: buffer.as_filters(),
                    },
                )));
            }
            Step::Ack { which, .. } => {
                let open = &mut self.unanswered[who];
                open.extend(client.seen().iter().filter_map(answer_to));
                if !open.is_empty() {
                    let (kind, id) = open.remove(which % open.len());
                    drop(client.acks(kind, id, ReasonCode::Success));
                }
            }
            Step::Release { id, .. } => {
                drop(client.acks(AckKind::PubRel, id, ReasonCode::Success));
            }
            Step::SendQos2 { id, .. } => {
                let draft = publish("u", "from a client").qos(2).id(id);
                drop(client.sends(&draft.bytes(ProtocolVersion::V5_0)));
            }
            Step::Publish { .. }
            | Step::Retain { .. }
            | Step::Connect { .. }
            | Step::Lose(_)
            | Step::SecondsPass(_)
            | Step::Save
            | Step::Restart => {}
        }
    }

    /// What is stored is what there is, and a broker that begins with it is as this one.
    fn end(mut self) {
        for who in 0..3 {
            self.go_on(&Step::Lose(who));
        }
        let whole = self.it.whole();
        assert_eq!(self.it.store.content(), whole.content());

        let again = self.it.restart();

        assert_eq!(again.restored.broken, 0);
        assert_eq!(again.whole().content(), whole.content());
        assert_eq!(again.store.content(), whole.content());
    }
}

/// What a client has to say to a packet.
fn answer_to(seen: &Seen) -> Option<(AckKind, u16)> {
    match seen.packet() {
        Packet::Publish(publish) => match publish.flags.qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => Some((AckKind::PubAck, seen.packet_id())),
            QoS::ExactlyOnce => Some((AckKind::PubRec, seen.packet_id())),
        },
        Packet::PubRel(ack) => Some((AckKind::PubComp, ack.packet_id.get())),
        _ => None,
    }
}

fn check(hooks: fn() -> TestHooks, steps: &[Step]) {
    steps.iter().fold(Story::new(hooks), |story, step| story.take(step)).end();
}

fn asking() -> TestHooks {
    TestHooks::none()
        .authorizing(|_, _| Ruling::ALLOW)
        .on_deliver(|_| 1, |_, _| DeliverRuling::Pass)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_stored_is_what_there_is_whatever_happened(
        steps in prop::collection::vec(step(), 0..60)
    ) {
        check(TestHooks::none, &steps);
    }

    #[test]
    fn it_is_past_hooks_too(steps in prop::collection::vec(step(), 0..60)) {
        check(asking, &steps);
    }
}
