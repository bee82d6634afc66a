//! From segments to what the decoder reads: tokens, and rows of images.

use crate::error::Error;
use crate::image::{Frame, Preprocessor};
use crate::model::Model;
use crate::session::cancel::{Stopper, stopped};
use crate::session::plan::Plan;
use crate::tokenizer::{Joined, Special};
use alloc::vec::Vec;
use ocelli_kernels::pool::{Interrupt, Never};
use ocelli_models::Piece;
use ocelli_tape::RunError;

/// An image as the model is shown it: RGB, three bytes a pixel, rows without gaps.
#[derive(Clone, Copy, Debug)]
pub struct Photo<'a> {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `width · height · 3` bytes.
    pub rgb: &'a [u8],
}

impl<'a> Photo<'a> {
    fn frame(&self) -> Result<Frame<'a>, Error> {
        Frame::rgb(self.rgb, self.width, self.height).map_err(|error| Error::Image(error.into()))
    }
}

/// Blocks of 32 bytes between two looks at the interrupt: some microseconds.
const ASKED: usize = 1024;

/// What tells images apart in the cache: FNV-1a over size, format and pixels, in four strands of eight bytes at a time
/// (one strand would wait for its multiplication). The interrupt is asked every [`ASKED`] blocks: a large image takes
/// tens of milliseconds. Nothing if it stopped.
fn fingerprint(frame: &Frame<'_>, interrupt: &dyn Interrupt) -> Option<u64> {
    let step = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
    let size = u64::from(frame.width()) << 32 | u64::from(frame.height());
    let kind =
        (frame.format() as u64) << 16 | (frame.colors().matrix as u64) << 8 | frame.colors().range as u64;
    let start = step(step(0xcbf2_9ce4_8422_2325, size), kind);
    let mut strands = [start, start ^ 1, start ^ 2, start ^ 3];
    for row in frame.bytes() {
        let (blocks, rest) = row.as_chunks::<32>();
        for blocks in blocks.chunks(ASKED) {
            if interrupt.stopped() {
                return None;
            }
            for block in blocks {
                for (strand, word) in strands.iter_mut().zip(block.as_chunks::<8>().0) {
                    *strand = step(*strand, u64::from_le_bytes(*word));
                }
            }
        }
        strands[0] = rest.iter().fold(strands[0], |hash, byte| step(hash, u64::from(*byte)));
    }
    Some(strands.into_iter().fold(start, step))
}

/// An image that has been read, without its pixels: what to show in its place from then on, because a camera's buffer
/// is not there for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    width: u32,
    height: u32,
    fingerprint: u64,
}

impl Seen {
    /// Of a frame, or of an RGB image as one ([`Frame::rgb`]).
    pub fn of(frame: &Frame<'_>) -> Seen {
        // Never does not stop it.
        Seen::looking(frame, &Never).unwrap_or(Seen { width: 0, height: 0, fingerprint: 0 })
    }

    /// The same, which for a large image takes tens of milliseconds, until the session is stopped or its deadline has
    /// passed.
    ///
    /// # Errors
    /// [`Error::Stopped`], [`Error::Deadline`].
    pub fn until(frame: &Frame<'_>, stopper: &Stopper) -> Result<Seen, Error> {
        Seen::looking(frame, stopper).ok_or_else(|| stopped(stopper, RunError::Stopped))
    }

    /// Nothing if the interrupt stopped it.
    fn looking(frame: &Frame<'_>, interrupt: &dyn Interrupt) -> Option<Seen> {
        let fingerprint = fingerprint(frame, interrupt)?;
        Some(Seen { width: frame.width(), height: frame.height(), fingerprint })
    }
}

/// A part of a prompt.
#[derive(Clone, Copy, Debug)]
pub enum Segment<'a> {
    /// Text in which control tokens are recognised: a template's own words.
    Control(&'a str),
    /// Text that is only text, whatever it contains: a user's words.
    Text(&'a str),
    /// An image, in the markers the model knows.
    Image(Photo<'a>),
    /// A camera's frame, likewise: borrowed where it is, so it costs no memory but what the plan bills for resizing
    /// (a caller that shows nothing else sets [`Options::image_bytes`](crate::Options::image_bytes) to 0).
    Frame(Frame<'a>),
    /// An image that stood at this place of the conversation when it was read the last time: its rows are still known.
    /// If they are not, reading ends with [`Error::PixelsGone`].
    Seen(Seen),
}

/// What stands at one position of the context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    Token(u32),
    /// A row of the image with this fingerprint.
    Row(u64, u32),
}

/// An image of a prompt and its way to the model.
pub(crate) struct Shown<'a> {
    /// Its pixels, if they are still there.
    pub(crate) frame: Option<Frame<'a>>,
    pub(crate) way: Preprocessor,
    pub(crate) fingerprint: u64,
    /// Which one of the prompt's images it is.
    pub(crate) number: usize,
}

/// A prompt, laid out position by position.
pub(crate) struct Prompt<'a> {
    pub(crate) entries: Vec<Entry>,
    pub(crate) images: Vec<Shown<'a>>,
    /// Positions that the context has no room for: counted, so that an error can say how many there are, and not kept.
    pub(crate) beyond: usize,
}

/// What an image became.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ImageReport {
    /// Views: the tower runs once for each.
    pub views: u32,
    /// Rows of tiles, 0 for a single view.
    pub rows: u32,
    /// Columns of tiles, 0 for a single view.
    pub columns: u32,
    /// Visual tokens.
    pub tokens: u32,
}

impl<'a> Prompt<'a> {
    /// Lays segments out. Neighbouring texts are tokenized as one, as the reference tokenizes the rendered
    /// conversation; the BOS token comes first if the file asks for it and the text does not begin with it.
    ///
    /// Looking at an image's pixels is stopped like all work.
    pub(crate) fn new(
        model: &Model<'_>,
        plan: &Plan,
        segments: &[Segment<'a>],
        stopper: &Stopper,
    ) -> Result<Prompt<'a>, Error> {
        let shown = |frame: Frame<'a>| Ok((Seen::until(&frame, stopper)?, Some(frame)));
        let lengths = segments.iter().filter_map(|segment| match segment {
            Segment::Control(words) | Segment::Text(words) => Some(words.len()).filter(|len| *len > 0),
            _ => None,
        });
        let (bytes, runs) = lengths.fold((0usize, 0), |(sum, runs), len| (sum.saturating_add(len), runs + 1));
        if bytes > plan.text {
            return Err(Error::LongText { bytes, most: plan.text });
        }
        let mut text = Joined::with_room(bytes, runs).ok_or(Error::OutOfMemory { bytes })?;
        let mut prompt = Prompt { entries: Vec::new(), images: Vec::new(), beyond: 0 };
        for segment in segments {
            match segment {
                Segment::Control(words) => text.push(words, Special::Parse),
                Segment::Text(words) => text.push(words, Special::Plain),
                Segment::Image(photo) => {
                    prompt.show(model, plan, photo.frame().and_then(shown), &mut text)?
                }
                Segment::Frame(frame) => prompt.show(model, plan, shown(*frame), &mut text)?,
                Segment::Seen(seen) => prompt.show(model, plan, Ok((*seen, None)), &mut text)?,
            }
        }
        prompt.write(model, plan.context, &mut text)?;
        let tokenizer = model.tokenizer();
        if let Some(bos) = tokenizer.bos().filter(|_| tokenizer.adds_bos())
            && prompt.entries.first() != Some(&Entry::Token(bos))
        {
            prompt.entries.insert(0, Entry::Token(bos));
        }
        if prompt.entries.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        let (needed, context) = (prompt.entries.len() + prompt.beyond, plan.context);
        if needed > context {
            return Err(Error::Context { needed, context });
        }
        Ok(prompt)
    }

    /// Lays out what fits the context, and counts the rest.
    fn place(&mut self, context: usize, entries: impl ExactSizeIterator<Item = Entry>) {
        let room = context.saturating_sub(self.entries.len());
        self.beyond += entries.len().saturating_sub(room);
        self.entries.extend(entries.take(room));
    }

    /// Tokenizes what has been gathered.
    fn write(&mut self, model: &Model<'_>, context: usize, text: &mut Joined) -> Result<(), Error> {
        let mut ids = Vec::new();
        model.tokenizer().encode_joined(text, &mut ids)?;
        text.clear();
        self.place(context, ids.into_iter().map(Entry::Token));
        Ok(())
    }

    fn show(
        &mut self,
        model: &Model<'_>,
        plan: &Plan,
        image: Result<(Seen, Option<Frame<'a>>), Error>,
        text: &mut Joined,
    ) -> Result<(), Error> {
        let (Some(encoder), Some(vision)) = (model.encoder(), &plan.vision) else {
            return Err(Error::NoVision);
        };
        let (Seen { width, height, fingerprint }, frame) = image?;
        let way = Preprocessor::new(&vision.recipe, width, height, vision.tokens)?;
        let each = way.plan().tokens_per_view;
        for piece in encoder.frame(way.plan()) {
            match piece {
                Piece::Text(words) => text.push(&words, Special::Parse),
                Piece::View(view) => {
                    self.write(model, plan.context, text)?;
                    let rows = view * each..(view + 1) * each;
                    self.place(plan.context, rows.map(|row| Entry::Row(fingerprint, row)));
                }
            }
        }
        // Of more images than the context has positions the rest is only counted.
        if self.beyond == 0 {
            self.images.push(Shown { frame, way, fingerprint, number: self.images.len() });
        }
        Ok(())
    }
}

impl<'a> Prompt<'a> {
    /// The image with this fingerprint: of several the first that has its pixels.
    pub(crate) fn image(&self, fingerprint: u64) -> Option<&Shown<'a>> {
        let mut same = self.images.iter().filter(|image| image.fingerprint == fingerprint);
        same.clone().find(|image| image.frame.is_some()).or_else(|| same.next())
    }
}

impl<'a> Shown<'a> {
    /// An image by itself.
    pub(crate) fn new(frame: Frame<'a>, way: Preprocessor, stopper: &Stopper) -> Result<Shown<'a>, Error> {
        let fingerprint = Seen::until(&frame, stopper)?.fingerprint;
        Ok(Shown { fingerprint, frame: Some(frame), way, number: 0 })
    }

    pub(crate) fn report(&self) -> ImageReport {
        let plan = self.way.plan();
        ImageReport { views: plan.views(), rows: plan.rows, columns: plan.columns, tokens: plan.tokens() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    /// Stops when it is asked for the last time.
    struct After(AtomicUsize);

    impl Interrupt for After {
        fn stopped(&self) -> bool {
            self.0.fetch_sub(1, Relaxed) == 1
        }
    }

    #[test]
    fn pixels_are_looked_at_until_somebody_stops_it() {
        // 3 MB in one row: more than one look within it.
        let pixels: Vec<u8> = (0..3 << 20).map(|n: u32| n as u8).collect();
        let frame = Frame::rgb(&pixels, 1 << 20, 1).unwrap();
        let seen = Seen::of(&frame);
        let after = |times| Seen::looking(&frame, &After(AtomicUsize::new(times)));
        let looks = pixels.len() / (32 * ASKED);
        assert_eq!(looks, 96);
        assert_eq!((after(1), after(looks)), (None, None), "at the first look, at the last");
        assert_eq!(after(looks + 1), Some(seen), "and nobody stopped it");
    }
}
