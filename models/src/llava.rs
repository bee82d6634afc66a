//! LLaVA-1.5 (Liu et al., 2024): CLIP's features through a two-layer projector into a LLaMA decoder.
//!
//! ```text
//! H_v = W_2 · gelu(W_1 · CLIP(X_v) + b_1) + b_2        the exact GELU, as trained
//! ```
//!
//! An image is padded to a square of the mean colour, as the model was trained; `crop` takes its centre instead, as
//! the Hugging Face processor does by default.

use crate::clip::Clip;
use crate::recipe::{Geometry, ImageRecipe, ViewPlan};
use crate::{Encoder, Error, Piece, Preprocess, Source};
use alloc::vec;
use alloc::vec::Vec;
use ocelli_kernels::ops::activation::Activation;
use ocelli_kernels::ops::resize::Filter;
use ocelli_kernels::tape::{Linear, Recorder, Tape, TapeError};

/// The tower and its projector.
#[derive(Debug)]
pub struct Llava {
    clip: Clip,
    /// W_1: `[text width, vision width]`
    first: Linear,
    /// W_2: `[text width, text width]`
    second: Linear,
    recipe: ImageRecipe,
}

impl Llava {
    /// Reads an `mlp` file.
    ///
    /// # Errors
    /// What the file says of itself does not fit together or is not supported.
    pub fn read(source: &Source<'_>) -> Result<Llava, Error> {
        if source.has("mm.3.weight") {
            return Err(Error::Unsupported { what: "a projector with norms", found: "mm.3.weight".into() });
        }
        let clip = Clip::read(source)?;
        let hidden = source.rows("mm.0.weight")?;
        let width = source.rows("mm.2.weight")?;
        let mean = source.colors("clip.vision.image_mean")?;
        let color = mean.map(|m| (255.0 * m) as u8);
        let shape = &clip.shape;
        let mut recipe = ImageRecipe {
            mean,
            std: source.colors("clip.vision.image_std")?,
            filter: Filter::Bicubic,
            tile: shape.image as u32,
            patch: shape.patch as u32,
            tokens_per_view: shape.patches() as u32,
            geometry: Geometry::PadSquare { color },
        };
        match source.file().optional::<&str>("clip.preproc.mode")? {
            None | Some("pad_square") => {}
            Some("shortest_crop") => recipe.geometry = Geometry::ShortestEdgeCrop { edge: recipe.tile },
            Some("stretch") => recipe.geometry = Geometry::Stretch,
            Some(other) => return Err(Error::Unsupported { what: "clip.preproc.mode", found: other.into() }),
        }
        recipe.check()?;
        Ok(Llava {
            first: source.linear("mm.0", hidden, shape.width)?,
            second: source.linear("mm.2", width, hidden)?,
            clip,
            recipe,
        })
    }
}

impl Encoder for Llava {
    #[allow(clippy::misnamed_getters, reason = "as wide as the last map is high")]
    fn width(&self) -> usize {
        self.second.w.height
    }

    fn recipe(&self, preprocess: Option<Preprocess>) -> Result<ImageRecipe, Error> {
        let color = self.recipe.mean.map(|m| (255.0 * m) as u8);
        let geometry = match preprocess {
            None => self.recipe.geometry,
            Some(Preprocess::Pad) => Geometry::PadSquare { color },
            Some(Preprocess::Crop) => Geometry::ShortestEdgeCrop { edge: self.recipe.tile },
        };
        Ok(ImageRecipe { geometry, ..self.recipe })
    }

    fn frame(&self, _: &ViewPlan) -> Vec<Piece> {
        vec![Piece::View(0)]
    }

    fn encode(&self, max_views: usize) -> Result<Tape, TapeError> {
        let g = &mut Recorder::new();
        let z = self.clip.record(g);
        let h = g.linear_then(z, &self.first, Activation::GeluErf);
        let h = g.linear(h, &self.second);
        g.mark("image_rows", 0, h);
        core::mem::take(g).finish(h, max_views)
    }
}
