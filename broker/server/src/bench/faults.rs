//! What was wrong with the messages of a run.

use pintle_mqtt::QoS;
use serde::Serialize;

/// Counts of every kind of fault, and the first in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Faults {
    /// Never came.
    pub(super) lost: u64,
    /// Came again.
    pub(super) duplicated: u64,
    /// Came behind a later one of the same publisher and topic.
    pub(super) reordered: u64,
    /// Came with another payload, topic, QoS or RETAIN than it was sent with.
    pub(super) damaged: u64,
    /// Came to somebody who had not subscribed to it.
    pub(super) misdelivered: u64,
    /// Was refused by the broker, or acknowledged without need.
    pub(super) refused: u64,
    /// The first, in words.
    pub(super) first: Option<String>,
}

impl Faults {
    /// Whether the run fails: any fault does but loss at QoS 0, which the standard allows.
    pub(super) const fn are_fatal(&self, qos: QoS) -> bool {
        let others =
            self.duplicated + self.reordered + self.damaged + self.misdelivered + self.refused;
        others > 0 || (self.lost > 0 && !matches!(qos, QoS::AtMostOnce))
    }

    /// Keeps `words` if nothing was wrong before.
    #[cold]
    pub(super) fn describe(&mut self, words: impl FnOnce() -> String) {
        if self.first.is_none() {
            self.first = Some(words());
        }
    }

    /// The counts that are not 0, by name.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("lost", self.lost),
            ("duplicated", self.duplicated),
            ("reordered", self.reordered),
            ("damaged", self.damaged),
            ("misdelivered", self.misdelivered),
            ("refused", self.refused),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loss_at_qos_0_is_forgiven() {
        let lost = Faults { lost: 1, ..Faults::default() };
        let damaged = Faults { damaged: 1, ..Faults::default() };

        assert!(!lost.are_fatal(QoS::AtMostOnce));
        assert!(lost.are_fatal(QoS::AtLeastOnce));
        assert!(damaged.are_fatal(QoS::AtMostOnce));
        assert!(!Faults::default().are_fatal(QoS::ExactlyOnce));
    }

    #[test]
    fn the_first_fault_is_the_one_described() {
        let mut faults = Faults::default();

        faults.describe(|| "this".to_owned());
        faults.describe(|| "that".to_owned());

        assert_eq!(faults.first.as_deref(), Some("this"));
    }
}
