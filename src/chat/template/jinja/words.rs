//! Texts cut into pieces: `split`, `splitlines`.

use alloc::vec::Vec;

use super::fault::Fault;
use super::letters::{is_line_end, is_space};
use super::run::Run;
use super::strings::text_of;
use super::text::Text;
use super::value::Value;

impl Run<'_> {
    /// `split` and `rsplit`.
    pub(super) fn split(
        &mut self,
        text: &Text,
        separator: Option<&Value>,
        most: i128,
        from_end: bool,
    ) -> Result<Value, Fault> {
        let whole = text.as_str();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let mut cuts: Vec<(usize, usize)> = Vec::new();
        match separator {
            None | Some(Value::None) => self.split_blanks(whole, most, from_end, &mut cuts)?,
            Some(separator) => {
                let separator = text_of("split()", separator)?.as_str();
                if separator.is_empty() {
                    return Err(Fault::new("empty separator"));
                }
                let mut keep = |from, to| {
                    cuts.push((from, to));
                    self.budget.items(1)
                };
                if from_end {
                    let mut end = whole.len();
                    for (at, _) in whole.rmatch_indices(separator).take(most) {
                        keep(at + separator.len(), end)?;
                        end = at;
                    }
                    keep(0, end)?;
                } else {
                    let mut start = 0;
                    for (at, _) in whole.match_indices(separator).take(most) {
                        keep(start, at)?;
                        start = at + separator.len();
                    }
                    keep(start, whole.len())?;
                }
            }
        }
        if from_end {
            cuts.reverse();
        }
        self.pieces(text, &cuts)
    }

    fn split_blanks(
        &mut self,
        whole: &str,
        most: usize,
        from_end: bool,
        cuts: &mut Vec<(usize, usize)>,
    ) -> Result<(), Fault> {
        let (mut from, mut to) = (0, whole.len());
        loop {
            self.budget.items(1)?;
            let rest = whole.get(from..to).unwrap_or_default();
            if from_end {
                let trimmed = rest.trim_end_matches(is_space);
                if trimmed.is_empty() {
                    return Ok(());
                }
                if cuts.len() == most {
                    cuts.push((from, from + trimmed.len()));
                    return Ok(());
                }
                let word = trimmed.len() - trimmed.rfind(is_space).map_or(0, |at| after(trimmed, at));
                cuts.push((from + trimmed.len() - word, from + trimmed.len()));
                to = from + trimmed.len() - word;
            } else {
                let trimmed = rest.trim_start_matches(is_space);
                if trimmed.is_empty() {
                    return Ok(());
                }
                let start = to - trimmed.len();
                if cuts.len() == most {
                    cuts.push((start, to));
                    return Ok(());
                }
                let word = trimmed.find(is_space).unwrap_or(trimmed.len());
                cuts.push((start, start + word));
                from = start + word;
            }
        }
    }

    pub(super) fn split_lines(&mut self, text: &Text, keep: bool) -> Result<Value, Fault> {
        let cuts = self.lines(text, keep)?;
        self.pieces(text, &cuts)
    }

    /// The lines of a text, with or without their ends.
    pub(super) fn lines(&mut self, text: &Text, keep: bool) -> Result<Vec<(usize, usize)>, Fault> {
        let whole = text.as_str();
        let mut cuts = Vec::new();
        let mut start = 0;
        let mut chars = whole.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if !is_line_end(c) {
                continue;
            }
            let mut end = at + c.len_utf8();
            if c == '\r' && chars.next_if(|(_, c)| *c == '\n').is_some() {
                end += 1;
            }
            self.budget.items(1)?;
            cuts.push((start, if keep { end } else { at }));
            start = end;
        }
        if start < whole.len() {
            cuts.push((start, whole.len()));
        }
        Ok(cuts)
    }

    fn pieces(&mut self, text: &Text, cuts: &[(usize, usize)]) -> Result<Value, Fault> {
        let pieces: Result<Vec<Value>, Fault> =
            cuts.iter().map(|(from, to)| self.cut(text, *from, *to)).collect();
        Value::list(pieces?, &self.budget)
    }
}

/// The place after the character at a place.
fn after(text: &str, at: usize) -> usize {
    at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8)
}
