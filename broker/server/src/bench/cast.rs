//! Who takes part in a run with messages, and which topics lead from whom to whom.

use std::ops::Range;

use pintle_mqtt::{Layout, PublishFlags, QoS};

use super::frames::{PublishFrame, publish_bytes};
use super::payload::Payloads;
use super::publisher::{Publisher, Stream};
use super::receivers::Receiver;
use super::traffic::{MessageForm, Traffic};

/// At most so many bytes are on their way to one receiver, if nothing else is said: a broker may
/// drop messages of QoS 0 beyond its bounds.
const ON_THE_WAY_BYTES_MAX: u64 = 1024 * 1024;
const USUAL_WINDOW: u64 = 100;
/// Filters of the filters scenario that have a level in common.
const GROUP_FILTERS: usize = 100;

/// Publishers, receivers and topics.
pub(super) struct Cast {
    /// Topic by stream.
    topics: Vec<String>,
    /// The streams of each publisher.
    publishers: Vec<Range<usize>>,
    /// Filters and streams of each receiver.
    receivers: Vec<(Vec<String>, Range<usize>)>,
    /// How many receivers get each message.
    copies: u64,
    /// Whether each message goes to only one of all receivers.
    shares: bool,
    /// How many publishers send to one receiver.
    publishers_per_receiver: u64,
}

impl Cast {
    pub(super) fn fan_in(prefix: &str, publishers: usize) -> Self {
        Self {
            topics: topics(prefix, publishers),
            publishers: one_stream_each(publishers),
            receivers: vec![(vec![format!("{prefix}/#")], 0..publishers)],
            copies: 1,
            shares: false,
            publishers_per_receiver: publishers as u64,
        }
    }

    pub(super) fn fan_out(prefix: &str, publishers: usize, subscribers: usize) -> Self {
        let topics = topics(prefix, publishers);
        Self {
            receivers: vec![(topics.clone(), 0..publishers); subscribers],
            topics,
            publishers: one_stream_each(publishers),
            copies: subscribers as u64,
            shares: false,
            publishers_per_receiver: publishers as u64,
        }
    }

    pub(super) fn pairs(prefix: &str, pairs: usize) -> Self {
        let topics = topics(prefix, pairs);
        Self {
            receivers: topics
                .iter()
                .cloned()
                .zip(0..)
                .map(|(t, at)| (vec![t], at..at + 1))
                .collect(),
            topics,
            publishers: one_stream_each(pairs),
            copies: 1,
            shares: false,
            publishers_per_receiver: 1,
        }
    }

    pub(super) fn shared(prefix: &str, publishers: usize, group: usize) -> Self {
        let filter = format!("$share/bench/{prefix}/#");
        Self {
            topics: topics(prefix, publishers),
            publishers: one_stream_each(publishers),
            receivers: vec![(vec![filter], 0..publishers); group],
            copies: 1,
            shares: true,
            publishers_per_receiver: publishers as u64,
        }
    }

    /// Every topic matches one filter: half of them are exact, a quarter has `+` in the middle, a
    /// quarter ends in `#`. Publishers go through all topics in turn.
    pub(super) fn filters(
        prefix: &str,
        filters: usize,
        publishers: usize,
        subscribers: usize,
    ) -> Self {
        let publishers = publishers.min(filters);
        let receivers = parts(filters, subscribers.min(filters));
        Self {
            topics: (0..filters).map(|n| format!("{prefix}/{}/{n}/t", n / GROUP_FILTERS)).collect(),
            publishers: parts(filters, publishers).collect(),
            receivers: receivers
                .map(|part| (part.clone().map(|n| filter(prefix, n)).collect(), part))
                .collect(),
            copies: 1,
            shares: false,
            publishers_per_receiver: publishers as u64,
        }
    }

    /// One topic each for as many sessions, all published by one.
    pub(super) fn queues(prefix: &str, sessions: usize) -> Self {
        Self { publishers: parts(sessions, 1).collect(), ..Self::pairs(prefix, sessions) }
    }

    /// As many topics, all published by one; receivers come later.
    pub(super) fn retained(prefix: &str, messages: usize) -> Self {
        Self {
            topics: topics(prefix, messages),
            publishers: parts(messages, 1).collect(),
            receivers: Vec::new(),
            copies: 0,
            shares: false,
            publishers_per_receiver: 1,
        }
    }

    pub(super) fn connections(&self) -> u64 {
        (self.publishers.len() + self.receivers.len()) as u64
    }

    pub(super) fn filter_count(&self) -> u64 {
        self.receivers.iter().map(|(filters, _)| filters.len() as u64).sum()
    }

    /// Filters and streams of each receiver.
    pub(super) fn receivers(&self) -> &[(Vec<String>, Range<usize>)] {
        &self.receivers
    }

    /// The window if none is given.
    pub(super) fn usual_window(&self, qos: QoS, layout: Layout, payload_bytes: u32) -> u64 {
        let topic_bytes = self.topics.iter().map(String::len).max().unwrap_or_default();
        let bytes = publish_bytes(topic_bytes, qos, layout, payload_bytes as usize) as u64;
        let at_a_time = bytes * self.publishers_per_receiver;
        (ON_THE_WAY_BYTES_MAX / at_a_time).clamp(1, USUAL_WINDOW)
    }

    /// The streams as traffic of this form, without connections.
    pub(super) fn traffic(&self, form: MessageForm) -> Traffic {
        let mut publisher_of = vec![0; self.topics.len()];
        for (publisher, streams) in self.publishers.iter().enumerate() {
            for place in publisher_of.get_mut(streams.clone()).unwrap_or_default() {
                *place = publisher;
            }
        }
        let flags = PublishFlags { qos: form.qos, retain: form.retain, dup: false };
        let streams = self
            .topics
            .iter()
            .zip(publisher_of)
            .map(|(topic, publisher)| {
                let frame = PublishFrame::new(topic, flags, form.layout, form.payloads.len());
                Stream::new(frame, publisher)
            })
            .collect();
        Traffic::new(form, streams)
    }

    /// Gives links to the receivers, from `first_link` on.
    pub(super) fn seat_receivers(&self, traffic: &mut Traffic, first_link: usize) {
        for ((_, streams), link) in self.receivers.iter().zip(first_link..) {
            traffic.add_receiver(link, Receiver::new(streams, self.shares));
        }
    }

    /// Gives links to the publishers. If they do not wait, what is delivered is no business of
    /// theirs.
    pub(super) fn seat_publishers(&self, traffic: &mut Traffic, links: &[usize], waits: bool) {
        let copies = if waits { self.copies } else { 0 };
        for (streams, link) in self.publishers.iter().zip(links) {
            traffic.add_publisher(Publisher::new(*link, streams.clone(), copies));
        }
    }

    /// Appends an empty retained message for every topic, which clears it.
    pub(super) fn clear_retained(&self, layout: Layout, out: &mut Vec<u8>) {
        let flags = PublishFlags { retain: true, ..PublishFlags::default() };
        for topic in &self.topics {
            PublishFrame::new(topic, flags, layout, 0).append_head(0, out);
        }
    }

    pub(super) fn publisher_count(&self) -> usize {
        self.publishers.len()
    }

    /// How many messages it takes to send one to every topic.
    pub(super) fn stream_count(&self) -> u64 {
        self.topics.len() as u64
    }
}

impl MessageForm {
    pub(super) fn new(
        layout: Layout,
        qos: QoS,
        retain: bool,
        payload_bytes: u32,
        salt: u64,
    ) -> Self {
        Self { layout, qos, retain, payloads: Payloads::new(payload_bytes as usize, salt) }
    }
}

fn topics(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}/{number}")).collect()
}

fn one_stream_each(publishers: usize) -> Vec<Range<usize>> {
    (0..publishers).map(|at| at..at + 1).collect()
}

/// `whole` in `count` parts of about the same size.
fn parts(whole: usize, count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count).map(move |at| whole * at / count..whole * (at + 1) / count)
}

fn filter(prefix: &str, number: usize) -> String {
    let group = number / GROUP_FILTERS;
    match number % 4 {
        0 | 2 => format!("{prefix}/{group}/{number}/t"),
        1 => format!("{prefix}/+/{number}/t"),
        _ => format!("{prefix}/{group}/{number}/#"),
    }
}

#[cfg(test)]
mod tests {
    use pintle_mqtt::{TopicFilter, TopicName};

    use super::*;

    #[test]
    fn every_topic_matches_one_filter_and_that_is_its_receivers() {
        let cast = Cast::filters("p", 250, 3, 7);

        for (stream, topic) in cast.topics.iter().enumerate() {
            let topic = TopicName::new(topic).unwrap();
            let matching: Vec<bool> = cast
                .receivers
                .iter()
                .flat_map(|(filters, streams)| filters.iter().map(move |f| (f, streams)))
                .filter(|(filter, _)| TopicFilter::new(filter).unwrap().matches(topic))
                .map(|(_, streams)| streams.contains(&stream))
                .collect();
            assert_eq!(matching, [true], "{topic:?}");
        }
        assert_eq!(cast.filter_count(), 250);
    }

    #[test]
    fn half_of_the_filters_are_exact() {
        let filters: Vec<String> = (0..100).map(|n| filter("p", n)).collect();

        assert_eq!(filters.iter().filter(|f| f.contains('+')).count(), 25);
        assert_eq!(filters.iter().filter(|f| f.contains('#')).count(), 25);
    }

    #[test]
    fn parts_are_the_whole() {
        let found: Vec<_> = parts(10, 3).collect();

        assert_eq!(found, [0..3, 3..6, 6..10]);
    }

    #[test]
    fn large_payloads_have_a_small_window() {
        let cast = Cast::fan_in("p", 50);
        let window = |bytes| cast.usual_window(QoS::AtMostOnce, Layout::V3, bytes);

        assert_eq!(window(64), 100);
        assert_eq!(window(4096), 5);
        assert_eq!(window(1 << 20), 1);
    }
}
