//! Chat templates: a conversation becomes the text a model was trained on, and it stays known which part a user wrote.
//!
//! The file's own template (`tokenizer.chat_template`, Jinja as Hugging Face runs it) or a built-in one is rendered by an
//! interpreter of our own (`jinja/`). The result is a list of [`Segment`]s: template text, in which control tokens are
//! recognised; users' text, in which they are not; and images.
//!
//! How it stays known. The interpreter's texts know where each of their characters comes from: the template, or a part of
//! the conversation. Whatever a template does to a user's text (cuts, replaces, upper case, JSON, joins), its characters
//! stay a user's, one by one, and the rendered text is cut where the origin changes (`segments.rs`).
//!
//! Refused: templates that fail or ask to (`raise_exception`), take too many steps, make too much (`jinja/budget.rs`: a
//! template that doubles a string forty times is stopped when it has doubled it some twenty times), lose an image, or show
//! no text of a user in any conversation.
//!
//! Without the feature `jinja` there is no interpreter: a [`ChatTemplate`] is one of those that are [`Known`] by their text.

mod builtin;
#[cfg(feature = "jinja")]
mod dialect;
#[cfg(feature = "jinja")]
mod jinja;
mod known;
#[cfg(feature = "jinja")]
mod segments;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use ocelli_gguf::Gguf;

use crate::tokenizer::Tokenizer;

pub use builtin::Builtin;
#[cfg(feature = "jinja")]
pub use jinja::Fault;
pub use known::Known;

#[cfg(feature = "jinja")]
use dialect::{Contents, Dialect};

/// The longest template that is compiled.
#[cfg(feature = "jinja")]
const SOURCE_LIMIT: usize = 1 << 18;

/// What templates write where an image belongs, likeliest first.
#[cfg(feature = "jinja")]
const IMAGE_MARKERS: [&str; 5] = ["<image>", "<|image_pad|>", "<|image|>", "<image_soft_token>", "[IMG]"];

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// Texts and images in order.
    pub content: Vec<Content>,
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Text, none of which is trusted.
    Text(String),
    /// The image with this number.
    Image(usize),
}

impl Message {
    /// A message of text.
    pub fn text(role: &str, text: &str) -> Self {
        Self { role: role.into(), content: Vec::from([Content::Text(text.into())]) }
    }
}

/// A part of a rendered conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// The template's text: control tokens are recognised.
    Control(String),
    /// A user's text: they are not.
    User(String),
    /// The image with this number.
    Image(usize),
}

/// Why there is no template, or a conversation could not be rendered.
#[derive(Debug)]
#[non_exhaustive]
pub enum TemplateError {
    /// The file has no template and none of the built-in ones is known to fit.
    Absent,
    /// The key has another type.
    Metadata(ocelli_gguf::Error),
    /// The template is longer than the limit.
    Long {
        /// Its length in bytes.
        len: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// It is none of those that are known without an interpreter ([`Known`]).
    Unknown,
    /// A role that is none of `system`, `user` and `assistant`, for a template that is written without an interpreter.
    Role(String),
    /// It is not a template, or failed while it ran.
    #[cfg(feature = "jinja")]
    Jinja(Fault),
    /// The template itself says that it cannot render this conversation.
    Raised(String),
    /// It took too many instructions.
    OutOfFuel,
    /// It wrote too much, or made values too large.
    TooMuchText {
        /// How many bytes are allowed.
        limit: usize,
    },
    /// One of its expressions is too long.
    LongExpression {
        /// How many words and signs are allowed.
        limit: usize,
    },
    /// A conversation without messages.
    Empty,
    /// The template shows no user's text, in this conversation or any other.
    LosesText,
    /// The template leaves out images, or writes other places for images.
    LosesImages {
        /// How many there are.
        given: usize,
        /// How many places it wrote.
        written: usize,
    },
    /// The template writes one image in the place of another.
    OtherImage {
        /// One that it leaves out or writes too often: its place among the images, from 1.
        image: usize,
        /// How many images there are.
        given: usize,
    },
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str(
                "the file has no chat template (tokenizer.chat_template) and its tokens show none; give the prompt as \
                 the model expects it (--raw)",
            ),
            Self::Metadata(error) => write!(f, "chat template: {error}"),
            Self::Long { len, limit } => write!(f, "the chat template has {len} bytes; {limit} are allowed"),
            Self::Unknown => f.write_str(
                "this library has no interpreter of chat templates, and the file's is none of those it knows (SmolVLM's)",
            ),
            Self::Role(role) => write!(f, "the chat template knows system, user and assistant, not {role:?}"),
            #[cfg(feature = "jinja")]
            Self::Jinja(error) => write!(f, "chat template: {error}"),
            Self::Raised(message) => write!(f, "the chat template says: {message}"),
            Self::OutOfFuel => f.write_str("the chat template does not come to an end"),
            Self::TooMuchText { limit } => write!(f, "the chat template makes more than {limit} bytes of text"),
            Self::LongExpression { limit } => {
                write!(f, "the chat template has an expression of more than {limit} words and signs")
            }
            Self::Empty => f.write_str("there is no message to render"),
            Self::LosesText => f.write_str("the chat template shows no text of a user's message"),
            Self::LosesImages { given, written } => {
                write!(f, "the chat template writes {written} places for {given} images")
            }
            Self::OtherImage { image, given } => {
                write!(f, "the chat template does not write image {image} of {given} once")
            }
        }
    }
}

impl core::error::Error for TemplateError {}

impl From<ocelli_gguf::Error> for TemplateError {
    fn from(error: ocelli_gguf::Error) -> Self {
        Self::Metadata(error)
    }
}

/// A compiled template and what it was found to understand.
#[cfg(feature = "jinja")]
pub struct ChatTemplate {
    dialect: Dialect,
    /// Whether contents may be texts, lists of typed items, or both.
    contents: Contents,
    /// A control token begins or ends with blanks.
    blank_controls: bool,
}

#[cfg(feature = "jinja")]
impl fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatTemplate").field("contents", &self.contents).finish_non_exhaustive()
    }
}

/// A template that is known by its text.
#[cfg(not(feature = "jinja"))]
#[derive(Debug)]
pub struct ChatTemplate(Known);

#[cfg(not(feature = "jinja"))]
impl ChatTemplate {
    /// Recognises a template.
    pub fn new(source: &str, _: &Tokenizer) -> Result<Self, TemplateError> {
        Known::of(source).map(Self).ok_or(TemplateError::Unknown)
    }

    /// Renders a conversation, with the beginning of the answer when `answer` is set.
    pub fn render(&self, messages: &[Message], answer: bool) -> Result<Vec<Segment>, TemplateError> {
        self.0.render(messages, answer)
    }
}

impl ChatTemplate {
    /// The file's template, or the built-in one that fits ([`Builtin::for_file`]). `projector` is
    /// `clip.projector_type` of the vision file, if there is one.
    pub fn from_gguf(
        file: &Gguf<'_>,
        tokenizer: &Tokenizer,
        projector: Option<&str>,
    ) -> Result<Self, TemplateError> {
        match file.optional::<&str>("tokenizer.chat_template")? {
            Some(source) => Self::new(source, tokenizer),
            None => {
                let builtin = Builtin::for_file(file, tokenizer, projector).ok_or(TemplateError::Absent)?;
                Self::new(builtin.source(), tokenizer)
            }
        }
    }
}

#[cfg(feature = "jinja")]
impl ChatTemplate {
    /// Compiles a template.
    pub fn new(source: &str, tokenizer: &Tokenizer) -> Result<Self, TemplateError> {
        if source.len() > SOURCE_LIMIT {
            return Err(TemplateError::Long { len: source.len(), limit: SOURCE_LIMIT });
        }
        let dialect = Dialect::compile(source, tokenizer)?;
        let contents = dialect.understood();
        let blank_controls = tokenizer.controls().any(|control| control.trim() != control);
        Ok(Self { dialect, contents, blank_controls })
    }

    /// Renders a conversation, with the beginning of the answer when `answer` is set.
    pub fn render(&self, messages: &[Message], answer: bool) -> Result<Vec<Segment>, TemplateError> {
        if messages.is_empty() {
            return Err(TemplateError::Empty);
        }
        let images = images(messages).count();
        let listed = self.contents.lists(images);
        match self.render_as(messages, answer, listed) {
            // It knows lists, but not images in them.
            Err(TemplateError::LosesImages { written: 0, .. }) if listed && self.contents.text() => {
                self.render_as(messages, answer, false)
            }
            result => result,
        }
    }

    /// Renders with contents as lists of typed items, or as texts.
    fn render_as(
        &self,
        messages: &[Message],
        answer: bool,
        listed: bool,
    ) -> Result<Vec<Segment>, TemplateError> {
        let text = self.dialect.render(dialect::values(messages, listed)?, answer)?;
        let segments = segments::segments(&text, messages, self.blank_controls);
        let shown =
            self.contents.shown() || segments.iter().any(|segment| matches!(segment, Segment::User(_)));
        if !shown && users_texts(messages).any(|text| !text.trim().is_empty()) {
            return Err(TemplateError::LosesText);
        }
        segments::place_images(segments, &IMAGE_MARKERS, images(messages))
    }
}

#[cfg(feature = "jinja")]
fn images(messages: &[Message]) -> impl Iterator<Item = usize> + Clone {
    messages.iter().flat_map(|message| &message.content).filter_map(|part| match part {
        Content::Image(image) => Some(*image),
        Content::Text(_) => None,
    })
}

#[cfg(feature = "jinja")]
fn users_texts(messages: &[Message]) -> impl Iterator<Item = &str> {
    messages.iter().filter(|message| message.role == "user").flat_map(|message| &message.content).filter_map(
        |part| match part {
            Content::Text(text) => Some(text.as_str()),
            Content::Image(_) => None,
        },
    )
}
