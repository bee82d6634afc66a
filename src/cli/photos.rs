//! Images named on the command line.

use super::Failure;
use crate::ImageReport;
use crate::image::{self, DecodeOptions, Image};
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// An encoded image, looked at but not decoded.
pub struct Encoded {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Width and height.
    pub size: (u32, u32),
}

/// Reads a file and its header.
pub fn open(path: &Path, max_pixels: u64) -> anyhow::Result<Encoded> {
    let bytes = std::fs::read(path).map_err(|error| Failure::Photo { path: path.to_path_buf(), error })?;
    let header = image::probe(&bytes, &options(max_pixels)).with_context(|| path.display().to_string())?;
    Ok(Encoded { path: path.to_path_buf(), bytes, size: (header.width, header.height) })
}

fn options(max_pixels: u64) -> DecodeOptions {
    DecodeOptions { max_pixels, ..DecodeOptions::default() }
}

impl Encoded {
    /// Decodes it, and says how long that took.
    pub fn decode(self, max_pixels: u64) -> anyhow::Result<(Image, Duration)> {
        let start = Instant::now();
        let image = image::decode(&self.bytes, &options(max_pixels))
            .with_context(|| self.path.display().to_string())?;
        Ok((image, start.elapsed()))
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
