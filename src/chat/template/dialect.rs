//! What Hugging Face's `apply_chat_template` gives a template: the messages and the names of tokens.

use alloc::string::String;
use alloc::vec::Vec;

use crate::tokenizer::Tokenizer;

use super::jinja::{Fault, Kind, LIMIT, Maker, Origin, Program, TEMPLATE, TOKENS, Text, Value};
use super::{Content, Message, TemplateError};

/// How an image is written in a text, before a line feed, as LLaVA was trained.
pub(super) const IMAGE: &str = "<image>";

/// A template that was read, and the tokens it can name.
pub(super) struct Dialect {
    program: Program,
    bos: Option<String>,
    eos: Option<String>,
}

/// The contents that a template was found to understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    text: bool,
    list: bool,
    shown: bool,
}

impl Contents {
    /// Whether contents may be texts.
    pub(super) fn text(self) -> bool {
        self.text
    }

    /// Whether contents go in as lists. They must where only lists work, and should where there are images.
    pub(super) fn lists(self, images: usize) -> bool {
        self.list && (images > 0 || !self.text)
    }

    /// Whether it showed a content at all.
    pub(super) fn shown(self) -> bool {
        self.shown
    }
}

impl Dialect {
    pub(super) fn compile(source: &str, tokenizer: &Tokenizer) -> Result<Self, TemplateError> {
        let program = Program::parse(source).map_err(classify)?;
        let token = |id: Option<u32>| {
            let text = tokenizer.piece_with_control(id?);
            Some(String::from_utf8_lossy(text).into_owned())
        };
        Ok(Self { program, bos: token(tokenizer.bos()), eos: token(tokenizer.eos()) })
    }

    /// Renders messages. The text's origins are parts of the messages, numbered through from 1.
    pub(super) fn render(&self, messages: Value, answer: bool) -> Result<Text, TemplateError> {
        let mut variables = Vec::from([
            ("messages", messages),
            ("add_generation_prompt", Value::Bool(answer)),
            ("tools", Value::None),
            ("documents", Value::None),
        ]);
        variables.extend(self.bos.as_deref().map(|text| ("bos_token", Value::str(text))));
        variables.extend(self.eos.as_deref().map(|text| ("eos_token", Value::str(text))));
        self.program.render(variables).map_err(classify)
    }

    /// Tries a text and a list as a user's content. A list is not understood when it is lost, or dumped whole: then a
    /// name that only the list has shows up.
    /// One that understands neither, or fails here, gets texts, and says itself what is wrong when it is used.
    pub(super) fn understood(&self) -> Contents {
        const TEXT: &str = "ocelli text";
        const NAME: &str = "ocelli_name";
        const PROBE: Origin = 1;
        let maker = Maker::new();
        let shows = |content: Value| {
            let message = maker.dict(Vec::from([("role", Value::str("user")), ("content", content)]));
            let messages = message.and_then(|message| maker.list(Vec::from([message])));
            let shown = messages.map_err(classify).and_then(|messages| self.render(messages, true));
            shown.is_ok_and(|out| {
                let seen: usize =
                    out.runs().filter(|(_, origin)| *origin == PROBE).map(|(run, _)| run.len()).sum();
                2 * seen >= TEXT.len() && !out.as_str().contains(NAME)
            })
        };
        let text = || Value::Str(Text::new(TEXT, PROBE));
        let item = Vec::from([("type", Value::str("text")), ("text", text()), (NAME, Value::Int(1))]);
        let list = maker.dict(item).and_then(|item| maker.list(Vec::from([item]))).is_ok_and(&shows);
        let text = shows(text());
        Contents { text: text || !list, list, shown: text || list }
    }
}

/// The messages as a template's value, with contents as lists of typed items or as texts.
pub(super) fn values(messages: &[Message], listed: bool) -> Result<Value, TemplateError> {
    let maker = Maker::new();
    let mut origin: Origin = TEMPLATE;
    let mut all = Vec::with_capacity(messages.len());
    for message in messages {
        let mut items = Vec::new();
        let mut texts = Vec::new();
        let mut parts = message.content.iter().peekable();
        while let Some(part) = parts.next() {
            origin += 1;
            match (part, listed) {
                (Content::Text(text), true) => {
                    let text = Value::Str(Text::new(text.as_str(), origin));
                    items.push(maker.dict(Vec::from([("type", Value::str("text")), ("text", text)])));
                }
                (Content::Image(_), true) => {
                    items.push(maker.dict(Vec::from([("type", Value::str("image"))])))
                }
                (Content::Text(text), false) => texts.push(Text::new(text.as_str(), origin)),
                (Content::Image(_), false) => {
                    texts.push(Text::new(IMAGE, origin));
                    let line_follows =
                        matches!(parts.peek(), Some(Content::Text(next)) if next.starts_with('\n'));
                    if !line_follows {
                        texts.push(Text::new('\n', TEMPLATE));
                    }
                }
            }
        }
        let content = if listed {
            items.into_iter().collect::<Result<Vec<_>, _>>().and_then(|items| maker.list(items))
        } else {
            maker.joined(&texts)
        };
        let role = Value::str(message.role.as_str());
        let message =
            content.and_then(|content| maker.dict(Vec::from([("role", role), ("content", content)])));
        all.push(message.map_err(classify)?);
    }
    maker.list(all).map_err(classify)
}

/// What went wrong, from the interpreter's fault.
fn classify(fault: Fault) -> TemplateError {
    match fault.kind() {
        Kind::Raised => TemplateError::Raised(fault.message().into()),
        Kind::Fuel => TemplateError::OutOfFuel,
        Kind::Memory => TemplateError::TooMuchText { limit: LIMIT },
        Kind::Long => TemplateError::LongExpression { limit: TOKENS },
        Kind::Syntax | Kind::Run => TemplateError::Jinja(fault),
    }
}
