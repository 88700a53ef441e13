/// Exchanges of enhanced authentication that one instance holds; clients beyond it are refused.
pub(crate) const EXCHANGES_MAX: usize = 1024;
/// Rules that a client may be given.
pub(crate) const RULES_MAX: usize = 10_000;
/// Of a rule; a level `%u` of it still grows by the user name.
pub(crate) const FILTER_BYTES_MAX: usize = 4 << 10;
/// Random bytes that one call gives.
pub(crate) const RANDOM_BYTES_MAX: usize = 64 << 10;
/// Of all compiled components that are kept on disk; what was not used for longest goes.
#[cfg(feature = "wasm")]
pub(crate) const COMPILED_BYTES_MAX: u64 = 32 << 20;
