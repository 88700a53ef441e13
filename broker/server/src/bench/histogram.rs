//! Times, counted by size, so that percentiles cost little memory whatever the number of messages.

/// Steps between a power of two and the next: values are known to 1 part in 128.
const STEPS: u64 = 128;
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// Counts nanoseconds in buckets that grow with the value.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Histogram {
    #[inline]
    pub(super) fn record(&mut self, nanos: u64) {
        let bucket = bucket_of(nanos);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.total += 1;
        self.max = self.max.max(nanos);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.total == 0
    }

    pub(super) const fn max(&self) -> u64 {
        self.max
    }

    /// A time that this share (0 to 1) of all times does not exceed; 0 if there is none.
    pub(super) fn quantile(&self, share: f64) -> u64 {
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut below = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= rank {
                return upper_end(bucket).min(self.max);
            }
        }
        self.max
    }
}

/// Values below `STEPS` have a bucket each; above, each power of two has `STEPS` buckets.
const fn bucket_of(nanos: u64) -> usize {
    if nanos < STEPS {
        return nanos as usize;
    }
    let power = nanos.ilog2() - STEP_BITS;
    ((power as u64 + 1) * STEPS + (nanos >> power) - STEPS) as usize
}

/// The largest value in a bucket.
const fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let power = bucket / STEPS - 1;
    let first = (STEPS + bucket % STEPS) << power;
    first + ((1 << power) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket_to_one_part_in_128() {
        let values = (0..10_000).chain((14..63).map(|power| (1 << power) + 12_345));

        for nanos in values {
            let end = upper_end(bucket_of(nanos));

            assert!(end >= nanos, "{nanos}");
            assert!(end - nanos <= nanos / 128, "{nanos}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let mut histogram = Histogram::default();
        for nanos in 1..=100 {
            histogram.record(nanos);
        }

        assert_eq!(histogram.quantile(0.5), 50);
        assert_eq!(histogram.quantile(0.99), 99);
        assert_eq!(histogram.quantile(1.0), 100);
        assert_eq!(histogram.quantile(0.0), 1);
        assert_eq!(histogram.max(), 100);
    }

    #[test]
    fn a_rare_long_time_shows_only_at_the_end() {
        let mut histogram = Histogram::default();
        for _ in 0..999 {
            histogram.record(50);
        }
        histogram.record(1_000_000_007);

        assert_eq!(histogram.quantile(0.999), 50);
        assert_eq!(histogram.quantile(0.9999), 1_000_000_007);
    }

    #[test]
    fn without_times_there_are_no_percentiles() {
        let histogram = Histogram::default();

        assert!(histogram.is_empty());
        assert_eq!(histogram.quantile(0.5), 0);
    }
}
