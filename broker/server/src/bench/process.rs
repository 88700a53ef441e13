//! Processor time and memory of a process, as the kernel tells them in `/proc`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// Clock ticks in a second: the kernel shows times to programs in hundredths, whatever it counts in.
const TICKS_PER_SECOND: u32 = 100;

/// A process that can be watched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    pid: u32,
}

/// What a process holds, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Memory {
    /// Resident pages.
    pub(super) rss: u64,
    /// The same with pages shared among processes divided by their number; 0 if the kernel does
    /// not tell.
    pub(super) pss: u64,
}

impl Process {
    /// Ourselves.
    pub(super) fn own() -> Self {
        Self { pid: std::process::id() }
    }

    /// # Errors
    /// If there is none of this number, or its times are not told.
    pub(super) fn with_pid(pid: u32) -> Result<Self> {
        let process = Self { pid };
        process.cpu_time()?;
        Ok(process)
    }

    pub(super) const fn pid(self) -> u32 {
        self.pid
    }

    /// User and system time of all its threads so far.
    pub(super) fn cpu_time(self) -> Result<Duration> {
        match self.threads_time() {
            Some(time) if !time.is_zero() => Ok(time),
            Some(_) | None => self.ticks(),
        }
    }

    /// To the nanosecond, where the kernel keeps such books.
    fn threads_time(self) -> Option<Duration> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid)).ok()?;
        threads
            .map(|thread| {
                let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
                text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
            })
            .sum()
    }

    fn ticks(self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.pid);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("there is no process {} to watch", self.pid))?;
        parse_stat(&text).with_context(|| format!("{path} is not as expected"))
    }

    /// Resident memory now.
    pub(super) fn memory(self) -> Result<Memory> {
        let folder = format!("/proc/{}", self.pid);
        let folder = Path::new(&folder);
        if let Ok(text) = fs::read_to_string(folder.join("smaps_rollup")) {
            let rss = kilobytes(&text, "Rss:");
            let pss = kilobytes(&text, "Pss:");
            if let (Some(rss), Some(pss)) = (rss, pss) {
                return Ok(Memory { rss, pss });
            }
        }
        let text = fs::read_to_string(folder.join("status"))
            .with_context(|| format!("process {} is gone", self.pid))?;
        match kilobytes(&text, "VmRSS:") {
            Some(rss) => Ok(Memory { rss, pss: 0 }),
            None => bail!("the kernel does not tell the memory of process {}", self.pid),
        }
    }
}

/// `utime` and `stime` of a line of `/proc/PID/stat`. The name before them may hold anything.
fn parse_stat(line: &str) -> Option<Duration> {
    let (_, fields) = line.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(Duration::from_secs(1) * (user + system) / TICKS_PER_SECOND)
}

/// The bytes of a line such as `Rss:   123 kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(number * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let line = "42 (a) b (c)) S 1 42 42 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 3 0 9 8 7";

        assert_eq!(parse_stat(line), Some(Duration::from_secs(3)));
        assert_eq!(parse_stat("42 (cut) S 1"), None);
    }

    #[test]
    fn memory_is_told_in_bytes() {
        let text = "00400000-7ff [rollup]\nRss:                 100 kB\nPss:      7 kB\n";

        assert_eq!(kilobytes(text, "Rss:"), Some(102_400));
        assert_eq!(kilobytes(text, "Pss:"), Some(7168));
        assert_eq!(kilobytes(text, "Swap:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn our_own_process_can_be_watched() {
        let own = Process::own();

        assert!(own.memory().unwrap().rss > 0);
        assert!(Process::with_pid(own.pid()).is_ok());
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        let error = Process::with_pid(u32::MAX).unwrap_err();

        assert!(error.to_string().contains("4294967295"), "{error}");
    }
}
