//! A conversation, rendered by the model's chat template into what a session reads.

use crate::chat::template::{ChatTemplate, Segment as Rendered};
pub use crate::chat::template::{Content, Message};
#[cfg(feature = "images")]
use crate::image::Image;
use crate::{Error, Model};
#[cfg(feature = "images")]
use crate::{Photo, Segment};
use alloc::string::String;
use alloc::vec::Vec;

/// A part of a rendered conversation that owns its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// The template's words: control tokens are recognised.
    Control(String),
    /// Somebody's words: they are not.
    Text(String),
    /// The image with this number.
    Image(usize),
}

#[cfg(feature = "images")]
impl Part {
    /// As a session reads it.
    pub fn segment<'a>(&'a self, images: &'a [Image]) -> Segment<'a> {
        match self {
            Part::Control(text) => Segment::Control(text),
            Part::Text(text) => Segment::Text(text),
            Part::Image(i) => match images.get(*i) {
                Some(image) => {
                    Segment::Image(Photo { width: image.width, height: image.height, rgb: &image.data })
                }
                // Refused when it is read: an image without pixels.
                None => Segment::Image(Photo { width: 0, height: 0, rgb: &[] }),
            },
        }
    }
}

impl Model<'_> {
    /// The file's chat template, compiled, or the built-in one that fits.
    ///
    /// # Errors
    /// The file has none and no built-in one fits, or it cannot be compiled (without `std`: it is not one that is known).
    pub fn chat_template(&self) -> Result<ChatTemplate, Error> {
        let files = self.text_files();
        let shards = files.shards()?;
        ChatTemplate::from_gguf(shards.first(), self.tokenizer(), self.projector())
            .map_err(|error| Error::Template { name: files.name.clone(), error })
    }
}

/// A model's way to write conversations.
#[derive(Debug)]
pub struct Template {
    template: ChatTemplate,
    /// The model's file.
    name: String,
}

impl Template {
    /// The file's template, or the built-in one that fits.
    ///
    /// # Errors
    /// The file has none and no built-in one fits, or it cannot be compiled.
    pub fn of(model: &Model<'_>) -> Result<Template, Error> {
        Ok(Template { template: model.chat_template()?, name: model.file_name().into() })
    }

    /// Renders a conversation up to where the answer begins.
    ///
    /// # Errors
    /// The template refuses the conversation.
    pub fn render(&self, messages: &[Message]) -> Result<Vec<Part>, Error> {
        let part = |segment| match segment {
            Rendered::Control(text) => Part::Control(text),
            Rendered::User(text) => Part::Text(text),
            Rendered::Image(i) => Part::Image(i),
        };
        let at = |error| Error::Template { name: self.name.clone(), error };
        let segments = self.template.render(messages, true).map_err(at)?;
        Ok(segments.into_iter().map(part).collect())
    }
}
