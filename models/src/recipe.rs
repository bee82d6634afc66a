//! What a vision tower wants of an image, and the geometry that follows: which views are made, how, and
//! how many tokens they cost. Pure arithmetic; pixels are touched in `ocelli::image`.
//!
//! ```text
//! Stretch             image ─ resize to T×T                                                 BLIP, Qwen-VL
//! ShortestEdgeCrop    image ─ resize: short side = edge, long side = int(edge·long/short)
//!                           ─ cut T×T at ((w−T)/2, (h−T)/2)                                 CLIP
//! PadSquare           image ─ centre on a square of one colour, offset (side−w)/2
//!                           ─ resize to T×T                                                 LLaVA-1.5
//! Tiles               image ─ 1. longest side = L, the other int(L/aspect), +1 when odd, all ≤ 4096
//!                           ─ 2. stretch each side up to the next multiple of T
//!                           ─ larger than T×T: tiles in raster order, then the result of 2 stretched
//!                             to T×T as the global view;  else that one view                SmolVLM, Idefics3
//! ```
//! T is the tile side. All divisions are f64 and truncated as the reference does it, because a side that
//! differs by one pixel moves every tap of the resampler. A view becomes `(T/p)²` rows, raster order, of
//! `3·p·p` values in the order (channel, y, x): the order of a convolution's kernel. When the patch p does
//! not divide T (SmolVLM-2.2B: 384 = 27·14 + 6) the columns and rows that remain are left out, as a
//! convolution without padding does.
//!
//! Refused: sides of zero, a recipe that contradicts itself, an image so thin that its resized long side
//! overflows, and a cap on tokens below what the cheapest form of the image costs.
//!
//! Source: the PIL image processors of transformers 5.23 (CLIP, LLaVA, BLIP, SmolVLM), whose sizes and
//! pixels the goldens hold.

use core::fmt;

use ocelli_tape::image::{Filter, Window};

/// No side is longer than this after the first resize of [`Geometry::Tiles`].
const MOST_RESIZED: u32 = 4096;

/// The largest tile a recipe may ask for; keeps every product below in 64 bits.
const MOST_TILE: u32 = 1 << 14;

/// How an image is brought to T×T views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Geometry {
    /// Straight to T×T.
    Stretch,
    /// Shortest side to `edge`, then the centre.
    ShortestEdgeCrop {
        /// Shortest side after the resize; at least T.
        edge: u32,
    },
    /// Onto the middle of a square, then to T×T.
    PadSquare {
        /// The square's colour; LLaVA: `int(255 · mean)`.
        color: [u8; 3],
    },
    /// A grid of tiles and a global view.
    Tiles {
        /// The longest side L before the sides are stretched to multiples of T.
        longest_edge: u32,
    },
}

/// What a vision tower wants of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageRecipe {
    /// Subtracted per channel, after division by 255.
    pub mean: [f32; 3],
    /// Divided by per channel.
    pub std: [f32; 3],
    /// The resampling filter of every resize.
    pub filter: Filter,
    /// Side T of a view in pixels.
    pub tile: u32,
    /// Side p of a patch in pixels.
    pub patch: u32,
    /// What one view costs in the text model's context.
    pub tokens_per_view: u32,
    /// How views are made.
    pub geometry: Geometry,
}

/// Why there is no plan for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecipeError {
    /// The recipe itself makes no sense.
    Recipe {
        /// Which part, and what it must be.
        what: &'static str,
        /// What it is.
        value: u32,
    },
    /// The mean or the standard deviation of a colour is no number, or one that nothing can be divided by.
    Colors,
    /// The image has no pixels.
    ZeroSide {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The long side would not fit 32 bits after the short one is brought to size.
    TooThin {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The image cannot be had for so few tokens.
    TokenCap {
        /// The most tokens allowed.
        most: u32,
        /// The fewest it can be made of.
        least: u32,
    },
}

impl fmt::Display for RecipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recipe { what, value } => write!(f, "image recipe: {what}, not {value}"),
            Self::Colors => f.write_str(
                "image recipe: the mean and the standard deviation of each colour must be finite, and the latter not zero",
            ),
            Self::ZeroSide { width, height } => {
                write!(f, "an image of {width}×{height} pixels has no pixels")
            }
            Self::TooThin { width, height } => {
                write!(
                    f,
                    "an image of {width}×{height} pixels is too thin to be resized by its shortest side"
                )
            }
            Self::TokenCap { most, least } => {
                write!(f, "the image takes at least {least} tokens, {most} are allowed")
            }
        }
    }
}

impl core::error::Error for RecipeError {}

/// What an intermediate image is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The image given.
    Image,
    /// The first sheet, whole.
    FirstSheet,
}

/// A ground the image is put on before it is resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pad {
    /// Width and height of the ground.
    pub size: (u32, u32),
    /// Where the image's top left corner lies on it.
    pub at: (u32, u32),
    /// Its colour.
    pub color: [u8; 3],
}

/// An 8-bit RGB image that views are cut from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sheet {
    /// What it is made from.
    pub origin: Origin,
    /// Put on this first.
    pub pad: Option<Pad>,
    /// Resized to this first.
    pub via: Option<(u32, u32)>,
    /// Then resized to this (no resize when it is that size).
    pub size: (u32, u32),
    /// The part of it that is made.
    pub window: Window,
}

impl Sheet {
    fn whole(origin: Origin, size: (u32, u32)) -> Self {
        Self { origin, pad: None, via: None, size, window: Window::whole(size.0, size.1) }
    }
}

/// A T×T square of a sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Index of the sheet.
    pub sheet: usize,
    /// First column within the sheet's window.
    pub x: u32,
    /// First row within the sheet's window.
    pub y: u32,
}

/// From pixels of a view to pixels of the image given: `image = view · scale + offset`, both measured from
/// the top left corner, a pixel's centre at one half.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transform {
    /// Image pixels per view pixel, x and y.
    pub scale: (f64, f64),
    /// Image position of the view's corner, x and y.
    pub offset: (f64, f64),
}

/// What becomes of one image: the sheets to make, in order, and the views on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewPlan {
    /// Width and height of the image.
    pub source: (u32, u32),
    /// Side T of a view.
    pub tile: u32,
    /// Rows of tiles; 0 when the image is a single view.
    pub rows: u32,
    /// Columns of tiles; 0 when the image is a single view.
    pub columns: u32,
    /// What one view costs.
    pub tokens_per_view: u32,
    first: Sheet,
    second: Option<Sheet>,
}

impl ViewPlan {
    /// The sheets, in the order in which they are made: one, or the tiled one and the global view.
    pub fn sheets(&self) -> impl Iterator<Item = Sheet> + use<> {
        core::iter::once(self.first).chain(self.second)
    }

    /// Number of views: the tower runs once for each.
    pub fn views(&self) -> u32 {
        if self.second.is_some() { self.rows * self.columns + 1 } else { 1 }
    }

    /// Number of visual tokens.
    pub fn tokens(&self) -> u32 {
        self.views().saturating_mul(self.tokens_per_view)
    }

    /// The views, in the order in which the text names them: tiles in raster order, the global view last.
    pub fn view(&self, index: u32) -> Option<View> {
        let tiles = self.rows * self.columns;
        if index < tiles {
            let (row, column) = (index / self.columns, index % self.columns);
            Some(View { sheet: 0, x: column * self.tile, y: row * self.tile })
        } else if index < self.views() {
            Some(View { sheet: usize::from(self.second.is_some()), x: 0, y: 0 })
        } else {
            None
        }
    }

    /// Where a view lies in the image, for boxes and points that a model names.
    pub fn transform(&self, index: u32) -> Option<Transform> {
        let view = self.view(index)?;
        let (sheet, shrink) = match self.second.filter(|_| view.sheet == 1) {
            // The global view is the first sheet, squeezed.
            Some(global) => (self.first, ratio(self.first.size, global.size)),
            None => (self.first, (1.0, 1.0)),
        };
        let (ground, at) = sheet.pad.map_or((self.source, (0, 0)), |pad| (pad.size, pad.at));
        let (x, y) = ratio(ground, sheet.size);
        let start = (f64::from(view.x + sheet.window.x), f64::from(view.y + sheet.window.y));
        Some(Transform {
            scale: (x * shrink.0, y * shrink.1),
            offset: (start.0 * x - f64::from(at.0), start.1 * y - f64::from(at.1)),
        })
    }
}

fn ratio(from: (u32, u32), to: (u32, u32)) -> (f64, f64) {
    (f64::from(from.0) / f64::from(to.0), f64::from(from.1) / f64::from(to.1))
}

impl ImageRecipe {
    /// Rows that one view becomes: `(T/p)²`.
    pub fn patches_per_view(&self) -> u32 {
        let side = self.tile.checked_div(self.patch).unwrap_or(0);
        side * side
    }

    /// Values per row: `3·p·p`.
    pub fn values_per_patch(&self) -> u32 {
        3 * self.patch * self.patch
    }

    /// Checks the recipe, once, when a model is loaded.
    ///
    /// # Errors
    /// [`RecipeError::Recipe`].
    pub fn check(&self) -> Result<(), RecipeError> {
        let refuse = |what, value| Err(RecipeError::Recipe { what, value });
        if self.tile == 0 || self.tile > MOST_TILE {
            return refuse("the tile side must be 1..=16384", self.tile);
        }
        if self.patch == 0 || self.patch > self.tile {
            return refuse("the patch side must be 1..=the tile side", self.patch);
        }
        if self.std.iter().any(|s| !(s.is_finite() && *s != 0.0)) || self.mean.iter().any(|m| !m.is_finite())
        {
            return Err(RecipeError::Colors);
        }
        match self.geometry {
            Geometry::ShortestEdgeCrop { edge } if edge < self.tile => {
                refuse("the shortest edge must be at least the tile side", edge)
            }
            Geometry::Tiles { longest_edge: 0 } => refuse("the longest edge must be at least 1", 0),
            _ => Ok(()),
        }
    }

    /// What becomes of an image of `width`×`height` pixels.
    ///
    /// `most_tokens` caps what it may cost. For [`Geometry::Tiles`], when the image at the recipe's longest
    /// edge L costs more, the longest edge is lowered to the largest multiple k·T < L at which rows·columns + 1
    /// views fit, k = 1 being one view of T×T. That is the reference's own knob (its `size.longest_edge`), so
    /// the capped image is still one that the model was trained on; its views are not subsampled, the image
    /// is tiled more coarsely. The other geometries cost one view, always.
    ///
    /// # Errors
    /// [`RecipeError::TokenCap`] when even one view costs more than `most_tokens`, and the rest of
    /// [`RecipeError`].
    pub fn plan(&self, width: u32, height: u32, most_tokens: Option<u32>) -> Result<ViewPlan, RecipeError> {
        self.check()?;
        if width == 0 || height == 0 {
            return Err(RecipeError::ZeroSide { width, height });
        }
        let mut plan = self.uncapped(width, height, self.geometry)?;
        let Some(most) = most_tokens else { return Ok(plan) };
        if let Geometry::Tiles { longest_edge } = self.geometry {
            // Above the cap on resized sides nothing changes any more.
            let mut multiple = (longest_edge.min(MOST_RESIZED) - 1) / self.tile;
            while plan.tokens() > most && multiple > 0 {
                let coarser = Geometry::Tiles { longest_edge: multiple * self.tile };
                plan = self.uncapped(width, height, coarser)?;
                multiple -= 1;
            }
        }
        if plan.tokens() > most {
            return Err(RecipeError::TokenCap { most, least: plan.tokens() });
        }
        Ok(plan)
    }

    fn uncapped(&self, width: u32, height: u32, geometry: Geometry) -> Result<ViewPlan, RecipeError> {
        let square = (self.tile, self.tile);
        let plan = ViewPlan {
            source: (width, height),
            tile: self.tile,
            rows: 0,
            columns: 0,
            tokens_per_view: self.tokens_per_view,
            first: Sheet::whole(Origin::Image, square),
            second: None,
        };
        Ok(match geometry {
            Geometry::Stretch => plan,
            Geometry::ShortestEdgeCrop { edge } => {
                ViewPlan { first: self.crop(width, height, edge)?, ..plan }
            }
            Geometry::PadSquare { color } => {
                let pad = pad_to_square(width, height, color);
                ViewPlan { first: Sheet { pad, ..plan.first }, ..plan }
            }
            Geometry::Tiles { longest_edge } => self.tiles(plan, longest_edge),
        })
    }

    fn crop(&self, width: u32, height: u32, edge: u32) -> Result<Sheet, RecipeError> {
        let (short, long) = (width.min(height), width.max(height));
        let product = u64::from(edge) * u64::from(long);
        let resized = product as f64 / f64::from(short);
        if resized > f64::from(u32::MAX) {
            return Err(RecipeError::TooThin { width, height });
        }
        let resized = resized as u32;
        let size = if width <= height { (edge, resized) } else { (resized, edge) };
        let (x, y) = ((size.0 - self.tile) / 2, (size.1 - self.tile) / 2);
        let window = Window { x, y, width: self.tile, height: self.tile };
        Ok(Sheet { window, ..Sheet::whole(Origin::Image, size) })
    }

    fn tiles(&self, plan: ViewPlan, longest_edge: u32) -> ViewPlan {
        let via = below_limit(to_longest(plan.source, longest_edge));
        let size = self.up_to_multiples(via);
        let first = Sheet { via: Some(via), ..Sheet::whole(Origin::Image, size) };
        if size == (self.tile, self.tile) {
            return ViewPlan { first, ..plan };
        }
        let second = Some(Sheet::whole(Origin::FirstSheet, (self.tile, self.tile)));
        ViewPlan { first, second, rows: size.1 / self.tile, columns: size.0 / self.tile, ..plan }
    }

    /// Each side up to the next multiple of T, the shorter one recomputed from the longer.
    fn up_to_multiples(&self, (width, height): (u32, u32)) -> (u32, u32) {
        let aspect = f64::from(width) / f64::from(height);
        let up = |side: u32| side.div_ceil(self.tile) * self.tile;
        if width >= height {
            let width = up(width);
            (width, up((f64::from(width) / aspect) as u32))
        } else {
            let height = up(height);
            (up((f64::from(height) * aspect) as u32), height)
        }
    }
}

fn pad_to_square(width: u32, height: u32, color: [u8; 3]) -> Option<Pad> {
    let side = width.max(height);
    let at = ((side - width) / 2, (side - height) / 2);
    (width != height).then_some(Pad { size: (side, side), at, color })
}

/// The longest side becomes `longest`, the other keeps the aspect and is made even.
fn to_longest((width, height): (u32, u32), longest: u32) -> (u32, u32) {
    let aspect = f64::from(width) / f64::from(height);
    let even = |side: u32| side.saturating_add(side % 2).max(1);
    if width >= height {
        (longest, even((f64::from(longest) / aspect) as u32))
    } else {
        (even((f64::from(longest) * aspect) as u32), longest)
    }
}

fn below_limit((width, height): (u32, u32)) -> (u32, u32) {
    let aspect = f64::from(width) / f64::from(height);
    if width >= height && width > MOST_RESIZED {
        (MOST_RESIZED, ((f64::from(MOST_RESIZED) / aspect) as u32).max(1))
    } else if height > width && height > MOST_RESIZED {
        (((f64::from(MOST_RESIZED) * aspect) as u32).max(1), MOST_RESIZED)
    } else {
        (width, height)
    }
}

#[cfg(test)]
mod tests;
