//! `ocelli compare`: what a smaller model costs.

use super::Failure;
use super::args::{Kv, Outcome, forced_isa};
use super::photos;
use super::terminal::Bar;
use crate::compare::{Answers, Failure as Apart, Pair, Rows, Text, same_vocabulary};
use crate::conversation::{Content, Message, Part, Template};
use crate::{Error, ImageSizes, Load, Mmproj, Model, Options, Segment};
use clap::Args;
use std::path::{Path, PathBuf};

mod table;

/// Arguments of `compare`.
#[derive(Args)]
#[command(after_help = MEANING)]
pub struct Compare {
    /// The reference: a GGUF file (any part of a split one), F16 for example.
    a: PathBuf,
    /// The model that is looked at.
    b: PathBuf,
    /// A text, UTF-8: perplexity of both, and how far their logits are apart.
    #[arg(long, value_name = "FILE", required_unless_present = "images")]
    text: Option<PathBuf>,
    /// A folder of images, or one image: how far the towers are apart, and the answers to a question about each.
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// A's vision tower. Default: the file beside A with `mmproj` in its name that fits it.
    #[arg(long, value_name = "FILE")]
    mmproj: Option<PathBuf>,
    /// B's vision tower. Default: that of --mmproj, else the file beside B.
    #[arg(long, value_name = "FILE")]
    mmproj_b: Option<PathBuf>,
    /// Tokens of a window of the text.
    #[arg(short, long, value_name = "N", default_value_t = 512)]
    context: usize,
    /// What is asked about every image.
    #[arg(long, value_name = "TEXT", default_value = "Describe this image.")]
    question: String,
    /// No chat template: the image and then the question.
    #[arg(long)]
    raw: bool,
    /// End an answer after so many tokens; 0 asks nothing.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 64)]
    max_tokens: usize,
    /// How both keep keys and values. Default: as A does by itself, f16, or f32 for a model of F32 weights.
    #[arg(long, value_enum, value_name = "TYPE")]
    kv: Option<Kv>,
    /// How B does, where it is to be another: what a smaller cache costs.
    #[arg(long, value_enum, value_name = "TYPE")]
    kv_b: Option<Kv>,
    /// Compute with B's tower of F32, F16 or BF16 weights as with one of Q8_0: what that costs, with A's files as B.
    #[arg(long, requires = "images")]
    tower_int8_b: bool,
    /// Most visual tokens an image may become.
    #[arg(long, value_name = "N")]
    image_tokens: Option<u32>,
    /// Threads. Default: as many as the machine runs at once. They change no figure.
    #[arg(short, long, value_name = "N")]
    threads: Option<usize>,
    /// Refuse images of more pixels.
    #[arg(long, value_name = "N", default_value_t = 1 << 27)]
    max_pixels: u64,
    /// Print one line of JSON instead of a table.
    #[arg(long)]
    json: bool,
}

const MEANING: &str = "\
The text is cut into windows of --context tokens; scored are the predictions in the second half of each, as
llama-perplexity does. KL divergence is that of B from A in nats per position, over the whole vocabulary. Cosine and
relative error are those of every row that an image becomes for the language model. Answers are made by taking the
likeliest token; B also reads A's answer, and its logits along it are compared with A's.";

/// What was found.
struct Found {
    text: Option<Text>,
    rows: Option<Rows>,
    answers: Option<Answers>,
}

impl Compare {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        if self.context < 3 {
            return Err(Error::Option { name: "the context", expected: "at least 3" }.into());
        }
        let text = self.text.as_deref().map(read).transpose()?;
        let images = self.images.as_deref().map(list).transpose()?;
        let [tower_a, tower_b] = self.towers();
        let a = Model::open(&self.a, tower_a, Load::Map)?;
        let b = Model::open(&self.b, tower_b, Load::Map)?;
        same_vocabulary(&a, &b)?;
        let mut bar = Bar::new(self.json);
        let result = self.compare(&a, &b, text.as_deref(), images.as_deref(), &mut bar);
        bar.clear();
        let found = result?;
        let mut out = std::io::stdout().lock();
        let sides = [(&self.a, a.weight_bytes()), (&self.b, b.weight_bytes())];
        if self.json {
            table::json(&found, &sides, &mut out)?
        } else {
            table::table(&found, &sides, &mut out)?
        }
        Ok(())
    }

    fn towers(&self) -> [Mmproj<'_>; 2] {
        let beside = if self.images.is_some() { Mmproj::Beside } else { Mmproj::None };
        let a = self.mmproj.as_deref();
        [a, self.mmproj_b.as_deref().or(a)].map(|path| path.map_or(beside, Mmproj::File))
    }

    fn options(&self) -> Options {
        Options {
            threads: self.threads,
            isa: forced_isa(),
            image_tokens: self.image_tokens,
            ..Options::default()
        }
    }

    fn compare(
        &self,
        a: &Model<'_>,
        b: &Model<'_>,
        text: Option<&str>,
        images: Option<&[PathBuf]>,
        bar: &mut Bar,
    ) -> anyhow::Result<Found> {
        let mut found = Found { text: None, rows: None, answers: None };
        let mut options = self.options();
        let sizes = images.unwrap_or(&[]).iter().map(|path| Ok(photos::open(path, self.max_pixels)?.size));
        options.images = ImageSizes::Exactly(sizes.collect::<anyhow::Result<_>>()?);
        options.kv = match self.kv {
            Some(kv) => Some(kv.stored()),
            None => Some(a.plan(&Options { context: Some(1), ..options.clone() })?.kv()),
        };
        let kv = self.kv_b.map(Kv::stored).or(options.kv);
        let other = Options { kv, tower_int8: self.tower_int8_b, ..options.clone() };
        let pair = Pair { a: (a, options), b: (b, other) };
        if let (Some(text), Some(path)) = (text, &self.text) {
            let mut progress = |done, of| bar.draw("reading", done as u64, of as u64, " windows");
            found.text = Some(pair.text((path, text), self.context, &mut progress)?);
        }
        if let Some(images) = images {
            self.look(&pair, images, bar, &mut found)?;
        }
        Ok(found)
    }

    fn look(&self, pair: &Pair<'_>, images: &[PathBuf], bar: &mut Bar, found: &mut Found) -> Outcome {
        let mut sessions = pair.sessions()?;
        let asks = self.max_tokens > 0;
        let prompt = if asks { self.prompt(pair.a.0)? } else { Vec::new() };
        let (mut rows, mut answers) = (Rows::default(), Answers::default());
        for (number, path) in images.iter().enumerate() {
            bar.draw("seeing", number as u64, images.len() as u64, " images");
            let image = [photos::open(path, self.max_pixels)?.pixels(self.max_pixels)?];
            sessions.image(path, &image[0], &mut rows)?;
            if asks {
                let segments: Vec<Segment<'_>> = prompt.iter().map(|part| part.segment(&image)).collect();
                sessions.ask(&segments, self.max_tokens, &mut answers)?;
            }
        }
        found.rows = Some(rows);
        found.answers = asks.then_some(answers);
        Ok(())
    }

    /// The question about an image, as A's template writes it.
    fn prompt(&self, a: &Model<'_>) -> anyhow::Result<Vec<Part>> {
        if self.raw {
            return Ok(vec![Part::Image(0), Part::Control(self.question.clone())]);
        }
        let content = vec![Content::Image(0), Content::Text(self.question.clone())];
        Ok(Template::of(a)?.render(&[Message { role: "user".into(), content }])?)
    }
}

/// A text file.
fn read(path: &Path) -> Result<String, Apart> {
    std::fs::read_to_string(path).map_err(|error| Apart::Text { path: path.into(), error })
}

/// What an image's name ends in.
const ENDINGS: [&str; 6] = ["png", "jpg", "jpeg", "gif", "webp", "bmp"];

/// The images of a folder by name, or the one image.
pub(super) fn list(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.into()]);
    }
    let unread = |error| Failure::Photo { path: path.into(), error };
    let entries = std::fs::read_dir(path).map_err(unread)?;
    let mut images = Vec::new();
    for entry in entries {
        let file = entry.map_err(unread)?.path();
        let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        if ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) {
            images.push(file);
        }
    }
    images.sort();
    if images.is_empty() { Err(Apart::NoImages { path: path.into() }.into()) } else { Ok(images) }
}
