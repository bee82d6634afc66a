//! An image as rows of numbers, without a question: for search, for classifiers, for comparing towers.

use super::{Progress, Session};
use crate::error::Error;
use crate::image::{Frame, Preprocessor};
use crate::session::prompt::{ImageReport, Shown};

/// What the language model is given of an image.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Embedding<'s> {
    /// `image.tokens` rows of `width` values, view by view; a tiled image ends with the view of the whole.
    pub rows: &'s [f32],
    /// Values of a row, as many as the language model's own embeddings have.
    pub width: usize,
    /// The views and rows it became.
    pub image: ImageReport,
}

impl Session<'_> {
    /// Positions of rows that an image of this size takes in a prompt; the texts around them are not counted.
    ///
    /// # Errors
    /// The model has no vision tower, or does not take images of this size.
    pub fn image_tokens(&self, width: u32, height: u32) -> Result<usize, Error> {
        let vision = self.plan.vision.as_ref().ok_or(Error::NoVision)?;
        let way = Preprocessor::new(&vision.recipe, width, height, vision.tokens)?;
        Ok(way.plan().tokens() as usize)
    }

    /// Looks at an image and gives the rows that would stand for it in a prompt. What was read stays; an answer can go on
    /// after the next [`read`](Session::read), since the tower works in the memory where the last logits were. The image
    /// that was looked at or read last is not encoded again.
    ///
    /// # Errors
    /// The model has no vision tower, the image needs more memory than was planned for, or the session was stopped.
    pub fn embed(
        &mut self,
        frame: Frame<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Embedding<'_>, Error> {
        let vision = self.plan.vision.as_ref().ok_or(Error::NoVision)?;
        let way = Preprocessor::new(&vision.recipe, frame.width(), frame.height(), vision.tokens)?;
        let shown = Shown::new(frame, way, &self.stopper)?;
        if self.encoded != Some(shown.fingerprint) {
            self.ready = false;
            self.encode(&shown, progress)?;
        }
        let (image, width) = (shown.report(), self.model.decoder().width());
        let rows = self.plan.places.rows.clone();
        let block = self.block.get(self.skip..).and_then(|block| block.get(rows)).unwrap_or_default();
        let (needed, planned) = (image.tokens as usize * width, block.len());
        let rows =
            block.get(..needed).ok_or(Error::ImageMemory { needed: needed * 4, planned: planned * 4 })?;
        Ok(Embedding { rows, width, image })
    }
}
