//! A model on one instruction set and number of threads: every figure of it.
//!
//! Everything is done once before it is measured, so that files are in the page cache and memory has been touched. What a
//! figure must do at least is counted from the tapes (`Tape::work`), for calls of the sizes that the session makes.

use super::figure::{Bound, Figure, Spread, Subject};
use crate::args::Needs;
use crate::input::Kind;
use crate::photos::{self, Encoded, Opening};
use crate::profile::CLOCK;
use crate::report::peak_bytes;
use crate::work::{Limits, Seen, decoding, one_view, reading};
use ocelli::generate::{Sampler, Sampling};
use ocelli::image::Image;
use ocelli::low_level::{PlanParts, SessionSteps};
use ocelli::profile::NamedStep;
use ocelli::{Load, Mmproj, Model, Options, Photo, Segment, Session, Stopper};
use ocelli_tape::{Clock, Spent, Work};
use std::path::Path;
use std::time::{Duration, Instant};

/// What is asked about the image. No template is used: not every file has one.
const QUESTION: &str = "What is in the picture?";

/// How much of everything.
pub struct Amounts {
    /// Lengths of prompts.
    pub prompt: Vec<usize>,
    /// Positions before decoding begins.
    pub depth: Vec<usize>,
    /// Tokens that are decoded.
    pub generate: usize,
    /// How often everything is measured.
    pub runs: usize,
    /// Most pixels of the image.
    pub max_pixels: u64,
    /// Most visual tokens.
    pub image_tokens: Option<u32>,
    /// Whether a float tower is computed with in int8.
    pub tower_int8: bool,
    /// Whether threads are kept to processors.
    pub pin: bool,
}

/// The files of a model, and the image that is shown to it.
pub struct Case<'a> {
    /// The language model.
    pub model: &'a Path,
    /// Its vision tower, where it is not to be looked for.
    pub mmproj: Option<&'a Path>,
    /// The image.
    pub image: Option<&'a Path>,
}

impl Case<'_> {
    fn open(&self) -> anyhow::Result<Model<'static>> {
        let mmproj = match (self.image, self.mmproj) {
            (None, _) => Mmproj::None,
            (Some(_), Some(path)) => Mmproj::File(path),
            (Some(_), None) => Mmproj::Beside,
        };
        Ok(Model::open(self.model, mmproj, Load::Map)?)
    }

    fn photo(&self, amounts: &Amounts) -> anyhow::Result<Option<Encoded>> {
        let stopper = &Stopper::default();
        let how = Opening { max_pixels: amounts.max_pixels, most: None, kind: Kind::File, stopper };
        self.image.map(|path| photos::open(path, &how)).transpose()
    }
}

/// Measures everything of a model; with a clock also every step, which `show` is then given.
///
/// # Errors
/// The model or the image cannot be used, or the memory cannot be had.
pub fn measure(
    case: &Case<'_>,
    amounts: &Amounts,
    subject: Subject,
    limits: Limits,
    profile: Option<Clock>,
    show: &mut dyn FnMut(&mut Session<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Figure>> {
    let mut all = Measured { case, amounts, subject, limits, figures: Vec::new() };
    let counted = reset_peak();
    let model = case.open()?;
    let options = all.options(&model)?;
    all.load(&options)?;
    let mut session = model.session(&options)?;
    if let Some(clock) = profile {
        session.start_profile(clock);
    }
    if case.image.is_some() {
        all.image(&mut session)?;
    }
    for length in &amounts.prompt {
        all.prefill(&mut session, *length)?;
    }
    for depth in &amounts.depth {
        all.decode(&mut session, *depth)?;
    }
    if profile.is_some() {
        show(&mut session)?;
    }
    if let Some(peak) = peak_bytes().filter(|_| counted) {
        let (peak, bill) = (peak as f64, session.bill().total() as f64);
        let figure = Figure::new(&all.subject, "peak memory", "MiB", Spread::of(&[peak / 1_048_576.0]));
        all.figures.push(figure.ideal(peak, Bound::Bill, bill));
    }
    Ok(all.figures)
}

/// A model on a machine, and where its figures are gathered.
struct Measured<'a> {
    case: &'a Case<'a>,
    amounts: &'a Amounts,
    subject: Subject,
    limits: Limits,
    figures: Vec<Figure>,
}

impl Measured<'_> {
    /// Samples of something that gives its own time, the first of them dropped.
    fn samples(&self, mut once: impl FnMut() -> anyhow::Result<f64>) -> anyhow::Result<Spread> {
        once()?;
        let samples: Vec<f64> = (0..self.amounts.runs).map(|_| once()).collect::<Result<_, _>>()?;
        Ok(Spread::of(&samples))
    }

    /// A session for the longest of what will be read.
    fn options(&self, model: &Model<'_>) -> anyhow::Result<Options> {
        let photo = self.case.photo(self.amounts)?;
        let Needs { images, image_bytes, .. } = photos::needs(photo.as_slice());
        let mut options = Options::default();
        options.threads = Some(self.subject.threads);
        options.isa = self.subject.isa.map(Into::into);
        options.image_tokens = self.amounts.image_tokens;
        options.tower_int8 = self.amounts.tower_int8;
        options.pin = self.amounts.pin;
        options.images = images;
        options.image_bytes = image_bytes;
        let mut longest = self.amounts.prompt.iter().copied().max().unwrap_or(0);
        if let Some(photo) = photo {
            let image = photo.decode(self.amounts.max_pixels)?.0;
            let plan = model.plan(&options)?;
            let question = plan.positions(model, &question(&image))?;
            longest = longest.max(question.saturating_add(self.amounts.generate));
        }
        let deepest = self.amounts.depth.iter().copied().max().unwrap_or(0);
        options.context = Some(longest.max(deepest.saturating_add(self.amounts.generate)));
        Ok(options)
    }

    fn load(&mut self, options: &Options) -> anyhow::Result<()> {
        let seconds = self.samples(|| {
            let start = Instant::now();
            let model = self.case.open()?;
            let session = model.session(options)?;
            let seconds = start.elapsed().as_secs_f64();
            drop(session);
            Ok(seconds)
        })?;
        self.figures.push(Figure::time(&self.subject, "load to ready", seconds));
        Ok(())
    }

    fn prefill(&mut self, session: &mut Session<'_>, length: usize) -> anyhow::Result<()> {
        let ids = ids(session, length);
        let seconds = self.samples(|| {
            session.reset();
            session.take_timings();
            session.read_ids(&ids)?;
            Ok(session.take_timings().prefill.as_secs_f64())
        })?;
        let work = reading(session.plan(), length);
        let figure = Figure::new(&self.subject, "prefill", "rows/s", seconds.rate(length as f64)).at(length);
        self.figures.push(figure.against(&work, Bound::Compute, &self.limits, seconds.median));
        Ok(())
    }

    fn decode(&mut self, session: &mut Session<'_>, depth: usize) -> anyhow::Result<()> {
        let (before, after) = (ids(session, depth), ids(session, self.amounts.generate));
        session.reset();
        if depth > 0 {
            session.read_ids(&before)?;
        }
        let seconds = self.samples(|| {
            session.rewind(depth);
            session.take_timings();
            after.iter().try_for_each(|id| session.step(*id))?;
            Ok(session.take_timings().generate.as_secs_f64())
        })?;
        let count = self.amounts.generate;
        let work = decoding(session.plan(), depth, count);
        let figure = Figure::new(&self.subject, "decode", "tokens/s", seconds.rate(count as f64)).at(depth);
        self.figures.push(figure.against(&work, Bound::Bandwidth, &self.limits, seconds.median));
        Ok(())
    }

    /// A question about the image: the stages on the way to its first token, and the whole answer.
    fn image(&mut self, session: &mut Session<'_>) -> anyhow::Result<()> {
        let (asked, projector) = (session.profile().is_some(), projector(&session.steps()?.0));
        if !asked {
            session.start_profile(CLOCK); // it tells the tower's time from the projector's
        }
        let mut looks = Vec::new();
        for _ in 0..=self.amounts.runs {
            let look = self.look(session)?;
            looks.push(Look { parts: parts(session, projector), ..look });
        }
        if !asked {
            session.take_profile();
        }
        let both = [("image encode, tower", 0), ("image encode, projector", 1)];
        let both = both.map(|(name, part)| self.part(name, &looks, part));
        let looks = looks.get(1..).unwrap_or(&[]);
        let of = |part: fn(&Look) -> Duration| {
            Spread::of(&looks.iter().map(|look| part(look).as_secs_f64()).collect::<Vec<_>>())
        };
        let Some(Look { positions, size, .. }) = looks.first().copied() else { return Ok(()) };
        let (plan, amounts, limits) = (session.plan(), self.amounts, self.limits);
        let Seen { views, resize, tower, .. } = Seen::new(plan, size)?;
        let prefill = limits.compute_seconds(&reading(plan, positions));
        let generate = limits.memory_seconds(&decoding(plan, positions, amounts.generate - 1));
        let first = limits.memory_seconds(&resize) + limits.compute_seconds(&tower) + prefill;

        let time = |name, part: fn(&Look) -> Duration| {
            (Figure::time(&self.subject, name, of(part)), of(part).median)
        };
        let decode = time("image decode", |look| look.decode).0;
        let (figure, seconds) = time("image preprocess", |look| look.preprocess);
        let preprocess = figure.against(&resize, Bound::Bandwidth, &limits, seconds);
        let (figure, seconds) = time("image encode", |look| look.encode);
        let encode = figure.at(views).against(&tower, Bound::Compute, &limits, seconds);
        let each = of(|look| look.encode).times(1.0 / views.max(1) as f64);
        let view = plan.encoder_program().map_or(Work::default(), |program| program.work(&one_view()));
        let figure = Figure::time(&self.subject, "image encode, a view", each);
        let view = figure.against(&view, Bound::Compute, &limits, each.median);
        let (figure, seconds) = time("image, whole", |look| look.preprocess + look.encode);
        let seen = limits.memory_seconds(&resize) + limits.compute_seconds(&tower);
        let whole = figure.ideal(seen, Bound::Stages, seconds);
        let (figure, seconds) = time("question to first token", |look| look.first);
        let question = figure.at(positions).ideal(first, Bound::Stages, seconds);
        let (figure, seconds) = time("question to last token", |look| look.last);
        let answer = figure.at(amounts.generate).ideal(first + generate, Bound::Stages, seconds);
        self.figures.extend([decode, preprocess, view, encode]);
        self.figures.extend(both);
        self.figures.extend([whole, question, answer]);
        Ok(())
    }

    /// One of the two parts of encoding, all views of the image together: what each look added to what was spent before.
    fn part(&self, name: &'static str, looks: &[Look], part: usize) -> Figure {
        let so_far: Vec<Spent> = looks.iter().filter_map(|look| look.parts.get(part).copied()).collect();
        let added = |pair: &[Spent; 2]| pair[1].nanoseconds.saturating_sub(pair[0].nanoseconds) as f64 / 1e9;
        let seconds = Spread::of(&so_far.array_windows().map(added).collect::<Vec<_>>());
        // All looks do the same.
        let work = so_far.first().map_or(Work::default(), |spent| spent.work);
        let figure = Figure::time(&self.subject, name, seconds);
        figure.against(&work, Bound::Compute, &self.limits, seconds.median)
    }

    /// Reads the image file, asks, and takes so many tokens of the answer, whatever they are.
    fn look(&self, session: &mut Session<'_>) -> anyhow::Result<Look> {
        session.reset();
        session.forget_image();
        session.take_timings();
        let mut sampler = Sampler::new(Sampling::default()).map_err(ocelli::Error::Sampling)?;
        let start = Instant::now();
        let photo = self.case.photo(self.amounts)?.ok_or(ocelli::Error::NoVision)?;
        let image = photo.decode(self.amounts.max_pixels)?.0;
        let decode = start.elapsed();
        let positions = session.read(&question(&image), &mut |_| ())?.prompt_tokens;
        let mut id = session.choose(&mut sampler, &mut [])?;
        let first = start.elapsed();
        let timings = session.take_timings();
        for _ in 1..self.amounts.generate {
            session.accept(id);
            id = session.choose(&mut sampler, &mut [])?;
        }
        let last = start.elapsed();
        let size = (image.width, image.height);
        let (preprocess, encode) = (timings.resize, timings.encode);
        let parts = <[Spent; 2]>::default();
        Ok(Look { decode, preprocess, encode, parts, first, last, positions, size })
    }
}

/// Times of one question.
#[derive(Clone, Copy)]
struct Look {
    /// From the file to pixels.
    decode: Duration,
    preprocess: Duration,
    encode: Duration,
    /// What the tower and the projector had taken after it, in all looks.
    parts: [Spent; 2],
    /// From the beginning to the first token.
    first: Duration,
    /// From the beginning to the last token.
    last: Duration,
    /// Positions of the prompt.
    positions: usize,
    size: (u32, u32),
}

/// Where the projector begins: behind the last step that reads weights of the tower. Files call the projector's `mm`.
fn projector(steps: &[NamedStep]) -> usize {
    let of_tower = |step: &NamedStep| step.tensor.as_ref().is_some_and(|name| !name.starts_with("mm."));
    steps.iter().rposition(of_tower).map_or(0, |last| last + 1)
}

/// What the tower and the projector have taken so far.
fn parts(session: &Session<'_>, projector: usize) -> [Spent; 2] {
    let steps =
        session.profile().and_then(|profiles| profiles.encode.as_ref()).map_or(&[][..], |p| p.steps());
    let (tower, projector) = steps.split_at_checked(projector).unwrap_or_default();
    [tower, projector].map(|steps| {
        let mut sum = Spent::default();
        for step in steps {
            sum.nanoseconds += step.nanoseconds;
            sum.work += step.work;
        }
        sum
    })
}

fn question(image: &Image) -> [Segment<'_>; 2] {
    let photo = Photo { width: image.width, height: image.height, rgb: &image.data };
    [Segment::Image(photo), Segment::Text(QUESTION)]
}

/// Token ids without meaning, the same in every run.
fn ids(session: &Session<'_>, count: usize) -> Vec<u32> {
    let vocabulary = session.model().decoder().vocabulary().max(1) as u64;
    // Knuth's linear congruential generator; its upper bits.
    let next = |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    std::iter::successors(Some(1), next)
        .take(count)
        .map(|state| ((state >> 33) % vocabulary) as u32)
        .collect()
}

/// Lets the system count the most memory from now on; false where it does not do that.
fn reset_peak() -> bool {
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}
