//! Is a model file the model that it was made from? Every stage beside what the reference computes, and the first that
//! differs.
//!
//! A dump is a safetensors file of F32 arrays, written by `convert/dump.py` from a Hugging Face checkpoint:
//!
//! ```text
//! image       [height, width, 3]           the picture as decoded, 0 to 255
//! pixels      [views, side, side, 3]       after resizing, padding and tiling, before normalisation
//! views       [k]                          which views the arrays of the tower have; absent: all
//! v.embed     [k, rows, width]             patches and positions (CLIP: the class row first)
//! v.pre_ln  v.block.N  v.post_ln           likewise, where the model has them
//! image_rows  [all rows, text width]       after the projector
//! ids         [n]                          the prompt's tokens
//! is_image    [n]                          1 where a row of the image stands; absent: nowhere
//! rows        [k]                          which positions the arrays of the decoder have; absent: all
//! embed  block.N  norm  [k, text width]    the decoder's input, its layers, its last norm
//! logits      [vocabulary]                 of the last position
//! ```
//!
//! Everything is optional; what is there is compared, in this order. The tower is given the reference's pixels and the decoder
//! its rows, so that a fault is seen where it is and not in all that follows. How far a stage is off:
//!
//! ```text
//! √(Σ (found − expected)² / Σ expected²)      pixels: the share of bytes that are not equal
//! ```
//!
//! A stage of the dump that the model has not, or of another shape, is a stage that differs. Keys and values are kept in F32.

use ocelli::Model;
use ocelli::low_level::{BATCH, Scorer};
use ocelli::{Options, Stored};
use ocelli_tape::{Input, Probe};
use std::collections::BTreeMap;

mod dump;
mod tower;

pub use dump::{Array, Dump, Failure};

/// How far a stage is off.
#[derive(Clone, PartialEq, Debug)]
pub struct Stage {
    /// Its name in the dump.
    pub name: String,
    /// What was found.
    pub found: Difference,
}

/// What two arrays have between them.
#[derive(Clone, PartialEq, Debug)]
pub enum Difference {
    /// Numbers.
    Numbers {
        /// Values compared.
        values: usize,
        /// Relative root mean square, or the share of bytes that are not equal.
        relative: f64,
        /// The largest difference of two values.
        largest: f64,
    },
    /// They cannot be compared.
    Shape {
        /// What the dump has.
        expected: String,
        /// What the model has.
        found: String,
    },
}

impl Difference {
    /// Of values in the same order.
    pub fn of(found: &[f32], expected: &[f32]) -> Difference {
        if found.len() != expected.len() {
            let [expected, found] = [expected, found].map(|side| format!("{} values", side.len()));
            return Difference::Shape { expected, found };
        }
        let (mut apart, mut all, mut largest) = (0.0, 0.0, 0.0f64);
        for (x, y) in found.iter().zip(expected) {
            let (x, y) = (f64::from(*x), f64::from(*y));
            // A value that is no number is as far off as can be.
            let by = if (x - y).is_finite() { (x - y).abs() } else { f64::INFINITY };
            (apart, all, largest) = (apart + by * by, all + y * y, largest.max(by));
        }
        let relative = if apart == 0.0 { 0.0 } else { (apart / all.max(f64::MIN_POSITIVE)).sqrt() };
        Difference::Numbers { values: found.len(), relative, largest }
    }
}

impl Stage {
    /// Whether it is off by more than this. Pixels are bytes: none may differ.
    pub fn exceeds(&self, allowed: f64) -> bool {
        let allowed = if self.name == "pixels" { 0.0 } else { allowed };
        match self.found {
            Difference::Numbers { relative, .. } => relative > allowed || relative.is_nan(),
            Difference::Shape { .. } => true,
        }
    }
}

/// Values of marked stages, gathered over the calls of a run: name, index, rows.
type Marks = BTreeMap<(&'static str, usize), Vec<f32>>;

fn gather(marks: &mut Marks) -> impl FnMut(&Probe, &[f32]) {
    |mark, values| marks.entry((mark.name, mark.index)).or_default().extend_from_slice(values)
}

/// Compares all that a dump has: one stage at least.
///
/// # Errors
/// The dump contradicts itself or has nothing that can be compared, or the model cannot be run.
pub fn verify(model: &Model<'_>, dump: &Dump, options: &Options) -> Result<Vec<Stage>, Failure> {
    let mut stages = tower::verify(model, dump, options)?;
    stages.extend(decoder(model, dump, options)?);
    if stages.is_empty() { Err(Failure::Nothing) } else { Ok(stages) }
}

/// The language model, on the reference's rows of the image.
fn decoder(model: &Model<'_>, dump: &Dump, options: &Options) -> Result<Vec<Stage>, Failure> {
    let Some(ids) = dump.numbers("ids")?.filter(|ids| !ids.is_empty()) else { return Ok(Vec::new()) };
    let vocabulary = model.decoder().vocabulary();
    if let Some(id) = ids.iter().find(|id| **id as usize >= vocabulary) {
        return Err(Failure::Beyond { array: "ids", index: *id, of: vocabulary });
    }
    let cells = cells(dump, &ids)?;
    let kept = dump.numbers("rows")?.unwrap_or_else(|| (0..ids.len() as u32).collect());
    if let Some(row) = kept.iter().find(|row| **row as usize >= ids.len()) {
        return Err(Failure::Beyond { array: "rows", index: *row, of: ids.len() });
    }
    let mut options = options.clone();
    options.kv = Some(Stored::F32);
    let empty = Vec::new();
    let rows = dump.get("image_rows").map_or(&empty, |array| &array.values);
    let mut scorer = Scorer::new(model, &options, ids.len())?;
    let (mut marks, mut logits) = (Marks::new(), Vec::new());
    for cells in cells.chunks(BATCH) {
        let out = scorer.watch(cells, rows, &mut gather(&mut marks))?;
        let last = out.len() - out.len() / cells.len();
        logits = out.get(last..).unwrap_or(&[]).to_vec();
    }
    marks.insert(("logits", 0), logits);
    let width = model.decoder().width();
    let stage = |name: &str, mark: (&'static str, usize)| {
        let expected = dump.get(name)?;
        let found = match marks.get(&mark) {
            None => missing(expected),
            Some(all) if mark.0 == "logits" => Difference::of(all, &expected.values),
            Some(all) => Difference::of(&pick(all, &kept, width), &expected.values),
        };
        Some(Stage { name: name.into(), found })
    };
    let blocks = dump.numbered("block.").map(|(name, index)| stage(name, ("layer", index)));
    let first = std::iter::once(stage("embed", ("embed", 0)));
    let last = [stage("norm", ("norm", 0)), stage("logits", ("logits", 0))];
    Ok(first.chain(blocks).chain(last).flatten().collect())
}

/// What the decoder reads.
fn cells(dump: &Dump, ids: &[u32]) -> Result<Vec<Input>, Failure> {
    let is_image = dump.numbers("is_image")?.unwrap_or_else(|| vec![0; ids.len()]);
    if is_image.len() != ids.len() {
        return Err(Failure::Lengths {
            first: "ids",
            one: ids.len(),
            second: "is_image",
            other: is_image.len(),
        });
    }
    let mut row = 0;
    let cells = ids.iter().zip(&is_image).map(|(id, is_image)| match is_image {
        0 => Input::Token(*id),
        _ => {
            row += 1;
            Input::Row(row - 1)
        }
    });
    let cells: Vec<Input> = cells.collect();
    let rows = dump.get("image_rows").map_or(0, |array| array.shape.first().copied().unwrap_or(0));
    match row as usize {
        marked if marked == rows || marked == 0 => Ok(cells),
        marked => Err(Failure::Lengths { first: "image_rows", one: rows, second: "is_image", other: marked }),
    }
}

/// Some rows of all.
fn pick(all: &[f32], rows: &[u32], width: usize) -> Vec<f32> {
    let row = |row: &u32| all.get(*row as usize * width..(*row as usize + 1) * width).unwrap_or(&[]);
    rows.iter().flat_map(row).copied().collect()
}

fn missing(expected: &Array) -> Difference {
    Difference::Shape { expected: format!("{:?}", expected.shape), found: "no such stage".into() }
}
