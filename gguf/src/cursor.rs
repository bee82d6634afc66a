//! Reading forward through untrusted bytes: every read says what it was for, and cannot pass the end.

use crate::error::Error;
use crate::limits;

/// A position in the part of the file that comes before the tensor data.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// One past the last byte that may be read: the file's end, or the limit on the header.
    end: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, end: bytes.len().min(limits::HEADER_BYTES) }
    }

    /// The byte offset of the next read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// A second reader at the same place, to look ahead.
    pub(crate) fn fork(&self) -> Self {
        Self { ..*self }
    }

    pub(crate) fn take(&mut self, wanted: u64, what: &'static str) -> Result<&'a [u8], Error> {
        let left = self.bytes.get(self.at..self.end).unwrap_or_default();
        let found = usize::try_from(wanted).ok().and_then(|n| left.get(..n));
        let Some(found) = found else {
            return Err(if self.end < self.bytes.len() {
                Error::HeaderTooLarge { at: self.at, what, limit: limits::HEADER_BYTES }
            } else {
                Error::Truncated { at: self.at, what, wanted, left: left.len() }
            });
        };
        self.at += found.len();
        Ok(found)
    }

    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Error> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64, what)?);
        Ok(out)
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// A string's bytes and the offset of the first of them.
    pub(crate) fn string(&mut self, what: &'static str) -> Result<(usize, &'a [u8]), Error> {
        let at = self.at;
        let len = self.u64(what)?;
        if len > limits::STRING_BYTES {
            return Err(Error::StringTooLong { at, what, len });
        }
        let start = self.at;
        Ok((start, self.take(len, what)?))
    }
}
