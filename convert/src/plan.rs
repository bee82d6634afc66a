//! A file to be made: its keys, and where the bytes of its tensors come from.

use crate::error::Error;
use crate::layout::Placed;
use crate::model::{Store, Turn};
use core::convert::Infallible;
use ocelli_gguf::{DEFAULT_ALIGNMENT, Gguf, Outline, TensorType, WriteError};
use ocelli_quantize::{Described, Mixing, Recipe, fitting, wanted};

/// Where a tensor's numbers come from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// The checkpoint.
    File {
        /// Which of its files.
        file: usize,
        /// Where in it.
        offset: u64,
        /// What is done to the rows.
        turn: Turn,
    },
    /// They are computed.
    Made(Vec<f32>),
}

/// A tensor of the new file.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// What the checkpoint has.
    pub from: TensorType,
    /// What it would be stored as if rows had any length.
    pub wanted: TensorType,
    /// What it is stored as.
    pub to: TensorType,
    /// Its extents, fastest first.
    pub dims: Vec<usize>,
    pub(crate) origin: Origin,
}

impl Tensor {
    /// A tensor of the checkpoint, before it is decided what it is stored as.
    fn placed(placed: Placed) -> Tensor {
        let Placed { to, file, stored, turn, .. } = placed;
        let dims = stored.shape.iter().rev().map(|extent| *extent as usize).collect();
        let origin = Origin::File { file, offset: stored.offset, turn };
        Tensor { name: to, from: stored.kind, wanted: stored.kind, to: stored.kind, dims, origin }
    }

    /// A tensor of computed numbers.
    pub(crate) fn made(name: &str, numbers: Vec<f32>) -> Tensor {
        let (kind, dims) = (TensorType::F32, vec![numbers.len()]);
        Tensor { name: name.into(), from: kind, wanted: kind, to: kind, dims, origin: Origin::Made(numbers) }
    }

    /// How many numbers it has.
    pub fn elements(&self) -> usize {
        self.dims.iter().fold(1, |product: usize, extent| product.saturating_mul(*extent))
    }

    /// The length of its rows.
    pub fn row(&self) -> usize {
        self.dims.first().copied().unwrap_or(1)
    }

    /// Its bytes as this type.
    pub fn bytes(&self, kind: TensorType) -> u64 {
        kind.bytes_of(self.elements()).unwrap_or_default() as u64
    }
}

/// A file to be made.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) outline: Outline,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) files: Vec<String>,
    /// The width of a head, whose rows are turned together.
    pub(crate) head: usize,
    /// The file that its tokens are from.
    pub(crate) tokens: &'static str,
}

impl Plan {
    /// Decides what each tensor is stored as: by the table, and for a matrix by the recipe.
    pub(crate) fn new(
        mut outline: Outline,
        made: Vec<Tensor>,
        placed: &[Placed],
        recipe: &Recipe,
    ) -> Result<Plan, Error> {
        let mut matrices: Vec<Tensor> = placed.iter().cloned().map(Tensor::placed).collect();
        let described: Vec<Described<'_>> =
            matrices.iter().map(|tensor| Described { name: &tensor.name, dims: &tensor.dims }).collect();
        // The keys as a file without tensors: choices depend on them.
        let mut keys = Vec::new();
        let sink = |bytes: &[u8]| -> Result<(), Infallible> {
            keys.extend_from_slice(bytes);
            Ok(())
        };
        match outline.clone().begin(sink).and_then(|body| body.finish()) {
            Ok(()) => {}
            Err(WriteError::Content(error)) => return Err(error.into()),
            Err(WriteError::Sink(never)) => match never {},
        }
        let wanted = wanted(&Gguf::parse(&keys)?, &described, recipe, Mixing::default())?;
        for ((tensor, placed), wanted) in matrices.iter_mut().zip(placed).zip(wanted) {
            tensor.wanted = match placed.store {
                Store::Matrix => wanted.unwrap_or(TensorType::F32),
                Store::Kernel if recipe.base == TensorType::F16 => TensorType::F16,
                Store::Kernel | Store::Float => TensorType::F32,
            };
            tensor.to = fitting(tensor.wanted, tensor.row());
        }
        let tensors: Vec<Tensor> = made.into_iter().chain(matrices).collect();
        for tensor in &tensors {
            outline.tensor(&tensor.name, tensor.to, &tensor.dims);
        }
        Ok(Plan { outline, tensors, files: Vec::new(), head: 0, tokens: "" })
    }

    /// The file of the checkpoint that the tokens are from; empty for a vision tower.
    pub fn tokens(&self) -> &'static str {
        self.tokens
    }

    /// The beginning of the file, up to the first tensor of the checkpoint, and how many bytes the whole will have: what a
    /// reader of models needs to say whether it will be one, before a weight is read.
    ///
    /// # Errors
    /// A key or a tensor breaks a rule of the format.
    pub fn beginning(&self) -> Result<(Vec<u8>, u64), Error> {
        let mut bytes = Vec::new();
        let sink = |more: &[u8]| -> Result<(), Infallible> {
            bytes.extend_from_slice(more);
            Ok(())
        };
        let mut made = 0;
        let written = self.outline.clone().begin(sink).and_then(|mut body| {
            for tensor in &self.tensors {
                let Origin::Made(numbers) = &tensor.origin else { break };
                let data: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                body.write(&tensor.name, &data)?;
                made += 1;
            }
            Ok(())
        });
        match written {
            Ok(()) => {}
            Err(WriteError::Content(error)) => return Err(error.into()),
            Err(WriteError::Sink(never)) => match never {},
        }
        let padded = |tensor: &Tensor| tensor.bytes(tensor.to).next_multiple_of(u64::from(DEFAULT_ALIGNMENT));
        let rest: u64 = self.tensors.iter().skip(made).map(padded).sum();
        let len = bytes.len() as u64 + rest;
        Ok((bytes, len))
    }

    /// Every tensor, in the order of the file.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }
}
