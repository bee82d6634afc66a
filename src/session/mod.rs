//! A session: a model at work, in one block of memory.

use crate::error::Error;
use crate::generate::sampler::{Sampler, SamplerError, logprobs};
use crate::image::ImageError;
use crate::model::{self, Model};
use crate::session::cancel::stopped;
use crate::session::profile::Profiles;
use crate::session::prompt::{Entry, Prompt, Shown};
use alloc::boxed::Box;
use alloc::vec::Vec;
use ocelli_kernels::cpu::LANES;
use ocelli_kernels::ops::resize::ResizeError;
use ocelli_tape::{Call, Clock, Input, Inputs, Memory, Profile, RunError, Watch, Weight, Weights};

#[cfg(feature = "std")]
mod affinity;
mod cancel;
mod embed;
pub mod low_level;
pub(crate) mod memory_estimate;
mod options;
pub(crate) mod plan;
pub mod profile;
pub(crate) mod prompt;
mod scorer;
mod timings;
mod turn;

use turn::Turn;

pub use cancel::Stopper;
pub use embed::Embedding;
pub use memory_estimate::Bill;
pub use options::{ImageSizes, Options, Preprocess, Stored};
pub use plan::Plan;
pub use prompt::{ImageReport, Photo, Seen, Segment};
pub use timings::{Stage, Timings};

/// What reading a prompt came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    /// Positions of the prompt, image rows included.
    pub prompt_tokens: usize,
    /// Positions of image rows.
    pub image_tokens: usize,
    /// Positions that were already in the cache.
    pub reused: usize,
    /// What each image became.
    pub images: Vec<ImageReport>,
}

/// How far reading a prompt has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Views encoded of an image's.
    Encode {
        /// Done.
        done: u32,
        /// All.
        of: u32,
    },
    /// Positions read of the prompt's.
    Prefill {
        /// Done.
        done: usize,
        /// All.
        of: usize,
    },
}

/// A conversation with a model. Its memory is allocated when it is made, and not again until it is dropped; only
/// [`read`](Session::read) allocates a little for the prompt it is given.
pub struct Session<'m> {
    model: &'m Model<'m>,
    files: Vec<&'m [u8]>,
    plan: Plan,
    /// The one block, and how many cells of it come before the first aligned one.
    block: Vec<f32>,
    skip: usize,
    /// What the cache holds, position by position.
    history: Vec<Entry>,
    inputs: Vec<Input>,
    /// Which angles the cache was computed with.
    turn: Turn,
    /// The image whose rows are in memory.
    encoded: Option<u64>,
    /// A token that was chosen and not read yet.
    pending: Option<u32>,
    /// Whether the last logits are in the arena.
    ready: bool,
    stopper: Stopper,
    timings: Timings,
    /// Time of every step, where somebody asked for it. Boxed, as it seldom is there; and None is then a null pointer, where
    /// an optimizer otherwise looks into the fields first, which valgrind reports.
    profiles: Option<Box<Profiles>>,
    /// Sees what linear maps are given, where somebody asked for it.
    see: Option<Box<SeeInputs>>,
}

/// Somebody who sees the rows of linear maps.
pub type SeeInputs = dyn FnMut(&Weight, &[f32]) + Send + Sync;

impl<'a> Model<'a> {
    /// Makes a session.
    ///
    /// # Errors
    /// As [`plan`](Model::plan), or the memory cannot be had.
    pub fn session<'m>(&'m self, options: &Options) -> Result<Session<'m>, Error> {
        Session::new(self, self.plan(options)?)
    }
}

impl<'m> Session<'m> {
    /// Makes a session as planned.
    ///
    /// # Errors
    /// The memory cannot be had.
    pub fn new(model: &'m Model<'_>, mut plan: Plan) -> Result<Session<'m>, Error> {
        let cells = plan.places.cells + LANES;
        let mut block = zeroed(cells)?;
        let skip = block.as_ptr().align_offset(LANES * size_of::<f32>()).min(LANES);
        let mut history = Vec::new();
        let mut batch = Vec::new();
        let enough = history
            .try_reserve_exact(plan.context)
            .and(batch.try_reserve_exact(plan.decode.need().max_items));
        enough.map_err(|_| Error::OutOfMemory { bytes: plan.context * size_of::<Entry>() })?;
        let files = model.files();
        plan.start()?;
        if let Some(int8) = plan.int8.take() {
            let room = block.get_mut(skip..).and_then(|block| block.get_mut(plan.places.int8.clone()));
            let room = bytemuck::cast_slice_mut(room.unwrap_or_default());
            int8.make(model, plan.cpu.machine(), &files, room)?;
        }
        let made = block.get(skip..).and_then(|block| block.get(plan.places.int8.clone()));
        let weights = Weights { files: &files, made: bytemuck::cast_slice(made.unwrap_or_default()) };
        plan.decode.load(&weights)?;
        if let Some(vision) = &mut plan.vision {
            vision.program.load(&weights)?;
        }
        Ok(Session {
            files,
            model,
            plan,
            block,
            skip,
            history,
            inputs: batch,
            turn: Turn::default(),
            encoded: None,
            pending: None,
            ready: false,
            stopper: Stopper::default(),
            timings: Timings::default(),
            profiles: None,
            see: None,
        })
    }

    /// The model.
    pub fn model(&self) -> &'m Model<'m> {
        self.model
    }

    /// What it was planned to cost.
    pub fn bill(&self) -> &Bill {
        self.plan.bill()
    }

    /// The plan it was made by.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Positions in use.
    pub fn len(&self) -> usize {
        self.history.len() + usize::from(self.pending.is_some())
    }

    /// Whether nothing has been read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What stands at each position that has been read: a token, or nothing for an image's row.
    pub fn positions(&self) -> impl ExactSizeIterator<Item = Option<u32>> + '_ {
        self.history.iter().map(|entry| match entry {
            Entry::Token(id) => Some(*id),
            Entry::Row(..) => None,
        })
    }

    /// Stops this session's work from any thread.
    pub fn stopper(&self) -> &Stopper {
        &self.stopper
    }

    /// Measures deadlines and times with this clock from now on, instead of the system's (without `std`: instead of not at
    /// all). It makes a new stopper: one that was cloned before stops nothing any more.
    pub fn set_clock(&mut self, clock: Clock) {
        self.stopper = Stopper::with_clock(clock);
    }

    /// Time spent, by stage, since the last [`take_timings`](Session::take_timings).
    pub fn take_timings(&mut self) -> Timings {
        core::mem::take(&mut self.timings)
    }

    /// From now on measures every step of the model, with a clock that gives nanoseconds. What is needed for it is
    /// allocated here.
    pub fn start_profile(&mut self, clock: Clock) {
        let vision = self.plan.vision.as_ref().map(|vision| Profile::new(vision.program.need().steps, clock));
        let [prefill, generate] = [(); 2].map(|()| Profile::new(self.plan.decode.need().steps, clock));
        self.profiles = Some(Box::new(Profiles { encode: vision, prefill, generate }));
    }

    /// What was measured since [`start_profile`](Session::start_profile); measuring goes on.
    pub fn profile(&self) -> Option<&Profiles> {
        self.profiles.as_deref()
    }

    /// What was measured since [`start_profile`](Session::start_profile); measuring ends.
    pub fn take_profile(&mut self) -> Option<Profiles> {
        self.profiles.take().map(|profiles| *profiles)
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.rewind(0);
    }

    /// Forgets what stands at this position and after it.
    pub(crate) fn rewind(&mut self, to: usize) {
        self.history.truncate(to);
        self.pending = None;
        self.ready = false;
    }

    /// Reads a whole conversation. What is still in the cache from the last time is not computed again.
    ///
    /// # Errors
    /// The prompt is empty, does not fit the context, contains an image that cannot be used, or reading was stopped;
    /// what was read until then stays.
    pub fn read(
        &mut self,
        segments: &[Segment<'_>],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Reading, Error> {
        let prompt = Prompt::new(self.model, &self.plan, segments, &self.stopper)?;
        let reused = self.take_in(&prompt, progress)?;
        let is_row = |e: &&Entry| matches!(e, Entry::Row(..));
        Ok(Reading {
            prompt_tokens: prompt.entries.len(),
            image_tokens: prompt.entries.iter().filter(is_row).count(),
            reused,
            images: prompt.images.iter().map(Shown::report).collect(),
        })
    }

    /// Reads a prompt of at least one position; gives how many of them were in the cache.
    fn take_in(&mut self, prompt: &Prompt<'_>, progress: &mut dyn FnMut(Progress)) -> Result<usize, Error> {
        let (needed, context) = (prompt.entries.len(), self.plan.context);
        if needed > context {
            return Err(Error::Context { needed, context });
        }
        if self.outgrows() {
            // The cache will not be used.
            self.pending = None;
        }
        self.settle()?;
        let same = prompt.entries.iter().zip(&self.history).take_while(|(a, b)| a == b).count();
        let same = if self.turn_for(needed) { same } else { 0 };
        // The last position is always computed: its logits begin the answer.
        let same = same.min(needed.saturating_sub(1));
        self.history.truncate(same);
        self.ready = false;
        self.feed(prompt, same, progress)?;
        self.ready = true;
        Ok(same)
    }

    /// Reads a prompt's positions from `from` on, in batches that hold rows of one image at most.
    fn feed(
        &mut self,
        prompt: &Prompt<'_>,
        from: usize,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let of = prompt.entries.len();
        let batch = self.plan.decode.need().max_items;
        self.inputs.clear();
        for (i, entry) in prompt.entries.iter().enumerate().skip(from) {
            let input = match entry {
                Entry::Token(id) => Input::Token(*id),
                Entry::Row(image, row) => {
                    if self.encoded != Some(*image) {
                        // Its rows take the place of another image's. Text can wait: a pass reads all weights.
                        if self.inputs.iter().any(|input| matches!(input, Input::Row(_))) {
                            self.flush(prompt)?;
                        }
                        let shown = prompt.image(*image).ok_or(Error::NoVision)?;
                        self.encode(shown, progress)?;
                    }
                    Input::Row(*row)
                }
            };
            self.inputs.push(input);
            if self.inputs.len() == batch || i + 1 == of {
                self.flush(prompt)?;
                progress(Progress::Prefill { done: i + 1, of });
            }
        }
        Ok(())
    }

    /// Decodes the inputs gathered and remembers what they were.
    fn flush(&mut self, prompt: &Prompt<'_>) -> Result<(), Error> {
        if self.inputs.is_empty() {
            return Ok(());
        }
        let since = self.stopper.moment();
        let result = self.decode(Stage::Prefill, self.history.len());
        self.timings.add(Stage::Prefill, self.stopper.since(since));
        result?;
        let (from, to) = (self.history.len(), self.history.len() + self.inputs.len());
        self.history.extend_from_slice(prompt.entries.get(from..to).unwrap_or(&[]));
        self.inputs.clear();
        Ok(())
    }

    /// Decodes the inputs gathered, which stand after the first `past` positions.
    fn decode(&mut self, stage: Stage, past: usize) -> Result<(), Error> {
        let reach = self.turn.reach();
        let block = self.block.get_mut(self.skip..).unwrap_or_default();
        let at = &self.plan.places;
        let parts = [at.arena.clone(), at.scratch.clone(), at.state.clone(), at.rows.clone()];
        let [arena, scratch, state, image_rows] = disjoint(block, parts)?;
        let (items, inputs) = (self.inputs.len(), &self.inputs[..]);
        let call = Call { items, inputs, image_rows, past, reach, ..Call::of(model::weights(&self.files)) };
        let mut memory = Memory { arena, scratch, state };
        let profile = self.profiles.as_mut().and_then(|profiles| profiles.of(stage));
        let inputs = self.see.as_deref_mut().map(|see| see as Inputs<'_>);
        let watch = Watch { observer: None, profile, inputs };
        let result = self.plan.decode.run(&call, &mut memory, watch, &self.stopper);
        result.map_err(|error| stopped(&self.stopper, error))
    }

    /// Encodes an image's views, one after the other, into the rows that inputs refer to.
    fn encode(&mut self, shown: &Shown<'_>, progress: &mut dyn FnMut(Progress)) -> Result<(), Error> {
        self.encoded = None;
        let since = self.stopper.moment();
        let views = shown.way.plan().views();
        self.resize(shown)?;
        self.timings.add(Stage::Resize, self.stopper.since(since));
        progress(Progress::Encode { done: 0, of: views });
        for view in 0..views {
            self.encode_view(shown, view)?;
            progress(Progress::Encode { done: view + 1, of: views });
        }
        self.encoded = Some(shown.fingerprint);
        Ok(())
    }

    fn resize(&mut self, shown: &Shown<'_>) -> Result<(), Error> {
        let frame = shown.frame.as_ref().ok_or(Error::PixelsGone { image: shown.number })?;
        let at = &self.plan.places;
        let memory = shown.way.memory(self.plan.threads)?;
        let rows = shown.way.plan().tokens() as usize * self.model.decoder().width();
        let room = |cells: &core::ops::Range<usize>| cells.len() * size_of::<f32>();
        for (needed, planned) in [
            (memory.sheets, room(&at.sheets)),
            (memory.scratch, room(&at.resize)),
            (rows * 4, room(&at.rows)),
        ] {
            if needed > planned {
                return Err(Error::ImageMemory { needed, planned });
            }
        }
        let block = self.block.get_mut(self.skip..).unwrap_or_default();
        let [sheets, scratch] = disjoint(block, [at.sheets.clone(), at.resize.clone()])?;
        let machine = self.plan.cpu.machine();
        let result = shown.way.make_sheets(machine, frame, sheets, scratch, &self.stopper);
        result.map_err(|error| unseen(&self.stopper, error))
    }

    fn encode_view(&mut self, shown: &Shown<'_>, view: u32) -> Result<(), Error> {
        let plan = &mut self.plan;
        let Some(vision) = &mut plan.vision else { return Err(Error::NoVision) };
        let at = &plan.places;
        let parts =
            [&at.arena, &at.scratch, &at.view, &at.sheets, &at.rows, &at.int8].map(core::ops::Range::clone);
        let block = self.block.get_mut(self.skip..).unwrap_or_default();
        let [arena, scratch, pixels, sheets, rows, int8] = disjoint(block, parts)?;
        let since = self.stopper.moment();
        let written = shown.way.write_view(plan.cpu.machine(), sheets, view, pixels, &self.stopper);
        written.map_err(|error| unseen(&self.stopper, error))?;
        self.timings.add(Stage::Resize, self.stopper.since(since));
        let since = self.stopper.moment();
        let weights = Weights { files: &self.files, made: bytemuck::cast_slice(int8) };
        let call = Call { items: 1, rows: pixels, ..Call::of(weights) };
        let mut memory = Memory { arena: &mut *arena, scratch, state: &mut [] };
        let profile = self.profiles.as_mut().and_then(|profiles| profiles.of(Stage::Encode));
        let inputs = self.see.as_deref_mut().map(|see| see as Inputs<'_>);
        let watch = Watch { observer: None, profile, inputs };
        let result = vision.program.run(&call, &mut memory, watch, &self.stopper);
        result.map_err(|error| stopped(&self.stopper, error))?;
        let out = vision.program.output(arena, 1);
        let first = view as usize * out.len();
        let planned = size_of_val(rows);
        let room = rows.get_mut(first..first + out.len());
        room.ok_or(Error::ImageMemory { needed: (first + out.len()) * 4, planned })?.copy_from_slice(out);
        self.timings.add(Stage::Encode, self.stopper.since(since));
        Ok(())
    }

    /// Chooses the next token after what was read, and fills `best` with the likeliest ones.
    ///
    /// # Errors
    /// Nothing has been read, the context is full, the session was stopped, or the logits are no numbers.
    pub(crate) fn choose(&mut self, sampler: &mut Sampler, best: &mut [(u32, f32)]) -> Result<u32, Error> {
        self.settle()?;
        if !self.ready {
            return Err(Error::EmptyPrompt);
        }
        let (since, model) = (self.stopper.moment(), self.model);
        let unchosen = |error| match error {
            SamplerError::NotANumber { .. } | SamplerError::NoCandidate => {
                Error::NotANumber { name: model.text_name() }
            }
            other => Error::Sampling(other),
        };
        let at = &self.plan.places;
        let block = self.block.get_mut(self.skip..).unwrap_or_default();
        let [arena, scratch] = disjoint(block, [at.arena.clone(), at.sampler.clone()])?;
        let logits = self.plan.decode.output(arena, 1);
        if !best.is_empty() {
            logprobs(logits, scratch, best).map_err(unchosen)?;
        }
        let recent = self.history.iter().rev().filter_map(|entry| match entry {
            Entry::Token(id) => Some(*id),
            Entry::Row(..) => None,
        });
        let id = sampler.choose(logits, recent, scratch).map_err(unchosen)?;
        self.timings.add(Stage::Generate, self.stopper.since(since));
        Ok(id)
    }

    /// Continues with a token.
    pub(crate) fn accept(&mut self, id: u32) {
        self.pending = Some(id);
    }

    /// Whether another token fits.
    pub(crate) fn has_room(&self) -> bool {
        self.len() < self.plan.context
    }

    /// Reads the token chosen last.
    fn settle(&mut self) -> Result<(), Error> {
        let Some(id) = self.pending else { return Ok(()) };
        if self.history.len() >= self.plan.context {
            let needed = self.history.len() + 1;
            return Err(Error::Context { needed, context: self.plan.context });
        }
        let since = self.stopper.moment();
        if self.outgrows() {
            self.outgrow()?;
        }
        self.inputs.clear();
        self.inputs.push(Input::Token(id));
        let result = self.decode(Stage::Generate, self.history.len());
        self.inputs.clear();
        self.timings.add(Stage::Generate, self.stopper.since(since));
        self.ready = result.is_ok();
        result?;
        self.history.push(Entry::Token(id));
        self.pending = None;
        Ok(())
    }
}

impl core::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Session").field("len", &self.len()).field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// Why an image was not made ready.
fn unseen(stopper: &Stopper, error: ImageError) -> Error {
    match error {
        ImageError::Resize(ResizeError::Cancelled) => stopped(stopper, RunError::Stopped),
        other => other.into(),
    }
}

/// Zeroed cells, or an error where an allocation would abort. Zeros are asked for, not written: an operating system gives a
/// page when it is first used, and most of a long context never is.
///
/// # Errors
/// The memory cannot be had.
pub fn zeroed(cells: usize) -> Result<Vec<f32>, Error> {
    bytemuck::allocation::try_zeroed_vec(cells)
        .map_err(|()| Error::OutOfMemory { bytes: cells.saturating_mul(4) })
}

/// Parts of the block that do not meet, as planned.
fn disjoint<const N: usize>(
    block: &mut [f32],
    parts: [core::ops::Range<usize>; N],
) -> Result<[&mut [f32]; N], Error> {
    let needed = parts.iter().fold(0, |n, p| n.max(p.end));
    let found = block.len();
    // Empty parts would count as lying within others: move them to the front.
    let parts = parts.map(|p| if p.is_empty() { 0..0 } else { p });
    block.get_disjoint_mut(parts).map_err(|_| Error::Run(RunError::Memory { expected: needed, found }))
}
