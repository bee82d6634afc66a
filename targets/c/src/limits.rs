//! What a conversation may hold: what its session's block was planned for, and the memory that images take beside it.
//!
//! Everything that is added is held against these before anything of it is kept, so that a call that is refused has
//! changed nothing.

use crate::status::{Failure, fail};

/// See the module.
pub struct Limits {
    /// Positions of the context.
    pub context: usize,
    /// Bytes of all texts.
    pub text: usize,
    /// Messages, and their texts and images: each takes memory, whatever is in it.
    pub parts: usize,
    /// Bytes that the encoded images of a turn may take, the one that is being decoded included.
    pub decode: u64,
    /// Width and height of the largest image.
    pub image: (u32, u32),
}

/// Messages, texts and images that there may be in a context of so many positions.
pub const fn parts(context: usize) -> usize {
    context / 3 + 8
}

impl Limits {
    /// Whether texts of so many bytes were planned for.
    pub fn text(&self, all: usize) -> Result<(), Failure> {
        if all <= self.text {
            return Ok(());
        }
        let most = self.text;
        Err(fail!(NO_CONTEXT, "the conversation has {all} bytes of text, and {most} were planned for"))
    }

    /// Whether so many messages, texts and images were planned for.
    pub fn parts(&self, all: usize) -> Result<(), Failure> {
        if all <= self.parts {
            return Ok(());
        }
        let most = self.parts;
        Err(fail!(
            NO_CONTEXT,
            "the conversation has {all} messages, texts and images, and {most} were planned for"
        ))
    }

    /// Whether images of so many positions fit the context.
    pub fn positions(&self, all: usize) -> Result<(), Failure> {
        if all <= self.context {
            return Ok(());
        }
        let context = self.context;
        Err(fail!(
            NO_CONTEXT,
            "the conversation's images take {all} positions, and the context has {context}"
        ))
    }

    /// Whether an image is one of those that memory was planned for, either way up: by its longer side and its pixels.
    pub fn size(&self, width: u32, height: u32) -> Result<(), Failure> {
        let ((w, h), pixels) = (self.image, |w: u32, h: u32| u64::from(w) * u64::from(h));
        if pixels(width, height) <= pixels(w, h) && width.max(height) <= w.max(h) {
            return Ok(());
        }
        Err(fail!(BAD_IMAGE, "the image has {width}x{height} pixels, and at most {w}x{h} were planned for"))
    }

    /// Whether an image may be decoded that takes so many bytes meanwhile, beside those that the turn's images hold.
    #[cfg(feature = "images")]
    pub fn decode(&self, held: u64, needed: u64) -> Result<(), Failure> {
        let most = self.decode;
        if held.saturating_add(needed) <= most {
            return Ok(());
        }
        if needed > most {
            return Err(fail!(BAD_IMAGE, "decoding the image takes {needed} bytes, and {most} are allowed"));
        }
        Err(fail!(
            NO_MEMORY,
            "this turn's images hold {held} bytes until it is read, decoding one more takes {needed}, and {most} are \
             allowed (option decode)"
        ))
    }
}
