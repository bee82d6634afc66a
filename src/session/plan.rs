//! A session, planned: both tapes recorded, every byte counted, nothing large allocated.

use crate::error::Error;
use crate::generate::sampler::Sampler;
use crate::image::Preprocessor;
use crate::model::Model;
use crate::model::int8::Int8;
use crate::session::memory_estimate::Bill;
use crate::session::options::Options;
use alloc::boxed::Box;
use alloc::string::String;
use core::ops::Range;
use ocelli_kernels::Cpu;
use ocelli_kernels::cpu::{self, LANES};
#[cfg(feature = "std")]
use ocelli_kernels::pool::Pool;
use ocelli_models::recipe::ImageRecipe;
use ocelli_tape::{Backend, Format, KvType, Need, PrepareError, Program, StateOptions, Tape};

/// Bytes of text that every position counts for, at least: English has four and a half to a token.
const TEXT_PER_POSITION: usize = 8;
/// Bytes of text for a template's own words.
const TEMPLATE: usize = 4096;
/// Copies of a prompt that are there beside the one that is encoded: as it came in, as a message, rendered.
const COPIES: usize = 3;
/// Bytes for every position of a prompt: what stands there, copied while it grows, and images that stand there.
const PER_POSITION: usize = 128;

/// The context where neither the caller nor the model asks for less.
const CONTEXT: usize = 4096;

/// The vision tower's part of a plan.
pub(crate) struct Vision {
    pub(crate) program: Box<dyn Program>,
    /// Whether most of its weights are floats.
    float: bool,
    pub(crate) recipe: ImageRecipe,
    /// Most visual tokens of an image.
    pub(crate) tokens: Option<u32>,
}

/// Where everything lies in a session's one block, in `f32` cells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) arena: Range<usize>,
    pub(crate) scratch: Range<usize>,
    pub(crate) state: Range<usize>,
    /// Pixels of a view.
    pub(crate) view: Range<usize>,
    /// Rows of an image in the decoder's space.
    pub(crate) rows: Range<usize>,
    /// Resized images, as bytes.
    pub(crate) sheets: Range<usize>,
    /// What resizing works in, as bytes.
    pub(crate) resize: Range<usize>,
    /// What the sampler works in.
    pub(crate) sampler: Range<usize>,
    /// The tower's matrices in int8, as bytes.
    pub(crate) int8: Range<usize>,
    pub(crate) cells: usize,
}

/// What a session will be. See [`Model::plan`].
pub struct Plan {
    pub(crate) cpu: Cpu,
    pub(crate) threads: usize,
    #[cfg_attr(not(feature = "std"), allow(dead_code, reason = "one thread"))]
    pub(crate) pin: bool,
    pub(crate) context: usize,
    /// Bytes of text in a prompt, at most.
    pub(crate) text: usize,
    pub(crate) decode: Box<dyn Program>,
    pub(crate) state: StateOptions,
    /// See [`Tape::rotates_beyond`].
    pub(crate) rotates_beyond: Option<usize>,
    pub(crate) vision: Option<Vision>,
    pub(crate) places: Places,
    /// What is to be made of the tower's weights, until it is.
    pub(crate) int8: Option<Int8>,
    bill: Bill,
    /// Visual tokens an image was cut down to, where `fit` had to.
    pub(crate) fitted: Option<u32>,
}

/// Bytes of text in a prompt that are planned for.
fn text_bytes(context: usize, asked: Option<u64>) -> usize {
    let asked = usize::try_from(asked.unwrap_or(0)).unwrap_or(usize::MAX);
    asked.max(context.saturating_mul(TEXT_PER_POSITION)).saturating_add(TEMPLATE)
}

impl core::fmt::Debug for Plan {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Plan")
            .field("context", &self.context)
            .field("bill", &self.bill)
            .finish_non_exhaustive()
    }
}

impl Model<'_> {
    /// Plans a session: what it will cost is known before it is made.
    ///
    /// # Errors
    /// An option that makes no sense, or more memory than `memory_limit` allows.
    pub fn plan(&self, options: &Options) -> Result<Plan, Error> {
        let plan = self.plan_for(options)?;
        let Some(limit) = options.memory_limit.filter(|limit| plan.bill.total() > *limit) else {
            return Ok(plan);
        };
        if !options.fit {
            return Err(Error::Memory { bill: plan.bill, limit });
        }
        // Fewer views, one coarser tiling after the other, until the bill fits.
        let mut smallest = plan;
        while let Some(tokens) = smallest.largest_image(options)?.map(|(_, tokens)| tokens) {
            let fewer = Options { image_tokens: Some(tokens.saturating_sub(1)), ..options.clone() };
            smallest = match self.plan_for(&fewer) {
                Ok(plan) => plan,
                Err(Error::Image(_)) => break,
                Err(error) => return Err(error),
            };
            if smallest.bill.total() <= limit {
                smallest.fitted = smallest.largest_image(&fewer)?.map(|(_, tokens)| tokens);
                return Ok(smallest);
            }
        }
        Err(Error::Memory { bill: smallest.bill, limit })
    }

    fn plan_for(&self, options: &Options) -> Result<Plan, Error> {
        let (context, threads) = self.sizes(options)?;
        let cpu = Cpu::new(cpu::choose(options.isa.as_deref())?, threads);
        let tape = self.decode(options.batch.min(context))?;
        let state = state_options(&tape, options.kv, context)?;
        let (rotates_beyond, decode) =
            (tape.rotates_beyond(), prepare(&cpu, &tape, &state, || self.text_name())?);
        drop(tape);
        let (vision, int8) = self.vision(&cpu, options)?;
        let mut plan = Plan {
            cpu,
            threads,
            pin: options.pin,
            context,
            text: text_bytes(context, options.text_bytes),
            decode,
            state,
            rotates_beyond,
            vision,
            places: Places::default(),
            int8,
            bill: Bill::default(),
            fitted: None,
        };
        plan.place(self, options)?;
        Ok(plan)
    }

    /// Positions of the context that a session with these options has.
    ///
    /// # Errors
    /// An option that makes no sense.
    pub fn context(&self, options: &Options) -> Result<usize, Error> {
        Ok(self.sizes(options)?.0)
    }

    /// The context and the number of threads.
    fn sizes(&self, options: &Options) -> Result<(usize, usize), Error> {
        let context = options.context.unwrap_or(self.decoder().context().min(CONTEXT));
        if context == 0 || context > 1 << 24 {
            return Err(Error::Option { name: "the context", expected: "at least 1 and at most 16777216" });
        }
        if options.batch == 0 {
            return Err(Error::Option { name: "the batch", expected: "at least 1" });
        }
        let threads = options.threads.unwrap_or_else(default_threads);
        if threads == 0 || threads > 256 {
            return Err(Error::Option { name: "threads", expected: "at least 1 and at most 256" });
        }
        if options.tower_int8 && cfg!(not(feature = "tower-int8")) {
            let instead = "leave tower_int8 off";
            return Err(Error::LeftOut { feature: "tower-int8", instead });
        }
        if options.pin && cfg!(not(feature = "std")) {
            return Err(Error::Option { name: "pin", expected: "off without an operating system" });
        }
        Ok((context, threads))
    }

    /// The vision tower's part, and what is to be made of its weights.
    fn vision(&self, cpu: &Cpu, options: &Options) -> Result<(Option<Vision>, Option<Int8>), Error> {
        let Some(encoder) = self.encoder() else { return Ok((None, None)) };
        let (int8, tower) = if options.tower_int8 { Int8::plan(self)?.unzip() } else { (None, None) };
        let recipe = encoder.recipe(options.preprocess);
        let tape = self.encode(tower.as_deref().unwrap_or(encoder))?;
        let bytes = |float: bool| {
            let weights = tape.weights().filter(|(format, _)| format.is_float() == float);
            weights.map(|(_, bytes)| bytes as u64).sum::<u64>()
        };
        let vision = Vision {
            program: prepare(cpu, &tape, &StateOptions::NONE, || self.vision_name())?,
            float: bytes(true) > bytes(false),
            recipe: recipe.map_err(|error| Error::Model { name: self.vision_name(), error })?,
            tokens: options.image_tokens,
        };
        Ok((Some(vision), int8))
    }
}

/// How a decoder's keys and values are kept, and for how many positions.
pub(crate) fn state_options(
    decode: &Tape,
    kv: Option<KvType>,
    capacity: usize,
) -> Result<StateOptions, Error> {
    let float = decode.weights().all(|(format, _)| format == Format::F32);
    let kv = kv.unwrap_or(if float { KvType::F32 } else { KvType::F16 });
    // Before what the model's heads are: to a build without the code they do not matter.
    if kv == KvType::Q8_0 && cfg!(not(feature = "kv-q8")) {
        return Err(Error::LeftOut {
            feature: "kv-q8",
            instead: "keys and values can be kept as f16 and f32",
        });
    }
    Ok(StateOptions { kv, capacity })
}

/// A tape for a device; `name` is what messages call its file.
///
/// # Errors
/// The device cannot compute what the tape says.
pub fn prepare(
    backend: &dyn Backend,
    tape: &Tape,
    state: &StateOptions,
    name: impl FnOnce() -> String,
) -> Result<Box<dyn Program>, Error> {
    backend.prepare(tape, state).map_err(|error| match error {
        PrepareError::Tape(error) => Error::Tape { name: name(), error },
        PrepareError::Kv { head_dim, .. } => Error::Kv { head_dim },
    })
}

/// As many threads as the machine runs at once, 256 at most.
#[cfg(feature = "std")]
pub fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(256))
}

/// One thread: there is no operating system.
#[cfg(not(feature = "std"))]
pub fn default_threads() -> usize {
    1
}

impl Plan {
    /// What it costs.
    pub fn bill(&self) -> &Bill {
        &self.bill
    }

    /// Positions of the context.
    pub fn context(&self) -> usize {
        self.context
    }

    /// The instruction set that will run it.
    pub fn isa(&self) -> &'static str {
        self.cpu.kernels().name()
    }

    /// Threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// How keys and values are stored.
    pub fn kv(&self) -> KvType {
        self.state.kv
    }

    /// Bytes of text that a prompt may have, its template's words included.
    pub fn text_bytes(&self) -> usize {
        self.text
    }

    /// Visual tokens an image is cut down to, where `fit` had to.
    pub fn fitted(&self) -> Option<u32> {
        self.fitted
    }

    /// Whether most of the vision tower's weights are computed with as floats: `Options::tower_int8` would change that.
    pub fn tower_is_float(&self) -> bool {
        self.vision.as_ref().is_some_and(|vision| vision.float)
    }

    /// Bytes of the session's one block.
    pub fn session_bytes(&self) -> usize {
        self.places.cells.saturating_mul(size_of::<f32>())
    }

    /// The most memory an image takes on its way, and the most visual tokens; nothing without vision or images.
    fn largest_image(&self, options: &Options) -> Result<Option<(crate::image::Memory, u32)>, Error> {
        let Some(vision) = &self.vision else { return Ok(None) };
        let mut most: Option<(crate::image::Memory, u32)> = None;
        for (width, height) in options.images.shapes() {
            let way = Preprocessor::new(&vision.recipe, width, height, vision.tokens)?;
            let (memory, tokens) = (way.memory(self.threads)?, way.plan().tokens());
            let (m, n) = most.get_or_insert((memory, tokens));
            m.sheets = m.sheets.max(memory.sheets);
            m.scratch = m.scratch.max(memory.scratch);
            *n = (*n).max(tokens);
        }
        Ok(most)
    }

    fn place(&mut self, model: &Model<'_>, options: &Options) -> Result<(), Error> {
        let text = self.decode.need();
        let image = self.largest_image(options)?;
        let width = model.decoder().width();
        let vision = self.vision.as_ref().map_or(Need::default(), |v| v.program.need());
        let bytes = |n: usize| n.div_ceil(size_of::<f32>());
        let (memory, tokens) = image.map_or((None, 0), |(memory, tokens)| (Some(memory), tokens as usize));
        let io = |part: fn(&crate::image::Memory) -> usize| bytes(memory.as_ref().map_or(0, part));
        let sizes = [
            text.arena.max(vision.arena),
            text.scratch.max(vision.scratch),
            text.state,
            io(|m| m.view),
            tokens.saturating_mul(width),
            io(|m| m.sheets),
            io(|m| m.scratch),
            Sampler::scratch(model.decoder().vocabulary()),
            bytes(self.int8.as_ref().map_or(0, Int8::bytes)),
        ];
        let mut end = 0usize;
        let mut next = |size: usize| -> Option<Range<usize>> {
            let start = end;
            end = end.checked_add(size)?.checked_next_multiple_of(LANES)?;
            Some(start..start + size)
        };
        let mut ranges = [const { 0..0 }; 9];
        for (range, size) in ranges.iter_mut().zip(sizes) {
            *range = next(size).ok_or(Error::OutOfMemory { bytes: usize::MAX })?;
        }
        let [arena, scratch, state, view, rows, sheets, resize, sampler, int8] = ranges;
        // In 64 bits, wherever this runs: the cells fit a `usize`, their bytes may not.
        let words = |n: usize| (n as u64).saturating_mul(size_of::<f32>() as u64);
        let cells = |r: &Range<usize>| words(r.len());
        let (text_weights, vision_weights) = model.weight_bytes();
        let pixels = options.images.most_pixels().saturating_mul(3);
        let decoded = if self.vision.is_some() { options.image_bytes.unwrap_or(pixels) } else { 0 };
        let io: u64 = [&view, &rows, &sheets, &resize, &sampler].into_iter().map(cells).sum();
        self.bill = Bill {
            text_weights,
            vision_weights,
            vision_int8: cells(&int8),
            tables: (model.tokenizer().table_bytes() + text.tables + vision.tables) as u64,
            arena: cells(&arena).saturating_add(cells(&scratch)),
            text_arena: words(text.arena.saturating_add(text.scratch)),
            vision_arena: words(vision.arena.saturating_add(vision.scratch)),
            kv: cells(&state),
            io: io.saturating_add(decoded).saturating_add(self.context as u64 * 16),
            prompt: self.prompt_work(model),
        };
        self.places = Places { arena, scratch, state, view, rows, sheets, resize, sampler, int8, cells: end };
        Ok(())
    }

    /// Bytes that a prompt takes on its way in.
    fn prompt_work(&self, model: &Model<'_>) -> u64 {
        let work = model.tokenizer().work_bytes(self.text).saturating_add(self.text.saturating_mul(COPIES));
        work.saturating_add(self.context.saturating_mul(PER_POSITION)) as u64
    }

    /// Starts the session's threads.
    #[cfg(feature = "std")]
    pub(crate) fn start(&self) -> Result<(), Error> {
        if self.pin {
            let processors = crate::session::affinity::for_threads(self.threads).map_err(Error::Pin)?;
            log::info!("threads are kept to processors {processors:?}, of which the first is the caller's");
            self.cpu.start(Pool::pinned(&processors).map_err(Error::Pin)?);
        }
        self.cpu.pool();
        Ok(())
    }

    /// There is one thread.
    #[cfg(not(feature = "std"))]
    pub(crate) fn start(&self) -> Result<(), Error> {
        Ok(())
    }
}
