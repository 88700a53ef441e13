//! Whatever happens in whatever order, the promises of each QoS hold.

use std::collections::BTreeMap;

use pintle_mqtt::{Layout, QoS};
use pintle_session::{Delivery, Hooked, QueueOverflow, Tally, Waiting};
use proptest::prelude::*;

use crate::conversation::Conversation;
use crate::model_client::ModelClient;
use crate::samples::Sample;

/// A run to deliver.
#[derive(Clone, Copy, Debug)]
struct Order {
    count: u32,
    published: QoS,
    granted: QoS,
    layout: Layout,
    identified: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Deliver(Order),
    Read,
    AcknowledgeNext,
    AcknowledgeAny(usize),
    Refuse(usize),
    Drain,
    Connect { receive_maximum: u16, layout: Layout },
    LoseConnection,
    TakeForHooks(usize),
    BringBack,
    Restart,
}

fn qos() -> impl Strategy<Value = QoS> {
    prop_oneof![
        1 => Just(QoS::AtMostOnce),
        4 => Just(QoS::AtLeastOnce),
        6 => Just(QoS::ExactlyOnce),
    ]
}

fn layout() -> impl Strategy<Value = Layout> {
    prop_oneof![1 => Just(Layout::V3), 3 => Just(Layout::V5)]
}

fn deliver() -> impl Strategy<Value = Step> {
    let count = prop_oneof![3 => 1_u32..4, 1 => 30_u32..60];
    let order = (count, qos(), qos(), layout(), any::<bool>());
    order.prop_map(|(count, published, granted, layout, identified)| {
        Step::Deliver(Order { count, published, granted, layout, identified })
    })
}

fn connect() -> impl Strategy<Value = Step> {
    let receive_maximum = prop_oneof![1_u16..6, 20_u16..100];
    (receive_maximum, layout())
        .prop_map(|(receive_maximum, layout)| Step::Connect { receive_maximum, layout })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => deliver(),
        6 => Just(Step::Read),
        8 => Just(Step::AcknowledgeNext),
        8 => (0_usize..100).prop_map(Step::AcknowledgeAny),
        1 => (0_usize..100).prop_map(Step::Refuse),
        5 => Just(Step::Drain),
        2 => connect(),
        1 => Just(Step::LoseConnection),
        2 => (1_usize..8).prop_map(Step::TakeForHooks),
        2 => Just(Step::BringBack),
        1 => Just(Step::Restart),
    ]
}

/// The conversation, its client, and what should come of it.
struct World {
    c: Conversation,
    client: ModelClient,
    published: BTreeMap<u32, QoS>,
    with_hooks: Vec<Waiting>,
    tally: Tally,
}

impl World {
    fn new() -> Self {
        Self {
            c: Conversation::offline(),
            client: ModelClient::default(),
            published: BTreeMap::new(),
            with_hooks: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// A Session that has used its first `count` identifiers long ago.
    fn after(count: u32) -> Self {
        let mut world = Self::new();
        world.c.limits.outbox_bytes_max = usize::MAX;
        world.c.connect();
        world.c.deliver_numbers(QoS::AtLeastOnce, 0..count);
        for id in world.c.read_ids() {
            world.c.puback(id);
        }
        world.c.disconnect();
        world
    }

    fn is_connected(&self) -> bool {
        self.c.outbound.is_connected()
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Deliver(order) => self.deliver(order),
            Step::Read => self.client.read(&mut self.c, false),
            Step::AcknowledgeNext => self.acknowledge(0),
            Step::AcknowledgeAny(which) => self.acknowledge(which),
            Step::Refuse(which) => {
                if self.is_connected() {
                    self.client.read(&mut self.c, false);
                    self.client.refuse(&mut self.c, which);
                }
            }
            Step::Drain => {
                let tally = self.c.drain();
                self.tally.merge(tally);
            }
            Step::Connect { receive_maximum, layout } => self.connect(receive_maximum, layout),
            Step::LoseConnection => self.lose_connection(),
            Step::TakeForHooks(max) => self.take_for_hooks(max),
            Step::BringBack => self.bring_back(),
            Step::Restart => self.restart(),
        }
        self.check_bounds();
    }

    fn deliver(&mut self, order: Order) {
        let first = self.published.len() as u32;
        let numbers = first..first + order.count;
        let qos = order.published.min(order.granted);
        self.published.extend(numbers.clone().map(|number| (number, qos)));
        let delivery = Delivery {
            qos: order.granted,
            retain: order.identified,
            subscription_ids: if order.identified { &[1, 2] } else { &[] },
            shared: false,
        };
        let sample = Sample::numbered(order.published, numbers).in_layout(order.layout);
        let tally = self.c.deliver_as(&sample, &delivery);
        self.tally.merge(tally);
    }

    fn acknowledge(&mut self, which: usize) {
        if self.is_connected() {
            self.client.acknowledge(&mut self.c, which);
        }
    }

    fn connect(&mut self, receive_maximum: u16, layout: Layout) {
        self.lose_connection();
        self.c.terms.receive_maximum = receive_maximum;
        self.c.terms.layout = layout;
        self.c.limits.inflight_max = receive_maximum;
        self.client.begin_connection();
        let tally = self.c.connect();
        self.tally.merge(tally);
    }

    fn lose_connection(&mut self) {
        if self.is_connected() {
            self.client.read(&mut self.c, true);
            self.c.disconnect();
        }
    }

    fn take_for_hooks(&mut self, max: usize) {
        if self.with_hooks.is_empty() {
            self.with_hooks = self.c.take_for_hooks(max);
        }
    }

    fn bring_back(&mut self) {
        let taken = std::mem::take(&mut self.with_hooks);
        if !taken.is_empty() {
            let send = |waiting| (waiting, Hooked::Send);
            let tally = self.c.send_hooked(taken.into_iter().map(send).collect());
            self.tally.merge(tally);
        }
    }

    /// The broker begins anew with what was stored.
    fn restart(&mut self) {
        self.lose_connection();
        if !self.with_hooks.is_empty() {
            assert!(self.c.outbound.kept().is_none());
        }
        self.bring_back();
        self.c.restart();
    }

    fn check_bounds(&self) {
        let limits = &self.c.limits;
        assert!(self.c.outbound.queue_len() <= limits.queue_messages_max);
        assert!(self.c.outbound.queue_bytes() <= limits.queue_bytes_max);
        let waits = self.c.outbound.queue_len() + self.c.outbound.inflight_len();
        assert_eq!(waits > 0, self.c.outbound.holds_state());
    }

    /// Lets the client catch up until nothing is left.
    fn finish(&mut self) {
        self.bring_back();
        self.connect(7, Layout::V5);
        while self.c.outbound.holds_state() || !self.c.outbox.is_empty() {
            self.client.read(&mut self.c, false);
            assert!(self.client.is_due_to_answer() || self.c.can_drain());
            while self.client.is_due_to_answer() {
                self.client.acknowledge(&mut self.c, 0);
            }
            let tally = self.c.drain();
            self.tally.merge(tally);
        }
        self.c.assert_at_rest();
    }

    /// The QoS of what arrived, had each message been given its own.
    fn qos_expected(&self) -> BTreeMap<u32, QoS> {
        let arrived = |number: &u32| self.times_received(*number) > 0;
        self.published.clone().into_iter().filter(|(number, _)| arrived(number)).collect()
    }

    fn times_received(&self, number: u32) -> u32 {
        self.client.received.get(&number).copied().unwrap_or(0)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// [MQTT-4.3.2-3] [MQTT-4.3.3-6] [MQTT-2.2.1-4] [MQTT-3.3.4-9] [MQTT-4.4.0-1]
    #[test]
    fn every_message_arrives_as_its_qos_promises(
        steps in prop::collection::vec(step(), 1..160),
        outbox_bytes_max in prop_oneof![Just(usize::MAX), 100_usize..2000],
        ids_used in prop_oneof![30 => Just(1), 1 => 65_480_u32..65_535],
    ) {
        let mut world = World::after(ids_used);
        world.c.limits.queue_messages_max = u32::MAX;
        world.c.limits.outbox_bytes_max = outbox_bytes_max;

        for step in &steps {
            world.take(step);
        }
        world.finish();

        prop_assert_eq!(&world.client.qos_seen, &world.qos_expected());
        prop_assert_eq!(world.tally.queue_full, 0);
        for (number, qos) in &world.published {
            let times = world.times_received(*number);
            match qos {
                QoS::AtMostOnce => prop_assert!(times <= 1),
                QoS::AtLeastOnce => prop_assert!(times >= 1, "{} never came", number),
                QoS::ExactlyOnce => prop_assert_eq!(times, 1, "{}", number),
            }
        }
    }

    #[test]
    fn a_bounded_queue_loses_exactly_what_it_counts(
        steps in prop::collection::vec(step(), 1..160),
        queue_messages_max in 0_u32..20,
        queue_bytes_max in 50_u64..1000,
        drops_newest in any::<bool>(),
    ) {
        let mut world = World::new();
        world.c.limits.queue_messages_max = queue_messages_max;
        world.c.limits.queue_bytes_max = queue_bytes_max;
        world.c.limits.queue_overflow = if drops_newest {
            QueueOverflow::DropNewest
        } else {
            QueueOverflow::DropOldest
        };

        for step in &steps {
            world.take(step);
        }
        world.finish();

        let assured = world.published.iter().filter(|(_, qos)| **qos > QoS::AtMostOnce);
        let lost = assured.filter(|(number, _)| world.times_received(**number) == 0);
        prop_assert_eq!(lost.count() as u32, world.tally.queue_full);
        for (number, qos) in &world.published {
            prop_assert!(*qos == QoS::AtLeastOnce || world.times_received(*number) <= 1);
        }
    }
}
