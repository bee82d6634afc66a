//! The merges of byte-level BPE: (left id, right id) -> (rank, merged id), as three flat arrays by rank and an index.
//!
//! A file writes a merge as two pieces with a space between them, best first. A piece may begin with a space, so the
//! space that parts them is the first one that is not at the start. Both pieces and the result must be tokens.

use alloc::vec::Vec;

use ocelli_gguf::{List, Text};

use super::index::{Index, hash_pair, reserve};
use super::vocab::Vocab;
use super::{TokenizerError, bytemap};

/// The most merges a file may have. Llama 3 has 280 147.
const MERGE_LIMIT: usize = 1 << 23;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Merges {
    pairs: Vec<(u32, u32)>,
    merged: Vec<u32>,
    index: Index,
}

impl Merges {
    pub(super) fn read(list: List<'_, Text<'_>>, vocab: &Vocab) -> Result<Self, TokenizerError> {
        let count = list.len();
        if count > MERGE_LIMIT {
            return Err(TokenizerError::MergeCount { count, limit: MERGE_LIMIT });
        }
        let mut pairs = reserve(count)?;
        let mut merged = reserve(count)?;
        let mut bytes = Vec::new();
        for (rank, text) in list.iter().enumerate() {
            let offset = text.offset();
            let (left, right) =
                parts(text.as_bytes()).ok_or(TokenizerError::MalformedMerge { rank, offset })?;
            let (left, right, result) = ids(left, right, vocab, &mut bytes)
                .ok_or(TokenizerError::MergeOutOfVocabulary { rank, offset })?;
            pairs.push((left, right));
            merged.push(result);
        }
        // Of two merges of one pair the better rank stays: the index keeps the last one it is given.
        let pair = |rank: u32| pairs.get(rank as usize).copied().unwrap_or_default();
        let index = Index::build(
            "merges",
            (0..count as u32).rev(),
            |rank, seed| hash_pair(pair(rank).0, pair(rank).1, seed),
            |a, b| pair(a) == pair(b),
        )?;
        Ok(Self { pairs, merged, index })
    }

    /// The rank of a pair and what it becomes.
    pub(super) fn find(&self, left: u32, right: u32) -> Option<(u32, u32)> {
        let rank = self.index.find(
            |seed| hash_pair(left, right, seed),
            |rank| self.pairs.get(rank as usize) == Some(&(left, right)),
        )?;
        Some((rank, *self.merged.get(rank as usize)?))
    }

    /// The bytes held.
    pub(super) fn table_bytes(&self) -> usize {
        self.pairs.capacity() * size_of::<(u32, u32)>()
            + self.merged.capacity() * size_of::<u32>()
            + self.index.bytes()
    }
}

/// The two pieces, as written.
fn parts(merge: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = merge.iter().skip(1).position(|byte| *byte == b' ')? + 1;
    let (left, right) = (merge.get(..space)?, merge.get(space + 1..)?);
    (!right.is_empty()).then_some((left, right))
}

/// The ids of the pieces and of both together; `bytes` is scratch.
fn ids(left: &[u8], right: &[u8], vocab: &Vocab, bytes: &mut Vec<u8>) -> Option<(u32, u32, u32)> {
    bytes.clear();
    if !bytemap::unmap(left, bytes) {
        return None;
    }
    let middle = bytes.len();
    if !bytemap::unmap(right, bytes) {
        return None;
    }
    let (left, right) = bytes.split_at_checked(middle)?;
    Some((vocab.find(left)?, vocab.find(right)?, vocab.find(bytes)?))
}
