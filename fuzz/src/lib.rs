//! What the targets share: an input read as choices, panics that are allowed for, what is allocated, golden files.

pub mod golden;
pub mod heap;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// An input as a row of choices. Where it ends there are zeros, so that every input means something.
#[derive(Clone, Debug)]
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    /// All of an input.
    pub fn new(bytes: &'a [u8]) -> Bytes<'a> {
        Bytes(bytes)
    }

    /// Whether anything is left.
    pub fn more(&self) -> bool {
        !self.0.is_empty()
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().map_or((0, self.0), |(first, rest)| (*first, rest));
        self.0 = rest;
        first
    }

    /// A number of 16 bits.
    pub fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// A number of 64 bits.
    pub fn long(&mut self) -> u64 {
        u64::from_le_bytes([(); 8].map(|()| self.byte()))
    }

    /// A number from 0 to below `n`, of a byte or two.
    pub fn below(&mut self, n: usize) -> usize {
        let found = if n > 256 { usize::from(self.short()) } else { usize::from(self.byte()) };
        found % n.max(1)
    }

    /// Yes or no; no where the input has ended.
    pub fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    /// Whether one of `n` came, not the first.
    pub fn rarely(&mut self, n: u8) -> bool {
        self.byte() % n == n - 1
    }

    /// One of these.
    pub fn one<'l, T>(&mut self, of: &'l [T]) -> &'l T {
        &of[self.below(of.len())]
    }

    /// So many bytes, or those that are left.
    pub fn take(&mut self, n: usize) -> &'a [u8] {
        let (first, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        first
    }

    /// Up to 255 bytes behind their number.
    pub fn bytes(&mut self) -> &'a [u8] {
        let n = usize::from(self.byte());
        self.take(n)
    }

    /// The same as text.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// A number, mostly one at which something changes.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            0 => self.long(),
            1 => u64::from(u32::MAX),
            2 => u64::from(u32::MAX) + 1,
            3 => u64::MAX,
            4 => i64::MAX as u64,
            5 => i32::MAX as u64,
            6 => 1 << (self.byte() % 64),
            7 => (1 << (self.byte() % 64)) - 1,
            8 => u64::from(self.short()),
            small => u64::from(small) - 9,
        }
    }
}

/// Runs a target's work. A panic that the library catches is its own affair; one that gets here ends the process, which is
/// what libFuzzer calls a finding (its own hook would end it in both cases).
pub fn guarded(work: impl FnOnce()) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| eprintln!("{info}")));
    });
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        std::process::abort();
    }
}
