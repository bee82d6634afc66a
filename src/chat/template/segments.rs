//! A rendered text becomes segments, by where each character comes from.
//!
//! What a part of the conversation gave is a user's, whatever was done to it; what is left is the template's. Blanks at the
//! ends of a user's stretch go to the template's words (unless a control token has blanks there), as where a template
//! trims them.

use alloc::string::String;
use alloc::vec::Vec;

use super::dialect::IMAGE;
use super::jinja::{TEMPLATE, Text};
use super::{Content, Message, Segment, TemplateError};

/// Segments in the making.
#[derive(Default)]
struct Writer {
    segments: Vec<Segment>,
    /// The template's words that are not yet a segment.
    control: String,
}

impl Writer {
    fn push(&mut self, segment: Segment) {
        if !self.control.is_empty() {
            self.segments.push(Segment::Control(core::mem::take(&mut self.control)));
        }
        self.segments.push(segment);
    }

    fn user(&mut self, text: &str, keep_blanks: bool) {
        let core = if keep_blanks { text } else { text.trim() };
        let before = if keep_blanks { 0 } else { text.len() - text.trim_start().len() };
        self.control.push_str(text.get(..before).unwrap_or_default());
        if !core.is_empty() {
            self.push(Segment::User(core.into()));
        }
        self.control.push_str(text.get(before + core.len()..).unwrap_or_default());
    }
}

/// The segments of a rendered text. `keep_blanks`: those at the ends of a user's text stay his.
pub(super) fn segments(text: &Text, messages: &[Message], keep_blanks: bool) -> Vec<Segment> {
    let parts: Vec<&Content> = messages.iter().flat_map(|message| &message.content).collect();
    let mut writer = Writer::default();
    for (run, origin) in text.runs() {
        let part = (origin as usize).checked_sub(1).and_then(|at| parts.get(at));
        match part {
            _ if origin == TEMPLATE => writer.control.push_str(run),
            // An image whose marker is whole, once or more; what was cut is a text that nobody vouches for.
            Some(Content::Image(image)) if run.replace(IMAGE, "").is_empty() => {
                for _ in 0..run.len() / IMAGE.len() {
                    writer.push(Segment::Image(*image));
                }
            }
            _ => writer.user(run, keep_blanks),
        }
    }
    if !writer.control.is_empty() {
        writer.segments.push(Segment::Control(writer.control));
    }
    writer.segments
}

/// Puts images where the template wrote a marker of its own. As many markers as images, in their order; the
/// markers are those in the template's text, never in a user's. Every image is there once.
pub(super) fn place_images(
    segments: Vec<Segment>,
    markers: &[&str],
    mut images: impl Iterator<Item = usize> + Clone,
) -> Result<Vec<Segment>, TemplateError> {
    let numbers = images.clone();
    let given = numbers.clone().count();
    let kept = segments.iter().any(|segment| matches!(segment, Segment::Image(_)));
    let count =
        |marker: &&&str| controls(&segments).map(|text| text.matches(**marker).count()).sum::<usize>();
    let marker = markers.iter().find(|marker| given > 0 && !kept && count(marker) > 0);
    let mut placed = Vec::new();
    let mut written = 0;
    for segment in segments {
        match (segment, marker) {
            (Segment::Control(text), Some(marker)) => {
                for (i, text) in text.split(*marker).enumerate() {
                    if i > 0 {
                        written += 1;
                        placed.extend(images.next().map(Segment::Image));
                    }
                    if !text.is_empty() {
                        placed.push(Segment::Control(text.into()));
                    }
                }
            }
            (segment, _) => {
                written += usize::from(matches!(segment, Segment::Image(_)));
                placed.push(segment);
            }
        }
    }
    if written != given {
        return Err(TemplateError::LosesImages { given, written });
    }
    // A conversation may show an image twice; a template may not show one instead of another.
    let mut wanted: Vec<usize> = numbers.clone().collect();
    let mut shown: Vec<usize> = placed
        .iter()
        .filter_map(|segment| match segment {
            Segment::Image(image) => Some(*image),
            Segment::Control(_) | Segment::User(_) => None,
        })
        .collect();
    wanted.sort_unstable();
    shown.sort_unstable();
    let Some(lost) = wanted.iter().zip(&shown).position(|(wanted, shown)| wanted != shown) else {
        return Ok(placed);
    };
    let lost = wanted.get(lost).copied().unwrap_or_default();
    let at = numbers.into_iter().position(|image| image == lost).unwrap_or_default();
    Err(TemplateError::OtherImage { image: at + 1, given })
}

fn controls(segments: &[Segment]) -> impl Iterator<Item = &str> {
    segments.iter().filter_map(|segment| match segment {
        Segment::Control(text) => Some(text.as_str()),
        Segment::User(_) | Segment::Image(_) => None,
    })
}
