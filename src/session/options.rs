//! What a caller may choose.

use alloc::string::String;
use alloc::vec::Vec;
pub use ocelli_models::Preprocess;
pub use ocelli_tape::KvType as Stored;

/// How a session is made. Start from the default and change what matters.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Threads; `None` is as many as the machine runs at once.
    pub threads: Option<usize>,
    /// Whether the threads that a session starts are kept to a processor each, of those that the process may use: large
    /// cores first. The thread that calls stays free. Linux and Android; elsewhere, and with more threads than
    /// processors, making the session is refused.
    pub pin: bool,
    /// Positions of the context; `None` is what the model was trained for, at most 4096.
    pub context: Option<usize>,
    /// How keys and values are stored; `None` is `f16`, and `f32` for a model of `F32` weights.
    pub kv: Option<Stored>,
    /// Rows of a prompt that are computed together, at most.
    pub batch: usize,
    /// Most visual tokens an image may become; `None` is as many as the model makes of it.
    pub image_tokens: Option<u32>,
    /// The images that memory is planned for.
    pub images: ImageSizes,
    /// Bytes that the caller needs for images at any one time, decoding included; `None` is the pixels of the largest.
    pub image_bytes: Option<u64>,
    /// Bytes of text in a prompt, its template's words included, that memory is planned for: at least 8 for each position
    /// and 4096. Longer texts are refused ([`Error::LongText`](crate::Error::LongText)).
    pub text_bytes: Option<u64>,
    /// How an image becomes a square, for models that know more than one way.
    pub preprocess: Option<Preprocess>,
    /// Most bytes of memory, mapped weights included.
    pub memory_limit: Option<u64>,
    /// Whether images are tiled more coarsely to keep `memory_limit`.
    pub fit: bool,
    /// Whether the matrices of a vision tower in F32, F16 or BF16 are computed with as 8-bit codes (`Q8_0`), made when the
    /// session is: images are encoded faster, for a copy in the session's memory. The rows that images become are,
    /// to the byte, those of a tower that `ocelli quantize --type Q8_0` made of this one where its rows are whole blocks
    /// of 32 (other matrices stay what they are). On towers of ours they differ from the floats' by 2 %, cosine 0.9998.
    pub tower_int8: bool,
    /// Instruction set, by name; `None` is the fastest the CPU has.
    pub isa: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            threads: None,
            pin: false,
            context: None,
            kv: None,
            batch: 256,
            image_tokens: None,
            images: ImageSizes::UpTo(4096, 4096),
            image_bytes: None,
            text_bytes: None,
            preprocess: None,
            memory_limit: None,
            fit: false,
            tower_int8: false,
            isa: None,
        }
    }
}

/// Images that memory is planned for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageSizes {
    /// Any of at most this width and height.
    UpTo(u32, u32),
    /// Images of just these widths and heights.
    Exactly(Vec<(u32, u32)>),
}

impl ImageSizes {
    /// Sizes whose needs bound the needs of all.
    ///
    /// What an image takes between its pixels and its rows depends on its shape as well as its size (a side that needs
    /// no resizing needs no memory for it), so of the images up to a size a grid of shapes is looked at; an odd shape
    /// that needs still more is refused when it comes.
    pub(crate) fn shapes(&self) -> Vec<(u32, u32)> {
        match self {
            ImageSizes::Exactly(sizes) => sizes.clone(),
            ImageSizes::UpTo(width, height) => {
                let sides = |most: u32| {
                    let halved = (0..32).map(move |n| most >> n).take_while(|side| *side > 0);
                    halved.flat_map(|side| [side, side - side / 4, side.saturating_sub(1).max(1)])
                };
                sides(*width).flat_map(|w| sides(*height).map(move |h| (w, h))).collect()
            }
        }
    }

    /// Pixels of the largest.
    pub(crate) fn most_pixels(&self) -> u64 {
        let pixels = |(w, h): (u32, u32)| u64::from(w) * u64::from(h);
        match self {
            ImageSizes::Exactly(sizes) => sizes.iter().copied().map(pixels).max().unwrap_or(0),
            ImageSizes::UpTo(width, height) => pixels((*width, *height)),
        }
    }
}
