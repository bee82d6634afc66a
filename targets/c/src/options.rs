//! Every option: its key, what it takes, and what it sets.
//!
//! Keys of [`MAKING`] are fixed once a session is made; those of [`ANSWERING`] may be set at any time.

use crate::status::{Failure, fail};
use alloc::vec::Vec;
use ocelli::generate::Sampler;
use ocelli::generate::{AnswerOptions, Sampling};
#[cfg(feature = "images")]
use ocelli::image::{Orientation, Turn};
use ocelli::{ImageSizes, Options, Preprocess, Stored};

/// Positions of the context count so many bytes of text, where the caller does not say how many there may be.
const TEXT_PER_POSITION: usize = 4;
/// Bytes per pixel that no decoder needs more of: 8 of a 16-bit RGBA image's own, 6 to turn it, 6 of a progressive
/// JPEG's coefficients, and the rest.
const DECODE_PER_PIXEL: u64 = 24;
/// Bytes of decoders that do not grow with an image.
const DECODE_FIXED: u64 = 16 << 20;
/// Stop texts that there may be.
const STOPS: usize = 8;

/// What is fixed when a session is made.
pub struct Making {
    /// For the engine.
    pub options: Options,
    text: Option<usize>,
    decode: Option<u64>,
}

impl Default for Making {
    fn default() -> Making {
        let mut options = Options::default();
        options.images = ImageSizes::UpTo(1024, 1024);
        Making { options, text: None, decode: None }
    }
}

impl Making {
    /// Bytes of text in a conversation, at most.
    pub fn text(&self, context: usize) -> usize {
        self.text.unwrap_or(context.saturating_mul(TEXT_PER_POSITION))
    }

    /// The largest image's width and height.
    pub fn image(&self) -> (u32, u32) {
        match &self.options.images {
            ImageSizes::UpTo(width, height) => (*width, *height),
            ImageSizes::Exactly(_) => (0, 0),
        }
    }

    /// Bytes that decoding an image may take.
    pub fn decode(&self) -> u64 {
        if cfg!(not(feature = "images")) {
            return 0;
        }
        let (width, height) = self.image();
        let enough = match u64::from(width) * u64::from(height) {
            0 => 0,
            pixels => pixels.saturating_mul(DECODE_PER_PIXEL).saturating_add(DECODE_FIXED),
        };
        self.decode.unwrap_or(enough)
    }
}

/// What may change from answer to answer.
pub struct Answering {
    /// For the engine.
    pub answer: AnswerOptions,
    /// Milliseconds from the beginning of a turn's reading to the end of its answer; 0 is none.
    pub deadline_ms: u64,
    /// Which way an encoded image is turned.
    #[cfg(feature = "images")]
    pub orientation: Orientation,
    /// Whether the conversation is written as the model's template says.
    pub template: bool,
}

impl Default for Answering {
    fn default() -> Answering {
        Answering {
            answer: AnswerOptions::default(),
            deadline_ms: 0,
            #[cfg(feature = "images")]
            orientation: Orientation::Exif,
            template: true,
        }
    }
}

/// A key, what it takes, and how it is set; false is a value that it does not take.
struct Key<S> {
    name: &'static str,
    takes: &'static str,
    set: fn(&mut S, &str) -> bool,
}

const NUMBER: &str = "a whole number";
const SWITCH: &str = "0 or 1";

const MAKING: &[Key<Making>] = &[
    Key { name: "context", takes: NUMBER, set: |s, v| some(&mut s.options.context, v) },
    Key { name: "image", takes: "WxH in pixels, 1 to 65535 each, or none", set: |s, v| image(s, v) },
    Key { name: "image_tokens", takes: NUMBER, set: |s, v| some(&mut s.options.image_tokens, v) },
    Key { name: "text", takes: NUMBER, set: |s, v| some(&mut s.text, v) },
    Key { name: "decode", takes: NUMBER, set: |s, v| some(&mut s.decode, v) },
    Key { name: "threads", takes: NUMBER, set: |s, v| some(&mut s.options.threads, v) },
    Key { name: "pin", takes: SWITCH, set: |s, v| switch(&mut s.options.pin, v) },
    Key { name: "batch", takes: NUMBER, set: |s, v| number(&mut s.options.batch, v) },
    Key {
        name: "kv",
        takes: "f16, f32 or q8_0",
        set: |s, v| {
            let kinds = [("f16", Stored::F16), ("f32", Stored::F32), ("q8_0", Stored::Q8_0)];
            choice(&mut s.options.kv, v, kinds)
        },
    },
    Key {
        name: "square",
        takes: "pad or crop",
        set: |s, v| {
            choice(&mut s.options.preprocess, v, [("pad", Preprocess::Pad), ("crop", Preprocess::Crop)])
        },
    },
    Key { name: "limit", takes: NUMBER, set: |s, v| some(&mut s.options.memory_limit, v) },
    Key { name: "fit", takes: SWITCH, set: |s, v| switch(&mut s.options.fit, v) },
    Key { name: "tower_int8", takes: SWITCH, set: |s, v| switch(&mut s.options.tower_int8, v) },
    Key {
        name: "isa",
        takes: "the name of an instruction set",
        set: |s, v| {
            s.options.isa = Some(v.into());
            true
        },
    },
];

const ANSWERING: &[Key<Answering>] = &[
    Key { name: "max_tokens", takes: NUMBER, set: |s, v| number(&mut s.answer.max_tokens, v) },
    Key { name: "temperature", takes: "0 or more", set: |s, v| sampling(s, v, |s| &mut s.temperature) },
    Key { name: "top_k", takes: NUMBER, set: |s, v| sampling(s, v, |s| &mut s.top_k) },
    Key { name: "top_p", takes: "above 0 and at most 1", set: |s, v| sampling(s, v, |s| &mut s.top_p) },
    Key { name: "min_p", takes: "0 to 1", set: |s, v| sampling(s, v, |s| &mut s.min_p) },
    Key { name: "seed", takes: NUMBER, set: |s, v| sampling(s, v, |s| &mut s.seed) },
    Key {
        name: "repetition_penalty",
        takes: "above 0",
        set: |s, v| sampling(s, v, |s| &mut s.repetition_penalty),
    },
    Key { name: "repetition_last", takes: NUMBER, set: |s, v| sampling(s, v, |s| &mut s.repetition_last) },
    Key { name: "stop", takes: "a text of at most 256 bytes, eight times at most", set: |s, v| stop(s, v) },
    Key { name: "deadline_ms", takes: NUMBER, set: |s, v| number(&mut s.deadline_ms, v) },
    #[cfg(feature = "images")]
    Key {
        name: "orientation",
        takes: "exif, none, or a number of EXIF's, 1 to 8",
        set: |s, v| orientation(&mut s.orientation, v),
    },
    Key {
        name: "template",
        takes: "model or none",
        set: |s, v| one_of(&mut s.template, v, [("model", true), ("none", false)]),
    },
];

/// What is read from a text.
trait Number: Sized {
    fn read(text: &str) -> Option<Self>;
}

macro_rules! numbers {
    ($($type:ty)*) => {$(
        impl Number for $type {
            fn read(text: &str) -> Option<$type> {
                text.parse().ok()
            }
        }
    )*};
}

numbers!(u32 u64 usize);

impl Number for f32 {
    #[cfg(feature = "std")]
    fn read(text: &str) -> Option<f32> {
        text.parse().ok()
    }

    #[cfg(not(feature = "std"))]
    fn read(text: &str) -> Option<f32> {
        crate::decimal::read(text)
    }
}

fn number<N: Number>(to: &mut N, value: &str) -> bool {
    N::read(value).map(|n| *to = n).is_some()
}

fn some<N: Number>(to: &mut Option<N>, value: &str) -> bool {
    N::read(value).map(|n| *to = Some(n)).is_some()
}

fn switch(to: &mut bool, value: &str) -> bool {
    one_of(to, value, [("0", false), ("1", true)])
}

fn one_of<T: Copy, const N: usize>(to: &mut T, value: &str, of: [(&str, T); N]) -> bool {
    of.iter().find(|(name, _)| *name == value).map(|(_, found)| *to = *found).is_some()
}

fn choice<T: Copy, const N: usize>(to: &mut Option<T>, value: &str, of: [(&str, T); N]) -> bool {
    one_of(to, value, of.map(|(name, found)| (name, Some(found))))
}

fn image(to: &mut Making, value: &str) -> bool {
    let sizes = match value.split_once('x') {
        _ if value == "none" => Some(ImageSizes::Exactly(Vec::new())),
        Some((width, height)) => match (width.parse::<u16>(), height.parse::<u16>()) {
            (Ok(1..), Ok(1..)) => {
                width.parse().ok().zip(height.parse().ok()).map(|(w, h)| ImageSizes::UpTo(w, h))
            }
            _ => None,
        },
        None => None,
    };
    sizes.map(|sizes| to.options.images = sizes).is_some()
}

/// A number of the sampler's, which knows what it may be.
fn sampling<N: Number>(to: &mut Answering, value: &str, field: fn(&mut Sampling) -> &mut N) -> bool {
    let mut changed = to.answer.sampling.clone();
    let right = number(field(&mut changed), value) && Sampler::new(changed.clone()).is_ok();
    if right {
        to.answer.sampling = changed;
    }
    right
}

#[cfg(feature = "images")]
fn orientation(to: &mut Orientation, value: &str) -> bool {
    let turn = match value {
        "exif" => Some(Orientation::Exif),
        "none" => Some(Orientation::Turned(Turn::NONE)),
        number => number.parse().ok().and_then(Turn::from_exif).map(Orientation::Turned),
    };
    turn.map(|turn| *to = turn).is_some()
}

fn stop(to: &mut Answering, value: &str) -> bool {
    let stops = &mut to.answer.stops;
    match value {
        "" => stops.clear(),
        _ if stops.len() == STOPS || value.len() > 256 => return false,
        _ => stops.push(value.into()),
    }
    true
}

fn set<S>(keys: &[Key<S>], settings: &mut S, name: &str, value: &str) -> Option<Result<(), Failure>> {
    let key = keys.iter().find(|key| key.name == name)?;
    let refused =
        || fail!(BAD_OPTION, "the option {name} takes {}, not \"{}\"", key.takes, value.escape_debug());
    Some(if (key.set)(settings, value) { Ok(()) } else { Err(refused()) })
}

/// Reads `key=value` texts, separated by blanks.
pub fn parse(text: &str) -> Result<(Making, Answering), Failure> {
    let (mut making, mut answering) = (Making::default(), Answering::default());
    for pair in text.split_ascii_whitespace() {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(fail!(BAD_OPTION, "options are written key=value, not \"{}\"", pair.escape_debug()));
        };
        match set(MAKING, &mut making, name, value).or_else(|| set(ANSWERING, &mut answering, name, value)) {
            Some(result) => result?,
            None => return Err(unknown(name)),
        }
    }
    making.options.image_bytes = Some(making.decode());
    making.options.text_bytes = making.text.map(|bytes| bytes as u64);
    Ok((making, answering))
}

/// Sets an option of a session that is there.
pub fn change(settings: &mut Answering, name: &str, value: &str) -> Result<(), Failure> {
    if let Some(result) = set(ANSWERING, settings, name, value) {
        return result;
    }
    if MAKING.iter().any(|key| key.name == name) {
        return Err(fail!(BAD_OPTION, "the option {name} is fixed when a session is made"));
    }
    Err(unknown(name))
}

/// Options that this build is without, and the features that bring them.
const LEFT_OUT: &[(&str, &str)] = if cfg!(feature = "images") { &[] } else { &[("orientation", "images")] };

fn unknown(name: &str) -> Failure {
    match LEFT_OUT.iter().find(|(left_out, _)| *left_out == name) {
        Some((_, feature)) => {
            fail!(BAD_OPTION, "the option {name}: this library was built without {feature}")
        }
        None => fail!(BAD_OPTION, "there is no option \"{}\"", name.escape_debug()),
    }
}
