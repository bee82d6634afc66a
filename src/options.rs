//! What a caller may choose.

use alloc::string::String;
pub use ocelli_kernels::ops::memory::Stored;
pub use ocelli_models::Preprocess;

/// How a session is made. Start from the default and change what matters.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Threads; `None` is as many as the machine runs at once.
    pub threads: Option<usize>,
    /// Positions of the context; `None` is what the model was trained for, at most 4096.
    pub context: Option<usize>,
    /// How keys and values are stored; `None` is `f16`, and `f32` for a model of `F32` weights.
    pub kv: Option<Stored>,
    /// Rows of a prompt that are computed together, at most.
    pub batch: usize,
    /// Most visual tokens an image may become; `None` is as many as the model makes of it.
    pub image_tokens: Option<u32>,
    /// Width and height of the largest image that memory is planned for.
    pub largest_image: (u32, u32),
    /// How an image becomes a square, for models that know more than one way.
    pub preprocess: Option<Preprocess>,
    /// Most bytes of memory, mapped weights included.
    pub memory_limit: Option<u64>,
    /// Whether images are tiled more coarsely to keep `memory_limit`.
    pub fit: bool,
    /// Instruction set, by name; `None` is the fastest the CPU has.
    pub isa: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            threads: None,
            context: None,
            kv: None,
            batch: 256,
            image_tokens: None,
            largest_image: (4096, 4096),
            preprocess: None,
            memory_limit: None,
            fit: false,
            isa: None,
        }
    }
}
