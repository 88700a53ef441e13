use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The ways a plugin can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// It panicked.
    Panic,
    /// It did not answer in time.
    Late,
    /// Its Reason Code is not legal in the packet it was meant for.
    IllegalCode,
    /// Its answer makes no sense: a bad topic, a string too long.
    InvalidAnswer,
    /// Its answer goes over a bound.
    Bound,
    /// It was not asked, because it failed too often.
    BreakerOpen,
    /// Its script raised an error, or its component trapped.
    Trap,
    /// It used more memory than it may.
    Memory,
    /// It had used its share of the worker's time.
    Share,
    /// The host itself was at fault.
    Internal,
}

impl ErrorKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Panic,
        Self::Late,
        Self::IllegalCode,
        Self::InvalidAnswer,
        Self::Bound,
        Self::BreakerOpen,
        Self::Trap,
        Self::Memory,
        Self::Share,
        Self::Internal,
    ];

    /// Its name in figures and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Late => "late",
            Self::IllegalCode => "illegal-code",
            Self::InvalidAnswer => "invalid-answer",
            Self::Bound => "bound",
            Self::BreakerOpen => "breaker-open",
            Self::Trap => "trap",
            Self::Memory => "memory",
            Self::Share => "share",
            Self::Internal => "internal",
        }
    }
}

/// A plugin error: its kind, and what happened in words. As short as an address, since answers that
/// may be one are moved from caller to caller.
#[derive(Clone, Debug)]
pub(crate) struct Fault(Box<FaultParts>);

#[derive(Clone, Debug)]
pub(crate) struct FaultParts {
    pub(crate) kind: ErrorKind,
    what: Cow<'static, str>,
}

impl Deref for Fault {
    type Target = FaultParts;

    fn deref(&self) -> &FaultParts {
        &self.0
    }
}

impl Fault {
    pub(crate) fn new(kind: ErrorKind, what: impl Into<Cow<'static, str>>) -> Self {
        let what = what.into();
        Self(Box::new(FaultParts { kind, what }))
    }

    pub(crate) fn invalid(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidAnswer, what)
    }

    pub(crate) fn illegal_code(code: u8, packet: &str) -> Self {
        let what = format!("Reason Code 0x{code:02x} is not a refusal that {packet} can carry");
        Self::new(ErrorKind::IllegalCode, what)
    }

    pub(crate) fn late() -> Self {
        Self::new(ErrorKind::Late, "it did not answer in time")
    }

    pub(crate) fn breaker_open() -> Self {
        Self::new(ErrorKind::BreakerOpen, "it failed too often and is left alone for a while")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Runs a plugin's code; a panic is a fault.
#[inline]
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| panicked(&*panic))
}

#[cold]
fn panicked(panic: &(dyn Any + Send)) -> Fault {
    let said = panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let what = match said {
        Some(said) => format!("it panicked: {said}"),
        None => "it panicked".to_owned(),
    };
    Fault::new(ErrorKind::Panic, what)
}
