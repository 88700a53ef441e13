//! The hook chain and the hosts of plugins
