//! SmolVLM (Marafioti et al., 2025) and Idefics3 (Laurençon et al., 2024): SigLIP, pixel shuffle, one linear map into
//! a LLaMA decoder; large images as a grid of tiles and one global view.
//!
//! ```text
//! H_v = W · shuffle_s(SigLIP(X_v))        s × s neighbouring patches become one row
//! ```
//!
//! The views stand in the text as (r and c count from 1)
//!
//! ```text
//! split     ⟨fake⟩⟨row_r_col_c⟩ H … \n  per row of tiles, then \n ⟨fake⟩⟨global-img⟩ H ⟨fake⟩
//! single    ⟨fake⟩⟨global-img⟩ H ⟨fake⟩
//! ```

use crate::account::HELD;
use crate::recipe::{Geometry, ImageRecipe, ViewPlan};
use crate::siglip::Siglip;
use crate::source::number;
use crate::{Encoder, Error, Piece, Preprocess, Source};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ocelli_tape::image::Filter;
use ocelli_tape::{Linear, Recorder, Tape, TapeError};

/// Before every view, and after the last.
const FAKE: &str = "<fake_token_around_image>";
const GLOBAL: &str = "<global-img>";

/// The tower and its connector.
#[derive(Debug)]
pub struct SmolVlm {
    siglip: Siglip,
    /// s
    factor: usize,
    /// W: `[text width, s² · vision width]`
    connector: Linear,
    recipe: ImageRecipe,
}

impl SmolVlm {
    /// Reads an `idefics3` file.
    ///
    /// # Errors
    /// What the file says of itself does not fit together.
    pub fn read(source: &Source<'_>) -> Result<SmolVlm, Error> {
        const FACTOR: &str = "clip.vision.projector.scale_factor";
        let siglip = Siglip::read(source)?;
        let shape = &siglip.shape;
        let factor = source.size(FACTOR)?;
        if factor > shape.grid() || !shape.grid().is_multiple_of(factor) {
            return Err(number(FACTOR, factor as f64, "a divisor of the patches along a side"));
        }
        let mode = source.file().optional::<&str>("clip.preproc.mode")?;
        if let Some(other) = mode.filter(|mode| HELD && *mode != "tiles_idefics3") {
            let found = other.escape_debug().to_string();
            return Err(Error::Unsupported { what: "clip.preproc.mode", found });
        }
        let side = shape.grid() / factor;
        // The reference's default where a file does not say: four tiles along the longest edge.
        let longest = source.size_or("clip.vision.preproc_image_size", Some(4 * shape.image))?;
        let recipe = ImageRecipe {
            mean: source.colors("clip.vision.image_mean")?,
            std: source.colors("clip.vision.image_std")?,
            filter: Filter::Lanczos,
            tile: shape.image as u32,
            patch: shape.patch as u32,
            tokens_per_view: (side * side) as u32,
            geometry: Geometry::Tiles { longest_edge: longest as u32 },
        };
        recipe.check()?;
        let width = source.rows("mm.model.fc.weight")?;
        let connector = source.linear("mm.model.fc", width, factor * factor * shape.width)?;
        Ok(SmolVlm { factor, connector, recipe, siglip })
    }
}

impl Encoder for SmolVlm {
    #[allow(clippy::misnamed_getters, reason = "as wide as the last map is high")]
    fn width(&self) -> usize {
        self.connector.w.height
    }

    fn recipe(&self, preprocess: Option<Preprocess>) -> Result<ImageRecipe, Error> {
        match preprocess {
            None => Ok(self.recipe),
            Some(way) => {
                Err(Error::Unsupported { what: "preprocessing of a tiling model", found: format!("{way:?}") })
            }
        }
    }

    fn frame(&self, plan: &ViewPlan) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut view = 0;
        let mut put = |text: &mut String, marker: &str| {
            let marked = format!("{}{FAKE}{marker}", core::mem::take(text));
            pieces.extend([Piece::Text(marked), Piece::View(view)]);
            view += 1;
        };
        for row in 1..=plan.rows {
            for column in 1..=plan.columns {
                put(&mut text, &format!("<row_{row}_col_{column}>"));
            }
            text.push('\n');
        }
        if plan.rows > 0 {
            text.push('\n');
        }
        put(&mut text, GLOBAL);
        pieces.push(Piece::Text(FAKE.into()));
        pieces
    }

    fn encode(&self, max_views: usize) -> Result<Tape, TapeError> {
        let g = &mut Recorder::new();
        let x = self.siglip.record(g);
        let x = g.shuffle(x, self.siglip.shape.grid(), self.factor);
        let h = g.linear(x, &self.connector);
        g.probe("image_rows", 0, h);
        core::mem::take(g).finish(h, max_views)
    }
}
