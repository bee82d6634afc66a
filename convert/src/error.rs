//! Why a checkpoint was not converted.

use core::fmt;
use ocelli_gguf::TensorType;
use ocelli_quantize::encode::EncodeError;
use std::io;

/// Why a checkpoint was not converted. `file` is a name in its folder.
#[derive(Debug)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the variants say what the fields are")]
pub enum Error {
    /// A file cannot be read.
    Io { file: String, error: io::Error },
    /// The folder lacks a file.
    NoFile { file: &'static str, what: &'static str },
    /// The weights are pickled: such a file is a program, and is not run.
    Pickle { file: String },
    /// There are no weights.
    NoWeights,
    /// A file is no JSON.
    Json { file: String, error: serde_json::Error },
    /// A JSON file begins with a byte order mark.
    ByteOrderMark { file: String },
    /// The output matrix is not there, and the configuration does not say that the embedding stands for it.
    Untied { tensor: &'static str, found: String },
    /// What would be written is no model that can be loaded.
    Unreadable { file: String, why: String },
    /// A value of a JSON file is missing, or of the wrong kind.
    Entry { file: String, key: String, wanted: &'static str, found: String },
    /// A value is outside of what it can be.
    Range { file: String, key: String, found: String, rule: &'static str },
    /// No table knows the architecture.
    Architecture { found: String, known: String },
    /// The checkpoint asks for something that is not converted.
    Unsupported { what: &'static str, found: String },

    /// A safetensors file ends before the length of its header.
    NoHeader { file: String, len: u64 },
    /// The header would be longer than the rest of the file, or than any header is.
    HeaderLength { file: String, header: u64, most: u64 },
    /// A tensor's numbers are of a type that is not read.
    Dtype { file: String, tensor: String, dtype: String },
    /// A tensor's bytes end before they begin, or after the end of the file.
    Offsets { file: String, tensor: String, begin: u64, end: u64, data: u64 },
    /// A tensor's bytes are not as many as its extents and its type say.
    Bytes { file: String, tensor: String, shape: Vec<u64>, dtype: &'static str, found: u64 },
    /// Two tensors share bytes.
    Overlap { file: String, first: String, second: String, at: u64 },
    /// Bytes belong to no tensor.
    Hole { file: String, begin: u64, end: u64 },
    /// A name is there twice.
    Twice { tensor: String, first: String, second: String },
    /// The index names a shard that is not there.
    NoShard { shard: String, tensor: String },
    /// The index says that a tensor is in a shard, which lacks it.
    NotInShard { shard: String, tensor: String },
    /// A shard holds a tensor of which the index knows nothing.
    NotInIndex { shard: String, tensor: String },

    /// A tensor that the configuration asks for is not there.
    NoTensor { tensor: String },
    /// A tensor has no place in the model that the configuration describes.
    NoPlace { file: String, tensor: String },
    /// A tensor has other extents than the configuration says.
    Shape { tensor: String, wanted: Vec<usize>, found: Vec<u64> },

    /// A token's id is beyond the vocabulary.
    Token { token: String, id: u64, size: usize },
    /// Two tokens have one id.
    TokenTwice { id: usize, first: String, second: String },
    /// A SentencePiece model breaks off or breaks the rules of its encoding.
    Protobuf { file: String, at: usize, what: &'static str },
    /// A text file is no UTF-8.
    Utf8 { file: String, at: usize },

    /// Numbers of a tensor cannot be stored.
    Encode { tensor: String, error: EncodeError },
    /// This type cannot be written.
    Kind { tensor: String, kind: TensorType },
    /// What would be written breaks a rule of the format.
    Gguf(ocelli_gguf::Error),
    /// The recipe does not fit.
    Recipe(ocelli_quantize::Error),
    /// The sink refused the bytes.
    Write(io::Error),
    /// There is no such instruction set here.
    Isa(ocelli_kernels::cpu::UnknownIsa),
    /// Somebody said that it should stop.
    Stopped,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { file, error } => write!(f, "{file}: {error}"),
            Self::NoFile { file, what } => write!(f, "there is no {file}, which says {what}"),
            Self::Pickle { file } => write!(
                f,
                "{file} is a pickle, which is a program and is not run; where torch and transformers are trusted with it, \
                 `AutoModel.from_pretrained(…).save_pretrained(…)` writes safetensors"
            ),
            Self::NoWeights => {
                f.write_str("there is neither model.safetensors nor model.safetensors.index.json")
            }
            Self::Json { file, error } => write!(f, "{file} is no JSON: {error}"),
            Self::ByteOrderMark { file } => {
                write!(
                    f,
                    "{file} begins with a byte order mark, which JSON does not have: save it as UTF-8 without one"
                )
            }
            Self::Untied { tensor, found } => write!(
                f,
                "tensor {tensor:?} is missing and by config.json the embedding does not stand for it (tie_word_embeddings is \
                 {found}); is a file of the weights missing?"
            ),
            Self::Unreadable { file, why } => {
                write!(f, "{file}: what it would become cannot be loaded: {why}")
            }
            Self::Entry { file, key, wanted, found } => {
                write!(f, "{file}: {key} should be {wanted} and is {found}")
            }
            Self::Range { file, key, found, rule } => write!(f, "{file}: {key} is {found} and {rule}"),
            Self::Architecture { found, known } => {
                write!(f, "config.json: the architecture {found:?} is not known ({known} are)")
            }
            Self::Unsupported { what, found } => write!(f, "{what} is not converted: {found}"),
            Self::NoHeader { .. }
            | Self::HeaderLength { .. }
            | Self::Dtype { .. }
            | Self::Offsets { .. }
            | Self::Bytes { .. }
            | Self::Overlap { .. }
            | Self::Hole { .. }
            | Self::Twice { .. }
            | Self::NoShard { .. }
            | Self::NotInShard { .. }
            | Self::NotInIndex { .. } => self.container(f),
            Self::NoTensor { tensor } => {
                write!(f, "tensor {tensor:?} is missing, which config.json asks for")
            }
            Self::NoPlace { file, tensor } => {
                write!(f, "{file}: tensor {tensor:?} has no place in the model that config.json describes")
            }
            Self::Shape { tensor, wanted, found } => {
                write!(f, "tensor {tensor:?} is {found:?} and should be {wanted:?} by config.json")
            }
            Self::Token { token, id, size } => {
                write!(f, "token {token:?} has the id {id}, beyond the vocabulary of {size}")
            }
            Self::TokenTwice { id, first, second } => {
                write!(f, "tokens {first:?} and {second:?} have one id, {id}")
            }
            Self::Protobuf { file, at, what } => write!(f, "{file}: {what} at byte {at}"),
            Self::Utf8 { file, at } => write!(f, "{file}: no UTF-8 at byte {at}"),
            Self::Encode { tensor, error } => write!(f, "tensor {tensor:?}: {error}"),
            Self::Kind { tensor, kind } => write!(f, "tensor {tensor:?}: {kind} cannot be written"),
            Self::Gguf(error) => error.fmt(f),
            Self::Recipe(error) => error.fmt(f),
            Self::Write(error) => error.fmt(f),
            Self::Isa(error) => error.fmt(f),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

impl Error {
    /// What is wrong with the files of weights.
    fn container(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHeader { file, len } => {
                write!(
                    f,
                    "{file}: {len} bytes are no safetensors file, which begins with a header's length in 8"
                )
            }
            Self::HeaderLength { file, header, most } => {
                write!(f, "{file}: a header of {header} bytes, where {most} are possible")
            }
            Self::Dtype { file, tensor, dtype } => {
                write!(f, "{file}: tensor {tensor:?} is {dtype}; F32, F16 and BF16 are converted")
            }
            Self::Offsets { file, tensor, begin, end, data } => write!(
                f,
                "{file}: tensor {tensor:?} is said to be at {begin}..{end} of {data} bytes of data (is the file whole?)"
            ),
            Self::Bytes { file, tensor, shape, dtype, found } => {
                write!(f, "{file}: tensor {tensor:?} has {found} bytes, which is not {shape:?} of {dtype}")
            }
            Self::Overlap { file, first, second, at } => {
                write!(f, "{file}: tensors {first:?} and {second:?} overlap at byte {at} of the data")
            }
            Self::Hole { file, begin, end } => {
                write!(f, "{file}: the bytes {begin}..{end} of the data belong to no tensor")
            }
            Self::Twice { tensor, first, second } if first == second => {
                write!(f, "{first}: tensor {tensor:?} is there twice")
            }
            Self::Twice { tensor, first, second } => {
                write!(f, "tensor {tensor:?} is there twice, as {first:?} and as {second:?}")
            }
            Self::NoShard { shard, tensor } => {
                write!(f, "{shard} is missing, where tensor {tensor:?} should be by the index")
            }
            Self::NotInShard { shard, tensor } => {
                write!(f, "{shard}: tensor {tensor:?} is not in it, and should be by the index")
            }
            Self::NotInIndex { shard, tensor } => {
                write!(f, "{shard}: tensor {tensor:?} is in it, and the index does not say so")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl From<ocelli_gguf::Error> for Error {
    fn from(error: ocelli_gguf::Error) -> Self {
        Self::Gguf(error)
    }
}

impl From<ocelli_quantize::Error> for Error {
    fn from(error: ocelli_quantize::Error) -> Self {
        match error {
            ocelli_quantize::Error::Gguf(error) => Self::Gguf(error),
            ocelli_quantize::Error::Encode { tensor, error } => Self::Encode { tensor, error },
            ocelli_quantize::Error::Unsupported { tensor, kind } => Self::Kind { tensor, kind },
            ocelli_quantize::Error::Write(error) => Self::Write(error),
            ocelli_quantize::Error::Isa(error) => Self::Isa(error),
            ocelli_quantize::Error::Stopped => Self::Stopped,
            other => Self::Recipe(other),
        }
    }
}
