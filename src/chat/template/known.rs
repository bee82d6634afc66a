//! Templates that are known by their text, and written without an interpreter of Jinja, which needs `std`.
//!
//! A template is known if its text is one of those below, to the byte but for the form of its line ends, which Jinja reads as
//! one; for any other there is an error, never a guess.
//! What is written is what the interpreter writes of the same text, part by part; a test compares them.
//!
//! ```text
//! SmolVLM   <|im_start|>  { User | System | Assistant }  ':' before an image, else ': '  texts and images  <end_of_utterance>\n
//!           ... Assistant:
//! ```

use alloc::string::String;
use alloc::vec::Vec;

use super::builtin::SMOLVLM;
use super::{Content, Message, Segment, TemplateError};

/// The template that SmolVLM and SmolVLM2 were published with; our small model has it, too.
const PUBLISHED_SMOLVLM: &str = "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}\
    {% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}\
    {% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}\
    {% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n\
    {% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}";

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// SmolVLM's, as published or as built in.
    SmolVlm,
}

impl Known {
    /// The known template with this text.
    pub fn of(source: &str) -> Option<Known> {
        [SMOLVLM, PUBLISHED_SMOLVLM].into_iter().any(|known| is_same(source, known)).then_some(Known::SmolVlm)
    }

    /// Renders a conversation, with the beginning of the answer when `answer` is set.
    ///
    /// # Errors
    /// There is no message, one without content, or a role that the template's text has no word for here.
    pub fn render(self, messages: &[Message], answer: bool) -> Result<Vec<Segment>, TemplateError> {
        if messages.is_empty() {
            return Err(TemplateError::Empty);
        }
        let mut out = Writer::default();
        out.text.push_str("<|im_start|>");
        for message in messages {
            let first = message.content.first().ok_or(TemplateError::Empty)?;
            out.text.push_str(match message.role.as_str() {
                "system" => "System",
                "user" => "User",
                "assistant" => "Assistant",
                other => return Err(TemplateError::Role(other.into())),
            });
            out.text.push_str(if matches!(first, Content::Image(_)) { ":" } else { ": " });
            message.content.iter().for_each(|content| out.content(content));
            out.text.push_str("<end_of_utterance>\n");
        }
        if answer {
            out.text.push_str("Assistant:");
        }
        out.end();
        Ok(out.segments)
    }
}

/// Whether Jinja reads both texts as the same: CRLF, CR and LF are one line end, and one at the end does not count.
fn is_same(source: &str, known: &str) -> bool {
    let mut known = known.bytes();
    let mut source = source.bytes().peekable();
    while let Some(byte) = source.next() {
        let byte = match byte {
            b'\r' => {
                source.next_if_eq(&b'\n');
                b'\n'
            }
            byte => byte,
        };
        match known.next() {
            Some(expected) if expected == byte => {}
            None if byte == b'\n' => return source.next().is_none(),
            _ => return false,
        }
    }
    known.next().is_none()
}

/// What was written: whole segments, and the template's words after them.
#[derive(Default)]
struct Writer {
    segments: Vec<Segment>,
    text: String,
}

impl Writer {
    fn end(&mut self) {
        if !self.text.is_empty() {
            self.segments.push(Segment::Control(core::mem::take(&mut self.text)));
        }
    }

    /// Blanks around a text belong to the template's words, as where the interpreter's marks stand.
    fn content(&mut self, content: &Content) {
        match content {
            Content::Image(number) => {
                self.end();
                self.segments.push(Segment::Image(*number));
            }
            Content::Text(text) => {
                let (core, after) = (text.trim(), text.trim_start());
                self.text.push_str(text.get(..text.len() - after.len()).unwrap_or_default());
                if !core.is_empty() {
                    self.end();
                    self.segments.push(Segment::User(core.into()));
                }
                self.text.push_str(after.get(core.len()..).unwrap_or_default());
            }
        }
    }
}
