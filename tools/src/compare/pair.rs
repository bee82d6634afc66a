//! Both models, walked in step.

use super::{Answers, Distribution, Failure, Position, Rows, Text};
use ocelli::generate::AnswerOptions;
use ocelli::image::{Frame, Image};
use ocelli::low_level::{BATCH, Scorer, SessionSteps};
use ocelli::tokenizer::{Special, Tokenizer};
use ocelli::{Embedding, Error, Model, Options, Segment, Session};
use std::fmt;
use std::path::Path;

/// One of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The reference.
    A,
    /// The one that is looked at.
    B,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Side::A { "A" } else { "B" })
    }
}

/// Gives an error its model.
fn of<T>(side: Side, result: Result<T, Error>) -> Result<T, Failure> {
    result.map_err(|error| Failure::Model { side, error })
}

/// Both models, and how each is run.
pub struct Pair<'m> {
    /// The reference, and its options.
    pub a: (&'m Model<'m>, Options),
    /// The other.
    pub b: (&'m Model<'m>, Options),
}

/// Checks that logits of the same number mean the same.
///
/// # Errors
/// They do not.
pub fn same_vocabulary(a: &Model<'_>, b: &Model<'_>) -> Result<(), Failure> {
    let size = |model: &Model<'_>| (model.tokenizer().len(), model.decoder().vocabulary());
    if size(a) != size(b) {
        return Err(Failure::Tokens { a: size(a), b: size(b) });
    }
    let (x, y) = (a.tokenizer(), b.tokenizer());
    let same =
        |id: &u32| x.piece_with_control(*id) == y.piece_with_control(*id) && x.kind(*id) == y.kind(*id);
    match (0..x.len() as u32).find(|id| !same(id)) {
        Some(id) => Err(Failure::Token { id, a: token(x, id), b: token(y, id) }),
        None => Ok(()),
    }
}

fn token(tokenizer: &Tokenizer, id: u32) -> String {
    let text = String::from_utf8_lossy(tokenizer.piece_with_control(id)).into_owned();
    tokenizer.kind(id).map_or(format!("{text:?}"), |kind| format!("{text:?} ({kind:?})"))
}

/// A text's tokens as a model begins it.
pub(crate) fn tokens(model: &Model<'_>, text: &str) -> Result<Vec<u32>, Error> {
    let tokenizer = model.tokenizer();
    let mut ids: Vec<u32> = bos(model).into_iter().collect();
    tokenizer.encode(text, Special::Plain, &mut ids)?;
    Ok(ids)
}

/// The token that begins a text, where the file asks for one.
pub(crate) fn bos(model: &Model<'_>) -> Option<u32> {
    model.tokenizer().bos().filter(|_| model.tokenizer().adds_bos())
}

impl Pair<'_> {
    /// Reads a text in windows of `context` tokens.
    ///
    /// # Errors
    /// The text is too short, the tokenizers differ, or a model cannot be run.
    pub fn text(
        &self,
        (path, text): (&Path, &str),
        context: usize,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Text, Failure> {
        let ids = of(Side::A, tokens(self.a.0, text))?;
        let others = of(Side::B, tokens(self.b.0, text))?;
        if ids != others {
            let at = ids.iter().zip(&others).take_while(|(a, b)| a == b).count();
            return Err(Failure::Tokenizer { at });
        }
        let window = context.min(ids.len());
        if window < 3 {
            return Err(Failure::Short { path: path.into(), tokens: ids.len() });
        }
        let mut walk = Walk {
            a: of(Side::A, Scorer::new(self.a.0, &self.a.1, window))?,
            b: of(Side::B, Scorer::new(self.b.0, &self.b.1, window))?,
            positions: Vec::new(),
        };
        let windows = ids.len() / window;
        for (number, part) in ids.chunks_exact(window).enumerate() {
            progress(number, windows);
            let mut part = part.to_vec();
            if let (Some(bos), Some(first)) = (bos(self.a.0), part.first_mut()) {
                *first = bos;
            }
            walk.window(number, &part)?;
        }
        let short = || Failure::Short { path: path.into(), tokens: ids.len() };
        let of = Distribution::of(&walk.positions).ok_or_else(short)?;
        Ok(Text { tokens: ids.len(), windows, window, of })
    }

    /// Sessions of both.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn sessions(&self) -> Result<Sessions<'_>, Failure> {
        Ok(Sessions {
            a: of(Side::A, self.a.0.session(&self.a.1))?,
            b: of(Side::B, self.b.0.session(&self.b.1))?,
        })
    }
}

/// Two readers of a text, and what was found.
struct Walk<'m> {
    a: Scorer<'m>,
    b: Scorer<'m>,
    positions: Vec<Position>,
}

impl Walk<'_> {
    fn window(&mut self, number: usize, ids: &[u32]) -> Result<(), Failure> {
        self.a.rewind();
        self.b.rewind();
        // The token at this index is the first whose row is scored: it predicts the one after it.
        let first = ids.len() / 2;
        for ids in ids.get(..first).unwrap_or(&[]).chunks(BATCH) {
            of(Side::A, self.a.read(ids, false))?;
            of(Side::B, self.b.read(ids, false))?;
        }
        // The last token predicts nothing that is known.
        let scored = first..ids.len() - 1;
        for start in scored.clone().step_by(BATCH) {
            let end = scored.end.min(start + BATCH);
            let read = ids.get(start..end).unwrap_or(&[]);
            let next = ids.get(start + 1..end + 1).unwrap_or(&[]);
            let a = of(Side::A, self.a.read(read, true))?;
            let b = of(Side::B, self.b.read(read, true))?;
            positions(a, b, next, &mut self.positions).map_err(|(side, row)| Failure::NotFinite {
                side,
                at: format!("the logits after token {} of window {}", start + row, number + 1),
            })?;
        }
        Ok(())
    }
}

/// Compares rows of logits, `next.len()` of them, on all processors; or says whose row is not finite.
fn positions(a: &[f32], b: &[f32], next: &[u32], out: &mut Vec<Position>) -> Result<(), (Side, usize)> {
    let width = a.len() / next.len().max(1);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(next.len()).max(1);
    let share = next.len().div_ceil(threads).max(1);
    let one = |first: usize, next: &[u32]| -> Result<Vec<Position>, (Side, usize)> {
        let mut found = Vec::with_capacity(next.len());
        for (i, token) in next.iter().enumerate() {
            let at = (first + i) * width..(first + i + 1) * width;
            let rows = (a.get(at.clone()).unwrap_or(&[]), b.get(at).unwrap_or(&[]));
            found.push(Position::new(rows.0, rows.1, *token).map_err(|side| (side, first + i))?);
        }
        Ok(found)
    };
    std::thread::scope(|scope| {
        let one = &one;
        let parts = next.chunks(share).enumerate();
        let work: Vec<_> = parts.map(|(n, part)| scope.spawn(move || one(n * share, part))).collect();
        for part in work {
            out.extend(part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(())
    })
}

/// Sessions of both models.
pub struct Sessions<'m> {
    a: Session<'m>,
    b: Session<'m>,
}

impl Sessions<'_> {
    /// Compares the rows of an image.
    ///
    /// # Errors
    /// A model cannot be run, or the two make something else of it.
    pub fn image(&mut self, path: &Path, image: &Image, into: &mut Rows) -> Result<(), Failure> {
        let frame = Frame::rgb(&image.data, image.width, image.height);
        let frame = of(Side::A, frame.map_err(|error| Error::Image(error.into())))?;
        let a = of(Side::A, self.a.embed(frame, &mut |_| ()))?;
        let b = of(Side::B, self.b.embed(frame, &mut |_| ()))?;
        let size = |of: &Embedding<'_>| (of.image.tokens as usize, of.width);
        if size(&a) != size(&b) {
            return Err(Failure::Rows { path: path.into(), a: size(&a), b: size(&b) });
        }
        let at = format!("the rows of {}", path.display());
        into.add(a.rows, b.rows, a.width).map_err(|side| Failure::NotFinite { side, at })
    }

    /// Asks both the same, and compares what they answer with at most `most` tokens.
    ///
    /// # Errors
    /// A model cannot be run.
    pub fn ask(&mut self, prompt: &[Segment<'_>], most: usize, into: &mut Answers) -> Result<(), Failure> {
        let a = of(Side::A, answer(&mut self.a, prompt, most))?;
        let b = of(Side::B, answer(&mut self.b, prompt, most))?;
        into.add(&a, &b);
        for (side, session) in [(Side::A, &mut self.a), (Side::B, &mut self.b)] {
            of(side, session.read(prompt, &mut |_| ()))?;
        }
        for (number, id) in a.iter().enumerate() {
            if number > 0 {
                let before = a.get(number - 1).copied().unwrap_or(0);
                of(Side::A, self.a.step(before))?;
                of(Side::B, self.b.step(before))?;
            }
            let logits = (of(Side::A, self.a.logits())?, of(Side::B, self.b.logits())?);
            let found = Position::new(logits.0, logits.1, *id);
            let at = || format!("the logits of token {number} of an answer");
            into.positions.push(found.map_err(|side| Failure::NotFinite { side, at: at() })?);
        }
        Ok(())
    }
}

/// The likeliest tokens after a prompt.
fn answer(session: &mut Session<'_>, prompt: &[Segment<'_>], most: usize) -> Result<Vec<u32>, Error> {
    session.read(prompt, &mut |_| ())?;
    let mut options = AnswerOptions::default();
    options.max_tokens = most;
    let mut answer = session.answer(&options)?;
    while answer.next()?.is_some() {}
    Ok(answer.finish().ids)
}
