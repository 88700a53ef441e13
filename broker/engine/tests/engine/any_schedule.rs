use pintle_mqtt::Property;
use pintle_ports::{DeliverRuling, Ruling};
use proptest::prelude::*;

use crate::draft::publish;
use crate::scenario::Scenario;
use crate::test_hooks::TestHooks;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// So many messages of this QoS in one read.
    Publish {
        count: u8,
        qos: u8,
    },
    StopReading,
    ReadOn,
    Lose,
    /// Comes back, or takes itself over, with this Receive Maximum.
    Connect {
        receive_maximum: u16,
    },
    SecondsPass(u8),
    Retain {
        topic: u8,
        empty: bool,
    },
    AskForRetained,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1_u8..20, 0_u8..3).prop_map(|(count, qos)| Step::Publish { count, qos }),
        2 => Just(Step::StopReading),
        2 => Just(Step::ReadOn),
        1 => Just(Step::Lose),
        2 => (1_u16..8).prop_map(|receive_maximum| Step::Connect { receive_maximum }),
        1 => (0_u8..10).prop_map(Step::SecondsPass),
        1 => (0_u8..4, any::<bool>()).prop_map(|(topic, empty)| Step::Retain { topic, empty }),
        1 => Just(Step::AskForRetained),
    ]
}

/// A subscriber whose session outlives its connections, and what it has seen.
struct Story {
    b: Scenario,
    connections: usize,
    published: u32,
    expected: Vec<u32>,
    received: Vec<u32>,
}

impl Story {
    fn new(hooks: TestHooks) -> Self {
        let mut b = Scenario::build(hooks, |settings| {
            settings.outbox_bytes_max = 120;
            settings.queue_messages_max = 100_000;
        });
        b.client("p");
        let mut story =
            Self { b, connections: 0, published: 0, expected: Vec::new(), received: Vec::new() };
        story.connect(3);
        let name = story.name();
        story.b.client(&name).subscribes("t");
        story
    }

    fn name(&self) -> String {
        format!("s{}", self.connections)
    }

    fn connect(&mut self, receive_maximum: u16) {
        self.look();
        self.connections += 1;
        let name = self.name();
        let connects = self.b.connects(&name).as_client_id("s").keeping_session(1_000_000);
        connects.property(Property::ReceiveMaximum(receive_maximum)).is_let_in();
    }

    fn take(&mut self, step: &Step) {
        let name = self.name();
        match *step {
            Step::Publish { count, qos } => {
                let numbers = self.published..self.published + u32::from(count);
                self.published = numbers.end;
                if qos > 0 {
                    self.expected.extend(numbers.clone());
                }
                let drafts: Vec<_> =
                    numbers.map(|number| publish("t", number.to_string()).qos(qos)).collect();
                self.b.wire("p").next_id = 1;
                self.b.client("p").publishes_at_once(&drafts);
            }
            Step::StopReading => drop(self.b.client(&name).stops_reading()),
            Step::ReadOn => drop(self.b.client(&name).reads_on()),
            Step::Lose => self.b.client(&name).is_lost(),
            Step::Connect { receive_maximum } => self.connect(receive_maximum),
            Step::SecondsPass(secs) => self.b.seconds_pass(secs.into()),
            Step::Retain { topic, empty } => {
                let payload = if empty { "" } else { "a retained message" };
                self.b.client("p").publishes(&format!("r/{topic}"), payload).retained();
            }
            Step::AskForRetained => {
                let mut client = self.b.client(&name);
                let bytes = client.subscribe_bytes(&[("r/#", crate::client::at(1))], None);
                client.sends(&bytes);
            }
        }
    }

    /// Notes what the subscriber has seen.
    fn look(&mut self) {
        let name = self.name();
        if self.connections == 0 {
            return;
        }
        for seen in self.b.client(&name).deliveries() {
            if seen.topic() == "t" && (seen.qos() as u8 > 0) {
                let number: u32 = seen.payload().parse().unwrap();
                if !(seen.dup() && self.received.contains(&number)) {
                    self.received.push(number);
                }
            }
        }
    }

    /// At last the subscriber reads everything; all then leave for good.
    fn end(mut self) {
        self.connect(2);
        let name = self.name();
        self.b.client(&name).reads_on();
        self.look();
        assert_eq!(self.received, self.expected);
        self.b.connects("last").as_client_id("s").is_let_in().is_lost();
        for topic in 0..4 {
            self.b.client("p").publishes(&format!("r/{topic}"), "").retained();
        }
        self.b.client("p").is_lost();
        for gauge in
            ["clients/total", "clients/connected", "subscriptions/count", "store/messages/bytes"]
        {
            assert_eq!(self.b.stat(gauge), 0, "{gauge}");
        }
    }
}

fn check(hooks: TestHooks, steps: &[Step]) {
    let mut story = Story::new(hooks);
    steps.iter().for_each(|step| story.take(step));
    story.end();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn messages_of_qos_1_and_2_arrive_in_order_whatever_happens_to_the_subscriber(
        steps in prop::collection::vec(step(), 0..40)
    ) {
        check(TestHooks::none(), &steps);
    }

    #[test]
    fn they_do_so_past_hooks_too(steps in prop::collection::vec(step(), 0..40)) {
        let hooks = TestHooks::none()
            .authorizing(|_, _| Ruling::ALLOW)
            .on_deliver(|_| 1, |_, _| DeliverRuling::Pass);
        check(hooks, &steps);
    }
}
