//! Marks: private characters in a conversation's texts that show, once rendered, whose text is where.
//!
//! Content number k has mark k, an image in a text has the marks after those. They are chosen so that they occur in no
//! text and not in the template.

use alloc::string::String;
use alloc::vec::Vec;
use std::collections::BTreeMap;

use minijinja::Value;

use super::{Content, Message, Segment, TemplateError};

/// The private planes of Unicode without their last two code points, which are no characters.
const PRIVATE: [core::ops::RangeInclusive<char>; 2] =
    ['\u{f0000}'..='\u{ffffd}', '\u{100000}'..='\u{10fffd}'];

/// See the module.
pub(super) struct Marks {
    marks: Vec<char>,
    /// What each mark stands for.
    meaning: BTreeMap<char, Meaning>,
    /// Parts in front of each message.
    offsets: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Text,
    Image(usize),
}

impl Marks {
    /// A mark for each part of each message.
    pub(super) fn choose(messages: &[Message], source: &str) -> Result<Self, TemplateError> {
        let parts = || messages.iter().flat_map(|message| &message.content);
        let texts = parts().filter_map(|part| match part {
            Content::Text(text) => Some(text.as_str()),
            Content::Image(_) => None,
        });
        let texts = texts.chain(messages.iter().map(|message| message.role.as_str()));
        let is_private = |c: &char| *c >= '\u{f0000}';
        let mut used: Vec<char> = texts.chain([source]).flat_map(str::chars).filter(is_private).collect();
        used.sort_unstable();
        let mut free = PRIVATE.into_iter().flatten().filter(|c| used.binary_search(c).is_err());
        let (mut marks, mut meaning) = (Vec::new(), BTreeMap::new());
        for part in parts() {
            let mark = free.next().ok_or(TemplateError::NoMarks)?;
            marks.push(mark);
            meaning.insert(
                mark,
                match part {
                    Content::Text(_) => Meaning::Text,
                    Content::Image(image) => Meaning::Image(*image),
                },
            );
        }
        let offset = |total: &mut usize, message: &Message| {
            let offset = *total;
            *total += message.content.len();
            Some(offset)
        };
        Ok(Self { marks, meaning, offsets: messages.iter().scan(0, offset).collect() })
    }

    fn mark(&self, number: usize) -> char {
        self.marks.get(number).copied().unwrap_or('\u{10fffd}')
    }

    /// The messages for a template; `texts` changes each text, which it gets with its number.
    pub(super) fn message_values(
        &self,
        messages: &[Message],
        listed: bool,
        texts: &dyn Fn(usize, &str) -> String,
    ) -> Value {
        let message = |(message, offset): (&Message, &usize)| {
            let parts = message.content.iter().zip(*offset..);
            let content = if listed {
                parts.map(|(part, number)| item(part, number, texts)).collect::<Value>()
            } else {
                Value::from(self.joined(parts, texts))
            };
            Value::from_iter([("role", Value::from(message.role.as_str())), ("content", content)])
        };
        messages.iter().zip(&self.offsets).map(message).collect()
    }

    /// A content as one text. An image is its mark and a line feed, as LLaVA was trained.
    fn joined<'a>(
        &self,
        parts: impl Iterator<Item = (&'a Content, usize)>,
        texts: &dyn Fn(usize, &str) -> String,
    ) -> String {
        let mut text = String::new();
        let mut parts = parts.peekable();
        while let Some((part, number)) = parts.next() {
            match part {
                Content::Text(part) => text.push_str(&texts(number, part)),
                Content::Image(_) => {
                    text.push(self.mark(number));
                    let line_follows =
                        matches!(parts.peek(), Some((Content::Text(next), _)) if next.starts_with('\n'));
                    if !line_follows {
                        text.push('\n');
                    }
                }
            }
        }
        text
    }

    /// A text between its marks; blanks at its ends stay outside, and a blank text is left as it is.
    pub(super) fn around(&self, number: usize, text: &str) -> String {
        let core = text.trim();
        if core.is_empty() {
            return text.into();
        }
        let before = text.len() - text.trim_start().len();
        let mark = self.mark(number);
        let (head, rest) = text.split_at_checked(before).unwrap_or(("", text));
        let tail = rest.get(core.len()..).unwrap_or_default();
        [head, mark.encode_utf8(&mut [0; 4]), core, mark.encode_utf8(&mut [0; 4]), tail].concat()
    }

    /// A text with its mark after every character that begins a control token or what could become one.
    pub(super) fn breaking(&self, text: &str, controls: &[String]) -> String {
        let mark = self.mark(0);
        let mut out = String::with_capacity(text.len());
        for (at, c) in text.char_indices() {
            out.push(c);
            let rest = text.get(at..).unwrap_or_default();
            let begins = |control: &String| {
                control.starts_with(c) && (rest.starts_with(control.as_str()) || control.starts_with(rest))
            };
            if controls.iter().any(begins) {
                out.push(mark);
            }
        }
        out
    }

    /// A rendered text without the marks of texts; those of images stay.
    pub(super) fn without(&self, rendered: &str) -> String {
        rendered.chars().filter(|c| self.meaning.get(c) != Some(&Meaning::Text)).collect()
    }

    /// The segments of a text rendered with [`Self::around`]; `None` when the marks do not come in pairs.
    pub(super) fn between(&self, rendered: &str) -> Option<Vec<Segment>> {
        let mut segments = Vec::new();
        let mut open = None;
        let mut text = String::new();
        for c in rendered.chars() {
            match (self.meaning.get(&c), open) {
                (Some(Meaning::Text), None) => {
                    push(&mut segments, Segment::Control(core::mem::take(&mut text)));
                    open = Some(c);
                }
                (Some(Meaning::Text), Some(mark)) if mark == c => {
                    push(&mut segments, Segment::User(core::mem::take(&mut text)));
                    open = None;
                }
                (Some(Meaning::Text), Some(_)) => return None,
                // Images cannot be inside a text; a template that moves them there is not followed.
                (Some(Meaning::Image(_)), Some(_)) => return None,
                (Some(Meaning::Image(image)), None) => {
                    push(&mut segments, Segment::Control(core::mem::take(&mut text)));
                    segments.push(Segment::Image(*image));
                }
                (None, _) => text.push(c),
            }
        }
        push(&mut segments, Segment::Control(text));
        open.is_none().then_some(segments)
    }

    /// The segments of a text rendered with [`Self::breaking`]: a character before a mark is a user's.
    pub(super) fn broken(&self, rendered: &str) -> Vec<Segment> {
        let mut segments = Vec::new();
        let mut text = String::new();
        for c in rendered.chars() {
            match self.meaning.get(&c) {
                Some(Meaning::Text) => {
                    let last = text.pop();
                    push(&mut segments, Segment::Control(core::mem::take(&mut text)));
                    push(&mut segments, Segment::User(last.into_iter().collect()));
                }
                Some(Meaning::Image(image)) => {
                    push(&mut segments, Segment::Control(core::mem::take(&mut text)));
                    segments.push(Segment::Image(*image));
                }
                None => text.push(c),
            }
        }
        push(&mut segments, Segment::Control(text));
        segments
    }

    /// Puts images where the template wrote a marker of its own. As many markers as images, in their order; the
    /// markers are those in the template's text, never in a user's.
    pub(super) fn place_images(
        &self,
        segments: Vec<Segment>,
        markers: &[&str],
        mut images: impl Iterator<Item = usize> + Clone,
        listed: bool,
    ) -> Result<Vec<Segment>, TemplateError> {
        let given = images.clone().count();
        let count =
            |marker: &&&str| controls(&segments).map(|text| text.matches(**marker).count()).sum::<usize>();
        let marker = markers.iter().find(|marker| given > 0 && listed && count(marker) > 0);
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
                        push(&mut placed, Segment::Control(text.into()));
                    }
                }
                (segment, _) => {
                    written += usize::from(matches!(segment, Segment::Image(_)));
                    placed.push(segment);
                }
            }
        }
        if written == given { Ok(placed) } else { Err(TemplateError::LosesImages { given, written }) }
    }
}

fn controls(segments: &[Segment]) -> impl Iterator<Item = &str> {
    segments.iter().filter_map(|segment| match segment {
        Segment::Control(text) => Some(text.as_str()),
        Segment::User(_) | Segment::Image(_) => None,
    })
}

/// Appends a segment unless it is an empty text.
fn push(segments: &mut Vec<Segment>, segment: Segment) {
    match &segment {
        Segment::Control(text) | Segment::User(text) if text.is_empty() => {}
        _ => segments.push(segment),
    }
}

/// A typed item of a list.
fn item(part: &Content, number: usize, texts: &dyn Fn(usize, &str) -> String) -> Value {
    match part {
        Content::Text(text) => {
            Value::from_iter([("type", Value::from("text")), ("text", Value::from(texts(number, text)))])
        }
        Content::Image(_) => Value::from_iter([("type", Value::from("image"))]),
    }
}
