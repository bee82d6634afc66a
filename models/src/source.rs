//! Where a model reads from: hyper-parameters that make sense, tensors of the shape they must have.

use crate::Error;
use alloc::format;
use alloc::string::{String, ToString};
use ocelli_gguf::{Gguf, List, Shards, TensorInfo};
use ocelli_tape::{Format, Linear, Norm, Weight};

/// Largest width, vocabulary or context a model may claim; far above any real one, far below any overflow.
const MOST: usize = 1 << 24;

/// The files of a model, and the number the first of them has among all files of the session.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    shards: &'a Shards<'a>,
    first: usize,
    instead: Option<&'a Instead<'a>>,
}

/// Says where the matrix of a linear map of this name, which lies there, is to be read instead.
pub type Instead<'a> = dyn Fn(&str, Weight) -> Weight + 'a;

impl<'a> Source<'a> {
    /// A model in `shards`, whose weights lie in files `first` and following.
    pub fn new(shards: &'a Shards<'a>, first: usize) -> Source<'a> {
        Source { shards, first, instead: None }
    }

    /// The same model with the matrices of linear maps in other places, and other formats, than in its files: asked for each
    /// one that the model uses, its shape checked.
    pub fn with(self, instead: &'a Instead<'a>) -> Source<'a> {
        Source { instead: Some(instead), ..self }
    }

    /// The same model with its matrices where the files have them.
    pub(crate) fn as_stored(self) -> Source<'a> {
        Source { instead: None, ..self }
    }

    /// The file with the metadata.
    pub fn file(&self) -> &'a Gguf<'a> {
        self.shards.first()
    }

    /// A number of `1..=2²⁴`.
    ///
    /// # Errors
    /// The key is missing or its value out of range.
    pub fn size(&self, key: &str) -> Result<usize, Error> {
        self.size_or(key, None)
    }

    /// The same, with a value for a key that is missing.
    ///
    /// # Errors
    /// The value is out of range, or missing without default.
    pub fn size_or(&self, key: &str, default: Option<usize>) -> Result<usize, Error> {
        let size = match (self.file().optional::<u64>(key)?, default) {
            (Some(size), _) => size,
            (None, Some(default)) => default as u64,
            (None, None) => self.file().require::<u64>(key)?,
        };
        let in_range = usize::try_from(size).ok().filter(|n| (1..=MOST).contains(n));
        in_range.ok_or_else(|| number(key, size as f64, "at least 1 and at most 16777216"))
    }

    /// A positive finite number.
    ///
    /// # Errors
    /// The key is missing without default, or its value is not positive and finite.
    pub fn positive(&self, key: &str, default: Option<f32>) -> Result<f32, Error> {
        let value = match (self.file().optional::<f32>(key)?, default) {
            (Some(value), _) => value,
            (None, Some(default)) => default,
            (None, None) => self.file().require::<f32>(key)?,
        };
        let sensible = value.is_finite() && value > 0.0;
        if sensible { Ok(value) } else { Err(number(key, f64::from(value), "positive and finite")) }
    }

    /// A positive finite number, if the file has one; 0 stands for none.
    ///
    /// # Errors
    /// The value is negative or not finite.
    pub fn positive_or_zero(&self, key: &str) -> Result<Option<f32>, Error> {
        match self.file().optional::<f32>(key)? {
            Some(0.0) => Ok(None),
            Some(_) => self.positive(key, None).map(Some),
            None => Ok(None),
        }
    }

    /// Three finite numbers, one for each colour.
    ///
    /// # Errors
    /// The key is missing or has another number of values.
    pub fn colors(&self, key: &str) -> Result<[f32; 3], Error> {
        let list = self.file().require::<List<'_, f32>>(key)?;
        match (list.get(0), list.get(1), list.get(2), list.get(3)) {
            (Some(r), Some(g), Some(b), None) => Ok([r, g, b]),
            _ => Err(number(key, list.iter().count() as f64, "a list of 3 numbers")),
        }
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, tensor: &str) -> bool {
        self.shards.has_tensor(tensor)
    }

    /// A vector and its bytes, for numbers that are not a model's weights.
    ///
    /// # Errors
    /// As [`matrix`](Source::matrix).
    pub(crate) fn numbers(&self, name: &str, width: usize) -> Result<(Weight, &'a [u8]), Error> {
        Ok((self.vector(name, width)?, self.tensor(name)?.1.data))
    }

    /// The files.
    pub(crate) fn shards(&self) -> &'a Shards<'a> {
        self.shards
    }

    /// A tensor's row length without padding, if there is such a tensor.
    ///
    /// # Errors
    /// As [`Gguf::unpadded`].
    pub fn row_len(&self, tensor: &str) -> Result<Option<usize>, Error> {
        let Some((_, info)) = self.shards.tensor(tensor) else { return Ok(None) };
        Ok(Some(self.file().unpadded(tensor)?.unwrap_or(info.row_len())))
    }

    /// Number of rows of a tensor.
    ///
    /// # Errors
    /// There is no such tensor.
    pub fn rows(&self, tensor: &str) -> Result<usize, Error> {
        Ok(self.tensor(tensor)?.1.rows())
    }

    fn tensor(&self, name: &str) -> Result<(usize, &TensorInfo<'a>), Error> {
        match self.shards.tensor(name) {
            Some(found) => Ok(found),
            None => Err(ocelli_gguf::Error::MissingTensor { name: name.to_string() }.into()),
        }
    }

    /// A matrix of `height` rows of `width` values. Leading extents may be several (a convolution's kernel): a row is
    /// as many of them as make up the width.
    ///
    /// # Errors
    /// The tensor is missing, of another shape, or in a format that cannot be computed with.
    pub fn matrix(&self, name: &str, height: usize, width: usize) -> Result<Weight, Error> {
        self.padded(name, height, width, 0)
    }

    /// The matrix of a linear map, whose rows may be [padded](Gguf::unpadded).
    fn map(&self, name: &str, height: usize, width: usize) -> Result<Weight, Error> {
        let padding = match self.file().unpadded(name)? {
            // By as little as serves, and no row that needs none.
            Some(length) if length == width => {
                width.next_multiple_of(self.tensor(name)?.1.kind.block_len()) - width
            }
            _ => 0,
        };
        let weight = self.padded(name, height, width, padding)?;
        Ok(self.instead.map_or(weight, |instead| instead(name, weight)))
    }

    fn padded(&self, name: &str, height: usize, width: usize, padding: usize) -> Result<Weight, Error> {
        let (shard, info) = self.tensor(name)?;
        let stored = width + padding;
        let mut leading = 1usize;
        let whole_rows = stored == 1
            || info.dims().iter().any(|n| {
                leading = leading.saturating_mul(*n);
                leading == stored
            });
        let format = Format::from_id(info.kind.id())
            .ok_or_else(|| Error::Format { tensor: name.to_string(), kind: info.kind })?;
        let weight = Weight { file: self.first + shard, offset: info.offset, format, height, width, padding };
        let elements = height.checked_mul(stored);
        if !whole_rows || elements != Some(info.elements()) || weight.len() != Some(info.range().len()) {
            let found = info.dims().to_vec();
            return Err(Error::Shape { tensor: name.to_string(), expected: (height, width), found });
        }
        Ok(weight)
    }

    /// A vector.
    ///
    /// # Errors
    /// As [`matrix`](Source::matrix).
    pub fn vector(&self, name: &str, width: usize) -> Result<Weight, Error> {
        self.matrix(name, 1, width)
    }

    /// `<name>.weight`, and `<name>.bias` where the file has it.
    ///
    /// # Errors
    /// As [`matrix`](Source::matrix).
    pub fn linear(&self, name: &str, out: usize, inputs: usize) -> Result<Linear, Error> {
        Ok(Linear { w: self.map(&weight(name), out, inputs)?, b: self.bias(name, out)? })
    }

    /// `<name>.weight`, and `<name>.bias` where the file has it.
    ///
    /// # Errors
    /// As [`matrix`](Source::matrix).
    pub fn norm(&self, name: &str, width: usize, epsilon: f32) -> Result<Norm, Error> {
        Ok(Norm { w: self.vector(&weight(name), width)?, b: self.bias(name, width)?, epsilon })
    }

    fn bias(&self, name: &str, width: usize) -> Result<Option<Weight>, Error> {
        let name = format!("{name}.bias");
        if self.has(&name) { self.vector(&name, width).map(Some) } else { Ok(None) }
    }
}

fn weight(name: &str) -> String {
    format!("{name}.weight")
}

/// A number that makes no sense.
pub(crate) fn number(key: &str, found: f64, expected: &'static str) -> Error {
    Error::Number { key: key.to_string(), found, expected }
}
