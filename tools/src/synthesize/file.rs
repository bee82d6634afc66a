//! A file that is to be made: its keys and what its tensors are like; and how it is written.
//!
//! Tensors are made and written a piece at a time, so memory does not grow with the model. The file has another name
//! until it is whole: what is there under its own name is complete.

use super::Error;
use super::random::Random;
use super::recipe::{Recipe, Role};
use super::weights::{self, Spread};
use crate::atomic_file::{self, Part};
use ocelli_gguf::{Body, Outline, TensorType, WriteError};
use ocelli_quantize::fitting;
use std::io;
use std::path::Path;

/// Bytes that are made at once, about.
const PIECE: usize = 1 << 18;

/// A tensor to be made.
#[derive(Debug)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// What it is stored as.
    pub kind: TensorType,
    /// What it would be stored as if rows had any length.
    pub wanted: TensorType,
    /// Extents, fastest first.
    pub dims: Vec<usize>,
    spread: Spread,
}

impl Tensor {
    /// A tensor that is stored like this whatever the recipe.
    pub fn new(name: &str, kind: TensorType, dims: &[usize], spread: Spread) -> Tensor {
        Tensor { name: name.into(), kind, wanted: kind, dims: dims.into(), spread }
    }

    /// A norm's weights.
    pub fn norm(name: &str, width: usize) -> Tensor {
        Tensor::new(name, TensorType::F32, &[width], Spread { mean: 1.0, deviation: 0.1 })
    }

    /// A bias.
    pub fn bias(name: &str, width: usize) -> Tensor {
        Tensor::new(name, TensorType::F32, &[width], Spread { mean: 0.0, deviation: 0.05 })
    }

    fn bytes(&self) -> u64 {
        let elements: usize = self.dims.iter().product();
        self.kind.bytes_of(elements).unwrap_or_default() as u64
    }
}

/// A file to be made.
#[derive(Debug)]
pub struct File {
    /// Its name in the folder.
    pub name: String,
    /// How its matrices are stored.
    pub recipe: &'static Recipe,
    /// Its keys.
    pub outline: Outline,
    /// Its tensors.
    pub tensors: Vec<Tensor>,
}

impl File {
    /// A file without keys and tensors.
    pub fn new(name: String, recipe: &'static Recipe) -> File {
        File { name, recipe, outline: Outline::new(), tensors: Vec::new() }
    }

    /// Adds a tensor.
    pub fn add(&mut self, tensor: Tensor) {
        self.outline.tensor(&tensor.name, tensor.kind, &tensor.dims);
        self.tensors.push(tensor);
    }

    /// Adds a matrix, `[inputs, outputs]`, with deviation `gain / √inputs`.
    pub fn matrix(&mut self, name: &str, role: Role, dims: [usize; 2], gain: f32) {
        let [inputs, _] = dims;
        let wanted = self.recipe.wanted(role);
        let spread = Spread { mean: 0.0, deviation: gain / (inputs as f32).sqrt() };
        self.add(Tensor { wanted, ..Tensor::new(name, fitting(wanted, inputs), &dims, spread) });
    }

    /// Adds `<name>.weight` and `<name>.bias` of a norm.
    pub fn norm(&mut self, name: &str, width: usize) {
        self.add(Tensor::norm(&format!("{name}.weight"), width));
        self.add(Tensor::bias(&format!("{name}.bias"), width));
    }

    /// The bytes of the weights; keys and padding come on top.
    pub fn weight_bytes(&self) -> u64 {
        self.tensors.iter().map(Tensor::bytes).sum()
    }

    /// Writes the file into `folder`, in the place of one of its name or not, and says how many bytes it has.
    ///
    /// # Errors
    /// The disk is full or does not take the file; nothing is left of it then.
    pub fn write(self, folder: &Path, seed: u64, replace: bool) -> Result<u64, Error> {
        let path = folder.join(&self.name);
        let wanted = self.weight_bytes();
        let unmade = |error| Error::Write { wanted, error };
        let mut part = Part::create(&path, replace).map_err(unmade)?;
        self.fill(&mut part, seed).map_err(|error| match error {
            WriteError::Content(error) => Error::Content { path: path.clone(), error },
            WriteError::Sink(error) => unmade(atomic_file::Failure::Write(path.clone(), error)),
        })?;
        part.finish().map_err(unmade)
    }

    fn fill(self, part: &mut Part, seed: u64) -> Result<(), WriteError<io::Error>> {
        let mut body = self.outline.begin(|bytes: &[u8]| part.write(bytes))?;
        for tensor in &self.tensors {
            write_tensor(&mut body, tensor, seed)?;
        }
        body.finish()
    }
}

/// Makes a tensor and writes it, a piece at a time.
fn write_tensor<S>(body: &mut Body<S>, tensor: &Tensor, seed: u64) -> Result<(), WriteError<io::Error>>
where
    S: FnMut(&[u8]) -> io::Result<()>,
{
    let mut random = Random::named(seed, &tensor.name);
    let block = tensor.kind.block_bytes();
    // Whole blocks, and of 16-bit floats whole sixteens.
    let mut piece = vec![0; PIECE / (16 * block) * 16 * block];
    let mut left = tensor.bytes();
    while left > 0 {
        let len = left.min(piece.len() as u64);
        let bytes = piece.get_mut(..len as usize).unwrap_or_default();
        if !weights::fill(tensor.kind, tensor.spread, &mut random, bytes) {
            let what = format!("no blocks of {} can be made", tensor.kind);
            return Err(WriteError::Sink(io::Error::new(io::ErrorKind::Unsupported, what)));
        }
        body.write(&tensor.name, bytes)?;
        left -= len;
    }
    Ok(())
}
