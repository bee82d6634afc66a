//! `ocelli chat`: turn by turn at a terminal.

use super::Failure;
use super::album::Album;
use super::args::{AnswerArgs, LargestImage, ModelArgs, Outcome};
use super::escape::shown;
use super::input::{self, Line};
use super::photos;
use super::signals;
use super::terminal::{Bar, Page, out, say};
use anyhow::Context;
use clap::Args;
use ocelli::chat::{Content, Message, Part, Template};
use ocelli::image::ImageError;
use ocelli::{Error, Reading, Segment, Session};
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Arguments of `chat`.
#[derive(Args)]
pub struct Chat {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    answer: AnswerArgs,
    #[command(flatten)]
    largest: LargestImage,
    /// What the model is told before the conversation.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Stop when the context is full, instead of forgetting the oldest turns.
    #[arg(long)]
    no_shift: bool,
}

const HELP: &str = "\
/image FILE   show an image with the next question (or: /image FILE QUESTION)
/reset        forget the conversation
/help         this
/quit         end (also Ctrl-D); Ctrl-C stops an answer";

/// The conversation so far.
struct Talk<'m> {
    session: Session<'m>,
    template: Template,
    messages: Vec<Message>,
    /// Images of all messages; a message names them by number.
    album: Album,
    /// Images shown with the next question.
    shown: Vec<usize>,
    /// Messages before the first turn.
    kept: usize,
}

impl Chat {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        let model = self.model.open(true)?;
        let template = Template::of(&model)?;
        let needs = photos::needs_up_to(self.largest.largest_image);
        let planned = needs.image_bytes.unwrap_or(0);
        let session = self.model.session(&model, needs)?;
        let longest = session.plan().text_bytes();
        let system = self.system.as_deref().unwrap_or_default();
        if system.len() > longest {
            return Err(Error::LongText { bytes: system.len(), most: longest }.into());
        }
        let stopper = session.stopper().clone();
        signals::on_interrupt(move || stopper.stop())?;
        let system = self.system.as_deref().map(|text| Message::text("system", text));
        let messages: Vec<Message> = system.into_iter().collect();
        let kept = messages.len();
        let album = Album::new(self.model.max_pixels, planned);
        let mut talk = Talk { session, template, messages, album, shown: Vec::new(), kept };
        let (stdin, interactive) = (std::io::stdin(), std::io::stdin().is_terminal());
        if interactive {
            say(format_args!("{}. /help for what can be typed.", shown(model.name().unwrap_or("Ready"))));
        }
        loop {
            if interactive {
                let _ = write!(std::io::stderr(), "> ");
            }
            let line =
                match input::line(&mut stdin.lock(), longest as u64).context("reading standard input")? {
                    None => return Ok(()),
                    Some(Line::Text(line)) => line,
                    Some(Line::Unreadable) => {
                        say(format_args!("ocelli: that line is not UTF-8 text"));
                        continue;
                    }
                    Some(Line::Long) => {
                        say(format_args!(
                            "ocelli: that line has more than {longest} bytes, which this context takes"
                        ));
                        continue;
                    }
                };
            // An interrupt while typing is no wish for the answer to come.
            talk.session.stopper().clear();
            match line.trim() {
                "" => {}
                "/quit" | "/exit" => return Ok(()),
                "/help" => say(format_args!("{HELP}")),
                "/reset" => talk.reset(),
                command if command == "/image" || command.starts_with("/image ") => {
                    self.image(&mut talk, command)?
                }
                command if command.starts_with('/') => say(format_args!("unknown command {command}\n{HELP}")),
                text => self.turn(&mut talk, text)?,
            }
        }
    }

    /// `/image FILE [QUESTION]`: what cannot be used is said, and the conversation goes on.
    fn image(&self, talk: &mut Talk<'_>, command: &str) -> Outcome {
        let rest = command.strip_prefix("/image").unwrap_or(command).trim();
        if rest.is_empty() {
            say(format_args!("ocelli: /image needs the image's file: /image FILE"));
            return Ok(());
        }
        // A file name may contain blanks: the longest beginning that is a file is meant.
        let ends = rest.char_indices().filter(|(_, c)| *c == ' ').map(|(i, _)| i).chain([rest.len()]);
        let end = ends.filter(|end| Path::new(&rest[..*end]).is_file()).max();
        let (file, question) = rest.split_at(end.unwrap_or(rest.find(' ').unwrap_or(rest.len())));
        talk.session.stopper().set_deadline(self.answer.deadline);
        match talk.album.add(Path::new(file), talk.session.stopper()) {
            Ok(number) => talk.shown.push(number),
            Err(error) => {
                say(format_args!("ocelli: {error:#}"));
                return Ok(());
            }
        }
        if question.trim().is_empty() { Ok(()) } else { self.turn(talk, question.trim()) }
    }

    fn turn(&self, talk: &mut Talk<'_>, text: &str) -> Outcome {
        let shown = talk.shown.len();
        let mut content: Vec<Content> = talk.shown.drain(..).map(Content::Image).collect();
        content.push(Content::Text(text.into()));
        talk.messages.push(Message { role: "user".into(), content });
        let reading = match self.read(talk) {
            Ok(reading) => reading,
            Err(error) => {
                let asked = talk.messages.pop();
                let images = asked.iter().flat_map(images);
                match error.downcast_ref() {
                    // Nothing is wrong with the images: they are shown with the next question.
                    Some(Error::Stopped | Error::Deadline) => talk.shown.extend(images),
                    _ => images.for_each(|image| talk.album.forget(image)),
                }
                return recover(error, self.no_shift);
            }
        };
        for image in reading.images.iter().skip(reading.images.len().saturating_sub(shown)) {
            Bar::new(false).tell(&format!("image: {}", photos::describe(image)));
        }
        let mut said = String::new();
        let result = self.answer(talk, &mut said);
        writeln!(out())?;
        talk.messages.push(Message::text("assistant", &said));
        match result {
            Err(error) => recover(error, self.no_shift),
            Ok(()) => Ok(()),
        }
    }

    /// Reads the conversation; when it does not fit, the oldest turns are forgotten and it is said.
    fn read(&self, talk: &mut Talk<'_>) -> Result<Reading, anyhow::Error> {
        let mut bar = Bar::new(false);
        loop {
            talk.session.stopper().set_deadline(self.answer.deadline);
            let parts = talk.template.render(&talk.messages)?;
            let result = talk.read(&parts, &mut bar);
            talk.album.close();
            match result.as_ref().map_err(|error| error.downcast_ref()) {
                Err(Some(Error::Context { .. } | Error::LongText { .. }))
                    if !self.no_shift && talk.forget() =>
                {
                    say(format_args!("the context is full: the oldest turn is forgotten"));
                }
                _ => match (talk.album.take_lost(), result) {
                    (Some(image), Err(error)) if talk.lose(image) => {
                        say(format_args!("ocelli: {error:#}: the conversation goes on without it"));
                    }
                    (_, result) => return result,
                },
            }
        }
    }

    fn answer(&self, talk: &mut Talk<'_>, said: &mut String) -> Outcome {
        let mut page = Page::of_a_chat(self.answer.raw_output);
        let mut answer = talk.session.answer(&self.answer.options())?;
        while let Some(piece) = answer.next()? {
            page.print(piece)?;
            said.push_str(piece);
        }
        if answer.finish().reason == ocelli::generate::Reason::Context {
            say(format_args!("\nthe context is full: the answer ends here"));
        }
        Ok(())
    }
}

/// What ends a turn but not the conversation is said; the rest goes up.
fn recover(error: anyhow::Error, no_shift: bool) -> Outcome {
    match error.downcast_ref::<Error>() {
        Some(Error::Stopped) => say(format_args!("stopped")),
        Some(Error::Context { .. } | Error::LongText { .. }) if no_shift => return Err(error),
        None if error.is::<Failure>() || error.is::<ImageError>() => say(format_args!("ocelli: {error:#}")),
        Some(
            Error::Deadline
            | Error::Context { .. }
            | Error::LongText { .. }
            | Error::Image(_)
            | Error::ImageMemory { .. }
            | Error::NoVision,
        ) => say(format_args!("ocelli: {error:#}")),
        _ => return Err(error),
    }
    Ok(())
}

/// The images of a message.
fn images(message: &Message) -> impl Iterator<Item = usize> {
    message.content.iter().filter_map(|part| match part {
        Content::Image(number) => Some(*number),
        Content::Text(_) => None,
    })
}

impl Talk<'_> {
    /// Reads as far as the first image that is not in the cache, opens that one, and goes on: what has been read is kept.
    fn read(&mut self, parts: &[Part], bar: &mut Bar) -> Result<Reading, anyhow::Error> {
        loop {
            let segments: Vec<Segment<'_>> = parts.iter().map(|part| self.album.segment(part)).collect();
            let result = self.session.read(&segments, &mut |progress| bar.show(progress));
            bar.clear();
            let Err(Error::PixelsGone { image }) = result else { return Ok(result?) };
            let mut numbers = parts.iter().filter_map(|part| match part {
                Part::Image(number) => Some(*number),
                _ => None,
            });
            let number = numbers.nth(image).ok_or(Error::PixelsGone { image })?;
            self.album.open(number, self.session.stopper())?;
        }
    }

    fn reset(&mut self) {
        self.session.reset();
        self.messages.truncate(self.kept);
        self.album.clear();
        self.shown.clear();
    }

    /// Drops an image of an earlier message, which can no longer be read; false where it is the newest one's.
    fn lose(&mut self, image: usize) -> bool {
        let Some((_, earlier)) = self.messages.split_last_mut() else { return false };
        let mut found = false;
        for message in earlier {
            let before = message.content.len();
            message.content.retain(|part| *part != Content::Image(image));
            found |= message.content.len() < before;
        }
        if found {
            self.album.forget(image);
        }
        found
    }

    /// Drops the oldest question and its answer; false when only the newest question is left.
    fn forget(&mut self) -> bool {
        let mut later = self.messages.iter().skip(self.kept + 1);
        let Some(next) = later.position(|m| m.role == "user") else { return false };
        for message in self.messages.drain(self.kept..self.kept + 1 + next) {
            images(&message).for_each(|image| self.album.forget(image));
        }
        true
    }
}
