//! `ocelli run`: one question, one answer.

use super::Failure;
use super::args::{AnswerArgs, ModelArgs, Needs, Outcome, Place, place_images};
use super::escape;
use super::input::{self, Kind, Unread};
use super::photos::{self, Encoded, Opening};
use super::profile::{self, Detail};
use super::report::Report;
use super::terminal::{Bar, Page};
use anyhow::Context;
use clap::Args;
use ocelli::chat::{Content, Message, Part, Template};
use ocelli::image::Image;
use ocelli::{Error, ImageSizes, Model, Segment, Session, Stopper, Timings};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Arguments of `run`.
#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    answer: AnswerArgs,
    /// An image, a file or a pipe; may be given several times. `<image>` in the prompt says where each belongs, else they
    /// come first. Without --image it is text.
    #[arg(short, long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// The word in the prompt that stands for an image, where `<image>` is meant as text; empty: none does.
    #[arg(long, value_name = "WORD", default_value = "<image>", requires = "image")]
    image_marker: String,
    /// What the model is told before the conversation.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// No chat template: the prompt as it is, every byte of standard input, after the file's BOS token; control tokens in it
    /// are recognised.
    #[arg(long, conflicts_with = "system")]
    raw: bool,
    /// Print one line of JSON instead of text.
    #[arg(long)]
    json: bool,
    /// With --json: the K likeliest tokens of every step, before penalties and temperature.
    #[arg(long, value_name = "K", default_value_t = 0, requires = "json")]
    logprobs: usize,
    /// Print the time of every kind of operation and of every step to standard error.
    #[arg(long, value_enum, value_name = "DETAIL", num_args = 0..=1, require_equals = true, default_missing_value = "steps")]
    profile: Option<Detail>,
    /// The question. Absent or `-`: read from standard input, UTF-8. A byte order mark and the last line's end are no part of
    /// it, and CRLF ends a line as LF does (not with --raw).
    prompt: Option<String>,
}

impl Run {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        let start = Instant::now();
        // Until there is a session, whose own goes on.
        let stopper = Stopper::default();
        stopper.set_deadline(self.answer.deadline);
        let model = self.model.open(!self.image.is_empty())?;
        let load = start.elapsed();
        let prompt = self.prompt(&model, &stopper)?;
        if prompt.trim().is_empty() && self.image.is_empty() && !self.raw {
            return Err(Failure::Usage("the prompt is empty".into()).into());
        }
        let places = place_images(&prompt, self.image.len(), &self.image_marker)?;
        let images = self.images(&model, &stopper)?;
        let needs = Needs { text_bytes: Some(self.text_bytes(prompt.len())), ..photos::needs(&images) };
        let session = self.model.session(&model, needs).map_err(|error| {
            let takes = |sizes| self.model.plan(&model, Needs::of(sizes)).map(drop);
            photos::blame(error.into(), images.iter().map(|image| (image.path(), image.size)), takes)
        });
        let mut session = session?;
        if self.profile.is_some() {
            session.start_profile(profile::CLOCK);
        }
        let left = self.answer.deadline.map(|deadline| deadline.saturating_sub(start.elapsed()));
        session.stopper().set_deadline(left);
        let (images, decode) = decode(images, self.model.max_pixels, session.stopper())?;
        let rendered = self.render(&model, &places)?;
        self.ask(&mut session, &rendered, &images, load, decode)
    }

    /// Bytes of all texts with a prompt of so many.
    fn text_bytes(&self, prompt: usize) -> u64 {
        (prompt + self.system.as_ref().map_or(0, String::len)) as u64
    }

    /// The prompt, as long as the context and the memory limit can hold.
    fn prompt(&self, model: &Model<'_>, stopper: &Stopper) -> anyhow::Result<String> {
        let (holds, allowed) = self.model.longest_prompt(model)?;
        let most = holds.min(allowed);
        let left = most.saturating_sub(self.text_bytes(0));
        let long = |bytes: u64| -> anyhow::Error {
            let size = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
            let long = Error::LongText { bytes: size(bytes), most: size(holds) };
            if bytes > holds {
                return long.into();
            }
            // It is the limit that is too small: the bill says so.
            let needs = Needs { text_bytes: Some(bytes), ..Needs::of(ImageSizes::Exactly(Vec::new())) };
            self.model.plan(model, needs).err().unwrap_or(long).into()
        };
        if self.text_bytes(0) > most {
            return Err(long(self.text_bytes(0)));
        }
        match input::prompt(self.prompt.as_deref(), self.raw, left, stopper) {
            Ok(prompt) => Ok(prompt),
            Err(Unread::Long { bytes, most }) => Err(long(bytes.unwrap_or(most + 1) + self.text_bytes(0))),
            Err(Unread::Ended(error)) => Err(error.into()),
            Err(Unread::Io(error)) => Err(error).context("reading the prompt from standard input"),
        }
    }

    /// The images' files: as many bytes as the memory limit can hold.
    fn images(&self, model: &Model<'_>, stopper: &Stopper) -> anyhow::Result<Vec<Encoded>> {
        let (room, mut held) = (self.model.room(model)?, 0);
        let mut images = Vec::new();
        for path in &self.image {
            let most = room.map(|room| (room.saturating_sub(held), LIMIT));
            let max_pixels = self.model.max_pixels;
            let how = Opening { max_pixels, most, kind: Kind::FileOrPipe, stopper };
            let image = photos::open(path, &how).map_err(|error| match error.downcast_ref() {
                Some(Failure::Large { bytes, most, option: LIMIT, .. }) => {
                    let all = Some(held.saturating_add(bytes.unwrap_or(most + 1)));
                    let needs = Needs { image_bytes: all, ..Needs::of(ImageSizes::Exactly(Vec::new())) };
                    match self.model.plan(model, needs) {
                        Err(over) => anyhow::Error::from(over).context(path.display().to_string()),
                        Ok(_) => error,
                    }
                }
                _ => error,
            })?;
            held = held.saturating_add(image.file_bytes());
            images.push(image);
        }
        Ok(images)
    }

    /// The prompt's parts, in the order in which the model reads them.
    fn render(&self, model: &Model<'_>, places: &[Place<'_>]) -> anyhow::Result<Vec<Part>> {
        if self.raw {
            let part = |place: &Place<'_>| match place {
                Place::Text(text) => Part::Control((*text).into()),
                Place::Image(i) => Part::Image(*i),
            };
            return Ok(places.iter().map(part).collect());
        }
        let content = places.iter().map(|place| match place {
            Place::Text(text) => Content::Text((*text).into()),
            Place::Image(i) => Content::Image(*i),
        });
        let system = self.system.as_deref().map(|text| Message::text("system", text));
        let user = Message { role: "user".into(), content: content.collect() };
        let messages: Vec<Message> = system.into_iter().chain([user]).collect();
        Ok(Template::of(model)?.render(&messages)?)
    }

    fn ask(
        &self,
        session: &mut Session<'_>,
        parts: &[Part],
        images: &[Image],
        load: Duration,
        decode: Duration,
    ) -> Outcome {
        let mut bar = Bar::new(self.json);
        let segments: Vec<Segment<'_>> = parts.iter().map(|part| part.segment(images)).collect();
        let reading = session.read(&segments, &mut |progress| bar.show(progress));
        bar.clear();
        let reading = reading.map_err(|error| self.model.named(error))?;
        for image in &reading.images {
            bar.tell(&format!("image: {}", photos::describe(image)));
        }
        let read = session.take_timings();
        if let Some(advice) = advice(session.plan().tower_is_float(), read.encode) {
            bar.tell(advice);
        }
        let mut options = self.answer.options();
        options.logprobs = self.logprobs;
        let mut answer = session.answer(&options)?;
        let mut text = String::new();
        let raw = self.answer.raw_output;
        let mut page = if self.raw { Page::as_it_is(raw) } else { Page::of_a_chat(raw) };
        while let Some(piece) = answer.next()? {
            if self.json {
                text.push_str(piece);
            } else {
                page.print(piece)?;
            }
        }
        let answered = answer.finish();
        let timings = Timings { generate: session.take_timings().generate, ..read };
        let bill = *session.bill();
        let report =
            Report { text: &text, answered: &answered, reading: &reading, load, decode, timings, bill };
        if self.json {
            page.print(&escape::json(report.json(self.logprobs > 0)))?;
            page.end()?;
        } else {
            page.end()?;
            bar.note(&report.line());
        }
        match self.profile {
            Some(detail) => profile::show(session, "this question", detail),
            None => Ok(()),
        }
    }
}

/// What limits images' files beside their pixels.
const LIMIT: &str = "--memory-limit";

/// From here on it is worth a word that a float tower need not be that slow.
const SLOW: Duration = Duration::from_secs(2);

/// What could be done about the time that images took.
fn advice(float: bool, encode: Duration) -> Option<&'static str> {
    let slow = float && encode >= SLOW;
    slow.then_some(
        "the vision tower's weights are floats: --tower-int8 is faster, for memory and a little accuracy",
    )
}

/// Decodes images, each as a whole: the deadline is looked at between them.
fn decode(
    images: Vec<Encoded>,
    max_pixels: u64,
    stopper: &Stopper,
) -> anyhow::Result<(Vec<Image>, Duration)> {
    let mut decoded = Vec::new();
    let mut spent = Duration::ZERO;
    for image in images {
        if stopper.is_late() {
            return Err(Error::Deadline.into());
        }
        let (image, time) = image.decode(max_pixels)?;
        decoded.push(image);
        spent += time;
    }
    Ok((decoded, spent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_float_tower_is_named_and_nothing_else() {
        assert!(advice(true, SLOW).is_some_and(|words| words.contains("--tower-int8")));
        assert_eq!(advice(true, SLOW / 2), None);
        assert_eq!(advice(false, SLOW * 2), None);
    }
}
