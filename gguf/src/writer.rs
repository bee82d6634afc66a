//! Writing a file: version 3, little-endian, tensors in the order given.
//!
//! [`Outline`] collects metadata and descriptions, writes the header and hands back a [`Body`] that takes the data
//! tensor by tensor, in pieces of any size: a model larger than memory passes through. [`Writer`] is the same for
//! files that fit in memory.
//!
//! What may be written is what may be read: the header is read back by this crate's own reader before its first byte
//! leaves, so a duplicate key, an overlong name or a row of half a block is that reader's error.

use alloc::string::String;
use alloc::vec::{self, Vec};
use core::convert::Infallible;
use core::fmt;

use crate::error::Error;
use crate::reader::Head;
use crate::to_value::{self, ToValue};
use crate::types::TensorType;
use crate::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT};

/// Why a file could not be written: its content, or the place it went to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError<E> {
    /// The content breaks a rule of the format.
    Content(Error),
    /// The sink refused the bytes.
    Sink(E),
}

impl<E> From<Error> for WriteError<E> {
    fn from(error: Error) -> Self {
        Self::Content(error)
    }
}

impl<E: fmt::Display> fmt::Display for WriteError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(error) => error.fmt(f),
            Self::Sink(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for WriteError<E> {}

/// Everything of a file but the tensors' bytes.
#[derive(Clone, Debug)]
pub struct Outline {
    entries: Vec<u8>,
    n_entries: u64,
    alignment: u32,
    tensors: Vec<Slot>,
}

/// A tensor whose bytes are to come.
#[derive(Clone, Debug)]
struct Slot {
    name: String,
    kind: TensorType,
    dims: Vec<usize>,
}

impl Slot {
    /// The bytes of the data; what does not fit a u64 is refused by the reader before it matters.
    fn bytes(&self) -> u64 {
        let elements = self.dims.iter().fold(1u64, |product, extent| product.saturating_mul(*extent as u64));
        (elements / self.kind.block_len() as u64).saturating_mul(self.kind.block_bytes() as u64)
    }

    fn encode(&self, offset: u64, out: &mut Vec<u8>) {
        to_value::string(self.name.as_bytes(), out);
        out.extend_from_slice(&(self.dims.len() as u32).to_le_bytes());
        for extent in &self.dims {
            out.extend_from_slice(&(*extent as u64).to_le_bytes());
        }
        out.extend_from_slice(&self.kind.id().to_le_bytes());
        out.extend_from_slice(&offset.to_le_bytes());
    }
}

impl Default for Outline {
    fn default() -> Self {
        Self::new()
    }
}

impl Outline {
    /// A file without metadata and tensors.
    pub const fn new() -> Self {
        Self { entries: Vec::new(), n_entries: 0, alignment: DEFAULT_ALIGNMENT, tensors: Vec::new() }
    }

    /// Adds a metadata entry. `general.alignment` (a `u32`) also sets the alignment of the tensors.
    pub fn metadata(&mut self, key: &str, value: impl ToValue) -> &mut Self {
        to_value::string(key.as_bytes(), &mut self.entries);
        self.entries.extend_from_slice(&value.kind().id().to_le_bytes());
        let start = self.entries.len();
        value.encode(&mut self.entries);
        self.n_entries += 1;
        let four = self.entries.get(start..).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
        if let (ALIGNMENT_KEY, Some(four)) = (key, four) {
            self.alignment = u32::from_le_bytes(four);
        }
        self
    }

    /// Adds a tensor, its extents fastest first.
    pub fn tensor(&mut self, name: &str, kind: TensorType, dims: &[usize]) -> &mut Self {
        self.tensors.push(Slot { name: name.into(), kind, dims: dims.into() });
        self
    }

    /// Checks the header and writes it with its padding to `sink`; the [`Body`] takes what follows.
    pub fn begin<E, S>(self, mut sink: S) -> Result<Body<S>, WriteError<E>>
    where
        S: FnMut(&[u8]) -> Result<(), E>,
    {
        let header = self.header()?;
        sink(&header).map_err(WriteError::Sink)?;
        let mut body =
            Body { sink, alignment: self.alignment, tensors: self.tensors.into_iter(), open: None };
        body.pad(header.len() as u64)?;
        body.open = body.tensors.next().map(Open::from);
        Ok(body)
    }

    /// The bytes before the padding, read back once.
    fn header(&self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::from(*b"GGUF");
        out.extend_from_slice(&3u32.to_le_bytes());
        out.extend_from_slice(&(self.tensors.len() as u64).to_le_bytes());
        out.extend_from_slice(&self.n_entries.to_le_bytes());
        out.extend_from_slice(&self.entries);
        let mut offset = 0u64;
        for tensor in &self.tensors {
            tensor.encode(offset, &mut out);
            offset = offset.saturating_add(tensor.bytes());
            // An alignment of 0 and an overflow are refused below.
            offset = offset.checked_next_multiple_of(u64::from(self.alignment)).unwrap_or(u64::MAX);
        }
        Head::read(&out)?;
        Ok(out)
    }
}

/// A file whose header is written: takes the tensors' bytes in the order of the outline.
#[derive(Debug)]
pub struct Body<S> {
    sink: S,
    alignment: u32,
    /// The tensors after the open one.
    tensors: vec::IntoIter<Slot>,
    /// The tensor whose bytes come next; `None` after the last.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    name: String,
    wanted: u64,
    found: u64,
}

impl From<Slot> for Open {
    fn from(slot: Slot) -> Self {
        Self { wanted: slot.bytes(), found: 0, name: slot.name }
    }
}

impl Open {
    fn too_little(&self) -> Error {
        Error::TooLittleData { name: self.name.clone(), wanted: self.wanted, found: self.found }
    }
}

impl<E, S: FnMut(&[u8]) -> Result<(), E>> Body<S> {
    /// Writes the next bytes of tensor `name`, all or a piece. The tensors come in the order of the outline.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), WriteError<E>> {
        let Some(open) = self.open.as_mut() else {
            return Err(Error::MissingTensor { name: name.into() }.into());
        };
        if open.name != name {
            return Err(open.too_little().into());
        }
        let found = open.found.saturating_add(bytes.len() as u64);
        if found > open.wanted {
            return Err(Error::TooMuchData { name: name.into(), wanted: open.wanted, found }.into());
        }
        (self.sink)(bytes).map_err(WriteError::Sink)?;
        open.found = found;
        if open.found == open.wanted {
            let written = open.wanted;
            self.open = self.tensors.next().map(Open::from);
            self.pad(written)?;
        }
        Ok(())
    }

    /// Ends the file: an error when a tensor has not had all its bytes.
    pub fn finish(self) -> Result<(), WriteError<E>> {
        match self.open {
            Some(open) => Err(open.too_little().into()),
            None => Ok(()),
        }
    }

    /// Zeros after `len` bytes that began at a multiple of the alignment.
    fn pad(&mut self, len: u64) -> Result<(), WriteError<E>> {
        const ZEROS: [u8; 256] = [0; 256];
        let mut left = len.next_multiple_of(u64::from(self.alignment)) - len;
        while left > 0 {
            let piece = left.min(ZEROS.len() as u64);
            (self.sink)(ZEROS.get(..piece as usize).unwrap_or(&ZEROS)).map_err(WriteError::Sink)?;
            left -= piece;
        }
        Ok(())
    }
}

/// A small file, made in memory.
#[derive(Clone, Debug, Default)]
pub struct Writer<'a> {
    outline: Outline,
    data: Vec<&'a [u8]>,
}

impl<'a> Writer<'a> {
    /// A file without metadata and tensors.
    pub const fn new() -> Self {
        Self { outline: Outline::new(), data: Vec::new() }
    }

    /// Adds a metadata entry. `general.alignment` (a `u32`) also sets the alignment of the tensors.
    pub fn metadata(&mut self, key: &str, value: impl ToValue) -> &mut Self {
        self.outline.metadata(key, value);
        self
    }

    /// Adds a tensor, its extents fastest first, and its bytes.
    pub fn tensor(&mut self, name: &str, kind: TensorType, dims: &[usize], data: &'a [u8]) -> &mut Self {
        self.outline.tensor(name, kind, dims);
        self.data.push(data);
        self
    }

    /// The file.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        let names: Vec<String> = self.outline.tensors.iter().map(|tensor| tensor.name.clone()).collect();
        let sink = |bytes: &[u8]| -> Result<(), Infallible> {
            out.extend_from_slice(bytes);
            Ok(())
        };
        let written = self.outline.begin(sink).and_then(|mut body| {
            names.iter().zip(&self.data).try_for_each(|(name, data)| body.write(name, data))?;
            body.finish()
        });
        match written {
            Ok(()) => Ok(out),
            Err(WriteError::Content(error)) => Err(error),
            Err(WriteError::Sink(never)) => match never {},
        }
    }
}
