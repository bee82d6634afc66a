//! A language model that says what it thinks of every position of a text, not only of the last one.
//!
//! A session computes the logits of a prompt's last row. Measuring a text needs those of all rows, so the model is recorded
//! a second time with them ([`Decoder::decode_every`](ocelli_models::Decoder::decode_every)). Rows whose logits nobody
//! asks for go through the usual tape, which leaves the output map out. Memory: one batch of logits, `BATCH` · vocabulary.

use crate::Options;
use crate::error::Error;
use crate::model::{Model, weights};
use crate::session::plan::{cache_layout, default_threads};
use crate::session::zeroed;
use alloc::vec::Vec;
use core::ops::Range;
use ocelli_kernels::cpu;
use ocelli_kernels::ops::Kernels;
use ocelli_kernels::ops::embed::Cell;
use ocelli_kernels::ops::memory::Layout;
use ocelli_kernels::pool::{Never, Pool};
use ocelli_kernels::run::{Cache, Call, Inputs, Machine, Memory, Observer, Watch};
use ocelli_kernels::tape::Tape;

/// Rows of a call: enough that a panel of weights is used many times, few enough that their logits are some megabytes.
pub const BATCH: usize = 64;

/// A language model and the memory it reads in.
pub struct Scorer<'m> {
    files: Vec<&'m [u8]>,
    kernels: &'static dyn Kernels,
    pool: Pool,
    /// The logits of every row, and of none but the last.
    every: Tape,
    last: Tape,
    layout: Layout,
    arena: Vec<f32>,
    scratch: Vec<f32>,
    cache: Vec<f32>,
    cells: Vec<Cell>,
    past: usize,
}

impl<'m> Scorer<'m> {
    /// Makes one whose context, threads, instruction set and cache are those of the options.
    ///
    /// # Errors
    /// An option that makes no sense, or memory that cannot be had.
    pub fn new(model: &'m Model<'_>, options: &Options, context: usize) -> Result<Scorer<'m>, Error> {
        let threads = options.threads.unwrap_or_else(default_threads);
        let untaped = |error| Error::Tape { name: model.text_name(), error };
        let (every, last) = (model.decoder().decode_every(BATCH).map_err(untaped)?, model.decode(BATCH)?);
        let layout = cache_layout(&every, options.kv, context)?;
        let (layers, _) = every.cached();
        let scratch = every.scratch(context).max(last.scratch(context));
        Ok(Scorer {
            files: model.files(),
            kernels: cpu::choose(options.isa.as_deref())?,
            pool: Pool::new(threads),
            arena: zeroed(every.arena().max(last.arena()))?,
            scratch: zeroed(scratch.saturating_mul(threads))?,
            cache: zeroed(layers.saturating_mul(Cache::cells(&layout)))?,
            cells: Vec::with_capacity(BATCH),
            every,
            last,
            layout,
            past: 0,
        })
    }

    /// Begins a new text.
    pub fn rewind(&mut self) {
        self.past = 0;
    }

    /// Reads at most [`BATCH`] tokens after those before. With `logits` it gives a row of them for every token, one after
    /// the other; without, nothing of use.
    ///
    /// # Errors
    /// The context is full.
    pub fn read(&mut self, ids: &[u32], logits: bool) -> Result<&[f32], Error> {
        let range = self.tokens(ids, logits, Watch::default())?;
        Ok(self.arena.get(range).unwrap_or(&[]))
    }

    /// The same with logits, for somebody who sees what linear maps are given.
    ///
    /// # Errors
    /// As [`read`](Scorer::read).
    pub fn show(&mut self, ids: &[u32], inputs: Inputs<'_>) -> Result<(), Error> {
        self.tokens(ids, true, Watch { inputs: Some(inputs), ..Watch::default() })?;
        Ok(())
    }

    fn tokens(&mut self, ids: &[u32], logits: bool, watch: Watch<'_>) -> Result<Range<usize>, Error> {
        let mut cells = core::mem::take(&mut self.cells);
        cells.clear();
        cells.extend(ids.iter().map(|id| Cell::Token(*id)));
        let range = self.run(&cells, &[], logits, watch);
        self.cells = cells;
        range
    }

    /// The same for tokens and rows of images, with somebody who looks on: logits of every cell.
    ///
    /// # Errors
    /// As [`read`](Scorer::read).
    pub fn watch(&mut self, cells: &[Cell], rows: &[f32], observer: Observer<'_>) -> Result<&[f32], Error> {
        let watch = Watch { observer: Some(observer), ..Watch::default() };
        let range = self.run(cells, rows, true, watch)?;
        Ok(self.arena.get(range).unwrap_or(&[]))
    }

    /// Gives where in the arena the result is.
    fn run(
        &mut self,
        cells: &[Cell],
        rows: &[f32],
        logits: bool,
        watch: Watch<'_>,
    ) -> Result<Range<usize>, Error> {
        let tape = if logits { &self.every } else { &self.last };
        let cache = Some(Cache { layout: self.layout, memory: &mut self.cache });
        let mut memory = Memory { arena: &mut self.arena, scratch: &mut self.scratch, cache };
        // The context of a scorer is as long as its text.
        let (past, reach) = (self.past, self.layout.capacity);
        let call = Call { units: cells.len(), cells, rows, past, reach, ..Call::default() };
        let machine = Machine { kernels: self.kernels, pool: &self.pool };
        tape.run(machine, weights(&self.files), &mut memory, call, &Never, watch)?;
        self.past += cells.len();
        Ok(tape.output_range(cells.len()))
    }
}
