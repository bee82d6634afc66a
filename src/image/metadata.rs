//! The orientation that a file states, found where Pillow's `exif_transpose` finds it.
//!
//! ```text
//! JPEG   APP1 "Exif", all of them joined; else APP1 of XMP, the last; both before the first scan
//! PNG    eXIf or a text "exif", the last, after the pixels too; else the text "Raw profile type exif" in hexadecimal;
//!        else XMP. Texts: tEXt, zTXt, iTXt. Of an animation nothing behind its second frame control
//! WebP   EXIF, else XMP: the first, and only where VP8X announces it
//!
//! EXIF   ["Exif" 0 0] once or twice, then TIFF: "II" or "MM" 42(2) offset(4) → count(2), entries of
//!        tag(2) type(2) count(4) value or offset(4); the first entry 0112 of a known type counts
//! XMP    the first tiff:Orientation="n" or tiff:Orientation>n, n one digit
//! ```
//! A number of any type counts, and the first of several; bytes and text do not. An entry in EXIF that is no orientation
//! (0, 9, text) still keeps XMP from being asked. EXIF that cannot be read is none, and neither is XMP then: Pillow
//! refuses most of such files, or leaves them as they are. Sources: Pillow 13, TIFF 6.0, RFC 9649, PNG (third edition).

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

use super::orientation::Turn;
use super::{jpeg, webp};

/// The most bytes that a compressed text may become.
const MOST_TEXT: usize = 1 << 20;

const TAG: u32 = 0x0112;

const XMP_KEY: &[u8] = b"XML:com.adobe.xmp";

const PROFILE_KEY: &[u8] = b"Raw profile type exif";

/// What EXIF says, or XMP where EXIF has no entry.
fn turn(exif: Found, xmp: Option<u8>) -> Turn {
    let number = match exif {
        Found::Nothing => xmp,
        Found::Entry(number) => number,
    };
    number.and_then(Turn::from_exif).unwrap_or(Turn::NONE)
}

/// What EXIF says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// It can be read and has no entry.
    Nothing,
    /// Its entry, if that is a small number.
    Entry(Option<u8>),
}

pub(super) fn of_jpeg(bytes: &[u8]) -> Turn {
    let (mut parts, mut xmp): (Vec<&[u8]>, _) = (Vec::new(), None);
    for (_, data) in jpeg::before_scan(bytes).filter(|(marker, _)| *marker == 0xE1) {
        if let Some(rest) = data.strip_prefix(b"Exif\0\0") {
            parts.push(if parts.is_empty() { data } else { rest });
        } else if let Some(rest) = data.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
            xmp = Some(rest);
        }
    }
    let exif = match *parts {
        [] => Found::Nothing,
        [whole] => in_exif(whole),
        _ => in_exif(&parts.concat()),
    };
    turn(exif, xmp.and_then(in_xmp))
}

pub(super) fn of_webp(bytes: &[u8]) -> Turn {
    let chunks = webp::announced(bytes);
    turn(chunks.exif.map_or(Found::Nothing, in_exif), chunks.xmp.and_then(in_xmp))
}

/// What a PNG's chunks say. Texts are read as they come: none is kept, so that few can be unpacked at a time.
#[derive(Default)]
struct Png<'a> {
    exif: Option<&'a [u8]>,
    profile: Option<Found>,
    /// XMP as a text, and as the bytes of an international text.
    xmp: Option<Packet>,
    raw_xmp: Option<Packet>,
    frames: u32,
    controls: u32,
    has_pixels: bool,
}

/// What XMP says.
#[derive(Clone, Copy)]
struct Packet {
    is_empty: bool,
    number: Option<u8>,
}

impl Packet {
    fn new(text: &[u8]) -> Self {
        Self { is_empty: text.is_empty(), number: in_xmp(text) }
    }
}

pub(super) fn of_png(bytes: &[u8]) -> Turn {
    let mut png = Png::default();
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some(data) = body.get(..length) else { break };
        if png.chunk(&head[4..], data).is_break() {
            break;
        }
        rest = body.get(length.saturating_add(4)..).unwrap_or_default();
    }
    let exif = png.exif.map(in_exif).or(png.profile).unwrap_or(Found::Nothing);
    let xmp = png.xmp.filter(|packet| !packet.is_empty).or(png.raw_xmp);
    turn(exif, xmp.and_then(|packet| packet.number))
}

impl<'a> Png<'a> {
    fn chunk(&mut self, name: &[u8], data: &'a [u8]) -> ControlFlow<()> {
        match name {
            b"IEND" => return ControlFlow::Break(()),
            b"IDAT" => self.has_pixels = true,
            b"acTL" if !self.has_pixels => {
                self.frames = data.first_chunk().map_or(0, |count| u32::from_be_bytes(*count));
            }
            b"fcTL" if !self.has_pixels => self.controls += 1,
            // Pixels that no control precedes are a picture beside the frames.
            b"fcTL" if self.frames > u32::from(self.controls > 0) => return ControlFlow::Break(()),
            b"eXIf" => self.exif = Some(data),
            b"tEXt" => {
                let (key, text) = cut(data).unwrap_or((data, &[]));
                if key == b"exif" {
                    self.exif = Some(text);
                }
                self.text(key, text);
            }
            b"zTXt" => {
                if let Some((key, [0, packed @ ..])) = cut(data).filter(|(key, _)| is_known(key)) {
                    self.text(key, &unpacked(packed).unwrap_or_default());
                }
            }
            b"iTXt" => {
                let _ = self.international(data);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn text(&mut self, key: &[u8], text: &[u8]) {
        match key {
            XMP_KEY => self.xmp = Some(Packet::new(text)),
            PROFILE_KEY => self.profile = Some(in_exif(&from_hexadecimal(text))),
            _ => {}
        }
    }

    /// Key 0, compressed(1) method(1), language 0, key in that language 0, text.
    fn international(&mut self, data: &[u8]) -> Option<()> {
        let (key, rest) = cut(data).filter(|(key, _)| is_known(key))?;
        let (&[is_packed, method], rest) = rest.split_first_chunk::<2>()?;
        let (_, rest) = cut(rest)?;
        let (_, rest) = cut(rest)?;
        let text = match (is_packed, method) {
            (0, _) => Cow::Borrowed(rest),
            (_, 0) => Cow::Owned(unpacked(rest)?),
            _ => return None,
        };
        if key == XMP_KEY {
            self.raw_xmp = Some(Packet::new(&text));
        }
        if core::str::from_utf8(&text).is_ok() {
            self.text(key, &text);
        }
        Some(())
    }
}

/// Whether a text of this key may say anything here.
fn is_known(key: &[u8]) -> bool {
    matches!(key, XMP_KEY | PROFILE_KEY)
}

/// Before and behind the first zero.
fn cut(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = data.iter().position(|&byte| byte == 0)?;
    Some((data.get(..at)?, data.get(at + 1..)?))
}

/// A compressed text; what there is of it where it is cut short.
fn unpacked(data: &[u8]) -> Option<Vec<u8>> {
    match decompress_to_vec_zlib_with_limit(data, MOST_TEXT) {
        Ok(text) => Some(text),
        Err(error) if error.status == TINFLStatus::FailedCannotMakeProgress => {
            // Behind what was unpacked the memory is zero.
            let length = error.output.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            let mut text = error.output;
            text.truncate(length);
            Some(text)
        }
        Err(_) => None,
    }
}

/// ImageMagick's profile: three lines of heading, then bytes; nothing where they are not hexadecimal.
fn from_hexadecimal(text: &[u8]) -> Vec<u8> {
    let digits = text.splitn(4, |&byte| byte == b'\n').nth(3).unwrap_or_default();
    let digits = digits.iter().filter(|byte| !byte.is_ascii_whitespace());
    let digits: Option<Vec<u8>> =
        digits.map(|&byte| char::from(byte).to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.unwrap_or_default();
    digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect()
}

fn in_xmp(xmp: &[u8]) -> Option<u8> {
    const NAME: &[u8] = b"tiff:Orientation";
    xmp.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME).find_map(|(at, _)| {
        let rest = xmp.get(at + NAME.len()..)?;
        let rest = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?;
        rest.first().filter(|digit| digit.is_ascii_digit()).map(|digit| digit - b'0')
    })
}

/// A TIFF directory's byte order.
#[derive(Clone, Copy)]
struct Tiff<'a> {
    bytes: &'a [u8],
    is_big: bool,
}

impl Tiff<'_> {
    /// A number of `width` bytes.
    fn number(&self, at: usize, width: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(width)?)?;
        let push = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
        Some(if self.is_big { bytes.iter().fold(0, push) } else { bytes.iter().rev().fold(0, push) })
    }

    fn number32(&self, at: usize) -> Option<u32> {
        self.number(at, 4).map(|number| number as u32)
    }
}

fn in_exif(mut data: &[u8]) -> Found {
    for _ in 0..2 {
        data = data.strip_prefix(b"Exif\0\0").unwrap_or(data);
    }
    if data.is_empty() {
        return Found::Nothing;
    }
    let is_big = match data {
        [b'M', b'M', 0, 42 | 43, ..] | [b'M', b'M', 42, 0, ..] => true,
        [b'I', b'I', 42, 0, ..] | [b'I', b'I', 0, 42, ..] => false,
        _ => return Found::Entry(None),
    };
    let tiff = Tiff { bytes: data, is_big };
    match tiff.number32(4) {
        Some(directory) => orientation(tiff, directory as usize).unwrap_or(Found::Nothing),
        None => Found::Entry(None),
    }
}

/// Goes through a directory's entries, as far as they and what they point at are there.
fn orientation(tiff: Tiff<'_>, directory: usize) -> Option<Found> {
    let count = tiff.number(directory, 2)? as usize;
    let mut pointed = 0_u64;
    for entry in (0..count).map(|index| directory.saturating_add(2 + 12 * index)) {
        let (tag, kind) = (tiff.number(entry, 2)? as u32, tiff.number(entry + 2, 2)?);
        let (items, value) = (tiff.number(entry + 4, 4)?, tiff.number32(entry + 8)?);
        let Some(width) = width(kind) else { continue };
        let size = items * width as u64;
        let mut at = entry + 8;
        if size > 4 {
            pointed += size;
            // Pillow leaves out what is more than the file, and ends at what the file does not have.
            if pointed > tiff.bytes.len() as u64 {
                continue;
            }
            at = value as usize;
            tiff.bytes.get(at..at.checked_add(size as usize)?)?;
        }
        if tag == TAG && size > 0 {
            return Some(Found::Entry(small_number(tiff, kind, at, width)));
        }
    }
    Some(Found::Nothing)
}

/// Bytes of a value of a TIFF type.
fn width(kind: u64) -> Option<usize> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | 16 => Some(8),
        _ => None,
    }
}

/// A value that is a whole number from 0 to 255; signed ones that are not below zero look as unsigned ones do.
fn small_number(tiff: Tiff<'_>, kind: u64, at: usize, width: usize) -> Option<u8> {
    let bits = tiff.number(at, width)?;
    let whole =
        |value: f64| (0.0..256.0).contains(&value).then_some(value as u8).filter(|&n| f64::from(n) == value);
    match kind {
        // Bytes, text and what has no type are no numbers to Pillow.
        1 | 2 | 7 => None,
        5 => whole(f64::from(tiff.number32(at)?) / f64::from(tiff.number32(at + 4)?)),
        10 => whole(f64::from(tiff.number32(at)? as i32) / f64::from(tiff.number32(at + 4)? as i32)),
        11 => whole(f64::from(f32::from_bits(bits as u32))),
        12 => whole(f64::from_bits(bits)),
        _ => u8::try_from(bits).ok(),
    }
}
