//! `ocelli compare`: what a smaller model costs.

use super::args::{Kv, Outcome};
use super::material::{Asking, Material, Work};
use super::terminal::{self, Bar};
use clap::Args;
use ocelli::{Load, Mmproj, Model, Segment};
use ocelli_tools::compare::{Answers, Failure as Apart, Pair, Rows, Text, same_vocabulary};
use std::path::PathBuf;

mod table;

/// Arguments of `compare`.
#[derive(Args)]
#[command(after_help = MEANING)]
#[command(mut_arg("text", |arg| arg.help(TEXT)))]
#[command(mut_arg("images", |arg| arg.help(IMAGES)))]
#[command(mut_arg("max_tokens", |arg| arg.help("End an answer after so many tokens; 0 asks nothing")))]
#[command(mut_arg("threads", |arg| arg.help(THREADS)))]
pub struct Compare {
    /// The reference: a GGUF file (any part of a split one), F16 for example.
    a: PathBuf,
    /// The model that is looked at.
    b: PathBuf,
    #[command(flatten)]
    material: Material,
    /// A's vision tower. Default: the file beside A with `mmproj` in its name that fits it.
    #[arg(long, value_name = "FILE")]
    mmproj: Option<PathBuf>,
    /// B's vision tower. Default: that of --mmproj, else the file beside B.
    #[arg(long, value_name = "FILE")]
    mmproj_b: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
    /// How both keep keys and values. Default: as A does by itself, f16, or f32 for a model of F32 weights.
    #[arg(long, value_enum, value_name = "TYPE")]
    kv: Option<Kv>,
    /// How B does, where it is to be another: what a smaller cache costs.
    #[arg(long, value_enum, value_name = "TYPE")]
    kv_b: Option<Kv>,
    /// Compute with B's tower of F32, F16 or BF16 weights as with one of Q8_0: what that costs, with A's files as B.
    #[arg(long, requires = "images")]
    tower_int8_b: bool,
    #[command(flatten)]
    work: Work,
    /// Print one line of JSON instead of a table.
    #[arg(long)]
    json: bool,
}

const TEXT: &str = "A text, UTF-8: perplexity of both, and how far their logits are apart";
const IMAGES: &str = "A folder of images, or one image: how far the towers are apart, and the answers to a question about each";
const THREADS: &str = "Threads. Default: as many as the machine runs at once. They change no figure";

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
        self.asking.at_least(3, "at least 3")?;
        let text = self.material.corpus(|path, error| Apart::Text { path, error })?;
        let images = self.material.pictures()?;
        let [tower_a, tower_b] = self.towers();
        let a = Model::open(&self.a, tower_a, Load::Map)?;
        let b = Model::open(&self.b, tower_b, Load::Map)?;
        same_vocabulary(&a, &b).map_err(|error| self.named(error))?;
        let mut bar = Bar::new(self.json);
        let result = self.compare(&a, &b, text.as_deref(), images.as_deref(), &mut bar);
        bar.clear();
        let found = result.map_err(|error| self.named(error))?;
        let mut out = terminal::out();
        let sides = [(&self.a, a.weight_bytes()), (&self.b, b.weight_bytes())];
        if self.json {
            table::json(&found, &sides, &mut out)?
        } else {
            table::table(&found, &sides, &mut out)?
        }
        Ok(())
    }

    /// Says which files the two are, where an error speaks of A and B.
    fn named(&self, error: impl Into<anyhow::Error>) -> anyhow::Error {
        let error = error.into();
        match error.downcast_ref() {
            None | Some(Apart::Text { .. } | Apart::Short { .. } | Apart::NoImages { .. }) => error,
            Some(_) => error.context(format!("A is {}, B is {}", self.a.display(), self.b.display())),
        }
    }

    fn towers(&self) -> [Mmproj<'_>; 2] {
        let a = self.mmproj.as_deref();
        [a, self.mmproj_b.as_deref().or(a)].map(|file| self.material.tower(file))
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
        let mut options = self.work.options(images.unwrap_or(&[]))?;
        options.kv = match self.kv {
            Some(kv) => Some(kv.stored()),
            None => {
                let mut one = options.clone();
                one.context = Some(1);
                let one = a.plan(&one);
                let blame = |error| self.work.blame(error, images.unwrap_or(&[]), &[(a, &options)]);
                Some(one.map_err(blame)?.kv())
            }
        };
        let kv = self.kv_b.map(Kv::stored).or(options.kv);
        let mut other = options.clone();
        other.kv = kv;
        other.tower_int8 = self.tower_int8_b;
        let pair = Pair { a: (a, options), b: (b, other) };
        if let (Some(text), Some(path)) = (text, &self.material.text) {
            let mut progress = |done, of| bar.draw("reading", done as u64, of as u64, " windows");
            found.text = Some(pair.text((path, text), self.asking.context, &mut progress)?);
        }
        if let Some(images) = images {
            self.look(&pair, images, bar, &mut found)?;
        }
        Ok(found)
    }

    fn look(&self, pair: &Pair<'_>, images: &[PathBuf], bar: &mut Bar, found: &mut Found) -> Outcome {
        let models = [(pair.a.0, &pair.a.1), (pair.b.0, &pair.b.1)];
        let mut sessions = pair.sessions().map_err(|error| self.work.blame(error, images, &models))?;
        let asks = self.asking.max_tokens > 0;
        let prompt = if asks { self.asking.prompt(pair.a.0)? } else { Vec::new() };
        let (mut rows, mut answers) = (Rows::default(), Answers::default());
        for (number, path) in images.iter().enumerate() {
            bar.draw("seeing", number as u64, images.len() as u64, " images");
            let image = [self.work.pixels(path)?];
            sessions.image(path, &image[0], &mut rows)?;
            if asks {
                let segments: Vec<Segment<'_>> = prompt.iter().map(|part| part.segment(&image)).collect();
                sessions.ask(&segments, self.asking.max_tokens, &mut answers)?;
            }
        }
        found.rows = Some(rows);
        found.answers = asks.then_some(answers);
        Ok(())
    }
}
