//! Cutting a text at tokens that are recognised as a whole, before anything else looks at it.
//!
//! From left to right, at each place the longest token that begins there wins (as the reference implementation does;
//! llama.cpp goes by length over the whole text, which differs only where two such tokens overlap in a text).
//! User-defined tokens are recognised everywhere. Control and unknown tokens are recognised only where the caller
//! vouches for the text, and only when the whole token lies in such text: a template's end and a user's beginning
//! cannot make one together.

use alloc::vec::Vec;
use core::ops::Range;

use super::index::reserve;
use super::vocab::{TokenKind, Vocab};
use super::{Special, TokenizerError};

/// The tokens that are recognised as a whole.
#[derive(Clone, Debug)]
pub(super) struct Specials {
    /// Ascending by their bytes.
    ids: Vec<u32>,
    /// Which bytes one of them begins with.
    first: [bool; 256],
}

/// A part of a text.
pub(super) enum Part<'a> {
    Token(u32),
    Text(&'a str),
}

/// Where in a text which rule holds: ends of runs, ascending, and their rules.
pub(super) struct Rules<'a>(pub(super) &'a [(usize, Special)]);

impl Rules<'_> {
    /// Whether the caller vouches for all of a range.
    fn vouches(&self, range: Range<usize>) -> bool {
        let from = self.0.partition_point(|(end, _)| *end <= range.start);
        for (end, special) in self.0.iter().skip(from) {
            if *special == Special::Plain {
                return false;
            }
            if *end >= range.end {
                return true;
            }
        }
        false
    }
}

impl Specials {
    pub(super) fn of(vocab: &Vocab) -> Result<Self, TokenizerError> {
        use TokenKind::{Control, Unknown, UserDefined};
        let wanted = |id: &u32| {
            matches!(vocab.kind(*id), Some(Control | Unknown | UserDefined))
                && !vocab.bytes_of(*id).is_empty()
        };
        let all = || (0..vocab.len() as u32).filter(wanted);
        let mut ids = reserve(all().count())?;
        let mut first = [false; 256];
        for id in all() {
            ids.push(id);
            if let Some(byte) = vocab.bytes_of(id).first()
                && let Some(seen) = first.get_mut(usize::from(*byte))
            {
                *seen = true;
            }
        }
        ids.sort_unstable_by(|a, b| vocab.bytes_of(*a).cmp(vocab.bytes_of(*b)).then(a.cmp(b)));
        Ok(Self { ids, first })
    }

    /// The tokens, ascending by their bytes.
    pub(super) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The token with exactly this text; of several the last.
    pub(super) fn find(&self, text: &[u8], vocab: &Vocab) -> Option<u32> {
        let end = self.ids.partition_point(|id| vocab.bytes_of(*id) <= text);
        let id = *self.ids.get(end.checked_sub(1)?)?;
        (vocab.bytes_of(id) == text).then_some(id)
    }

    /// The longest token at the start of `text` that `allowed` accepts, and its length.
    fn longest(
        &self,
        text: &[u8],
        vocab: &Vocab,
        allowed: impl Fn(u32, usize) -> bool,
    ) -> Option<(u32, usize)> {
        let mut best = None;
        let mut range = self.ids.as_slice();
        for (depth, byte) in text.iter().enumerate() {
            // Those in `range` agree with `text` in the first `depth` bytes; narrow to those that also have `byte` next.
            let next = |id: &u32| vocab.bytes_of(*id).get(depth).copied();
            let low = range.partition_point(|id| next(id).is_none_or(|b| b < *byte));
            let high = range.partition_point(|id| next(id).is_none_or(|b| b <= *byte));
            range = range.get(low..high).unwrap_or(&[]);
            if range.is_empty() {
                break;
            }
            // A token that ends here sorts before the longer ones; of equal texts the last, as in `find`.
            let whole = range.partition_point(|id| vocab.bytes_of(*id).len() == depth + 1);
            if let Some(id) = range.get(..whole).and_then(|ids| ids.last())
                && allowed(*id, depth + 1)
            {
                best = Some((*id, depth + 1));
            }
        }
        best
    }

    /// Calls `part` with the parts of `text` in order; texts are not empty.
    pub(super) fn cut(&self, text: &str, rules: &Rules<'_>, vocab: &Vocab, mut part: impl FnMut(Part<'_>)) {
        let bytes = text.as_bytes();
        let (mut done, mut at) = (0, 0);
        while let Some(byte) = bytes.get(at) {
            let candidate = self.first.get(usize::from(*byte)).copied().unwrap_or(false);
            let allowed =
                |id, len| vocab.kind(id) == Some(TokenKind::UserDefined) || rules.vouches(at..at + len);
            let found = if candidate {
                bytes.get(at..).and_then(|rest| self.longest(rest, vocab, allowed))
            } else {
                None
            };
            let Some((id, len)) = found else {
                at += 1;
                continue;
            };
            // A token that is no UTF-8 could end inside a character; such a match is passed over.
            if let (Some(before), true) = (text.get(done..at), text.is_char_boundary(at + len)) {
                if !before.is_empty() {
                    part(Part::Text(before));
                }
                part(Part::Token(id));
                at += len;
                done = at;
            } else {
                at += 1;
            }
        }
        if let Some(rest) = text.get(done..)
            && !rest.is_empty()
        {
            part(Part::Text(rest));
        }
    }

    /// The bytes held.
    pub(super) fn table_bytes(&self) -> usize {
        self.ids.capacity() * size_of::<u32>()
    }
}
