//! JPEG to RGB, with the very pixels that libjpeg-turbo and Pillow give.
//!
//! ```text
//! segments ─ header ─> frame, tables, scans ─ bits, scan ─> coefficients ─ idct ─> samples ─ rows ─> RGB
//! ```
//! Written here because a decoder whose pixels differ "a little" cannot be told from one that is wrong: every crate that
//! was tried differs from Pillow by a few steps where it is right, and is silently wrong elsewhere (several sequential
//! scans, chroma finer than luma, JFIF beside Adobe's segment; `tests/golden/make_image_variants.py` has the kinds).
//!
//! Read: sequential and progressive, Huffman-coded, 8 bits, one, three or four components, whole sampling ratios. Where
//! all components come in one sequential scan only a few rows of samples are kept, else all coefficients.
//!
//! Refused: lossless, hierarchical and arithmetic coding, other depths, and what Pillow shows by guessing: data that ends
//! early or contradicts its tables, and progressive images whose scans stop before the low frequencies are whole.

mod bits;
mod header;
mod idct;
mod rows;
mod scan;

use alloc::string::ToString;
use alloc::vec::Vec;

use self::bits::Bits;
use self::header::{Frame, Reader, Scan};
use self::idct::Block;
use self::rows::Rows;
use self::scan::{NO_TABLE, Plane, Restarts};
use super::header::{DecodeOptions, Header, check_size};
use super::orientation::{Orientation, Turn, turned};
use super::rgb::{Image, reserve};
use super::{Format, ImageError, metadata};

/// Bytes of Huffman tables and all else that does not grow with the image.
const FIXED: u64 = 1 << 18;

/// The coefficients, in zigzag order, that libjpeg guesses from neighbouring blocks where they are not whole.
const GUESSED: usize = 10;

/// Why a file was refused, short enough to be handed up from every code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Short,
    Bad(&'static str),
    Unread(&'static str),
}

impl Fault {
    fn explain(self, length: usize) -> ImageError {
        let format = Format::Jpeg;
        match self {
            Self::Short => ImageError::Truncated { format, length },
            Self::Bad(reason) => ImageError::Malformed { format, reason: reason.to_string() },
            Self::Unread(reason) => ImageError::Unsupported { format, reason: reason.to_string() },
        }
    }
}

/// A file up to its first scan.
struct Opened<'a> {
    reader: Reader<'a>,
    scan: Scan,
    turn: Turn,
    peak_bytes: u64,
}

impl<'a> Opened<'a> {
    fn new(bytes: &'a [u8], options: &DecodeOptions) -> Result<Self, ImageError> {
        let explain = |fault: Fault| fault.explain(bytes.len());
        let mut reader = Reader::new(bytes);
        let scan = reader.next_scan().map_err(explain)?;
        let scan = scan.ok_or_else(|| explain(Fault::Bad("it ends before a scan begins")))?;
        let frame = reader.frame().map_err(explain)?;
        let pixels = check_size(frame.width as u32, frame.height as u32, options)?;
        let turn = match options.orientation {
            Orientation::Exif => metadata::of_jpeg(bytes),
            Orientation::Turned(turn) => turn,
        };
        let coefficients = if is_whole(frame, &scan) { 0 } else { coefficient_bytes(frame) };
        let turning = if turn.swaps_sides() { 6 * pixels } else { 0 };
        // EXIF in several segments is listed and joined.
        let joining = 4 * bytes.len() as u64;
        let decoding = 3 * pixels + rows::bytes(frame) + coefficients;
        let peak_bytes = decoding.max(turning).max(joining) + FIXED;
        Ok(Self { reader, scan, turn, peak_bytes })
    }
}

/// Whether a sequential scan brings all components.
fn is_whole(frame: &Frame, scan: &Scan) -> bool {
    !frame.is_progressive && scan.parts.len() == frame.components.len()
}

fn coefficient_bytes(frame: &Frame) -> u64 {
    let units = (frame.units_wide() * frame.units_high()) as u64;
    let blocks = |h: usize, v: usize| units * (h * v) as u64;
    let all: u64 = frame.components.iter().map(|component| blocks(component.h, component.v)).sum();
    all * size_of::<Block>() as u64
}

/// Markers and data of the segments before the first scan.
pub(super) fn before_scan(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut at = 2;
    core::iter::from_fn(move || {
        let (marker, data, end) = header::segment(bytes, at)?;
        at = end;
        (!matches!(marker, 0xD9 | 0xDA)).then_some((marker, data))
    })
}

pub(super) fn probe(bytes: &[u8], options: &DecodeOptions) -> Result<Header, ImageError> {
    let opened = Opened::new(bytes, options)?;
    let frame = opened.reader.frame().map_err(|fault| fault.explain(bytes.len()))?;
    let (width, height) = opened.turn.size((frame.width as u32, frame.height as u32));
    Ok(Header { format: Format::Jpeg, width, height, peak_bytes: opened.peak_bytes })
}

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Image, ImageError> {
    let Opened { mut reader, scan, turn, .. } = Opened::new(bytes, options)?;
    let explain = |fault: Fault| fault.explain(bytes.len());
    let colors = reader.colors().map_err(explain)?;
    let frame = reader.frame().map_err(explain)?;
    let (width, height) = (frame.width as u32, frame.height as u32);
    let mut rows = Rows::new(frame, colors)?;
    let mut data = reserve(3 * u64::from(width) * u64::from(height))?;
    if is_whole(frame, &scan) {
        let end = one_scan(&reader, &scan, &mut rows, &mut data).map_err(explain)?;
        reader.seek(end);
        if reader.next_scan().map_err(explain)?.is_some() {
            return Err(explain(Fault::Bad("a scan comes after the image is whole")));
        }
    } else {
        let planes = all_scans(&mut reader, scan)?;
        let frame = reader.frame().map_err(explain)?;
        show(frame, &planes, &mut rows, &mut data).map_err(explain)?;
    }
    drop(rows);
    turned(Image { width, height, data }, turn)
}

/// Decodes a scan of all components, a row of units at a time; gives the place behind its data.
fn one_scan(reader: &Reader<'_>, scan: &Scan, rows: &mut Rows, out: &mut [u8]) -> Result<usize, Fault> {
    let frame = reader.frame()?;
    // A scan of one component goes block by block, whatever its sampling says.
    let is_alone = scan.parts.len() == 1;
    let (mut parts, mut wide, mut high) = (Vec::new(), frame.units_wide(), frame.units_high());
    for part in &scan.parts {
        let component = &frame.components[part.component];
        let dc = reader.dc[part.dc].as_deref().ok_or(NO_TABLE)?;
        let ac = reader.ac[part.ac].as_deref().ok_or(NO_TABLE)?;
        let steps = component.steps.as_ref().ok_or(NO_TABLE)?;
        let blocks = if is_alone { (1, 1) } else { (component.h, component.v) };
        if is_alone {
            (wide, high) = (component.blocks_wide(), component.blocks_high());
        }
        parts.push((part.component, dc, ac, steps, blocks));
    }
    let unit_rows = if is_alone { frame.v } else { 1 };
    let mut bits = Bits::new(reader.bytes, scan.at);
    let mut restarts = Restarts::new(reader.interval);
    let mut before = [0; 4];
    let mut block = [0; 64];
    for y in 0..high {
        for x in 0..wide {
            if restarts.before_unit(&mut bits, reader.bytes)? {
                before = [0; 4];
            }
            for (&(component, dc, ac, steps, (h, v)), before) in parts.iter().zip(&mut before) {
                for (down, across) in (0..v).flat_map(|down| (0..h).map(move |across| (down, across))) {
                    let last = scan::sequential(&mut bits, dc, ac, before, &mut block)?;
                    let place = (x * h + across, y % unit_rows * v + down);
                    rows.block(component, y / unit_rows, place, (&block, last), steps);
                    if last == 0 { block[0] = 0 } else { block = [0; 64] }
                }
            }
            if bits.ends_early() {
                return Err(Fault::Short);
            }
        }
        if y % unit_rows == unit_rows - 1 || y == high - 1 {
            rows.write(y / unit_rows + 1, out);
        }
    }
    Ok(bits.at())
}

/// Reads all scans into coefficients.
fn all_scans(reader: &mut Reader<'_>, first: Scan) -> Result<Vec<Plane>, ImageError> {
    let length = reader.bytes.len();
    let explain = |fault: Fault| fault.explain(length);
    let frame = reader.frame().map_err(explain)?;
    let mut planes = Vec::new();
    for component in &frame.components {
        let wide = frame.units_wide() * component.h;
        let count = wide * frame.units_high() * component.v;
        let mut blocks: Vec<Block> = Vec::new();
        let refused = ImageError::OutOfMemory { bytes: (count * size_of::<Block>()) as u64 };
        blocks.try_reserve_exact(count).map_err(|_| refused)?;
        blocks.resize(count, [0; 64]);
        planes.push(Plane { blocks, wide });
    }
    let mut next = Some(first);
    while let Some(scan) = next {
        let end = scan::read(reader, &scan, &mut planes).map_err(explain)?;
        reader.seek(end);
        next = reader.next_scan().map_err(explain)?;
    }
    Ok(planes)
}

/// Makes rows of coefficients.
fn show(frame: &Frame, planes: &[Plane], rows: &mut Rows, out: &mut [u8]) -> Result<(), Fault> {
    let mut parts = Vec::new();
    for (component, plane) in frame.components.iter().zip(planes) {
        let steps = component.steps.as_ref().ok_or(Fault::Bad("a component is in none of its scans"))?;
        // Low bits of the first may be missing: that is a shade, not a guess.
        let is_guess =
            component.missing[0] < 0 || component.missing[1..GUESSED].iter().any(|&bits| bits != 0);
        if frame.is_progressive && is_guess {
            return Err(Fault::Unread("its scans end before the low frequencies are whole"));
        }
        parts.push((component, plane, steps));
    }
    for y in 0..frame.units_high() {
        for (index, (component, plane, steps)) in parts.iter().enumerate() {
            for down in 0..component.v {
                let start = (y * component.v + down) * plane.wide;
                let blocks = plane.blocks.get(start..start + plane.wide).unwrap_or_default();
                for (x, block) in blocks.iter().enumerate() {
                    let last = if block[1..].iter().all(|&value| value == 0) { 0 } else { 63 };
                    rows.block(index, y, (x, down), (block, last), steps);
                }
            }
        }
        rows.write(y + 1, out);
    }
    Ok(())
}
