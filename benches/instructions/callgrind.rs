use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use crate::workload::COUNTED;

/// What valgrind calls itself; nothing if there is none.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("valgrind").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Instructions of all counted runs of the case named `case`, by `program`, which is this one.
///
/// # Errors
/// If valgrind or the case failed, or nothing was counted.
pub(crate) fn count(program: &Path, case: &str) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(program)
        .args(["run", case])
        .stdin(Stdio::null())
        .output()
        .context("cannot start valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{case} failed under valgrind:\n{said}");
    }
    match collected(&said) {
        Some(0) => bail!("valgrind counted nothing for {case}: no function is named {COUNTED}"),
        Some(count) => Ok(count),
        None => Err(anyhow!("valgrind told no count for {case}:\n{said}")),
    }
}

/// The first figure after `Collected :` in what callgrind says at its end.
fn collected(said: &str) -> Option<u64> {
    let figures = said.lines().find_map(|line| line.split_once("Collected :"))?.1;
    figures.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::collected;

    #[test]
    fn the_count_is_read_from_what_callgrind_says_at_its_end() {
        let said = "==7== Callgrind, a call-graph generating cache profiler\n\
                    ==7== \n\
                    ==7== Events    : Ir\n\
                    ==7== Collected : 1234567\n\
                    ==7== \n\
                    ==7== I   refs:      1,234,567\n";
        assert_eq!(collected(said), Some(1_234_567));
    }

    #[test]
    fn of_several_events_instructions_are_the_first() {
        assert_eq!(collected("==7== Collected : 900 20 10\n"), Some(900));
    }

    #[test]
    fn there_is_no_count_where_callgrind_does_not_tell_one() {
        assert_eq!(collected("==7== Events    : Ir\n"), None);
        assert_eq!(collected("==7== Collected :\n"), None);
    }
}
