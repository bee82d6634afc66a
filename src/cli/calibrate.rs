//! `ocelli calibrate`: which columns of a model's matrices count.

use super::args::{Outcome, forced_isa};
use super::compare::list;
use super::terminal::Bar;
use super::{Failure, photos};
use crate::calibrate::{Failure as Uncalibrated, Sums, Unwritten, ask, session, text};
use crate::conversation::{Content, Message, Part, Template};
use crate::part::Part as NewFile;
use crate::{Error, ImageSizes, Load, Mmproj, Model, Options, Segment};
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Arguments of `calibrate`.
#[derive(Args)]
#[command(after_help = MEANING)]
pub struct Calibrate {
    /// The model, F32, F16 or BF16 at best: a GGUF file (any part of a split one).
    model: PathBuf,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// A text, UTF-8, like those that the model will read.
    #[arg(long, value_name = "FILE", required_unless_present = "images")]
    text: Option<PathBuf>,
    /// A folder of images, or one image, like those that it will see.
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// The vision tower. Default: the file beside the model with `mmproj` in its name that fits it.
    #[arg(long, value_name = "FILE", requires = "images")]
    mmproj: Option<PathBuf>,
    /// Tokens of a window of the text.
    #[arg(short, long, value_name = "N", default_value_t = 512)]
    context: usize,
    /// What is asked about every image.
    #[arg(long, value_name = "TEXT", default_value = "Describe this image.")]
    question: String,
    /// No chat template: the image and then the question.
    #[arg(long)]
    raw: bool,
    /// End an answer after so many tokens; 0 only asks.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 64)]
    max_tokens: usize,
    /// Most visual tokens an image may become.
    #[arg(long, value_name = "N")]
    image_tokens: Option<u32>,
    /// Threads. Default: as many as the machine runs at once. They change no byte.
    #[arg(short, long, value_name = "N")]
    threads: Option<usize>,
    /// Refuse images of more pixels.
    #[arg(long, value_name = "N", default_value_t = 1 << 27)]
    max_pixels: u64,
    /// Replace a file of that name.
    #[arg(long)]
    force: bool,
}

const MEANING: &str = "\
For every linear map the file has the sum of the squares of each of its inputs and the number of rows, of the language
model and of the vision tower, in the layout of llama.cpp's importance matrices: for `ocelli quantize --importance` with
either file, and for llama-quantize --imatrix with the language model's.";

impl Calibrate {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        if self.context < 2 {
            return Err(Error::Option { name: "the context", expected: "at least 2" }.into());
        }
        if !self.force && self.output.exists() {
            let path = self.output.display();
            return Err(Failure::Usage(format!("{path} exists already (--force replaces it)")).into());
        }
        let corpus = self.text.as_deref().map(read).transpose()?;
        let images = self.images.as_deref().map(list).transpose()?.unwrap_or_default();
        let beside = if self.images.is_some() { Mmproj::Beside } else { Mmproj::None };
        let tower = self.mmproj.as_deref().map_or(beside, Mmproj::File);
        let model = Model::open(&self.model, tower, Load::Map)?;
        let mut sums = Sums::new(&model)?;
        let mut bar = Bar::new(false);
        let result = self.gather(&model, corpus.as_deref(), &images, &mut sums, &mut bar);
        bar.clear();
        let chunks = result?;
        let bytes = self.write(&sums, chunks)?;
        println!("{}: {bytes} bytes, {} linear maps", self.output.display(), sums.len());
        Ok(())
    }

    fn options(&self, images: &[PathBuf]) -> anyhow::Result<Options> {
        let sizes = images.iter().map(|path| Ok(photos::open(path, self.max_pixels)?.size));
        let images = ImageSizes::Exactly(sizes.collect::<anyhow::Result<_>>()?);
        let (threads, image_tokens, isa) = (self.threads, self.image_tokens, forced_isa());
        Ok(Options { threads, isa, image_tokens, images, ..Options::default() })
    }

    /// Reads and looks at everything; gives how many windows and images it was.
    fn gather(
        &self,
        model: &Model<'_>,
        corpus: Option<&str>,
        images: &[PathBuf],
        sums: &mut Sums,
        bar: &mut Bar,
    ) -> anyhow::Result<usize> {
        let options = self.options(images)?;
        let mut chunks = 0;
        if let Some(corpus) = corpus {
            let mut progress = |done, of| bar.draw("reading", done as u64, of as u64, " windows");
            chunks += text(model, &options, (corpus, self.context), sums, &mut progress)?;
        }
        if !images.is_empty() {
            let shared = Arc::new(Mutex::new(std::mem::take(sums)));
            let mut session = session(model, &options, &shared)?;
            let prompt = self.prompt(model)?;
            for (number, path) in images.iter().enumerate() {
                bar.draw("seeing", number as u64, images.len() as u64, " images");
                let image = [photos::open(path, self.max_pixels)?.pixels(self.max_pixels)?];
                let segments: Vec<Segment<'_>> = prompt.iter().map(|part| part.segment(&image)).collect();
                ask(&mut session, &segments, self.max_tokens)?;
            }
            *sums = std::mem::take(&mut *shared.lock().unwrap_or_else(PoisonError::into_inner));
        }
        Ok(chunks + images.len())
    }

    /// The question about an image, as the model's template writes it.
    fn prompt(&self, model: &Model<'_>) -> anyhow::Result<Vec<Part>> {
        if self.raw {
            return Ok(vec![Part::Image(0), Part::Control(self.question.clone())]);
        }
        let content = vec![Content::Image(0), Content::Text(self.question.clone())];
        Ok(Template::of(model)?.render(&[Message { role: "user".into(), content }])?)
    }

    fn write(&self, sums: &Sums, chunks: usize) -> Result<u64, Uncalibrated> {
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let datasets: Vec<String> = self.text.iter().chain(&self.images).map(name).collect();
        let unwritten = |error| Uncalibrated::Write { path: self.output.clone(), error };
        let mut part = NewFile::create(&self.output).map_err(unwritten)?;
        let size =
            (u32::try_from(chunks).unwrap_or(u32::MAX), u32::try_from(self.context).unwrap_or(u32::MAX));
        sums.write(&datasets, size, &mut |bytes| part.write(bytes)).map_err(|error| match error {
            Unwritten::NotFinite(tensor) => Uncalibrated::NotFinite { tensor },
            Unwritten::Sink(error) => unwritten(error),
        })?;
        part.finish().map_err(unwritten)
    }
}

/// A text file.
fn read(path: &Path) -> Result<String, Uncalibrated> {
    std::fs::read_to_string(path).map_err(|error| Uncalibrated::Text { path: path.into(), error })
}
