//! The plugins that are linked in, by the name that `use = "builtin:…"` gives them.

use std::sync::Arc;

use pintle_plugin_acl_file::AclFile;
use pintle_plugin_api::Plugin;
use pintle_plugin_password_file::PasswordFile;
use pintle_plugin_sys_stats::SysStats;

/// A plugin that is linked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// Lets in the users of a password file.
    PasswordFile,
    /// Confines clients to the topics of an ACL file.
    AclFile,
    /// Publishes the broker's counters.
    SysStats,
}

impl Builtin {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::PasswordFile, Self::AclFile, Self::SysStats];

    /// What stands behind `builtin:`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PasswordFile => "password-file",
            Self::AclFile => "acl-file",
            Self::SysStats => "sys-stats",
        }
    }

    /// The plugin with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|builtin| builtin.name() == name)
    }

    /// A new one, without settings yet.
    pub fn plugin(self) -> Arc<dyn Plugin> {
        match self {
            Self::PasswordFile => Arc::new(PasswordFile::new()),
            Self::AclFile => Arc::new(AclFile::new()),
            Self::SysStats => Arc::new(SysStats::new()),
        }
    }
}
