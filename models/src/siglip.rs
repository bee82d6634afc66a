//! SigLIP's vision tower (Zhai et al., 2023), as Idefics3 and SmolVLM use it.
//!
//! ```text
//! x = patches · W + b + positions       no class token
//! x = block(x)
//! features = post_ln(x)
//! ```

use crate::vit::{self, Block, Shape};
use crate::{Error, Source};
use alloc::vec::Vec;
use ocelli_tape::{Linear, Norm, Recorder, Value, Weight};

/// The tower.
#[derive(Debug)]
pub struct Siglip {
    /// Its numbers.
    pub shape: Shape,
    /// `[width, 3 · patch²]`
    patch: Linear,
    /// `[patches, width]`
    positions: Weight,
    blocks: Vec<Block>,
    /// `[width]`
    post_norm: Norm,
}

impl Siglip {
    /// Reads the tower of a file.
    ///
    /// # Errors
    /// What the file says of itself does not fit together.
    pub fn read(source: &Source<'_>) -> Result<Siglip, Error> {
        let shape = Shape::read(source)?;
        Ok(Siglip {
            shape,
            patch: source.linear("v.patch_embd", shape.width, shape.pixels())?,
            positions: source.matrix("v.position_embd.weight", shape.patches(), shape.width)?,
            blocks: vit::blocks(source, &shape, 0..shape.blocks)?,
            post_norm: source.norm("v.post_ln", shape.width, shape.epsilon)?,
        })
    }

    /// Records the tower: `[patches, 3 · patch²]` per view to `[patches, width]`.
    #[track_caller]
    pub fn record(&self, g: &mut Recorder) -> Value {
        let pixels = g.input(self.shape.patches(), self.shape.pixels());
        let x = g.linear(pixels, &self.patch);
        let mut x = g.add_table(x, &self.positions);
        g.probe("v.embed", 0, x);
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.record(g, x, &self.shape);
            g.probe("v.block", i, x);
        }
        let x = g.layer_norm(x, &self.post_norm);
        g.probe("v.post_ln", 0, x);
        x
    }
}
