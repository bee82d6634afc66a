//! An open-addressing hash index of `u32` entries; the keys stay where they are, the caller compares.
//!
//! Capacity is the power of two at or above twice the number of entries, probing is linear. Files come from
//! strangers, who may choose keys that collide: a probe sequence longer than [`LONGEST_PROBE`] makes the build start
//! again with the next seed, and after [`SEEDS`] seeds it is an error. So a lookup is bounded too.

use alloc::vec::Vec;

use super::TokenizerError;

/// At half load, honest keys stay below about 60 even with 2^22 entries.
const LONGEST_PROBE: usize = 512;
const SEEDS: u64 = 4;
const EMPTY: u32 = u32::MAX;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Index {
    slots: Vec<u32>,
    seed: u64,
}

/// Room for `count` elements, or the typed error.
pub(super) fn reserve<T>(count: usize) -> Result<Vec<T>, TokenizerError> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(count)
        .map_err(|_| TokenizerError::OutOfMemory { bytes: count.saturating_mul(size_of::<T>()) })?;
    Ok(vec)
}

impl Index {
    /// Indexes `entries`. `hash(entry, seed)` is the hash of an entry's key, `same(a, b)` says that two entries have
    /// one key; the later one then takes the place.
    pub(super) fn build(
        what: &'static str,
        entries: impl Iterator<Item = u32> + Clone,
        hash: impl Fn(u32, u64) -> u64,
        same: impl Fn(u32, u32) -> bool,
    ) -> Result<Self, TokenizerError> {
        let count = entries.clone().count();
        let capacity = count.saturating_mul(2).next_power_of_two().max(2);
        let mut slots = reserve(capacity)?;
        slots.resize(capacity, EMPTY);
        let mut index = Self { slots, seed: 0 };
        for seed in 0..SEEDS {
            index.seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            index.slots.fill(EMPTY);
            let placed = entries.clone().all(|entry| index.insert(entry, hash(entry, index.seed), &same));
            if placed {
                return Ok(index);
            }
        }
        Err(TokenizerError::Collisions { what, count })
    }

    /// Nothing, for a table that is still being filled.
    pub(super) fn empty() -> Result<Self, TokenizerError> {
        Self::build("", core::iter::empty(), |_, _| 0, |_, _| false)
    }

    /// The places to look at for a hash, in order.
    fn probe(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let mask = self.slots.len() - 1;
        // The high half of a multiplied hash is the well mixed one.
        let start = (hash >> 32) as usize;
        (0..LONGEST_PROBE).map(move |step| start.wrapping_add(step) & mask)
    }

    fn insert(&mut self, entry: u32, hash: u64, same: &impl Fn(u32, u32) -> bool) -> bool {
        for place in self.probe(hash) {
            if let Some(slot) = self.slots.get_mut(place)
                && (*slot == EMPTY || same(*slot, entry))
            {
                *slot = entry;
                return true;
            }
        }
        false
    }

    /// The entry whose key has the hash that `hash(seed)` gives and that `is` accepts.
    pub(super) fn find(&self, hash: impl Fn(u64) -> u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        for place in self.probe(hash(self.seed)) {
            match self.slots.get(place) {
                None | Some(&EMPTY) => return None,
                Some(&entry) if is(entry) => return Some(entry),
                Some(_) => {}
            }
        }
        None
    }

    /// The bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
    }
}

/// A hash of a byte string: eight bytes at a time, multiply and rotate, then a final mix.
pub(super) fn hash_bytes(bytes: &[u8], seed: u64) -> u64 {
    let mut state = seed ^ (bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for chunk in bytes.chunks(8) {
        let word = chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        state = (state ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(29);
    }
    mix(state)
}

/// A hash of a pair of ids.
pub(super) fn hash_pair(left: u32, right: u32, seed: u64) -> u64 {
    mix(seed ^ (u64::from(left) << 32 | u64::from(right)))
}

/// The finaliser of MurmurHash3 (A. Appleby, public domain).
fn mix(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ x >> 33
}
