//! CLIP's vision tower (Radford et al., 2021), as LLaVA uses it.
//!
//! ```text
//! x = pre_ln([class; patches · W] + positions)        the class token first
//! x = block(x)                                        every stored block, or as many as `feature_layer` says
//! features = x without its class row                  no final norm: LLaVA takes the last but one layer
//! ```
//!
//! Files in use store the tower without its last block, so running all that is stored is running up to the layer
//! that LLaVA was trained on; a file that stores all blocks names the layer.

use crate::source::number;
use crate::vit::{self, Block, Shape};
use crate::{Error, Source};
use alloc::vec::Vec;
use ocelli_gguf::List;
use ocelli_tape::{Linear, Norm, Recorder, Value, Weight};

/// The tower.
#[derive(Debug)]
pub struct Clip {
    /// Its numbers.
    pub shape: Shape,
    /// `[width, 3 · patch²]`
    patch: Linear,
    /// `[width]`
    class: Weight,
    /// `[1 + patches, width]`
    positions: Weight,
    /// `[width]`
    pre_norm: Norm,
    blocks: Vec<Block>,
}

impl Clip {
    /// Reads the tower of a file.
    ///
    /// # Errors
    /// What the file says of itself does not fit together.
    pub fn read(source: &Source<'_>) -> Result<Clip, Error> {
        let shape = Shape::read(source)?;
        let width = shape.width;
        let used = feature_layer(source, shape.blocks)?;
        let blocks = vit::blocks(source, &shape, 0..used)?;
        // What is stored must fit, whether it is used or not.
        vit::blocks(&source.as_stored(), &shape, used..shape.blocks)?;
        Ok(Clip {
            shape,
            patch: source.linear("v.patch_embd", width, shape.pixels())?,
            class: source.vector("v.class_embd", width)?,
            positions: source.matrix("v.position_embd.weight", 1 + shape.patches(), width)?,
            pre_norm: source.norm("v.pre_ln", width, shape.epsilon)?,
            blocks,
        })
    }

    /// Records the tower: `[patches, 3 · patch²]` per view to `[patches, width]`.
    #[track_caller]
    pub fn record(&self, g: &mut Recorder) -> Value {
        let pixels = g.input(self.shape.patches(), self.shape.pixels());
        let x = g.linear(pixels, &self.patch);
        let x = g.prepend(&self.class, x);
        let x = g.add_table(x, &self.positions);
        g.probe("v.embed", 0, x);
        let mut x = g.layer_norm(x, &self.pre_norm);
        g.probe("v.pre_ln", 0, x);
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.record(g, x, &self.shape);
            g.probe("v.block", i, x);
        }
        g.drop_first(x)
    }
}

/// How many blocks run: the layer whose output is taken (counted from 1; from the end when negative), or all.
fn feature_layer(source: &Source<'_>, blocks: usize) -> Result<usize, Error> {
    const KEY: &str = "clip.vision.feature_layer";
    let Some(layers) = source.file().optional::<List<'_, i64>>(KEY)? else { return Ok(blocks) };
    let (Some(layer), None) = (layers.get(0), layers.get(1)) else {
        return Err(Error::Unsupported { what: "features of several layers", found: KEY.into() });
    };
    let from_end = i64::try_from(blocks).unwrap_or(i64::MAX) + 1 + layer;
    let layer = usize::try_from(if layer < 0 { from_end } else { layer }).ok().filter(|n| *n <= blocks);
    layer.ok_or_else(|| number(KEY, layers.get(0).unwrap_or(0) as f64, "a layer of the tower"))
}
