//! Jinja as Hugging Face's `apply_chat_template` runs it: jinja2 3.1.6, sandboxed and immutable, with `trim_blocks`,
//! `lstrip_blocks`, loop controls, `{% generation %}`, and transformers' `tojson`, `raise_exception`, `strftime_now`.
//!
//! ```text
//! lex.rs parse.rs parse_expression.rs ast.rs   the template's text → tokens → a tree
//! run.rs loops.rs eval.rs call.rs access.rs    statements; loops; expressions; what is called; attributes and items
//! value.rs text.rs show.rs compare.rs arithmetic.rs number.rs letters.rs   Python's values and what they do
//! strings.rs words.rs wrap.rs                  methods of texts, and how texts are cut
//! format.rs percent.rs braces.rs json.rs time.rs   formats: numbers; `'%s' % x`; `'{}'.format(x)`; JSON; dates
//! filters.rs filters_*.rs tests.rs             `|name` and `is name`
//! budget.rs                                    what a rendering may take
//! ```
//! What a template prints is Python's text of it (`None`, `['a']`, `1e+20`), what goes wrong in Python goes wrong here. It
//! is an interpreter of its own because texts must know who wrote them (`text.rs`), through everything that is done to
//! them, and because everything that is made must be paid for (`budget.rs`).
//!
//! Refused, each by its name: other files (`include`, `import`, `extends`), automatic escaping, the filters `urlize` and
//! `random`, `lipsum`, bytes, complex numbers, integers of more than 127 bits, `\N{}` in strings, printing what Python
//! prints by its address (functions, generators).

mod access;
mod arithmetic;
mod ast;
mod braces;
mod budget;
mod call;
mod compare;
mod eval;
mod fault;
mod filters;
mod filters_lists;
mod filters_texts;
mod format;
mod json;
mod letters;
mod lex;
mod loops;
mod number;
mod parse;
mod parse_expression;
mod percent;
mod run;
mod show;
mod strings;
mod tests;
mod text;
mod time;
mod value;
mod words;
mod wrap;

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

pub use fault::Fault;

pub(super) use budget::LIMIT;
pub(super) use fault::Kind;
pub(super) use lex::TOKENS;
pub(super) use text::{Origin, TEMPLATE, Text};
pub(super) use value::Value;

use ast::{Block, Sym};
use budget::Budget;
use run::Run;

/// A template that was read.
#[derive(Debug)]
pub(super) struct Program {
    body: Block,
    names: BTreeMap<String, Sym>,
    texts: Vec<String>,
    blocks: Vec<(String, Block)>,
}

impl Program {
    /// Reads a template.
    pub(super) fn parse(source: &str) -> Result<Self, Fault> {
        let parse::Parsed { body, names, texts, blocks } = parse::parse(source)?;
        Ok(Self { body, names, texts, blocks })
    }

    /// Renders it with these names.
    pub(super) fn render(&self, variables: Vec<(&str, Value)>) -> Result<Text, Fault> {
        Run::new(self, variables).render()
    }
}

/// Makes the values that a conversation is given as. What the caller gives is not charged.
pub(super) struct Maker(Rc<Budget>);

impl Maker {
    pub(super) fn new() -> Self {
        Self(Rc::new(Budget::unlimited()))
    }

    pub(super) fn list(&self, items: Vec<Value>) -> Result<Value, Fault> {
        Value::list(items, &self.0)
    }

    pub(super) fn dict(&self, entries: Vec<(&str, Value)>) -> Result<Value, Fault> {
        Value::dict(entries.into_iter().map(|(key, value)| (Value::str(key), value)).collect(), &self.0)
    }

    /// Texts one after another.
    pub(super) fn joined(&self, parts: &[Text]) -> Result<Value, Fault> {
        let mut out = text::Builder::new(&self.0);
        parts.iter().for_each(|part| out.push_text(part));
        Ok(Value::Str(out.finish()?))
    }
}
