//! Images named on the command line.

use super::Failure;
use super::args::Needs;
use super::input::{self, Kind, Reading, Unread};
use anyhow::Context;
use ocelli::image::{self, DecodeOptions, Image, ImageError};
use ocelli::{Error, ImageReport, ImageSizes, Stopper};
use ocelli_tools::compare::Failure as Apart;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// An encoded image, looked at but not decoded.
pub struct Encoded {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Width and height.
    pub size: (u32, u32),
    /// Bytes that decoding takes at any one time, the result included.
    peak: u64,
}

/// Of the bound on what a decoder takes beside the pixels, so much is not planned for: it is there for metadata that
/// real pictures do not have (a JPEG of 12 megapixels takes 2 MB), and a little for tables.
const METADATA: u64 = (5 << 20) + (64 << 10);

/// What a session is planned for: the images' sizes, and the bytes they take at any one time while they are decoded
/// one after the other.
pub fn needs(images: &[Encoded]) -> Needs {
    let pixels = |image: &Encoded| u64::from(image.size.0) * u64::from(image.size.1) * 3;
    let mut now: u64 = images.iter().map(Encoded::file_bytes).sum();
    let mut most = 0;
    for image in images {
        most = most.max(now.saturating_add(image.peak).saturating_sub(METADATA));
        now = now.saturating_add(pixels(image)) - image.file_bytes();
    }
    let sizes = ImageSizes::Exactly(images.iter().map(|image| image.size).collect());
    Needs { image_bytes: Some(most.max(now)), ..Needs::of(sizes) }
}

/// What is planned for images up to a size that are read one after the other: the pixels, and for the file and what decoding
/// it takes five bytes a pixel, of large images, which are photographs, 16 MiB and one a pixel. An image that takes more is
/// refused.
pub fn needs_up_to((width, height): (u32, u32)) -> Needs {
    let pixels = u64::from(width) * u64::from(height);
    let beside = (5 * pixels).min((16 << 20) + pixels).saturating_add(64 << 10);
    let image_bytes = Some((3 * pixels).saturating_add(beside));
    Needs { image_bytes, ..Needs::of(ImageSizes::UpTo(width, height)) }
}

/// Bytes that the file of an image of so many pixels may have: four for each, and 16 MiB for what is in it beside them, such
/// as the other frames of an animation.
pub fn most_bytes(max_pixels: u64) -> u64 {
    max_pixels.saturating_mul(4).saturating_add(16 << 20)
}

/// How images are opened.
pub struct Opening<'a> {
    /// Pixels that one may have.
    pub max_pixels: u64,
    /// Bytes that one may have, and the option that says so, where that is less than its pixels allow.
    pub most: Option<(u64, &'static str)>,
    /// Whether it may come through a pipe.
    pub kind: Kind,
    /// Who ends it.
    pub stopper: &'a Stopper,
}

/// Reads a file and its header. Of what begins like no image just the beginning is read.
pub fn open(path: &Path, how: &Opening<'_>) -> anyhow::Result<Encoded> {
    let allowed = (most_bytes(how.max_pixels), "--max-pixels");
    let (most, option) = how.most.filter(|(most, _)| *most < allowed.0).unwrap_or(allowed);
    let worth = |start: &[u8]| {
        !matches!(image::probe(start, &DecodeOptions::default()), Err(ImageError::UnknownFormat { .. }))
    };
    let reading = Reading { kind: how.kind, most, worth, stopper: how.stopper };
    let bytes = input::file(path, &reading).map_err(|error| -> anyhow::Error {
        let path = path.to_path_buf();
        match error {
            Unread::Io(error) => Failure::Photo { path, error }.into(),
            Unread::Long { bytes, most } => Failure::Large { path, bytes, most, option }.into(),
            Unread::Ended(error) => error.into(),
        }
    })?;
    let header =
        image::probe(&bytes, &options(how.max_pixels)).with_context(|| path.display().to_string())?;
    Ok(Encoded {
        path: path.to_path_buf(),
        bytes,
        size: (header.width, header.height),
        peak: header.peak_bytes,
    })
}

fn options(max_pixels: u64) -> DecodeOptions {
    DecodeOptions { max_pixels, ..DecodeOptions::default() }
}

impl Encoded {
    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    pub fn file_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Bytes that it takes until it is decoded, as they are planned for.
    pub fn needed(&self) -> u64 {
        let pixels = u64::from(self.size.0) * u64::from(self.size.1) * 3;
        self.file_bytes().saturating_add(self.peak.saturating_sub(METADATA).max(pixels))
    }

    /// Decodes it: the encoded bytes are given up. Says how long that took.
    pub fn decode(self, max_pixels: u64) -> anyhow::Result<(Image, Duration)> {
        let start = Instant::now();
        let image = image::decode(&self.bytes, &options(max_pixels));
        Ok((image.with_context(|| self.path.display().to_string())?, start.elapsed()))
    }
}

/// Names the image that a model cannot take, which the model does not know by name. `takes` is asked for each alone.
pub fn blame<'p>(
    error: anyhow::Error,
    images: impl IntoIterator<Item = (&'p Path, (u32, u32))>,
    takes: impl Fn(ImageSizes) -> Result<(), Error>,
) -> anyhow::Error {
    let refused = |error: Option<&Error>| matches!(error, Some(Error::Image(_)));
    let of_a_pair = match error.downcast_ref() {
        Some(Apart::Model { error, .. }) => refused(Some(error)),
        _ => false,
    };
    if !refused(error.downcast_ref()) && !of_a_pair {
        return error;
    }
    let mut images = images.into_iter();
    match images.find(|(_, size)| refused(takes(ImageSizes::Exactly(vec![*size])).err().as_ref())) {
        Some((path, _)) => error.context(path.display().to_string()),
        None => error,
    }
}

/// What an image became, in words.
pub fn describe(report: &ImageReport) -> String {
    let ImageReport { views, rows, columns, tokens } = report;
    match (views, rows) {
        (1, _) => format!("1 view, {tokens} tokens"),
        _ => format!("{views} views ({columns}×{rows} tiles and the whole), {tokens} tokens"),
    }
}
