use parking_lot::Mutex;

/// How many lines a plugin may write to the log in a second.
pub(crate) struct LogRate {
    lines_max: u32,
    second: Mutex<Second>,
}

#[derive(Default)]
struct Second {
    number: u64,
    lines: u32,
    left_out: u64,
}

/// What a plugin is told of lines that it wrote too many of, behind their number.
pub(crate) const LEFT_OUT: &str = "lines were left out: see limits.log_lines";

const TICKS_PER_SECOND: u64 = 1000;

impl LogRate {
    pub(crate) fn new(lines_max: u32) -> Self {
        Self { lines_max, second: Mutex::default() }
    }

    /// Whether one more line may be written, and if so how many were left out that nobody has been
    /// told of yet.
    pub(crate) fn admit(&self, ticks: u64) -> Option<u64> {
        let mut second = self.second.lock();
        let number = ticks / TICKS_PER_SECOND;
        if number != second.number {
            second.number = number;
            second.lines = 0;
        }
        if second.lines >= self.lines_max {
            second.left_out += 1;
            return None;
        }
        second.lines += 1;
        Some(std::mem::take(&mut second.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::LogRate;

    #[test]
    fn lines_beyond_the_bound_are_left_out_and_told_of_in_the_next_second() {
        let rate = LogRate::new(2);
        assert_eq!([999, 999, 999, 999].map(|at| rate.admit(at)), [Some(0), Some(0), None, None]);
        assert_eq!([1000, 1001, 1999].map(|at| rate.admit(at)), [Some(2), Some(0), None]);
        assert_eq!(rate.admit(5000), Some(1));
    }

    #[test]
    fn a_plugin_that_may_not_write_lines_writes_none() {
        assert_eq!(LogRate::new(0).admit(7), None);
    }
}
