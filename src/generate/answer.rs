//! An answer, token by token.

use crate::error::Error;
use crate::generate::sampler::{Sampler, Sampling};
use crate::generate::text_stream::{Flow, TextStream};
use crate::session::Session;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// How an answer is chosen and where it ends.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AnswerOptions {
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Tokens of the answer, at most.
    pub max_tokens: usize,
    /// Texts before which the answer ends.
    pub stops: Vec<String>,
    /// So many of the likeliest tokens are kept for every step.
    pub logprobs: usize,
}

impl Default for AnswerOptions {
    fn default() -> AnswerOptions {
        AnswerOptions { sampling: Sampling::default(), max_tokens: 512, stops: Vec::new(), logprobs: 0 }
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It was not asked for more, or the model has not finished.
    Unfinished,
    /// The model ended it.
    End,
    /// A stop text came.
    Stop,
    /// It has as many tokens as were allowed.
    Limit,
    /// The context is full.
    Context,
}

/// An answer that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// Its tokens, the one that ended it included.
    pub ids: Vec<u32>,
    /// For every token the likeliest candidates and the logarithms of their probabilities.
    pub logprobs: Vec<Vec<(u32, f32)>>,
    /// Why it ended.
    pub reason: Reason,
}

/// An answer that is being made. Between its first token and its last, nothing is allocated.
#[derive(Debug)]
pub struct Answer<'s, 'm> {
    session: &'s mut Session<'m>,
    draft: Draft,
}

/// An answer that does not hold on to its session, for a caller who keeps the two side by side. See [`Answer`].
#[derive(Debug)]
pub struct Draft {
    sampler: Sampler,
    stream: TextStream,
    /// Room for all tokens there may be.
    ids: Vec<u32>,
    most: usize,
    /// Candidates of all steps, `each` per step.
    best: Vec<(u32, f32)>,
    each: usize,
    /// The text of the last step.
    chunk: String,
    reason: Reason,
    ended: bool,
}

impl<'m> Session<'m> {
    /// Begins the answer to what was read.
    ///
    /// # Errors
    /// An option that makes no sense, or memory that cannot be had.
    pub fn answer<'s>(&'s mut self, options: &AnswerOptions) -> Result<Answer<'s, 'm>, Error> {
        let draft = self.draft(options)?;
        Ok(Answer { session: self, draft })
    }

    /// Begins the answer to what was read, as a value of its own: every step is given this session again.
    ///
    /// # Errors
    /// As [`answer`](Session::answer).
    pub fn draft(&self, options: &AnswerOptions) -> Result<Draft, Error> {
        let sampler = Sampler::new(options.sampling.clone()).map_err(Error::Sampling)?;
        let tokenizer = self.model().tokenizer();
        let stream = TextStream::new(&options.stops, tokenizer.adds_space())
            .map_err(|_| Error::Option { name: "a stop text", expected: "not empty" })?;
        let most = options.max_tokens.min(self.plan().context());
        let each = options.logprobs.min(self.model().decoder().vocabulary());
        let longest_stop = options.stops.iter().map(String::len).max().unwrap_or(0);
        // A piece of bytes that are no characters becomes three times as long.
        let chunk = 3 * tokenizer.longest_piece() + longest_stop + 256;
        let mut draft = Draft {
            sampler,
            stream,
            ids: Vec::new(),
            most,
            best: Vec::new(),
            each,
            chunk: String::new(),
            reason: Reason::Unfinished,
            ended: false,
        };
        let bytes = most.saturating_mul(4 + 8 * each);
        let room = draft.ids.try_reserve_exact(most).and(draft.chunk.try_reserve_exact(chunk));
        room.and(draft.best.try_reserve_exact(most.saturating_mul(each)))
            .map_err(|_| Error::OutOfMemory { bytes })?;
        Ok(draft)
    }
}

impl Answer<'_, '_> {
    /// Makes the next token and gives the text that is certain by now, which may be empty; nothing once the answer has
    /// ended.
    ///
    /// # Errors
    /// The session was stopped, its deadline has passed, or the model computes no numbers. The answer may be continued
    /// after a stop was taken back.
    #[allow(clippy::should_implement_trait, reason = "lends its buffer, as no iterator can")]
    pub fn next(&mut self) -> Result<Option<&str>, Error> {
        self.draft.next(self.session)
    }

    /// What it came to.
    pub fn finish(self) -> Answered {
        self.draft.finish()
    }
}

impl Draft {
    /// As [`Answer::next`], with the session it was begun on.
    ///
    /// # Errors
    /// As [`Answer::next`].
    pub fn next(&mut self, session: &mut Session<'_>) -> Result<Option<&str>, Error> {
        self.chunk.clear();
        if self.ended {
            return Ok(None);
        }
        if self.ids.len() >= self.most {
            return Ok(self.end(Reason::Limit));
        }
        let from = self.best.len();
        self.best.resize(from + self.each, (0, 0.0));
        let chosen = session.choose(&mut self.sampler, &mut self.best[from..]);
        let id = chosen.inspect_err(|_| self.best.truncate(from))?;
        self.ids.push(id);
        let tokenizer = session.model().tokenizer();
        if tokenizer.is_end(id) {
            return Ok(self.end(Reason::End));
        }
        let chunk = &mut self.chunk;
        let flow = self.stream.push(tokenizer.piece(id), &mut |text| chunk.push_str(text));
        if flow == Flow::Stopped {
            self.reason = Reason::Stop;
            self.ended = true;
            return Ok(Some(&self.chunk));
        }
        if !session.has_room() {
            return Ok(self.end(Reason::Context));
        }
        session.accept(id);
        Ok(Some(&self.chunk))
    }

    /// Ends the answer and gives what was held back.
    fn end(&mut self, reason: Reason) -> Option<&str> {
        (self.reason, self.ended) = (reason, true);
        let chunk = &mut self.chunk;
        self.stream.finish(&mut |text| chunk.push_str(text));
        Some(&self.chunk)
    }

    /// The tokens so far.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// Why it ended.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What it came to.
    pub fn finish(self) -> Answered {
        let steps = self.best.chunks(self.each.max(1));
        let logprobs = if self.each == 0 { vec![] } else { steps.map(<[_]>::to_vec).collect() };
        Answered { ids: self.ids, logprobs, reason: self.reason }
    }
}
