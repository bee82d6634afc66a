//! Every prefix of a correct file, every byte set to several values, and random edits: nothing may panic, and what is
//! accepted must be usable in every part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::raw;

use ocelli_gguf::{Gguf, List, Shards};
use raw::sample;

/// Of so many changed files one is looked at: Miri takes a thousand times as long.
const STEP: usize = if cfg!(miri) { 307 } else { 1 };

/// Looks at everything that a file offers.
fn use_all(bytes: &[u8]) -> bool {
    let Ok(file) = Gguf::parse(bytes) else { return false };
    for (key, value) in file.metadata() {
        assert_eq!(file.get(key).map(|v| v.type_name()), Some(value.type_name()));
        if let ocelli_gguf::Value::Array(array) = value {
            assert_eq!(array.iter().count(), array.len());
        }
        let _ = (file.require::<u32>(key), file.require::<&str>(key), file.require::<List<'_, i64>>(key));
    }
    for tensor in file.tensors() {
        assert_eq!(file.tensor(tensor.name), Some(tensor));
        assert_eq!(&bytes[tensor.range()], tensor.data);
        assert_eq!(tensor.kind.bytes_of(tensor.elements()), Some(tensor.data.len()));
        assert_eq!(tensor.dims().iter().product::<usize>(), tensor.elements());
    }
    let _ = Shards::new([file]);
    true
}

/// A file cut anywhere is refused, but for the padding after the last tensor, which holds nothing.
#[test]
fn every_prefix_is_refused() {
    let bytes = sample(3);
    assert!(use_all(&bytes));
    for len in (0..bytes.len()).step_by(STEP) {
        assert!(!use_all(&bytes[..len]), "{len} of {} bytes", bytes.len());
    }
    let mut padded = bytes;
    padded.resize(padded.len() + 100, 7);
    assert!(use_all(&padded));
}

#[test]
fn every_byte_changed() {
    let bytes = sample(3);
    let mut accepted = 0;
    for at in (0..bytes.len()).step_by(STEP) {
        let was = bytes[at];
        for byte in [0, 1, 2, 9, 32, 0x7F, 0x80, 0xFF, was ^ 1, was ^ 0x80, was.wrapping_add(1)] {
            let mut changed = bytes.clone();
            changed[at] = byte;
            accepted += usize::from(use_all(&changed));
        }
    }
    // The letters of names, the numbers and the data may change: a fair part stays valid.
    assert!(accepted > 1000 / STEP, "{accepted}");
}

/// xorshift64*, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// One random edit: a byte, a number of 4 or 8 bytes, a piece removed, repeated, or taken from elsewhere.
fn edit(random: &mut Random, bytes: &mut Vec<u8>) {
    const EDGES: [u64; 10] =
        [0, 1, 31, 32, u64::MAX, 1 << 31, 1 << 32, 1 << 63, i64::MAX as u64, u32::MAX as u64];
    let at = random.below(bytes.len());
    let len = random.below(16).min(bytes.len() - at);
    match random.below(6) {
        0 => bytes[at] = random.next() as u8,
        1 | 2 => {
            let edge = EDGES[random.below(EDGES.len())].to_le_bytes();
            let len = [4, 8][random.below(2)].min(bytes.len() - at);
            bytes[at..at + len].copy_from_slice(&edge[..len]);
        }
        3 => drop(bytes.drain(at..at + len)),
        4 => {
            let piece = bytes[at..at + len].to_vec();
            bytes.splice(at..at, piece);
        }
        _ => {
            let to = random.below(bytes.len() - len);
            bytes.copy_within(at..at + len, to);
        }
    }
}

#[test]
fn random_edits() {
    let original = sample(3);
    let mut random = Random(0x0CE1_1100_D15E_A5E5);
    let mut accepted = 0;
    let edits = if cfg!(miri) { 12 } else { 100_000 };
    for _ in 0..edits {
        let mut bytes = original.clone();
        for _ in 0..=random.below(3) {
            edit(&mut random, &mut bytes);
        }
        accepted += usize::from(use_all(&bytes));
    }
    println!("{accepted} of {edits} edited files are still valid");
    assert!((edits / 100 + 1..=edits * 99 / 100).contains(&accepted), "{accepted}");
}
