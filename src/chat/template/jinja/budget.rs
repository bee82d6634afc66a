//! What one rendering may take: bytes of everything it makes, and steps.
//!
//! Nothing is given back: the sum of all that is made is bounded, and so is what is there at any one time. A text costs its
//! bytes, [`TEXT`] for its header and [`RUN`] for each change of origin; an item of a list [`ITEM`], an entry of a map
//! [`ENTRY`]. A step is a node of the template; reading a text of n bytes is n / 32 of them.

use core::cell::Cell;

use super::fault::{Fault, Kind};

/// What one rendering may make, in bytes.
pub(in crate::chat::template) const LIMIT: usize = 32 << 20;
/// Steps of one rendering. Published templates take some hundreds for a message.
const FUEL: u64 = 1_000_000;
/// A text beside its bytes.
pub(super) const TEXT: usize = 96;
/// A change of origin in a text.
pub(super) const RUN: usize = 16;
/// An item of a list.
pub(super) const ITEM: usize = 32;
/// An entry of a map, with its place in the index.
pub(super) const ENTRY: usize = 160;

/// See the module.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: Cell<usize>,
    fuel: Cell<u64>,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { bytes: Cell::new(LIMIT), fuel: Cell::new(FUEL) }
    }

    /// For what nobody counts.
    pub(super) fn unlimited() -> Self {
        Self { bytes: Cell::new(usize::MAX), fuel: Cell::new(u64::MAX) }
    }

    /// Takes so many bytes.
    pub(super) fn take(&self, bytes: usize) -> Result<(), Fault> {
        match self.bytes.get().checked_sub(bytes) {
            Some(left) => {
                self.bytes.set(left);
                Ok(())
            }
            None => Err(Fault::of(Kind::Memory, "it makes too much text")),
        }
    }

    /// Takes so many items.
    pub(super) fn items(&self, count: usize) -> Result<(), Fault> {
        self.take(count.saturating_mul(ITEM).saturating_add(TEXT))
    }

    /// Whether so many bytes are left.
    pub(super) fn has(&self, bytes: usize) -> bool {
        self.bytes.get() >= bytes
    }

    /// Takes steps.
    pub(super) fn spend(&self, steps: u64) -> Result<(), Fault> {
        match self.fuel.get().checked_sub(steps) {
            Some(left) => {
                self.fuel.set(left);
                Ok(())
            }
            None => Err(Fault::of(Kind::Fuel, "it does not come to an end")),
        }
    }

    /// Takes the steps of reading so many bytes.
    pub(super) fn read(&self, bytes: usize) -> Result<(), Fault> {
        self.spend(1 + bytes as u64 / 32)
    }
}
