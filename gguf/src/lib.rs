//! The GGUF container: metadata and tensors of a model in one file, read in place from a byte slice.
//!
//! ```text
//! magic "GGUF" | u32 version | u64 tensor count | u64 metadata count
//! metadata:  { string key, u32 type, value } ...
//! tensors:   { string name, u32 n_dims, n_dims x u64 extent (first = fastest), u32 type, u64 offset } ...
//! zero padding to `general.alignment` (32 when absent)
//! data:      the tensors in the order of their descriptions, each padded to the alignment
//! ```
//! All integers are little-endian; a string is a u64 byte length and its bytes. The crate knows the size of every
//! tensor type's block and nothing else about numbers.
//!
//! Files come from strangers. [`Gguf::parse`] accepts a file only when every later access is in bounds, so looking
//! things up cannot fail for a reason of layout; it takes time linear in the bytes before the data (and n log n in
//! the number of names), and memory proportional to the names that are really there, whatever the header claims.
//!
//! ```
//! use ocelli_gguf::{Gguf, TensorType, Writer};
//!
//! let mut writer = Writer::new();
//! writer.metadata("general.architecture", "llama").metadata("llama.block_count", 2u32);
//! writer.tensor("output_norm.weight", TensorType::F32, &[4], &[0; 16]);
//! let bytes = writer.finish()?;
//!
//! let file = Gguf::parse(&bytes)?;
//! let layers: u32 = file.require("llama.block_count")?;
//! let norm = file.require_tensor("output_norm.weight")?;
//! assert_eq!((layers, norm.dims(), norm.data.len()), (2, &[4][..], 16));
//! # Ok::<(), ocelli_gguf::Error>(())
//! ```
//!
//! Source: the GGUF specification, and the checks of ggml's own reader.
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod asked;
mod cursor;
mod error;
mod from_value;
mod padded;
mod reader;
mod split;
mod tensor;
mod to_value;
mod types;
mod value;
mod writer;

pub use error::Error;
pub use from_value::{FromValue, List, ListIter, Mismatch};
pub use padded::{PADDED_LENGTHS, PADDED_NAMES};
pub use reader::Gguf;
pub use split::{Shards, SplitInfo, SplitName};
pub use tensor::TensorInfo;
pub use to_value::{Element, ToValue};
pub use types::TensorType;
pub use value::{Array, ArrayIter, Text, Value, ValueType};
pub use writer::{Body, Outline, WriteError, Writer};

/// The key of the alignment.
const ALIGNMENT_KEY: &str = "general.alignment";

/// What `general.alignment` is when a file does not say.
pub const DEFAULT_ALIGNMENT: u32 = 32;

/// The largest number of dimensions a tensor may have.
pub const MAX_DIMS: usize = 4;

/// Bounds on what a file may claim. None is near what real models need (the largest vocabularies take about 15 MB of
/// metadata, the largest models have a few thousand tensors and 10^12 weights); each keeps a hostile file cheap.
pub mod limits {
    /// Metadata entries in one file.
    pub const METADATA_COUNT: u64 = 65_536;
    /// Tensors in one file.
    pub const TENSOR_COUNT: u64 = 65_536;
    /// Bytes before the tensor data: header, metadata and tensor descriptions.
    pub const HEADER_BYTES: usize = 256 << 20;
    /// Bytes of one string.
    pub const STRING_BYTES: u64 = 1 << 30;
    /// Elements of one array.
    pub const ARRAY_COUNT: u64 = 1 << 30;
    /// Bytes of a metadata key: the specification's 2^16 - 1.
    pub const KEY_BYTES: usize = 65_535;
    /// Bytes of a tensor name: ggml keeps 64 including a terminating zero.
    pub const NAME_BYTES: usize = 63;
    /// Values of all tensors of one file together.
    pub const ELEMENTS: u64 = 1 << 40;
}
