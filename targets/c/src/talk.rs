//! A conversation: what was said, what is being asked, and the answer that is being made.
//!
//! ```text
//! Asking     texts and images are added  ── next ─> they are read ─┐
//!    ^                                                             v
//!    └── something is added ── Answered <── the last token ── Answering ── next: a token
//! ```
//! Reading that is stopped leaves the turn as it was: the next call goes on, and what was complete is not done again.
//! Once a turn was read, its images' pixels are let go: their rows are in the context.

use crate::block::{Block, Held};
use crate::limits::Limits;
#[cfg(feature = "images")]
use crate::memory;
use crate::open::Opened;
use crate::options::{self, Answering};
use crate::status::{Failure, fail};
use crate::system;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use ocelli::chat::{Content, Message, Part};
use ocelli::generate::{Draft, Reason};
use ocelli::image::Frame;
#[cfg(feature = "images")]
use ocelli::image::{DecodeOptions, Image, decode, probe};
use ocelli::{Photo, Plan, Reading, Seen, Segment, Session, Stopper, Timings};
#[cfg(feature = "images")]
use std::time::Instant;

/// The model of a session, which counts it among its users.
pub struct Lease {
    model: &'static Block<Opened>,
    held: Held<'static>,
}

impl Lease {
    /// Joins a model. It is not freed before this is dropped, which is what makes the reference good.
    #[allow(unsafe_code, reason = "a handle's life is the caller's, not a scope's")]
    pub fn new(model: &Block<Opened>) -> Result<Lease, Failure> {
        // SAFETY: a block with users is not freed (`Block::free`), and its memory stays where it is until then.
        let model = unsafe { &*core::ptr::from_ref(model) };
        Ok(Lease { model, held: model.join()? })
    }
}

/// An image of the conversation.
struct Shown {
    pixels: Pixels,
    /// Positions it takes.
    tokens: usize,
}

enum Pixels {
    /// Decoded, to be read.
    #[cfg(feature = "images")]
    Decoded(Image),
    /// A camera's, to be read. The caller lets it stay until it was.
    Frame(Frame<'static>),
    /// It was read.
    Seen(Seen),
}

impl Pixels {
    /// Its pixels, until they are let go.
    fn frame(&self) -> Option<Frame<'_>> {
        match self {
            #[cfg(feature = "images")]
            Pixels::Decoded(image) => Frame::rgb(&image.data, image.width, image.height).ok(),
            Pixels::Frame(frame) => Some(*frame),
            Pixels::Seen(_) => None,
        }
    }

    /// Bytes that they take.
    #[cfg(feature = "images")]
    fn bytes(&self) -> u64 {
        match self {
            Pixels::Decoded(image) => image.data.capacity() as u64,
            Pixels::Frame(_) | Pixels::Seen(_) => 0,
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
        let model = lease.as_ref().ok_or_else(none)?.model;
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
        self.lease.held.end();
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
        self.limits.text(all)?;
        self.another(role)?;
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
        let image = memory::outside(|| -> Result<Shown, Failure> {
            let header = probe(encoded, &options).map_err(ocelli::Error::from)?;
            let tokens = self.fits(header.width, header.height)?;
            let held = self.images.iter().map(|image| image.pixels.bytes()).sum();
            self.limits.decode(held, header.peak_bytes)?;
            let image = decode(encoded, &options).map_err(ocelli::Error::from)?;
            Ok(Shown { pixels: Pixels::Decoded(image), tokens })
        })?;
        self.show(image);
        self.figures.decode += start.elapsed();
        Ok(())
    }

    /// Adds a camera's frame to the turn.
    pub fn add_frame(&mut self, frame: Frame<'static>) -> Result<(), Failure> {
        if self.session.model().encoder().is_none() {
            return Err(ocelli::Error::NoVision.into());
        }
        let tokens = self.fits(frame.width(), frame.height())?;
        self.show(Shown { pixels: Pixels::Frame(frame), tokens });
        Ok(())
    }

    /// Whether an image of this size was planned for and still fits the conversation; the positions it takes.
    fn fits(&self, width: u32, height: u32) -> Result<usize, Failure> {
        self.limits.size(width, height)?;
        self.another("user")?;
        let tokens = self.session.image_tokens(width, height)?;
        self.limits.positions(self.images.iter().fold(tokens, |all, image| all + image.tokens))?;
        Ok(tokens)
    }

    /// Whether there may be another text or image, of this role.
    fn another(&self, role: &str) -> Result<(), Failure> {
        let parts = self.messages.iter().map(|message| 1 + message.content.len()).sum::<usize>();
        // After an answer there is that, a message and its text; a new message counts beside what is in it.
        let asking = matches!(self.stage, Stage::Asking);
        let answer = if asking { 0 } else { 2 };
        let new = if asking && self.goes_on(role) { 1 } else { 2 };
        self.limits.parts(parts + answer + new)
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
        let frame = self.images.last().and_then(|image| image.pixels.frame()).ok_or_else(none)?;
        let made = self.session.embed(frame, &mut |_| ())?;
        Ok((made.rows, made.width))
    }

    /// Whether the turn's last message is this role's.
    fn goes_on(&self, role: &str) -> bool {
        self.messages.len() > self.before.0 && self.messages.last().is_some_and(|last| last.role == role)
    }

    /// The turn's last message, if it is this role's, or a new one.
    fn message(&mut self, role: &str) -> &mut Message {
        if !self.goes_on(role) {
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
            if let Some(frame) = image.pixels.frame() {
                image.pixels = Pixels::Seen(Seen::until(&frame, self.session.stopper())?);
            }
        }
        let draft = self.session.draft(&self.settings.answer)?;
        self.stage = Stage::Answering(draft);
        Ok(())
    }

    /// The conversation as the model reads it.
    fn parts(&self) -> Result<Vec<Part>, Failure> {
        if self.settings.template {
            return match &self.lease.model.content().template {
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
        Part::Image(number) => match images.get(*number).map(|image| &image.pixels) {
            #[cfg(feature = "images")]
            Some(Pixels::Decoded(image)) => Segment::Image(photo(image)),
            Some(Pixels::Frame(frame)) => Segment::Frame(*frame),
            Some(Pixels::Seen(seen)) => Segment::Seen(*seen),
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
