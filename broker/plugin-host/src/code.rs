use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pintle_plugin_api::Plugin;

/// What a plugin is made of.
#[derive(Clone)]
pub enum Code {
    /// A Rust type linked in.
    Native(Arc<dyn Plugin>),
    /// A Lua script.
    Lua(Script),
    /// A WebAssembly component.
    Wasm(Script),
}

impl Code {
    /// Its name in listings: `native`, `lua`, `wasm`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Native(_) => "native",
            Self::Lua(_) => "lua",
            Self::Wasm(_) => "wasm",
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native(_) => f.write_str("Native"),
            Self::Lua(script) => f.debug_tuple("Lua").field(script).finish(),
            Self::Wasm(script) => f.debug_tuple("Wasm").field(script).finish(),
        }
    }
}

/// A file that was read: a script, or a component.
#[derive(Clone, PartialEq, Eq)]
pub struct Script {
    /// Where it was read, as errors name it.
    pub path: PathBuf,
    /// All of it.
    pub bytes: Arc<[u8]>,
}

impl Script {
    /// `bytes`, read at `path`.
    pub fn new(path: impl Into<PathBuf>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { path: path.into(), bytes: bytes.into() }
    }

    /// The last part of its path.
    pub(crate) fn file_name(&self) -> String {
        let name = self.path.file_name();
        name.map_or_else(|| "plugin".to_owned(), |name| name.to_string_lossy().into_owned())
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.path.display(), self.bytes.len())
    }
}

/// What a Lua or Wasm plugin may use at most. Each is a key of `limits` in its `[[plugin]]` entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptLimits {
    /// Memory of one instance in bytes; 16 MiB. There is one instance for each worker, and one for
    /// each thread of the plugin's own.
    pub memory_bytes_max: usize,
    /// Size of the file, in bytes; 8 MiB.
    pub code_bytes_max: usize,
    /// Loading: compiling, running the script, `init`; 10 s.
    pub load: Duration,
    /// Threads of its own for hooks that may wait; 4.
    pub threads_max: usize,
    /// Calls that wait for one of these threads; 1024. Beyond it the hook fails.
    pub waiting_max: usize,
    /// Log lines in a second; 100. What is beyond it is counted and told once a second.
    pub log_lines_max: u32,
    /// Length of one log line in bytes; 4 KiB. The rest is cut off.
    pub log_line_bytes_max: usize,
    /// Calls of host functions within one hook; 10 000.
    pub host_calls_max: u32,
    /// What calls of over 50 µs may take of each second of a worker; 200 ms. A call counts for its
    /// length, and as much again for each 25 µs over. A second is no bound.
    pub worker_share: Duration,
}

impl Default for ScriptLimits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 16 << 20,
            code_bytes_max: 8 << 20,
            load: Duration::from_secs(10),
            threads_max: 4,
            waiting_max: 1024,
            log_lines_max: 100,
            log_line_bytes_max: 4 << 10,
            host_calls_max: 10_000,
            worker_share: Duration::from_millis(200),
        }
    }
}
