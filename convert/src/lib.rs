//! Model files from checkpoints: a folder as it lies on a hub becomes a GGUF file, and one more for its vision tower.
//!
//! ```text
//! safetensors.rs weights.rs   the container; all tensors, of one file or of shards
//! json.rs folder.rs           configurations, and where they lie
//! model/<paper>.rs            tables: names, extents, hyper-parameters
//! layout.rs hyper.rs rope.rs  the tables applied to a checkpoint
//! text.rs tower.rs            what the two files say
//! tokenizer/                  tokens, merges, special tokens, chat template
//! plan.rs write.rs            what becomes of each tensor; doing it, on all cores, in little memory
//! ```
//! Tensors have the bytes, and keys the values, that llama.cpp's converter gives them; where it differs from the published
//! implementation of a model, files have the latter's value.
//!
//! Checkpoints come from strangers: whatever is in the files, the result is a file or an error that says what is wrong where.
//! Pickled weights are refused, because to read them is to run them.

mod checkpoint;
mod error;
mod folder;
mod hyper;
mod json;
mod layout;
mod model;
mod naming;
mod plan;
mod rope;
pub mod safetensors;
mod text;
mod tokenizer;
mod tower;
mod weights;
mod write;

pub use checkpoint::Checkpoint;
pub use error::Error;
pub use folder::Folder;
pub use plan::{Plan, Tensor};
