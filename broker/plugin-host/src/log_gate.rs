use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Lets a plugin write so many lines a second into the broker's log.
#[derive(Debug, Default)]
pub(crate) struct LogGate {
    second: Mutex<Second>,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Second {
    at: u64,
    lines: u32,
}

/// Lines of one plugin in a second.
const LINES_MAX: u32 = 100;
/// Length of a line in bytes; the rest is cut off.
const LINE_BYTES_MAX: usize = 4 << 10;

impl LogGate {
    /// Whether one more line may be written at `now_ms`; and how many could not since the last that
    /// could, if another second has begun.
    pub(crate) fn admit(&self, now_ms: u64) -> Option<u64> {
        let mut second = self.second.lock();
        let at = now_ms / 1000;
        if second.at != at {
            *second = Second { at, lines: 1 };
            return Some(self.lost.swap(0, Ordering::Relaxed));
        }
        if second.lines >= LINES_MAX {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        second.lines += 1;
        Some(0)
    }
}

/// A line that is not too long, and is one line.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    let end = text.floor_char_boundary(LINE_BYTES_MAX);
    let shown = text.get(..end).unwrap_or(text);
    if shown.contains(char::is_control) {
        return Cow::Owned(shown.replace(char::is_control, " "));
    }
    Cow::Borrowed(shown)
}

#[cfg(test)]
mod tests {
    use super::{LogGate, one_line};

    #[test]
    fn so_many_lines_pass_in_a_second_and_the_next_says_how_many_did_not() {
        let gate = LogGate::default();
        let passed = (0..150).filter(|_| gate.admit(5_000).is_some()).count();
        assert_eq!(passed, 100);
        assert_eq!(gate.admit(6_000), Some(50));
        assert_eq!(gate.admit(6_001), Some(0));
    }

    #[test]
    fn a_line_is_cut_between_characters_and_stays_one_line() {
        let long = "é".repeat(4096);
        assert_eq!(one_line(&long).len(), 4096);
        assert_eq!(one_line("a\nb\u{1b}[31m"), "a b [31m");
    }
}
