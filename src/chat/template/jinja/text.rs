//! Texts that know where each of their characters comes from.
//!
//! The origin of a character is the template (0) or a part of the conversation. Everything that makes a text of texts copies
//! origins with the characters, one by one where characters change: what a user wrote stays a user's through `upper`,
//! `replace`, slices, joins, formats, JSON. Equality, order and search do not look at origins.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::budget::{Budget, RUN, TEXT};
use super::fault::{Fault, Kind};

/// Where a character comes from.
pub(in crate::chat::template) type Origin = u32;
/// The template.
pub(in crate::chat::template) const TEMPLATE: Origin = 0;
/// Characters made from numbers (`'%c' % 60`): nobody's, and never part of a control token.
pub(in crate::chat::template) const MADE: Origin = Origin::MAX;

/// A text. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(in crate::chat::template) struct Text(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    text: String,
    /// Where runs of one origin end, and the origin. Empty: all of it is the template's.
    runs: Vec<(usize, Origin)>,
    markup: bool,
}

impl Text {
    /// A text of one origin.
    pub(in crate::chat::template) fn new(text: impl Into<String>, origin: Origin) -> Self {
        let text = text.into();
        let runs = if origin == TEMPLATE || text.is_empty() {
            Vec::new()
        } else {
            Vec::from([(text.len(), origin)])
        };
        Self(Rc::new(Inner { text, runs, markup: false }))
    }

    pub(in crate::chat::template) fn as_str(&self) -> &str {
        &self.0.text
    }

    pub(super) fn len(&self) -> usize {
        self.0.text.len()
    }

    pub(super) fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Whether HTML is escaped in what is added to it (Python's `Markup`).
    pub(super) fn is_markup(&self) -> bool {
        self.0.markup
    }

    /// The same text as Markup, or as not.
    pub(super) fn with_markup(&self, markup: bool) -> Self {
        if self.0.markup == markup {
            return self.clone();
        }
        Self(Rc::new(Inner { text: self.0.text.clone(), runs: self.0.runs.clone(), markup }))
    }

    /// Stretches of one origin between two places.
    pub(super) fn runs_between(&self, from: usize, to: usize) -> impl Iterator<Item = (&str, Origin)> {
        let runs = &self.0.runs;
        let first = runs.partition_point(|(end, _)| *end <= from);
        let tainted = runs.get(first..).unwrap_or_default().iter().copied();
        let whole = runs.is_empty().then_some((self.len(), TEMPLATE));
        let mut at = from;
        tainted.chain(whole).map_while(move |(end, origin)| {
            if at >= to {
                return None;
            }
            let end = end.min(to);
            let piece = self.0.text.get(at..end).unwrap_or_default();
            at = end;
            Some((piece, origin))
        })
    }

    /// Stretches of one origin.
    pub(in crate::chat::template) fn runs(&self) -> impl Iterator<Item = (&str, Origin)> {
        self.runs_between(0, self.len())
    }

    /// Characters with their places and origins.
    pub(super) fn chars(&self) -> impl Iterator<Item = (usize, char, Origin)> + '_ {
        let mut runs = self.0.runs.iter().copied().peekable();
        self.0.text.char_indices().map(move |(at, c)| {
            while runs.peek().is_some_and(|(end, _)| *end <= at) {
                runs.next();
            }
            (at, c, runs.peek().map_or(TEMPLATE, |(_, origin)| *origin))
        })
    }

    /// The origin of the character at a place.
    pub(super) fn origin_at(&self, at: usize) -> Origin {
        let run = self.0.runs.partition_point(|(end, _)| *end <= at);
        self.0.runs.get(run).map_or(TEMPLATE, |(_, origin)| *origin)
    }

    pub(super) fn piece(&self, from: usize, to: usize) -> &str {
        self.0.text.get(from..to).unwrap_or_default()
    }
}

/// A text that is being made. What the budget refuses is left out, and [`finish`](Self::finish) says so.
#[derive(Debug)]
pub(super) struct Builder {
    inner: Inner,
    budget: Rc<Budget>,
    over: bool,
}

impl Builder {
    pub(super) fn new(budget: &Rc<Budget>) -> Self {
        Self { inner: Inner::default(), budget: Rc::clone(budget), over: false }
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.inner.text.len()
    }

    fn room(&mut self, bytes: usize, origin: Origin) -> bool {
        if self.over || bytes == 0 {
            return false;
        }
        let joins = self.inner.runs.last().is_some_and(|(_, last)| *last == origin);
        // A string that grows is moved: twice its bytes.
        let cost = bytes.saturating_mul(2).saturating_add(if joins { 0 } else { 2 * RUN });
        self.over = self.budget.take(cost).is_err();
        !self.over
    }

    fn mark(&mut self, origin: Origin) {
        let end = self.inner.text.len();
        match self.inner.runs.last_mut() {
            Some((last, of)) if *of == origin => *last = end,
            _ => self.inner.runs.push((end, origin)),
        }
    }

    /// Adds a text of one origin.
    pub(super) fn push(&mut self, text: &str, origin: Origin) {
        if self.room(text.len(), origin) {
            self.inner.text.push_str(text);
            self.mark(origin);
        }
    }

    /// Adds the template's words.
    pub(super) fn push_own(&mut self, text: &str) {
        self.push(text, TEMPLATE);
    }

    pub(super) fn push_char(&mut self, c: char, origin: Origin) {
        self.push(c.encode_utf8(&mut [0; 4]), origin);
    }

    /// Adds a text.
    pub(super) fn push_text(&mut self, text: &Text) {
        self.push_piece(text, 0, text.len());
    }

    /// Adds a stretch of a text.
    pub(super) fn push_piece(&mut self, text: &Text, from: usize, to: usize) {
        for (piece, origin) in text.runs_between(from, to) {
            self.push(piece, origin);
        }
    }

    /// Adds a text many times.
    pub(super) fn repeat(&mut self, text: &Text, times: usize) {
        let bytes = text.len().saturating_mul(times);
        if bytes == 0 || self.over {
            return;
        }
        if !self.budget.has(bytes) {
            self.over = true;
            return;
        }
        let mut runs = text.runs();
        if let (Some((piece, origin)), None) = (runs.next(), runs.next()) {
            if self.room(bytes, origin) {
                self.inner.text.extend(core::iter::repeat_n(piece, times));
                self.mark(origin);
            }
            return;
        }
        for _ in 0..times {
            self.push_text(text);
        }
    }

    /// Adds a character many times.
    pub(super) fn fill(&mut self, c: char, origin: Origin, times: usize) {
        self.repeat(&Text::new(c, origin), times);
    }

    /// The text.
    pub(super) fn finish(mut self) -> Result<Text, Fault> {
        if self.over {
            return Err(Fault::of(Kind::Memory, "it makes too much text"));
        }
        self.budget.take(TEXT)?;
        if let [(_, TEMPLATE)] = self.inner.runs.as_slice() {
            self.inner.runs = Vec::new();
        }
        Ok(Text(Rc::new(self.inner)))
    }

    /// The text, as Markup where `markup` is set.
    pub(super) fn finish_as(mut self, markup: bool) -> Result<Text, Fault> {
        self.inner.markup = markup;
        self.finish()
    }
}
