//! The lines of `wordwrap`: Python's `textwrap` with `drop_whitespace`. Each step takes the same time whatever a word's length.

use alloc::vec::Vec;

use super::letters::{is_alnum, is_decimal, is_space};

/// Options of `wordwrap`.
pub(super) struct Wrap {
    pub(super) width: usize,
    pub(super) long_words: bool,
    pub(super) hyphens: bool,
}

/// A stretch, in characters.
type Chunk = (usize, usize);

/// The stretches of a line that become lines, in bytes.
pub(super) fn wrapped(line: &str, options: &Wrap) -> Vec<(usize, usize)> {
    let (places, chars): (Vec<usize>, Vec<char>) = line.char_indices().unzip();
    let mut solid = Vec::with_capacity(chars.len() + 1);
    solid.push(0_u32);
    for c in &chars {
        solid.push(solid.last().copied().unwrap_or_default() + u32::from(!is_space(*c)));
    }
    let place = |at: usize| places.get(at).copied().unwrap_or(line.len());
    lines(&chars, &solid, options).into_iter().map(|(from, to)| (place(from), place(to))).collect()
}

fn lines(chars: &[char], solid: &[u32], options: &Wrap) -> Vec<Chunk> {
    let size = |(from, to): Chunk| to - from;
    let blank = |(from, to): Chunk| solid.get(from) == solid.get(to);
    let mut chunks = chunks(chars, options.hyphens);
    chunks.reverse();
    let mut lines: Vec<Chunk> = Vec::new();
    while let Some(first) = chunks.last().copied() {
        if blank(first) && !lines.is_empty() {
            chunks.pop();
        }
        let mut current: Vec<Chunk> = Vec::new();
        let mut used = 0;
        while let Some(chunk) = chunks.last().copied().filter(|chunk| used + size(*chunk) <= options.width) {
            used += size(chunk);
            current.push(chunk);
            chunks.pop();
        }
        if let Some(chunk) = chunks.last().copied().filter(|chunk| size(*chunk) > options.width) {
            if options.long_words {
                let cut = long_cut(chars, chunk, options, options.width - used);
                current.push((chunk.0, cut));
                chunks.pop();
                if cut < chunk.1 {
                    chunks.push((cut, chunk.1));
                }
            } else if current.is_empty() {
                current.push(chunk);
                chunks.pop();
            }
        }
        if current.last().copied().is_some_and(blank) {
            current.pop();
        }
        if let (Some((from, _)), Some((_, to))) = (current.first(), current.last()) {
            lines.push((*from, *to));
        }
    }
    lines
}

/// Where a word that is longer than a line is cut: after the last hyphen that fits, unless only hyphens are in front of it.
fn long_cut(chars: &[char], (from, _): Chunk, options: &Wrap, room: usize) -> usize {
    let head = chars.get(from..from + room).unwrap_or_default();
    let hyphen = head.iter().rposition(|c| *c == '-').filter(|_| options.hyphens);
    match hyphen {
        Some(at) if head.iter().take(at).any(|c| *c != '-') => from + at + 1,
        _ => from + room,
    }
}

/// Blanks, words and the dashes between them; words are also cut after hyphens between letters.
fn chunks(chars: &[char], hyphens: bool) -> Vec<Chunk> {
    let at = |i: usize| chars.get(i).copied();
    let blank = |c: char| matches!(c, '\t'..='\r' | ' ');
    let in_word = |c: char| c == '_' || is_alnum(c);
    let letter = |i: usize| at(i).is_some_and(|c| in_word(c) && !is_decimal(c));
    let mut dashes = alloc::vec![0_usize; chars.len() + 1];
    for i in (0..chars.len()).rev() {
        let after = dashes.get(i + 1).copied().unwrap_or_default();
        if let Some(run) = dashes.get_mut(i) {
            *run = if at(i) == Some('-') { after + 1 } else { 0 };
        }
    }
    // Two dashes or more between words.
    let dash_at = |i: usize| {
        let run = dashes.get(i).copied().unwrap_or_default();
        let before = i.checked_sub(1).and_then(at);
        let before = before.is_some_and(|c| in_word(c) || "!\"'&.,?".contains(c));
        (hyphens && run >= 2 && before && at(i + run).is_some_and(in_word)).then_some(run)
    };
    // A hyphen that a word may be cut after is in front of this place.
    let hyphen_before = |start: usize, i: usize| {
        let [one, two, three, four] = [1, 2, 3, 4].map(|back| i.checked_sub(back));
        hyphens
            && i > start + 1
            && one.and_then(at) == Some('-')
            && two.is_some_and(letter)
            && (three.is_some_and(letter) || (three.and_then(at) == Some('-') && four.is_some_and(letter)))
            && letter(i)
            && (letter(i + 1) || (at(i + 1) == Some('-') && letter(i + 2)))
    };
    let mut out = Vec::new();
    let mut i = 0;
    while let Some(c) = at(i) {
        let start = i;
        i += 1;
        if blank(c) {
            while at(i).is_some_and(blank) {
                i += 1;
            }
        } else if let Some(run) = dash_at(start) {
            i = start + run;
        } else {
            while at(i).is_some_and(|c| !blank(c)) && dash_at(i).is_none() && !hyphen_before(start, i) {
                i += 1;
            }
        }
        out.push((start, i));
    }
    out
}
