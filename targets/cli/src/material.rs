//! What `calibrate` and `compare` let a model read and look at.
//!
//! Three groups of options, in the places where the help of both commands has them. Where a word of the help differs from
//! one command to the other, the command says its own.

use super::Failure;
use super::args::{Outcome, forced_isa};
use super::input::{self, Kind};
use super::photos::{self, Encoded, Opening};
use clap::Args;
use ocelli::chat::{Content, Message, Part, Template};
use ocelli::image::Image;
use ocelli::{Error, ImageSizes, Mmproj, Model, Options, Stopper};
use ocelli_tools::compare::Failure as Apart;
use std::path::{Path, PathBuf};

/// What is read and seen.
#[derive(Args)]
pub struct Material {
    /// A text, UTF-8; CRLF ends a line as LF does.
    #[arg(long, value_name = "FILE", required_unless_present = "images")]
    pub text: Option<PathBuf>,
    /// A folder of images, or one image.
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
}

/// How it is read, and what is asked.
#[derive(Args)]
pub struct Asking {
    /// Tokens of a window of the text.
    #[arg(short, long, value_name = "N", default_value_t = 512)]
    pub context: usize,
    /// What is asked about every image.
    #[arg(long, value_name = "TEXT", default_value = "Describe this image.")]
    question: String,
    /// No chat template: the image and then the question.
    #[arg(long)]
    raw: bool,
    /// End an answer after so many tokens.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 64)]
    pub max_tokens: usize,
}

/// How it is computed.
#[derive(Args)]
pub struct Work {
    /// Most visual tokens an image may become.
    #[arg(long, value_name = "N")]
    image_tokens: Option<u32>,
    /// Threads. Default: as many as the machine runs at once.
    #[arg(short, long, value_name = "N")]
    threads: Option<usize>,
    /// Refuse images of more pixels.
    #[arg(long, value_name = "N", default_value_t = 1 << 27)]
    max_pixels: u64,
}

impl Material {
    /// A vision tower: the file that is named, else the one beside the model, where there is something to see.
    pub fn tower<'p>(&self, file: Option<&'p Path>) -> Mmproj<'p> {
        let beside = if self.images.is_some() { Mmproj::Beside } else { Mmproj::None };
        file.map_or(beside, Mmproj::File)
    }

    /// The images by name: those of the folder, or the one.
    pub fn pictures(&self) -> anyhow::Result<Option<Vec<PathBuf>>> {
        self.images.as_deref().map(list).transpose()
    }

    /// The text.
    ///
    /// # Errors
    /// It cannot be read; `unread` makes the command's error of it.
    pub fn corpus<E>(&self, unread: impl Fn(PathBuf, std::io::Error) -> E) -> Result<Option<String>, E> {
        let read = |path: &PathBuf| input::text_file(path, TEXT).map_err(|error| unread(path.clone(), error));
        self.text.as_ref().map(read).transpose()
    }
}

impl Asking {
    /// Refuses windows of fewer tokens.
    pub fn at_least(&self, least: usize, expected: &'static str) -> Outcome {
        if self.context < least {
            return Err(Error::Option { name: "the context", expected }.into());
        }
        Ok(())
    }

    /// The question about an image, as the model's template writes it.
    pub fn prompt(&self, model: &Model<'_>) -> anyhow::Result<Vec<Part>> {
        if self.raw {
            return Ok(vec![Part::Image(0), Part::Control(self.question.clone())]);
        }
        let content = vec![Content::Image(0), Content::Text(self.question.clone())];
        Ok(Template::of(model)?.render(&[Message { role: "user".into(), content }])?)
    }
}

impl Work {
    /// For a session that sees these images.
    pub fn options(&self, images: &[PathBuf]) -> anyhow::Result<Options> {
        let sizes = images.iter().map(|path| Ok(self.open(path)?.size));
        let images = ImageSizes::Exactly(sizes.collect::<anyhow::Result<_>>()?);
        let mut options = Options::default();
        options.threads = self.threads;
        options.isa = forced_isa();
        options.image_tokens = self.image_tokens;
        options.images = images;
        Ok(options)
    }

    /// Names the image that a model cannot take.
    pub fn blame(
        &self,
        error: impl Into<anyhow::Error>,
        images: &[PathBuf],
        models: &[(&Model<'_>, &Options)],
    ) -> anyhow::Error {
        let size = |path: &'_ PathBuf| self.open(path).map(|image| image.size).unwrap_or_default();
        let takes = |sizes: ImageSizes| {
            models.iter().try_for_each(|(model, options)| {
                let mut options = (*options).clone();
                options.images = sizes.clone();
                model.plan(&options).map(drop)
            })
        };
        photos::blame(error.into(), images.iter().map(|path| (path.as_path(), size(path))), takes)
    }

    /// An image's pixels.
    pub fn pixels(&self, path: &Path) -> anyhow::Result<Image> {
        Ok(self.open(path)?.decode(self.max_pixels)?.0)
    }

    /// An image's file, which is read twice and so no pipe.
    fn open(&self, path: &Path) -> anyhow::Result<Encoded> {
        let how = Opening {
            max_pixels: self.max_pixels,
            most: None,
            kind: Kind::File,
            stopper: &Stopper::default(),
        };
        photos::open(path, &how)
    }
}

/// Bytes of the longest text. A SentencePiece vocabulary takes some sixty times as many to encode it.
const TEXT: u64 = 64 << 20;

/// What an image's name ends in.
const ENDINGS: [&str; 6] = ["png", "jpg", "jpeg", "gif", "webp", "bmp"];

/// The images of a folder by name, or the one image.
fn list(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
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
