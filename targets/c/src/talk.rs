//! A conversation: what was said, what is being asked, and the answer that is being made.
//!
//! ```text
//! Asking     texts and images are added  ── next ─> they are read ─┐
//!    ^                                                             v
//!    └── something is added ── Answered <── the last token ── Answering ── next: a token
//! ```
//! Reading that is stopped leaves the turn as it was: the next call goes on, and what was complete is not done again.
//! Once a turn was read, its images' pixels are let go: their rows are in the context.

use crate::block::Block;
#[cfg(feature = "images")]
use crate::memory;
use crate::open::Opened;
use crate::options::{self, Answering};
use crate::status::{Failure, fail};
use crate::system;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use ocelli::answer::{Draft, Reason};
use ocelli::conversation::{Content, Message, Part};
use ocelli::image::Frame;
#[cfg(feature = "images")]
use ocelli::image::{DecodeOptions, Image, decode, probe};
use ocelli::{Photo, Plan, Reading, Seen, Segment, Session, Stopper, Timings};
#[cfg(feature = "images")]
use std::time::Instant;

/// The model of a session, which counts it among its users.
pub struct Lease(&'static Block<Opened>);

impl Lease {
    /// Joins a model. It is not freed before this is dropped, which is what makes the reference good.
    #[allow(unsafe_code, reason = "a handle's life is the caller's, not a scope's")]
    pub fn new(model: &Block<Opened>) -> Lease {
        model.join();
        // SAFETY: a block with users is not freed (`Block::free`), and its memory stays where it is until then.
        Lease(unsafe { &*core::ptr::from_ref(model) })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// What was planned for.
pub struct Limits {
    /// Bytes of all texts.
    pub text: usize,
    /// Bytes that decoding an image may take.
    pub decode: u64,
    /// Width and height of the largest image.
    pub image: (u32, u32),
}

impl Limits {
    /// Whether an image is one of those that memory was planned for, either way up: by its longer side and its pixels.
    fn holds(&self, width: u32, height: u32) -> Result<(), Failure> {
        let ((w, h), pixels) = (self.image, |w: u32, h: u32| u64::from(w) * u64::from(h));
        if pixels(width, height) <= pixels(w, h) && width.max(height) <= w.max(h) {
            return Ok(());
        }
        Err(fail!(BAD_IMAGE, "the image has {width}x{height} pixels, and at most {w}x{h} were planned for"))
    }
}

/// An image of the conversation.
enum Shown {
    /// Decoded, to be read.
    #[cfg(feature = "images")]
    Pixels(Image),
    /// A camera's, to be read. The caller lets it stay until it was.
    Frame(Frame<'static>),
    /// It was read.
    Seen(Seen),
}

impl Shown {
    /// Its pixels, until they are let go.
    fn frame(&self) -> Option<Frame<'_>> {
        match self {
            #[cfg(feature = "images")]
            Shown::Pixels(image) => Frame::rgb(&image.data, image.width, image.height).ok(),
            Shown::Frame(frame) => Some(*frame),
            Shown::Seen(_) => None,
        }
    }
}

#[allow(clippy::large_enum_variant, reason = "there is one for each session")]
enum Stage {
    Asking,
    Answering(Draft),
    Answered,
}

/// Figures of the last turn.
#[derive(Default)]
pub struct Figures {
    /// Decoding encoded images.
    pub decode: Duration,
    /// What the engine measured.
    pub spent: Timings,
    /// What reading the turn came to.
    pub reading: Reading,
    /// Tokens of the answer.
    pub tokens: usize,
    /// Why it ended.
    pub reason: Option<Reason>,
}

/// See the module.
pub struct Talk {
    session: Session<'static>,
    settings: Answering,
    limits: Limits,
    messages: Vec<Message>,
    images: Vec<Shown>,
    /// Messages and images of the turns before this one.
    before: (usize, usize),
    /// Bytes of text in `messages`.
    length: usize,
    stage: Stage,
    /// The answer so far, and how much of it was given away.
    said: String,
    given: usize,
    /// Whether this turn's time is running.
    armed: bool,
    figures: Figures,
    /// Last, so that the model outlives the session.
    lease: Lease,
}

impl Talk {
    /// An empty conversation, which takes the lease once nothing can fail any more: until then it is its owner's, who is
    /// still there after a panic.
    pub fn new(
        lease: &mut Option<Lease>,
        plan: Plan,
        limits: Limits,
        settings: Answering,
    ) -> Result<Talk, Failure> {
        let none = || fail!(FAULT, "a session without a model");
        let model = lease.as_ref().ok_or_else(none)?.0;
        let mut session = Session::new(&model.content().model, plan)?;
        if let Some(clock) = system::clock() {
            session.set_clock(clock);
        }
        timed(&session, &settings)?;
        Ok(Talk {
            session,
            settings,
            limits,
            messages: Vec::new(),
            images: Vec::new(),
            before: (0, 0),
            length: 0,
            stage: Stage::Asking,
            said: String::new(),
            given: 0,
            armed: false,
            figures: Figures::default(),
            lease: lease.take().ok_or_else(none)?,
        })
    }

    /// Stops the session.
    pub fn stopper(&self) -> &Stopper {
        self.session.stopper()
    }

    /// Leaves the model, without being dropped.
    pub fn leave(&self) {
        self.lease.0.leave();
    }

    /// Sets an option.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        let before = self.settings.deadline_ms;
        options::change(&mut self.settings, key, value)?;
        timed(&self.session, &self.settings).inspect_err(|_| self.settings.deadline_ms = before)?;
        if key == "deadline_ms" {
            self.armed = false;
            self.stopper().set_deadline(None);
            if !matches!(self.stage, Stage::Asking) {
                self.arm();
            }
        }
        Ok(())
    }

    /// The turn's time begins, where it has not.
    fn arm(&mut self) {
        if !self.armed {
            let after = Some(self.settings.deadline_ms).filter(|ms| *ms > 0).map(Duration::from_millis);
            self.stopper().set_deadline(after);
            self.armed = true;
        }
    }

    /// Adds a text to the turn.
    pub fn add_text(&mut self, role: &str, text: &str) -> Result<(), Failure> {
        let said = if matches!(self.stage, Stage::Asking) { 0 } else { self.said.len() };
        let all = self.length.saturating_add(said).saturating_add(text.len());
        if all > self.limits.text {
            let most = self.limits.text;
            return Err(fail!(
                NO_CONTEXT,
                "the conversation has {all} bytes of text, and {most} were planned for"
            ));
        }
        self.begin_turn();
        self.length += text.len();
        self.message(role).content.push(Content::Text(text.into()));
        Ok(())
    }

    /// Adds an encoded image to the turn.
    #[cfg(not(feature = "images"))]
    pub fn add_image(&mut self, _: &[u8]) -> Result<(), Failure> {
        Err(fail!(UNSUPPORTED, "this library was built without encoded images: add a frame"))
    }

    /// Adds an encoded image to the turn.
    #[cfg(feature = "images")]
    pub fn add_image(&mut self, encoded: &[u8]) -> Result<(), Failure> {
        if self.session.model().encoder().is_none() {
            return Err(ocelli::Error::NoVision.into());
        }
        let options = DecodeOptions { orientation: self.settings.orientation, ..DecodeOptions::default() };
        let start = Instant::now();
        // Decoders take as much as an image makes them take: the caller's block has no room for that.
        let image = memory::outside(|| {
            let header = probe(encoded, &options).map_err(ocelli::Error::from)?;
            self.limits.holds(header.width, header.height)?;
            if header.peak_bytes > self.limits.decode {
                let (needed, most) = (header.peak_bytes, self.limits.decode);
                return Err(fail!(
                    BAD_IMAGE,
                    "decoding the image takes {needed} bytes, and {most} are allowed"
                ));
            }
            Ok(decode(encoded, &options).map_err(ocelli::Error::from)?)
        })?;
        self.show(Shown::Pixels(image));
        self.figures.decode += start.elapsed();
        Ok(())
    }

    /// Adds a camera's frame to the turn.
    pub fn add_frame(&mut self, frame: Frame<'static>) -> Result<(), Failure> {
        if self.session.model().encoder().is_none() {
            return Err(ocelli::Error::NoVision.into());
        }
        self.limits.holds(frame.width(), frame.height())?;
        self.show(Shown::Frame(frame));
        Ok(())
    }

    fn show(&mut self, image: Shown) {
        self.begin_turn();
        let number = self.images.len();
        self.images.push(image);
        self.message("user").content.push(Content::Image(number));
    }

    /// The rows of the image that was added last, and their width.
    pub fn embed(&mut self) -> Result<(&[f32], usize), Failure> {
        let none = || fail!(BAD_ORDER, "no image was added to this turn");
        if !matches!(self.stage, Stage::Asking) || self.images.len() == self.before.1 {
            return Err(none());
        }
        self.arm();
        let frame = self.images.last().and_then(Shown::frame).ok_or_else(none)?;
        let made = self.session.embed(frame, &mut |_| ())?;
        Ok((made.rows, made.width))
    }

    /// The turn's last message, if it is this role's, or a new one.
    fn message(&mut self, role: &str) -> &mut Message {
        let same = |last: &Message| last.role == role;
        if self.messages.len() == self.before.0 || !self.messages.last().is_some_and(same) {
            self.messages.push(Message { role: role.into(), content: Vec::new() });
        }
        let last = self.messages.len() - 1;
        &mut self.messages[last]
    }

    /// After an answer, makes it a part of the conversation.
    fn begin_turn(&mut self) {
        if matches!(self.stage, Stage::Asking) {
            return;
        }
        self.length += self.said.len();
        self.messages.push(Message::text("assistant", &self.said));
        self.before = (self.messages.len(), self.images.len());
        self.clear_turn();
        self.figures = Figures::default();
    }

    fn clear_turn(&mut self) {
        self.said.clear();
        self.given = 0;
        self.stage = Stage::Asking;
        self.armed = false;
        self.stopper().set_deadline(None);
    }

    /// Forgets what was added since the last answer.
    pub fn reset_turn(&mut self) {
        if !matches!(self.stage, Stage::Asking) {
            return;
        }
        let (messages, images) = self.before;
        self.messages.truncate(messages);
        self.images.truncate(images);
        let texts = self.messages.iter().flat_map(|message| &message.content).map(|content| match content {
            Content::Text(text) => text.len(),
            Content::Image(_) => 0,
        });
        self.length = texts.sum();
        self.clear_turn();
        self.figures = Figures::default();
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.stage = Stage::Asking;
        self.before = (0, 0);
        self.reset_turn();
        self.session.reset();
    }

    /// The text that comes next, of at most so many bytes: whole characters. Nothing once the answer is complete.
    pub fn next(&mut self, most: usize) -> Result<Option<&str>, Failure> {
        if matches!(self.stage, Stage::Asking) {
            self.read()?;
        }
        if self.given == self.said.len()
            && let Stage::Answering(draft) = &mut self.stage
        {
            let made = draft.next(&mut self.session).map(|text| text.map(|text| self.said.push_str(text)));
            (self.figures.tokens, self.figures.reason) = (draft.tokens(), Some(draft.reason()));
            add(&mut self.figures.spent, self.session.take_timings());
            if made?.is_none() {
                self.stage = Stage::Answered;
            }
        }
        if self.settings.template && self.said.get(..self.given).is_some_and(|given| given.trim().is_empty())
        {
            // A template leaves the blank before an answer's first word to the model.
            self.given = self.said.len() - self.said.trim_start().len();
        }
        let rest = self.said.get(self.given..).unwrap_or("");
        if rest.is_empty() && matches!(self.stage, Stage::Answered) {
            return Ok(None);
        }
        let text = rest.get(..rest.floor_char_boundary(most)).unwrap_or("");
        self.given += text.len();
        Ok(Some(text))
    }

    /// Reads the turn.
    fn read(&mut self) -> Result<(), Failure> {
        if self.messages.len() == self.before.0 {
            return Err(fail!(BAD_ORDER, "nothing was added that could be answered"));
        }
        self.arm();
        let parts = self.parts()?;
        let segments: Vec<Segment<'_>> = parts.iter().map(|part| segment(part, &self.images)).collect();
        let result = self.session.read(&segments, &mut |_| ());
        add(&mut self.figures.spent, self.session.take_timings());
        self.figures.reading = result?;
        // Stopped here, the turn stays as it was; what was seen until then is not looked at again.
        for image in &mut self.images {
            if let Some(frame) = image.frame() {
                *image = Shown::Seen(Seen::until(&frame, self.session.stopper())?);
            }
        }
        let draft = self.session.draft(&self.settings.answer)?;
        self.stage = Stage::Answering(draft);
        Ok(())
    }

    /// The conversation as the model reads it.
    fn parts(&self) -> Result<Vec<Part>, Failure> {
        if self.settings.template {
            return match &self.lease.0.content().template {
                Ok(template) => Ok(template.render(&self.messages)?),
                Err(why) => Err(fail!(BAD_MODEL, "{}", why.text.as_str())),
            };
        }
        let raw = |message: &Message| {
            let own = message.role == "assistant";
            let part = move |content: &Content| match content {
                // What the model wrote is no control token, whatever it looks like.
                Content::Text(text) if own => Part::Text(text.clone()),
                Content::Text(text) => Part::Control(text.clone()),
                Content::Image(number) => Part::Image(*number),
            };
            message.content.iter().map(part).collect::<Vec<_>>()
        };
        Ok(self.messages.iter().flat_map(raw).collect())
    }

    /// Positions in use.
    pub fn context_used(&self) -> usize {
        self.session.len()
    }

    /// What the last turn took.
    pub fn figures(&mut self) -> &Figures {
        add(&mut self.figures.spent, self.session.take_timings());
        &self.figures
    }
}

/// A deadline needs a clock.
fn timed(session: &Session<'_>, settings: &Answering) -> Result<(), Failure> {
    if settings.deadline_ms > 0 && !session.stopper().has_clock() {
        return Err(fail!(BAD_OPTION, "deadline_ms needs a clock: see ocelli_use_platform"));
    }
    Ok(())
}

fn segment<'a>(part: &'a Part, images: &'a [Shown]) -> Segment<'a> {
    match part {
        Part::Control(text) => Segment::Control(text),
        Part::Text(text) => Segment::Text(text),
        Part::Image(number) => match images.get(*number) {
            #[cfg(feature = "images")]
            Some(Shown::Pixels(image)) => Segment::Image(photo(image)),
            Some(Shown::Frame(frame)) => Segment::Frame(*frame),
            Some(Shown::Seen(seen)) => Segment::Seen(*seen),
            // Refused when it is read: an image without pixels. Templates are asked for the images there are.
            None => Segment::Image(Photo { width: 0, height: 0, rgb: &[] }),
        },
    }
}

#[cfg(feature = "images")]
fn photo(image: &Image) -> Photo<'_> {
    Photo { width: image.width, height: image.height, rgb: &image.data }
}

fn add(all: &mut Timings, more: Timings) {
    all.resize += more.resize;
    all.encode += more.encode;
    all.prefill += more.prefill;
    all.generate += more.generate;
}
