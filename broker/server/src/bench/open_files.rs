//! How many connections the system lets us have.

use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open beside connections.
const OTHERS: u64 = 32;

/// Raises the limit of open files as far as we may; says what it is then.
pub(super) fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    // What is left is told below.
    let _ = setrlimit(Resource::Nofile, raised);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// # Errors
/// If so many connections are more than the limit allows.
pub(super) fn check(limit: u64, connections: u64) -> Result<()> {
    if connections + OTHERS > limit {
        bail!(
            "{connections} connections need more open files than the {limit} we may have \
             (raise the hard limit: ulimit -Hn)"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_connections_than_files_are_refused_with_the_limit() {
        let error = check(1000, 1000).unwrap_err().to_string();

        assert!(error.contains("1000 we may have"), "{error}");
        assert!(check(1000, 900).is_ok());
    }

    #[test]
    fn the_limit_can_be_raised_again_and_again() {
        assert_eq!(raise(), raise());
    }
}
