//! Which entries of a file somebody asked for by name.
//!
//! A reader that passes over a number computes something else than the file means. So a file remembers what it was asked
//! for, and who has read all he needs can see what is left: [`Gguf::unasked_keys`], [`Gguf::unasked_tensors`].

use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::reader::Gguf;
use crate::tensor::TensorInfo;
use crate::value::Value;

/// A mark for each of so many entries. A copy begins with the marks of the original.
#[derive(Debug, Default)]
pub(crate) struct Asked(Vec<AtomicBool>);

impl Asked {
    pub(crate) fn none_of(count: usize) -> Self {
        Self((0..count).map(|_| AtomicBool::new(false)).collect())
    }

    /// Marks an entry. Nothing else hangs on the order of it.
    pub(crate) fn mark(&self, i: u32) {
        if let Some(asked) = self.0.get(i as usize) {
            asked.store(true, Ordering::Relaxed);
        }
    }

    /// Of these, one for each mark, the ones without.
    fn others<T>(&self, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        all.zip(&self.0).filter(|(_, asked)| !asked.load(Ordering::Relaxed)).map(|(entry, _)| entry)
    }
}

impl Clone for Asked {
    fn clone(&self) -> Self {
        Self(self.0.iter().map(|asked| AtomicBool::new(asked.load(Ordering::Relaxed))).collect())
    }
}

impl<'a> Gguf<'a> {
    /// The keys that nobody has asked for since the file was read, in the order of the file. To list all keys is not to ask
    /// for one.
    pub fn unasked_keys(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + '_ {
        self.keys_asked.others(self.metadata())
    }

    /// The tensors that nobody has asked for since the file was read, in the order of the file.
    pub fn unasked_tensors(&self) -> impl Iterator<Item = &TensorInfo<'a>> {
        self.tensors_asked.others(self.tensors().iter())
    }
}
