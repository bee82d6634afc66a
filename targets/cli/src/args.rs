//! Arguments that several commands share.

use super::Failure;
use super::terminal::say;
use anyhow::Context;
use clap::{Args, ValueEnum};
use ocelli::generate::{AnswerOptions, Sampling};
use ocelli::{Error, ImageSizes, Load, Mmproj, Model, Options, Plan, Preprocess, Session, Stored};
use ocelli_kernels::cpu;
use ocelli_kernels::ops::Kernels;
use std::path::PathBuf;
use std::time::Duration;

/// Which model, and how it runs.
#[derive(Args)]
pub struct ModelArgs {
    /// The language model, a GGUF file; any part of a split one. Default: the model inside the program, if it was built with one.
    #[arg(short, long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Its vision tower. Default: the file beside the model with `mmproj` in its name that fits it.
    #[arg(long, value_name = "FILE", requires = "model")]
    pub mmproj: Option<PathBuf>,
    /// Do not look for a vision tower: text only.
    #[arg(long, conflicts_with = "mmproj")]
    no_mmproj: bool,
    /// Threads. Default: as many as the machine runs at once.
    #[arg(short, long, value_name = "N")]
    pub threads: Option<usize>,
    /// Keep the threads that are started to a processor each (Linux): of those that may be used, large cores first.
    #[arg(long)]
    pin: bool,
    /// Positions of the context. Default: what the model was trained for, at most 4096.
    #[arg(short, long, value_name = "N")]
    pub context: Option<usize>,
    /// How keys and values are kept. Default: f16, and f32 for a model of F32 weights.
    #[arg(long, value_enum, value_name = "TYPE")]
    kv: Option<Kv>,
    /// Refuse to use more memory, mapped weights included: bytes, or with K, M, G.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub memory_limit: Option<u64>,
    /// Tile images more coarsely where that keeps the memory limit.
    #[arg(long, requires = "memory_limit")]
    fit: bool,
    /// Read the files into memory instead of mapping them.
    #[arg(long)]
    no_mmap: bool,
    /// Most visual tokens an image may become: fewer are faster and see less.
    #[arg(long, value_name = "N")]
    image_tokens: Option<u32>,
    /// Compute with a vision tower of F32, F16 or BF16 weights as with one of Q8_0, made in memory: images are faster, and
    /// what the model sees of them differs by about 2 %.
    #[arg(long)]
    tower_int8: bool,
    /// How an image becomes a square, for models that know both (LLaVA). Default: the model's way.
    #[arg(long, value_enum, value_name = "WAY")]
    preprocess: Option<Way>,
    /// Refuse images of more pixels.
    #[arg(long, value_name = "N", default_value_t = 1 << 27)]
    pub max_pixels: u64,
}

/// How keys and values are kept.
#[derive(Clone, Copy, ValueEnum)]
pub enum Kv {
    F32,
    F16,
    #[value(name = "q8_0")]
    Q8,
}

impl Kv {
    /// The library's form of it.
    pub fn stored(self) -> Stored {
        match self {
            Kv::F32 => Stored::F32,
            Kv::F16 => Stored::F16,
            Kv::Q8 => Stored::Q8_0,
        }
    }
}

/// How an image becomes a square.
#[derive(Clone, Copy, ValueEnum)]
pub enum Way {
    /// Pad to a square with the mean colour.
    Pad,
    /// Cut the centre out.
    Crop,
}

impl From<Way> for Preprocess {
    fn from(way: Way) -> Preprocess {
        match way {
            Way::Pad => Preprocess::Pad,
            Way::Crop => Preprocess::Crop,
        }
    }
}

/// A number of bytes, or one with K, M or G.
pub fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_uppercase().trim_end_matches("IB").trim_end_matches('B') {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1u64 << 30,
        _ => return Err("expected a number of bytes, or one with K, M or G".into()),
    };
    let number: u64 = digits.parse().map_err(|_| String::from("expected a number of bytes"))?;
    number.checked_mul(unit).ok_or_else(|| "too many bytes".into())
}

impl ModelArgs {
    /// Opens the model; without images it may be a language model only.
    pub fn open(&self, images: bool) -> anyhow::Result<Model<'static>> {
        kernels()?;
        let load = if self.no_mmap { Load::Read } else { Load::Map };
        let mmproj = match &self.mmproj {
            Some(path) => Mmproj::File(path),
            None if self.no_mmproj => Mmproj::None,
            None if images => Mmproj::Beside,
            None => Mmproj::OneBeside,
        };
        let model = match &self.model {
            Some(path) => Model::open(path, mmproj, load)?,
            None => pocket()?,
        };
        let (text, vision) = model.weight_bytes();
        let name = self.model.as_ref().map_or("the pocket model".into(), |path| path.display().to_string());
        ::log::info!("{name}: {text} bytes, vision tower {vision} bytes");
        Ok(model)
    }

    /// Bytes that the memory limit leaves for images and for texts beyond those that are always planned for, which are so
    /// many.
    ///
    /// # Errors
    /// It leaves none: the model alone needs more.
    fn left(&self, model: &Model<'_>) -> Result<Option<(u64, u64)>, Error> {
        let Some(limit) = self.memory_limit else { return Ok(None) };
        let plan = model.plan(&self.options(Needs::of(ImageSizes::Exactly(Vec::new()))))?;
        Ok(Some((limit.saturating_sub(plan.bill().total()), plan.text_bytes() as u64)))
    }

    /// Bytes that the memory limit leaves for images.
    ///
    /// # Errors
    /// It leaves none: the model alone needs more.
    pub fn room(&self, model: &Model<'_>) -> Result<Option<u64>, Error> {
        Ok(self.left(model)?.map(|(room, _)| room))
    }

    /// Bytes of the longest prompt that the context could hold, and of the longest that the memory limit could.
    ///
    /// # Errors
    /// An option makes no sense, or the model alone needs more.
    pub fn longest_prompt(&self, model: &Model<'_>) -> Result<(u64, u64), Error> {
        let context = model.context(&self.options(Needs::of(ImageSizes::Exactly(Vec::new()))))?;
        let holds = (model.tokenizer().longest_text(context) as u64).min(PROMPT);
        let each = model.tokenizer().work_bytes(1).max(1) as u64;
        Ok((holds, self.left(model)?.map_or(u64::MAX, |(room, text)| text + room / each)))
    }

    /// Plans a session for what comes in.
    pub fn plan(&self, model: &Model<'_>, needs: Needs) -> Result<Plan, Error> {
        let plan = model.plan(&self.options(needs))?;
        let (isa, threads, bill) = (plan.isa(), plan.threads(), plan.bill());
        ::log::info!("{isa} kernels, {threads} threads, context {}, {bill} bytes", plan.context());
        Ok(plan)
    }

    /// Makes a session for it.
    pub fn session<'m>(&self, model: &'m Model<'_>, needs: Needs) -> Result<Session<'m>, Error> {
        let plan = self.plan(model, needs)?;
        if let Some(tokens) = plan.fitted() {
            say(format_args!("images are cut down to {tokens} tokens to keep the memory limit"));
        }
        Session::new(model, plan)
    }

    /// Says of which model an error is that does not.
    pub fn named(&self, error: Error) -> anyhow::Error {
        match (&error, &self.model) {
            (Error::NoVision, Some(path)) => anyhow::Error::from(error).context(path.display().to_string()),
            _ => error.into(),
        }
    }

    fn options(&self, needs: Needs) -> Options {
        let mut options = Options::default();
        options.threads = self.threads;
        options.pin = self.pin;
        options.context = self.context;
        options.memory_limit = self.memory_limit;
        options.fit = self.fit;
        options.image_tokens = self.image_tokens;
        options.tower_int8 = self.tower_int8;
        options.isa = forced_isa();
        options.images = needs.images;
        options.image_bytes = needs.image_bytes;
        options.text_bytes = needs.text_bytes;
        options.kv = self.kv.map(Kv::stored);
        options.preprocess = self.preprocess.map(Preprocess::from);
        options
    }
}

/// The images that memory is kept for, where they are not known yet.
#[derive(Args)]
pub struct LargestImage {
    /// Keep memory for images up to this size.
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size, default_value = "4096x4096")]
    pub largest_image: (u32, u32),
}

/// What comes in, and memory is planned for.
pub struct Needs {
    /// Sizes of images.
    pub images: ImageSizes,
    /// Bytes they take before they are resized.
    pub image_bytes: Option<u64>,
    /// Bytes of a prompt, where it is known.
    pub text_bytes: Option<u64>,
}

impl Needs {
    /// Of images of these sizes, without more.
    pub fn of(images: ImageSizes) -> Needs {
        Needs { images, image_bytes: None, text_bytes: None }
    }
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let (width, height) = text.split_once(['x', 'X', '×']).ok_or("expected WIDTHxHEIGHT")?;
    match (width.parse(), height.parse()) {
        (Ok(width), Ok(height)) if width > 0 && height > 0 => Ok((width, height)),
        _ => Err("expected two numbers above 0".into()),
    }
}

/// The model inside the program.
#[cfg(feature = "pocket")]
fn pocket() -> anyhow::Result<Model<'static>> {
    Ok(ocelli::pocket::model()?)
}

#[cfg(not(feature = "pocket"))]
fn pocket() -> anyhow::Result<Model<'static>> {
    let what = "this program was built without a model inside (feature `pocket`): name one with --model";
    Err(Failure::Usage(what.into()).into())
}

/// The instruction set that the environment asks for.
pub fn forced_isa() -> Option<String> {
    std::env::var("OCELLI_ISA").ok().filter(|name| !name.is_empty())
}

/// The kernels that will run a model here.
pub fn kernels() -> anyhow::Result<&'static dyn Kernels> {
    let isa = forced_isa();
    let chosen = cpu::choose(isa.as_deref()).map_err(Error::Isa);
    chosen.with_context(|| format!("OCELLI_ISA={}", isa.unwrap_or_default()))
}

/// How an answer is chosen and where it ends.
#[derive(Args)]
pub struct AnswerArgs {
    /// Randomness: 0 always takes the likeliest token.
    #[arg(long, value_name = "T", default_value_t = 0.0, allow_negative_numbers = true)]
    temperature: f32,
    /// Choose among the K likeliest tokens only; 0 is all.
    #[arg(long, value_name = "K", default_value_t = 0)]
    top_k: usize,
    /// Choose among the likeliest tokens that together have this probability.
    #[arg(long, value_name = "P", default_value_t = 1.0, allow_negative_numbers = true)]
    top_p: f32,
    /// Choose among tokens at least this probable relative to the likeliest.
    #[arg(long, value_name = "P", default_value_t = 0.0, allow_negative_numbers = true)]
    min_p: f32,
    /// Seed of the random choices: the same seed gives the same answer on every machine.
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    seed: u64,
    /// Make tokens of the last 64 less likely: above 1.
    #[arg(long, value_name = "R", default_value_t = 1.0, allow_negative_numbers = true)]
    repetition_penalty: f32,
    /// End the answer after so many tokens.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 512)]
    max_tokens: usize,
    /// End the answer before this text; may be given several times.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Print an answer as it is, even at a terminal: control characters and the like are shown escaped there otherwise.
    #[arg(long)]
    pub raw_output: bool,
    /// End everything after so many seconds (or `500ms`).
    #[arg(long, value_name = "TIME", value_parser = duration, allow_negative_numbers = true)]
    pub deadline: Option<Duration>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1e-3),
        (None, Some(number)) => (number, 1.0),
        (None, None) => (text, 1.0),
    };
    let seconds: f64 =
        number.trim().parse().map_err(|_| String::from("expected seconds, or milliseconds with ms"))?;
    Duration::try_from_secs_f64(seconds * unit).map_err(|error| error.to_string())
}

impl AnswerArgs {
    /// The library's form of it.
    pub fn options(&self) -> AnswerOptions {
        let mut options = AnswerOptions::default();
        options.sampling = Sampling {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            seed: self.seed,
            repetition_penalty: self.repetition_penalty,
            ..Sampling::default()
        };
        options.max_tokens = self.max_tokens;
        options.stops = self.stop.clone();
        options
    }
}

/// Bytes of the longest prompt, whatever the context.
const PROMPT: u64 = 64 << 20;

/// Splits a prompt at the words that stand for images. Each is the place of one image, in order; images without a place come
/// first. Where no image is given, or nothing stands for one, all of it is text.
///
/// # Errors
/// There are more such words than images.
pub fn place_images<'a>(
    prompt: &'a str,
    images: usize,
    marker: &str,
) -> Result<Vec<Place<'a>>, anyhow::Error> {
    let texts: Vec<&str> = match (images, marker) {
        (0, _) | (_, "") => vec![prompt],
        _ => prompt.splitn(images.saturating_add(2), marker).collect(),
    };
    let marks = texts.len() - 1;
    if marks > images {
        let marks = prompt.matches(marker).count();
        let what = format!(
            "the prompt has {marks} `{marker}` and {images} images are given with --image; where `{marker}` is meant as \
             text, --image-marker WORD names another word for an image's place, and --image-marker '' none"
        );
        return Err(Failure::Usage(what).into());
    }
    let mut places: Vec<Place<'_>> = (marks..images).map(Place::Image).collect();
    for (i, text) in texts.into_iter().enumerate() {
        if !text.is_empty() {
            places.push(Place::Text(text));
        }
        if i < marks {
            places.push(Place::Image(i));
        }
    }
    Ok(places)
}

/// A part of a prompt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place<'a> {
    /// Words.
    Text(&'a str),
    /// The image with this number.
    Image(usize),
}

/// Memory limits and the like are the engine's errors; the command line adds nothing to them.
pub type Outcome = Result<(), anyhow::Error>;
