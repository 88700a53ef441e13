//! The bodies of the fuzz targets over the kept corpus and mutations of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking; the bodies are public to the fuzz targets"
)]

use std::fs;
use std::path::Path;

#[path = "../../../tests/fuzz/bodies/decode.rs"]
mod decode;
#[path = "../../../tests/fuzz/bodies/roundtrip.rs"]
mod roundtrip;

const MUTATIONS: usize = 40_000;

/// Every file of a corpus, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus").join(name);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() > 2, "{} is nearly empty", folder.display());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Marsaglia's xorshift: the same inputs at every run.
struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end.max(1)
    }

    fn mutate(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len());
        match self.below(7) {
            0 => input.insert(at, self.next() as u8),
            1 => input.truncate(at + 1),
            2 => {
                let other = &corpus[self.below(corpus.len())];
                let from = self.below(other.len());
                input.extend_from_slice(&other[from..]);
            }
            3 if !input.is_empty() => {
                input.remove(at);
            }
            4 if !input.is_empty() => input[at] ^= 1 << self.below(8),
            5 if !input.is_empty() => input[at] = input[at].wrapping_add(1),
            _ if !input.is_empty() => {
                let interesting = [0x00, 0x01, 0x7f, 0x80, 0xc0, 0xed, 0xff];
                input[at] = interesting[self.below(interesting.len())];
            }
            _ => {}
        }
    }
}

fn run_over_mutations(corpus: &[Vec<u8>], seed: u64, body: fn(&[u8])) {
    let mut random = Xorshift(seed);
    for _ in 0..MUTATIONS {
        let mut input = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(4) {
            random.mutate(&mut input, corpus);
        }
        body(&input);
    }
}

#[test]
fn the_kept_corpus_is_read_without_a_panic() {
    corpus("decode").iter().for_each(|input| decode::decode(input));
    corpus("roundtrip").iter().for_each(|input| roundtrip::roundtrip(input));
}

#[test]
fn no_mutation_of_the_corpus_panics_or_grows() {
    run_over_mutations(&corpus("decode"), 0x5eed_0001, decode::decode);
}

#[test]
fn packets_made_of_any_bytes_read_as_they_were_written() {
    run_over_mutations(&corpus("roundtrip"), 0x5eed_0002, roundtrip::roundtrip);
}
