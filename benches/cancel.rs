//! How long it takes until a session that is told to stop has stopped.
//!
//!     cargo bench --bench cancel -- --model FILE [--mmproj FILE] [--threads N] [--count N] [--at-most MS]
//!
//! Another thread stops the session at random instants of each stage (uniform over what the stage takes when nobody
//! stops it). Measured is the time from that thread's store to the moment when the call has returned its error. A
//! histogram for each stage, its median, its 99th percentile and its longest; with `--at-most`, failure if one is longer.
//! The frame comes as pixels: the decoding of an encoded image cannot be stopped. What else runs on the machine shows.

use clap::Parser;
use ocelli::generate::AnswerOptions;
use ocelli::{Error, ImageSizes, Load, Mmproj, Model, Options, Photo, Progress, Segment, Session};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Parser)]
struct Arguments {
    /// A language model, a GGUF file.
    #[arg(short, long)]
    model: PathBuf,
    /// Its vision tower. Default: the file beside it that fits.
    #[arg(long)]
    mmproj: Option<PathBuf>,
    /// Threads. Default: as many as the machine runs at once.
    #[arg(short, long)]
    threads: Option<usize>,
    /// Instants in each stage.
    #[arg(long, default_value_t = 200)]
    count: usize,
    /// Most visual tokens: with 64 SmolVLM has one view.
    #[arg(long, default_value_t = 64)]
    image_tokens: u32,
    /// Width and height of the frame.
    #[arg(long, num_args = 2, default_values_t = [4000, 3000])]
    frame: Vec<u32>,
    /// Fail if a stop takes more milliseconds.
    #[arg(long)]
    at_most: Option<f64>,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

const STAGES: [&str; 4] = ["resize", "encode", "prefill", "generate"];
const QUESTION: &str = "What does the display on the left read, which lamps are lit, and is the valve open? ";
/// Upper ends of the histogram's buckets, in milliseconds.
const BUCKETS: [f64; 10] = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, f64::INFINITY];
/// Tokens of an answer that is stopped.
const ANSWER: usize = 64;

/// The stage that the session is in, for the thread that stops it.
#[derive(Default)]
struct Now {
    stage: AtomicUsize,
    changed: Mutex<()>,
    bell: Condvar,
}

impl Now {
    fn enter(&self, stage: usize) {
        let lock = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        self.stage.store(stage, SeqCst);
        drop(lock);
        self.bell.notify_all();
    }

    fn wait(&self, stage: usize) {
        let mut lock = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        // A session that ends earlier than the stage begins enters the number after the last.
        while self.stage.load(SeqCst) < stage {
            lock = self.bell.wait(lock).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Trial<'a, 'm> {
    session: Session<'m>,
    /// Two, as an image that is encoded is not encoded again.
    photos: [Photo<'a>; 2],
    question: &'a str,
    turn: usize,
}

impl Trial<'_, '_> {
    /// Reads the question from the first position, about the image that is not encoded, or, to begin with the prefill,
    /// about the one that is.
    fn read(&mut self, now: &Now, first: usize) -> Result<(), Error> {
        self.turn += usize::from(first < 2);
        let segments = [Segment::Image(self.photos[self.turn % 2]), Segment::Text(self.question)];
        self.session.reset();
        now.enter(first);
        let mut at = |progress| match progress {
            Progress::Encode { done: 0, .. } => now.enter(1),
            Progress::Encode { done, of } if done == of => now.enter(2),
            _ => {}
        };
        let result = self.session.read(&segments, &mut at);
        result.map(|_| ())
    }

    /// Answers from where it stands.
    fn answer(&mut self, now: &Now) -> Result<(), Error> {
        let mut options = AnswerOptions::default();
        options.max_tokens = ANSWER;
        let mut answer = self.session.answer(&options)?;
        now.enter(3);
        while answer.next()?.is_some() {}
        Ok(())
    }

    /// A stage of its own, with what comes before it if that must be; Ok if it came to its end.
    fn run(&mut self, stage: usize, now: &Now) -> Result<(), Error> {
        match stage {
            0 | 1 => self.read(now, 0),
            2 => self.read(now, 2),
            _ => self.answer(now),
        }
    }

    /// How long each stage takes. The image stays encoded, the question stays read.
    fn whole(&mut self) -> Result<[Duration; 4], Error> {
        let now = Now::default();
        self.session.take_timings();
        self.read(&now, 0)?;
        let t = self.session.take_timings();
        let start = Instant::now();
        self.answer(&now)?;
        Ok([t.resize, t.encode, t.prefill, start.elapsed()])
    }

    /// Stops a stage after a while. How long the stop took; nothing if the stage had ended before.
    fn stop(&mut self, stage: usize, after: Duration) -> Result<Option<Duration>, Error> {
        let (now, stopper) = (Now::default(), self.session.stopper().clone());
        let (result, ended, stopped) = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                now.wait(stage);
                std::thread::sleep(after);
                let at = now.stage.load(SeqCst);
                let instant = Instant::now();
                stopper.stop();
                (at == stage).then_some(instant)
            });
            let result = self.run(stage, &now);
            let ended = Instant::now();
            now.enter(STAGES.len());
            (result, ended, other.join().unwrap_or(None))
        });
        self.session.stopper().clear();
        match result {
            Err(Error::Stopped) => Ok(stopped.map(|instant| ended.saturating_duration_since(instant))),
            Err(Error::Context { .. }) | Ok(()) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A number of 0 to 1: Knuth's linear congruential generator, its upper bits.
fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    (*state >> 40) as f64 / (1u64 << 24) as f64
}

fn show(stage: &str, whole: Duration, taken: &mut [f64]) {
    taken.sort_by(f64::total_cmp);
    let at = |part: f64| taken.get(((taken.len() as f64 - 1.0) * part) as usize).copied().unwrap_or(0.0);
    print!(
        "{stage:<9}{:>8.0}{:>7}{:>9.2}{:>8.2}{:>8.2} ",
        whole.as_secs_f64() * 1e3,
        taken.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    let mut from = 0.0;
    for to in BUCKETS {
        print!("{:>7}", taken.iter().filter(|ms| (from..to).contains(*ms)).count());
        from = to;
    }
    println!();
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let tower = arguments.mmproj.as_deref().map_or(Mmproj::Beside, Mmproj::File);
    let model = Model::open(&arguments.model, tower, Load::Map)?;
    let (width, height) = (arguments.frame[0], arguments.frame[1]);
    let mut state = 1;
    let pixels: Vec<u8> =
        (0..width as usize * height as usize * 3).map(|_| (random(&mut state) * 256.0) as u8).collect();
    let mut options = Options::default();
    options.images = ImageSizes::Exactly(vec![(width, height), (width, height - 1)]);
    (options.threads, options.image_tokens, options.context) =
        (arguments.threads, Some(arguments.image_tokens), Some(2048));
    let question = QUESTION.repeat(24);
    let photo = |height: u32| Photo { width, height, rgb: &pixels[..width as usize * height as usize * 3] };
    let photos = [photo(height), photo(height - 1)];
    let mut trial = Trial { session: model.session(&options)?, photos, question: &question, turn: 0 };
    trial.whole()?;
    let times = trial.whole()?;
    println!(
        "{} threads, {} kernels; milliseconds from the stop to the return",
        trial.session.plan().threads(),
        trial.session.plan().isa()
    );
    print!("{:<9}{:>8}{:>7}{:>9}{:>8}{:>8} ", "stage", "takes", "stops", "median", "99 %", "most");
    BUCKETS
        .iter()
        .for_each(|to| print!("{:>7}", if to.is_finite() { format!("<{to}") } else { "more".into() }));
    println!();
    let mut longest = 0.0_f64;
    for (stage, whole) in times.into_iter().enumerate() {
        let mut taken = Vec::new();
        for _ in 0..arguments.count {
            if stage == 3 && trial.session.len() + 2 * ANSWER > trial.session.plan().context() {
                trial.read(&Now::default(), 2)?;
            }
            let after = whole.mul_f64(random(&mut state));
            taken.extend(trial.stop(stage, after)?.map(|time| time.as_secs_f64() * 1e3));
        }
        show(STAGES[stage], whole, &mut taken);
        longest = longest.max(taken.last().copied().unwrap_or(0.0));
        // The next stage begins after a question that was read.
        trial.read(&Now::default(), 0)?;
    }
    match arguments.at_most {
        Some(most) if longest > most => Err(format!("a stop took {longest:.2} ms, more than {most}").into()),
        _ => Ok(()),
    }
}
