//! Sizes and durations, as people write them and as they are shown.

use std::fmt;
use std::time::Duration;

/// A number of bytes: `65536`, `"64KiB"`, `"16 MiB"`, `"1GB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bytes(pub(super) u64);

const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

impl Bytes {
    /// Reads a number with a unit, or without one for bytes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let factor = match unit {
            "" => 1,
            unit => find_unit(&SIZES, unit)?,
        };
        number.checked_mul(factor).map(Self)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = SIZES
            .iter()
            .filter(|(_, factor)| factor.is_power_of_two() && *factor > 1)
            .find(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor));
        match unit {
            Some((name, factor)) => write!(f, "\"{}{name}\"", self.0 / factor),
            None => self.0.fmt(f),
        }
    }
}

/// A span of time: `30` (seconds), `"250ms"`, `"10s"`, `"5m"`, `"2h"`, `"14d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span(pub(super) Duration);

const SPANS: [(&str, u64); 6] =
    [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl Span {
    /// Reads a number with a unit, or without one for seconds.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let factor = match unit {
            "" => 1000,
            unit => find_unit(&SPANS, unit)?,
        };
        let millis = number.checked_mul(factor)?;
        Some(Self(Duration::from_millis(millis)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let unit = SPANS
            .iter()
            .filter(|(name, _)| *name != "min")
            .find(|(_, factor)| millis > 0 && millis.is_multiple_of(u128::from(*factor)));
        match unit {
            Some((name, factor)) => write!(f, "\"{}{name}\"", millis / u128::from(*factor)),
            None => write!(f, "\"{millis}ms\""),
        }
    }
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit.trim()))
}

fn find_unit(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, factor)| *factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_units() {
        let read = |text| Bytes::parse(text).map(|bytes| bytes.0);
        assert_eq!(read("1024"), Some(1024));
        assert_eq!(read("16MiB"), Some(16 << 20));
        assert_eq!(read("16 mib"), Some(16 << 20));
        assert_eq!(read("1GB"), Some(1_000_000_000));
        assert_eq!(read("many"), None);
        assert_eq!(read("16Mi"), None);
        assert_eq!(read("99999999999999TiB"), None);
    }

    #[test]
    fn a_shown_size_is_read_back_as_the_same() {
        for bytes in [0, 1, 1000, 1024, 1 << 20, 3 << 30, u64::MAX] {
            let shown = Bytes(bytes).to_string();
            assert_eq!(Bytes::parse(shown.trim_matches('"')), Some(Bytes(bytes)));
        }
    }

    #[test]
    fn durations_are_read_with_and_without_units() {
        let read = |text| Span::parse(text).map(|span| span.0);
        assert_eq!(read("10"), Some(Duration::from_secs(10)));
        assert_eq!(read("10s"), Some(Duration::from_secs(10)));
        assert_eq!(read("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(read("5m"), Some(Duration::from_secs(300)));
        assert_eq!(read("14d"), Some(Duration::from_secs(14 * 86_400)));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn a_shown_duration_is_read_back_as_the_same() {
        for millis in [0, 1, 250, 1000, 10_000, 300_000, 7_200_000, 90_061_000] {
            let span = Span(Duration::from_millis(millis));
            assert_eq!(Span::parse(span.to_string().trim_matches('"')), Some(span));
        }
    }
}
