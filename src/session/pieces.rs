//! The pieces of a session's work that `ocelli bench`, `compare` and `calibrate` take one by one.

use super::{SeeInputs, Session};
use crate::error::Error;
use crate::session::prompt::{Entry, Prompt};
use alloc::boxed::Box;
use alloc::vec::Vec;

impl Session<'_> {
    /// Reads tokens that come from no text.
    pub(crate) fn read_ids(&mut self, ids: &[u32]) -> Result<(), Error> {
        if ids.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        let entries = ids.iter().map(|id| Entry::Token(*id)).collect();
        self.take_in(&Prompt { entries, images: Vec::new(), beyond: 0 }, &mut |_| ())?;
        Ok(())
    }

    /// Computes the logits after one more token.
    pub(crate) fn step(&mut self, id: u32) -> Result<(), Error> {
        self.accept(id);
        self.settle()
    }

    /// The logits after what was read.
    pub(crate) fn logits(&mut self) -> Result<&[f32], Error> {
        self.settle()?;
        if !self.ready {
            return Err(Error::EmptyPrompt);
        }
        let arena = self.block.get(self.skip..).and_then(|block| block.get(self.plan.places.arena.clone()));
        Ok(arena.and_then(|arena| arena.get(self.plan.decode.output_range(1))).unwrap_or(&[]))
    }

    /// Lets the next image be encoded even if it is the last one again.
    pub(crate) fn forget_image(&mut self) {
        self.encoded = None;
    }

    /// From now on shows what linear maps are given, rows as they are before they are quantized.
    pub(crate) fn show_inputs(&mut self, see: Box<SeeInputs>) {
        self.inputs = Some(see);
    }
}
