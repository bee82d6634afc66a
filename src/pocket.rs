//! The small model inside the program: it reads instruments. `models/pocket` says what it was trained on, and how well
//! it does.

use crate::{Error, Model};

/// The language model's file.
pub static TEXT: &[u8] = include_bytes!("../models/pocket/pocket.gguf");

/// The vision tower's file.
pub static VISION: &[u8] = include_bytes!("../models/pocket/mmproj-pocket.gguf");

/// The model.
///
/// # Errors
/// None that a build whose tests have passed can give.
pub fn model() -> Result<Model<'static>, Error> {
    Model::from_bytes(TEXT, Some(VISION))
}
