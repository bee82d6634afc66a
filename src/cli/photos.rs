//! Images named on the command line.

use super::Failure;
use crate::image::{self, DecodeOptions, Image, ImageError};
use crate::{ImageReport, ImageSizes};
use anyhow::Context;
use std::fs::File;
use std::io::{self, Read};
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
pub fn needs(images: &[Encoded]) -> (ImageSizes, Option<u64>) {
    let pixels = |image: &Encoded| u64::from(image.size.0) * u64::from(image.size.1) * 3;
    let mut now: u64 = images.iter().map(|image| image.bytes.len() as u64).sum();
    let mut most = 0;
    for image in images {
        most = most.max(now.saturating_add(image.peak).saturating_sub(METADATA));
        now = now.saturating_add(pixels(image)) - image.bytes.len() as u64;
    }
    (ImageSizes::Exactly(images.iter().map(|image| image.size).collect()), Some(most.max(now)))
}

/// Reads a file and its header.
pub fn open(path: &Path, max_pixels: u64) -> anyhow::Result<Encoded> {
    let bytes = read(path, max_pixels).map_err(|error| Failure::Photo { path: path.to_path_buf(), error })?;
    let header = image::probe(&bytes, &options(max_pixels)).with_context(|| path.display().to_string())?;
    Ok(Encoded {
        path: path.to_path_buf(),
        bytes,
        size: (header.width, header.height),
        peak: header.peak_bytes,
    })
}

/// A file's bytes, or a pipe's: as many as an image of so many pixels may have. Of what is no file and begins like no image
/// just the beginning: a device may have no end.
fn read(path: &Path, max_pixels: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let most = max_pixels.saturating_mul(8).saturating_add(64 << 20);
    let mut bytes = Vec::new();
    (&file).take(12).read_to_end(&mut bytes)?;
    let start = image::probe(&bytes, &options(max_pixels));
    if !file.metadata()?.is_file() && matches!(start, Err(ImageError::UnknownFormat { .. })) {
        return Ok(bytes);
    }
    (&file).take(most).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let what = format!("it has more than {most} bytes, which no image of {max_pixels} pixels has");
        return Err(io::Error::other(what));
    }
    Ok(bytes)
}

fn options(max_pixels: u64) -> DecodeOptions {
    DecodeOptions { max_pixels, ..DecodeOptions::default() }
}

impl Encoded {
    /// Decodes it for good: the encoded bytes are given up. Says how long that took.
    pub fn decode(self, max_pixels: u64) -> anyhow::Result<(Image, Duration)> {
        let start = Instant::now();
        Ok((self.pixels(max_pixels)?, start.elapsed()))
    }

    /// Decodes it.
    pub fn pixels(&self, max_pixels: u64) -> anyhow::Result<Image> {
        image::decode(&self.bytes, &options(max_pixels)).with_context(|| self.path.display().to_string())
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
