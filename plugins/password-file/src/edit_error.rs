use std::fmt;

/// Why a password file is not changed as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditError {
    /// The user name can not stand in a password file; holds the reason.
    UserName(&'static str),
    /// So many iterations would be refused when the file is read.
    Iterations,
    /// The password is empty or too long.
    Password,
    /// The operating system gives no random numbers for a salt.
    Random,
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserName(reason) => f.write_str(reason),
            Self::Iterations => write!(f, "more than {} iterations", crate::hash::ITERATIONS_MAX),
            Self::Password => f.write_str("the password is empty or longer than 65535 bytes"),
            Self::Random => f.write_str("the operating system gives no random numbers"),
        }
    }
}

impl std::error::Error for EditError {}
