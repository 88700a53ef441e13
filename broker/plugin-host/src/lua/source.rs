use std::sync::Arc;

use crate::fault::{ErrorKind, Fault};
use crate::instance::Stage;
use crate::ticker::Ticker;

/// The text of a script.
pub(super) struct Source {
    pub(super) bytes: Arc<[u8]>,
    /// Counts while there is a script.
    _ticker: Ticker,
}

impl Source {
    /// # Errors
    /// If it is longer than it may be.
    pub(super) fn of(stage: &Stage) -> Result<Self, Fault> {
        let (length, max) = (stage.script.bytes.len(), stage.limits.code_bytes_max);
        if length > max {
            let what = format!("the script has {length} bytes, and limits.code allows {max}");
            return Err(Fault::new(ErrorKind::Bound, what));
        }
        Ok(Self { bytes: Arc::clone(&stage.script.bytes), _ticker: Ticker::start(|| {}) })
    }
}
