//! LLaVA-1.5 (Liu et al., 2024): CLIP's features through a two-layer projector into a LLaMA decoder.
//!
//! ```text
//! H_v = W_2 · gelu(W_1 · CLIP(X_v) + b_1) + b_2        the exact GELU, as trained
//! ```
//!
//! An image is padded to a square of the mean colour, as the model was trained; `crop` takes its centre instead, as
//! the Hugging Face processor does by default.

use crate::account::HELD;
use crate::clip::Clip;
use crate::recipe::{Geometry, ImageRecipe, ViewPlan};
use crate::{Encoder, Error, Piece, Preprocess, Source};
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use ocelli_gguf::Value;
use ocelli_tape::image::Filter;
use ocelli_tape::{Activation, Linear, Recorder, Tape, TapeError};

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
        if HELD {
            relatives(source)?;
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
        match way(source)? {
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

/// Refuses models whose files are those of LLaVA-1.5 and more: their images become other rows.
fn relatives(source: &Source<'_>) -> Result<(), Error> {
    let file = source.file();
    let text = |key: &str| file.optional::<&str>(key).map(Option::unwrap_or_default);
    let (merge, aspect) = ("clip.vision.mm_patch_merge_type", "clip.vision.image_aspect_ratio");
    let pinpoints = "clip.vision.image_grid_pinpoints";
    let listed = matches!(file.get(pinpoints), Some(Value::Array(list)) if !list.is_empty());
    let tiles = [
        (pinpoints, listed),
        (merge, text(merge)?.starts_with("spatial")),
        (aspect, text(aspect)?.contains("anyres")),
        ("model.image_newline", source.has("model.image_newline")),
        ("v.image_newline", source.has("v.image_newline")),
    ];
    if let Some((found, _)) = tiles.into_iter().find(|(_, found)| *found) {
        let what = if source.has("v.class_embd") { "LLaVA-1.6 (LLaVA-NeXT)" } else { "LLaVA-OneVision" };
        return Err(Error::Unsupported { what, found: format!("it has {found}") });
    }
    if source.has("mm.3.weight") {
        return Err(Error::Unsupported { what: "a projector with norms", found: "mm.3.weight".into() });
    }
    let projector = "clip.vision.mm_projector_type";
    for (key, usual) in [(merge, "flat"), (projector, "mlp2x_gelu")] {
        let said = file.optional::<&str>(key)?.unwrap_or(usual);
        if said != usual {
            return Err(Error::Unsupported { what: key, found: said.escape_debug().to_string() });
        }
    }
    Ok(())
}

/// How an image becomes a square: by our key, or by that of LLaVA's own configuration.
fn way<'a>(source: &Source<'a>) -> Result<Option<&'a str>, Error> {
    const ASPECT: &str = "clip.vision.image_aspect_ratio";
    let ours = source.file().optional::<&str>("clip.preproc.mode")?;
    if !HELD {
        return Ok(ours);
    }
    let theirs = match source.file().optional::<&str>(ASPECT)? {
        None => return Ok(ours),
        Some("pad") => "pad_square",
        // As CLIP's processor does it by itself.
        Some("square") => "shortest_crop",
        Some(other) => {
            return Err(Error::Unsupported { what: ASPECT, found: other.escape_debug().to_string() });
        }
    };
    if ours.is_some_and(|ours| ours != theirs) {
        let found = "clip.preproc.mode and clip.vision.image_aspect_ratio".into();
        return Err(Error::Unsupported { what: "two ways to make an image a square", found });
    }
    Ok(Some(theirs))
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
        let h = g.linear(z, &self.first);
        let h = g.activate(h, Activation::GeluErf);
        let h = g.linear(h, &self.second);
        g.probe("image_rows", 0, h);
        core::mem::take(g).finish(h, max_views)
    }
}
