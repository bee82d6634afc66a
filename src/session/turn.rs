//! Texts that outgrow what the model was trained for, where all positions of a longer one turn by other angles (longrope).
//!
//! The reference looks at the whole text at every step, so the cache of a text that grows beyond the border is worth nothing:
//! it is computed again, once, with the angles of a long text. A conversation that is read anew is compared with what its
//! cache was computed for.

use super::Session;
use crate::error::Error;
use crate::session::prompt::Entry;
use crate::session::timings::Stage;
use ocelli_tape::Input;

/// What the cache was computed for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Turn {
    /// A text that the usual angles are for.
    #[default]
    Short,
    /// A longer one.
    Long,
    /// A longer one in part: reading it again was stopped.
    Mixed,
}

impl Turn {
    /// For [`Call::reach`](ocelli_tape::Call::reach).
    pub(super) fn reach(self) -> usize {
        if self == Turn::Short { 0 } else { usize::MAX }
    }
}

impl Session<'_> {
    fn turn_of(&self, positions: usize) -> Turn {
        match self.plan.rotates_beyond {
            Some(most) if positions > most => Turn::Long,
            _ => Turn::Short,
        }
    }

    /// Whether one more position makes a long text of one that the cache holds as a short one.
    pub(super) fn outgrows(&self) -> bool {
        let grown = self.turn_of(self.history.len() + 1);
        grown == Turn::Long && self.turn != Turn::Long
    }

    /// From now on the cache is that of a text of so many positions: whether what it holds can stay.
    pub(super) fn turn_for(&mut self, positions: usize) -> bool {
        let turn = self.turn_of(positions);
        core::mem::replace(&mut self.turn, turn) == turn
    }

    /// Computes the cache again as that of a long text. Of images the rows of the last one are still there.
    pub(super) fn outgrow(&mut self) -> Result<(), Error> {
        let gone = |entry: &Entry| matches!(entry, Entry::Row(image, _) if self.encoded != Some(*image));
        if let Some(at) = self.history.iter().position(gone) {
            let before = self.history.get(..at).unwrap_or(&[]);
            // Images before it, each of which begins with its row 0.
            let image = before.iter().filter(|entry| matches!(entry, Entry::Row(_, 0))).count();
            return Err(Error::PixelsGone { image });
        }
        self.turn = Turn::Mixed;
        let batch = self.plan.decode.need().max_items;
        for start in (0..self.history.len()).step_by(batch) {
            self.inputs.clear();
            self.inputs.extend(self.history.iter().skip(start).take(batch).map(|entry| match entry {
                Entry::Token(id) => Input::Token(*id),
                Entry::Row(_, row) => Input::Row(*row),
            }));
            let result = self.decode(Stage::Generate, start);
            self.inputs.clear();
            result?;
        }
        self.turn = Turn::Long;
        Ok(())
    }
}
