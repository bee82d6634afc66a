//! How model files are made small.
//!
//! ```text
//! encode/<format>.rs   numbers to blocks: what each format makes small, and where it looks
//! recipe.rs            which tensor is stored how
//! importance.rs        how much each column counts, read from a file
//! plan.rs              what will become of each tensor of a file
//! write.rs             doing it
//! pieces.rs            on all cores, in little memory
//! ```
//!
//! Everything works on bytes, sources and sinks; files are the caller's affair. The same input gives the same bytes on
//! every machine, for any number of threads and every instruction set.

pub mod encode;
mod error;
mod importance;
mod pattern;
pub mod pieces;
mod plan;
mod recipe;
mod write;

pub use error::Error;
pub use importance::{COUNTS, Importance, SUMS};
pub use pattern::Pattern;
pub use plan::{Change, Plan, Request};
pub use recipe::{Described, Mixing, RECIPES, Recipe, applies, fitting, more_bits, wanted};
pub use write::{Means, Source};
