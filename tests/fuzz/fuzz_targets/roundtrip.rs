#![no_main]

#[path = "../bodies/roundtrip.rs"]
mod roundtrip;

libfuzzer_sys::fuzz_target!(|data: &[u8]| roundtrip::roundtrip(data));
