//! Models with random weights in the layouts of published ones: for measuring speed, and for trying the engine where
//! no weights can be had.
//!
//! ```text
//! shapes.rs       the layouts, one row each
//! recipe.rs       which matrix is stored how
//! vocabulary.rs   made-up tokenizers of the published sizes
//! text.rs         keys and tensors of a language model      tower.rs   of a vision tower
//! weights.rs      random blocks of every format             random.rs  the numbers behind them
//! file.rs         writing, a piece at a time
//! ```
//!
//! What such a model says means nothing; how long it takes, and how much memory, is what the published one takes. The
//! same shape, types and seed give the same bytes on every machine. llama.cpp reads the files too.

mod file;
mod random;
mod recipe;
mod shapes;
mod text;
mod tower;
mod vocabulary;
mod weights;

use crate::atomic_file;
use file::File;
use ocelli_gguf::TensorType;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

pub use recipe::{RECIPES, Recipe};
pub use shapes::{SHAPES, Shape};

/// Why a model was not made.
#[derive(Debug)]
pub enum Error {
    /// There is no such folder to write into.
    Folder {
        /// The name given.
        path: PathBuf,
    },
    /// The file cannot be made.
    Write {
        /// Bytes of its weights.
        wanted: u64,
        /// Why.
        error: atomic_file::Failure,
    },
    /// The file would break a rule of its format.
    Content {
        /// The file.
        path: PathBuf,
        /// Which.
        error: ocelli_gguf::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Folder { path } => write!(f, "{}: no such folder", path.display()),
            Error::Write { wanted, error: error @ atomic_file::Failure::Write(..) } => {
                write!(f, "{error}; it takes {wanted} bytes and more")
            }
            Error::Write { error, .. } => error.fmt(f),
            Error::Content { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The layout.
    pub shape: &'static Shape,
    /// How the language model is stored.
    pub text: &'static Recipe,
    /// How the vision tower is stored; none is made without.
    pub tower: Option<&'static Recipe>,
    /// Where the weights' random numbers begin.
    pub seed: u64,
    /// Where the files go.
    pub folder: &'a Path,
    /// Whether files that are there already are replaced.
    pub replace: bool,
}

/// A file that was made.
#[derive(Debug)]
pub struct Made {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// How many tensors are stored as what.
    pub kinds: BTreeMap<TensorType, usize>,
    /// Tensors whose rows do not fit the blocks they should be stored in: what they should be, the length of their
    /// rows, what they are, and how many.
    pub fallbacks: BTreeMap<(TensorType, usize, TensorType), usize>,
}

/// Makes the files of a model: the language model and, where the shape has one and it is asked for, its vision tower.
///
/// # Errors
/// The folder is missing, a file is there already, or the disk does not take it. Files are whole or absent.
pub fn synthesize(request: &Request<'_>) -> Result<Vec<Made>, Error> {
    let Request { shape, folder, seed, replace, .. } = *request;
    if !folder.is_dir() {
        return Err(Error::Folder { path: folder.into() });
    }
    let tower = request.tower.and_then(|recipe| tower::file(shape, recipe));
    let files: Vec<File> = [text::file(shape, request.text)].into_iter().chain(tower).collect();
    for file in &files {
        let free = atomic_file::check(&folder.join(&file.name), replace);
        free.map_err(|error| Error::Write { wanted: file.weight_bytes(), error })?;
    }
    files.into_iter().map(|file| make(file, folder, seed, replace)).collect()
}

fn make(file: File, folder: &Path, seed: u64, replace: bool) -> Result<Made, Error> {
    let (mut kinds, mut fallbacks) = (BTreeMap::new(), BTreeMap::new());
    for tensor in &file.tensors {
        *kinds.entry(tensor.kind).or_default() += 1;
        if tensor.kind != tensor.wanted {
            let row = tensor.dims.first().copied().unwrap_or_default();
            *fallbacks.entry((tensor.wanted, row, tensor.kind)).or_default() += 1;
        }
    }
    let path = folder.join(&file.name);
    log::info!("{}: about {} bytes", path.display(), file.weight_bytes());
    let bytes = file.write(folder, seed, replace)?;
    Ok(Made { path, bytes, kinds, fallbacks })
}
