//! What a program remembers from call to call.

use crate::op::Heads;

/// A slot of state, as a model declares it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Keys and values of every position so far.
    Kv {
        /// Whose.
        heads: Heads,
    },
}

/// How keys and values are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KvType {
    /// As computed.
    F32,
    /// Rounded to binary16.
    F16,
    /// 8-bit quants, a scale per 32 elements. A build without the feature `kv-q8` refuses it.
    Q8_0,
}

impl KvType {
    /// Elements of a key or value that share a scale.
    pub const GROUP: usize = 32;

    /// Whether a head of so many elements can be stored so.
    pub const fn fits(self, head_dim: usize) -> bool {
        match self {
            KvType::F32 => true,
            KvType::F16 => head_dim.is_multiple_of(2),
            KvType::Q8_0 => head_dim.is_multiple_of(KvType::GROUP),
        }
    }

    /// Bytes of a key or value of one head.
    pub const fn bytes(self, head_dim: usize) -> usize {
        match self {
            KvType::F32 => 4 * head_dim,
            KvType::F16 => 2 * head_dim,
            KvType::Q8_0 => head_dim + 4 * (head_dim / KvType::GROUP),
        }
    }
}

/// How much state there is room for, and how it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateOptions {
    /// How keys and values are stored.
    pub kv: KvType,
    /// Positions that each slot of keys and values has room for.
    pub capacity: usize,
}

impl StateOptions {
    /// For a tape without state.
    pub const NONE: StateOptions = StateOptions { kv: KvType::F32, capacity: 0 };
}
