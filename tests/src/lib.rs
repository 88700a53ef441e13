//! Conformance, contract, interop and tidy tests
