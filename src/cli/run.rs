//! `ocelli run`: one question, one answer.

use super::Failure;
use super::args::{AnswerArgs, ModelArgs, Outcome, Place, place_images, prompt};
use super::photos::{self, Encoded};
use super::profile::{self, Detail};
use super::report::Report;
use super::terminal::{Bar, Page};
use crate::conversation::{Content, Message, Part, Template};
use crate::image::Image;
use crate::{Model, Segment, Session, Timings};
use clap::Args;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Arguments of `run`.
#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    answer: AnswerArgs,
    /// An image; may be given several times. `<image>` in the prompt says where each belongs, else they come first.
    #[arg(short, long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// What the model is told before the conversation.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// No chat template: the prompt as it is, after the file's BOS token; control tokens in it are recognised.
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
    /// The question. Absent or `-`: read from standard input.
    prompt: Option<String>,
}

impl Run {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        let start = Instant::now();
        let model = self.model.open(!self.image.is_empty())?;
        let load = start.elapsed();
        let prompt = prompt(self.prompt.as_deref())?;
        if prompt.trim().is_empty() && self.image.is_empty() && !self.raw {
            return Err(Failure::Usage("the prompt is empty".into()).into());
        }
        let places = place_images(&prompt, self.image.len())?;
        let images: Vec<Encoded> = self
            .image
            .iter()
            .map(|path| photos::open(path, self.model.max_pixels))
            .collect::<Result<_, _>>()?;
        let mut session = self.model.session(&model, photos::needs(&images))?;
        if self.profile.is_some() {
            session.start_profile(profile::CLOCK);
        }
        let left = self.answer.deadline.map(|deadline| deadline.saturating_sub(start.elapsed()));
        session.stopper().set_deadline(left);
        let (images, decode) = decode(images, self.model.max_pixels)?;
        let rendered = self.render(&model, &places)?;
        self.ask(&mut session, &rendered, &images, load, decode)
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
        let reading = reading?;
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
        let mut page = if self.raw { Page::as_it_is() } else { Page::of_a_chat() };
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
            page.print(&report.json(self.logprobs > 0))?;
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

/// From here on it is worth a word that a float tower need not be that slow.
const SLOW: Duration = Duration::from_secs(2);

/// What could be done about the time that images took.
fn advice(float: bool, encode: Duration) -> Option<&'static str> {
    let slow = float && encode >= SLOW;
    slow.then_some(
        "the vision tower's weights are floats: --tower-int8 is faster, for memory and a little accuracy",
    )
}

fn decode(images: Vec<Encoded>, max_pixels: u64) -> anyhow::Result<(Vec<Image>, Duration)> {
    let mut decoded = Vec::new();
    let mut spent = Duration::ZERO;
    for image in images {
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
