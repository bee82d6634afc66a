//! Whether an answer is the word that was asked for, while it comes in pieces that end anywhere.
//!
//! A *word* is what stands between blanks (space, tab, line break), without the marks before it (`" ' ( [ { *`) and after it
//! (`" ' ) ] } * . , ; : ! ?`). So `Stop.` is the word `stop` and `"STOP"` too, `unstoppable`, `stop-go` and `5.26` for `5` are
//! other words, and so is `-5`. Letters of ASCII are the same in both cases; all others are compared byte by byte.
//!
//! Two rules: [`Watch::anywhere`] takes an answer that has the word among others (a lamp); [`Watch::alone`] one that consists of
//! it. The second is the one for anything that moves: `not clear` has the word `clear`, and is not it.
//!
//! Refused: a word that no answer could be, because it is empty, has a blank in it, or begins or ends with a mark.

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What follows decides.
    Open,
    /// It is, whatever follows.
    Yes,
    /// It is not, whatever follows.
    No,
}

/// A word, and what was seen of an answer.
#[derive(Clone, Debug)]
pub struct Watch<'w> {
    word: &'w str,
    alone: bool,
    at: Place,
    verdict: Verdict,
    /// With `alone`: the word was there.
    seen: bool,
}

/// Where in an answer's present word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Between words, or among the marks before one.
    Before,
    /// After so many bytes that are the word's.
    Within(usize),
    /// Among the marks after all of it.
    After,
    /// In another word.
    Other,
}

fn blank(byte: u8) -> bool {
    byte.is_ascii_whitespace()
}

fn opens(byte: u8) -> bool {
    b"\"'([{*".contains(&byte)
}

fn closes(byte: u8) -> bool {
    b"\"')]}*.,;:!?".contains(&byte)
}

impl<'w> Watch<'w> {
    /// An answer that has the word among others.
    pub fn anywhere(word: &'w str) -> Option<Self> {
        Self::new(word, false)
    }

    /// An answer that is the word.
    pub fn alone(word: &'w str) -> Option<Self> {
        Self::new(word, true)
    }

    fn new(word: &'w str, alone: bool) -> Option<Self> {
        let (first, last) = (*word.as_bytes().first()?, *word.as_bytes().last()?);
        let could = !opens(first) && !closes(last) && !word.bytes().any(blank);
        could.then_some(Watch { word, alone, at: Place::Before, verdict: Verdict::Open, seen: false })
    }

    /// For the next answer.
    pub fn reset(&mut self) {
        (self.at, self.verdict, self.seen) = (Place::Before, Verdict::Open, false);
    }

    /// The next piece of the answer; gives what is known by now.
    pub fn feed(&mut self, piece: impl AsRef<[u8]>) -> Verdict {
        for byte in piece.as_ref() {
            if self.verdict != Verdict::Open {
                break;
            }
            self.step(*byte);
        }
        self.verdict
    }

    /// The answer is complete: whether it is the one.
    pub fn end(&mut self) -> bool {
        if self.verdict == Verdict::Open {
            self.step(b'\n');
        }
        if self.verdict == Verdict::Open {
            self.verdict = if self.seen { Verdict::Yes } else { Verdict::No };
        }
        self.verdict == Verdict::Yes
    }

    fn step(&mut self, byte: u8) {
        if blank(byte) {
            return self.close();
        }
        let word = self.word.as_bytes();
        let is = |i: usize| word.get(i).is_some_and(|letter| letter.eq_ignore_ascii_case(&byte));
        self.at = match self.at {
            Place::Before if opens(byte) => Place::Before,
            Place::Before if is(0) => Place::Within(1),
            Place::Within(i) if is(i) => Place::Within(i + 1),
            Place::Within(i) if i == word.len() && closes(byte) => Place::After,
            Place::After if closes(byte) => Place::After,
            _ => Place::Other,
        };
        // A second word, or another one: known before it ends.
        if self.alone && (self.seen || self.at == Place::Other) && self.at != Place::Before {
            self.verdict = Verdict::No;
        }
    }

    fn close(&mut self) {
        let whole = self.at == Place::After || self.at == Place::Within(self.word.len());
        match (whole, self.alone) {
            (true, true) => self.seen = true,
            (true, false) => self.verdict = Verdict::Yes,
            // The beginning of the word is not the word.
            (false, true) if self.at != Place::Before => self.verdict = Verdict::No,
            _ => {}
        }
        self.at = Place::Before;
    }
}
