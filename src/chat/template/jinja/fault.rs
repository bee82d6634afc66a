//! What can be wrong with a template, or go wrong while it runs.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

/// A fault of a template: what, and in which line of it.
#[derive(Debug, Clone)]
pub struct Fault(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: Kind,
    message: String,
    line: u32,
}

/// What a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat::template) enum Kind {
    /// It is not a template.
    Syntax,
    /// It failed while it ran.
    Run,
    /// It called `raise_exception`.
    Raised,
    /// It took too many steps.
    Fuel,
    /// It made too much.
    Memory,
    /// An expression is too long.
    Long,
}

impl Fault {
    /// A fault while it runs.
    pub(in crate::chat::template) fn new(message: impl Into<String>) -> Self {
        Self::of(Kind::Run, message)
    }

    /// A fault of this kind.
    pub(in crate::chat::template) fn of(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), line: 0 }))
    }

    /// A fault of the template's text.
    pub(in crate::chat::template) fn syntax(line: u32, message: impl Into<String>) -> Self {
        Self::of(Kind::Syntax, message).at(line)
    }

    /// Something that Jinja has and this interpreter has not.
    pub(in crate::chat::template) fn unsupported(what: &str, why: &str) -> Self {
        Self::new(alloc::format!("{what} is not supported: {why}"))
    }

    /// With the line, unless it is known.
    pub(in crate::chat::template) fn at(mut self, line: u32) -> Self {
        if self.0.line == 0 {
            self.0.line = line;
        }
        self
    }

    pub(in crate::chat::template) fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The line of the template, from 1; 0 where it is not known.
    pub fn line(&self) -> u32 {
        self.0.line
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.line {
            0 => f.write_str(&self.0.message),
            line => write!(f, "line {line}: {}", self.0.message),
        }
    }
}

impl core::error::Error for Fault {}
