//! The pintle binary, and the broker as a library
