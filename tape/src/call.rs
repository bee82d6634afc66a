//! What varies from call to call.

use crate::weight::Weights;

/// What stands at one position of a decoder's input. The decoder does not know which rows were pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// A token id.
    Token(u32),
    /// Row `i` of the rows that come with the call.
    Row(u32),
}

/// One run of a program.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Where the weights lie. A device that has copied them does not look.
    pub weights: Weights<'a>,
    /// Tokens of a decoder's call, views of an encoder's.
    pub items: usize,
    /// Rows for the tape's input.
    pub rows: &'a [f32],
    /// One per item, for a tape that embeds.
    pub inputs: &'a [Input],
    /// The rows that inputs refer to.
    pub image_rows: &'a [f32],
    /// Positions that the state already holds.
    pub past: usize,
    /// Positions of the whole text that this call is a part of, if it goes on after the call: some models rotate all
    /// positions of a long text by other angles ([`Tape::rotates_beyond`](crate::Tape::rotates_beyond)).
    pub reach: usize,
}

impl<'a> Call<'a> {
    /// A call of nothing, to be filled in.
    pub const fn of(weights: Weights<'a>) -> Call<'a> {
        Call { weights, items: 0, rows: &[], inputs: &[], image_rows: &[], past: 0, reach: 0 }
    }

    /// Positions of the text, as far as this call knows.
    pub fn length(&self) -> usize {
        self.reach.max(self.past.saturating_add(self.items))
    }
}
