//! A session's calls in any order: texts, images and frames that are shown, seen again and forgotten, reading, answers, an image
//! looked at, stops, deadlines, forgetting everything; with options of all kinds.
//!
//! What must hold: no panic; no inner inconsistency; no more positions than the context has; a plan within its limit, a session
//! within its plan, and the same bill at the end; nothing allocated between the tokens of an answer; and every answer is that of
//! a new session, made otherwise (another batch, one thread, nobody who stops it), which reads the same at once.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use ocelli::generate::{AnswerOptions, Answered};
use ocelli::image::{Colors, Frame, Matrix, PixelFormat, Plane, Range};
use ocelli::{
    Error, ImageSizes, Model, Options, Photo, Preprocess, Progress, Seen, Segment, Session, Stored,
};
use ocelli_fuzz::{Bytes, guarded, heap, model};

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

/// Calls in a row, and positions and views that are computed before it is enough.
const CALLS: usize = 48;
const WORK: usize = 600;

static MODELS: LazyLock<[Model<'static>; 4]> = LazyLock::new(|| {
    let open = |text, vision| Model::from_bytes(text, vision).unwrap();
    [
        open(model!("smolvlm.gguf"), Some(model!("mmproj-smolvlm-x2.gguf"))),
        open(model!("llama-tied.gguf"), None),
        open(model!("vicuna.gguf"), Some(model!("mmproj-llava-modern.gguf"))),
        open(model!("qwen2.gguf"), None),
    ]
});

fuzz_target!(|bytes: &[u8]| guarded(|| {
    let mut bytes = Bytes::new(bytes);
    let model = &MODELS[bytes.below(MODELS.len())];
    let options = options(&mut bytes);
    let plan = match model.plan(&options) {
        Ok(plan) => plan,
        Err(error) => return harmless(&error),
    };
    let bill = *plan.bill();
    assert!(options.memory_limit.is_none_or(|limit| bill.total() <= limit));
    let (session, taken) = heap::peak(|| Session::new(model, plan));
    let session = match session {
        Ok(session) => session,
        Err(error) => return harmless(&error),
    };
    // What a thread is told, and tables of a hundred bytes.
    let billed = bill.arena + bill.kv + bill.io + bill.vision_int8 + 32768;
    assert!(taken as u64 <= billed, "{taken} taken, {billed} billed");
    let mut story =
        Story { model, options, session, shown: Vec::new(), pictures: Vec::new(), read: None, work: 0 };
    for _ in 0..CALLS {
        if !bytes.more() || story.work > WORK {
            break;
        }
        story.call(&mut bytes);
        assert!(story.session.len() <= story.session.plan().context());
        assert_eq!(*story.session.bill(), bill);
    }
}));

fn options(bytes: &mut Bytes<'_>) -> Options {
    let mut options = Options::default();
    options.context = Some(1 + bytes.below(200));
    options.batch = 1 + bytes.below(64);
    options.threads = Some(1 + usize::from(bytes.rarely(8)));
    options.kv = *bytes.one(&[None, Some(Stored::F16), Some(Stored::F32), Some(Stored::Q8_0)]);
    let side = |bytes: &mut Bytes<'_>| 1 + bytes.below(96) as u32;
    options.images = match bytes.below(8) {
        0 => ImageSizes::Exactly(Vec::new()),
        1 => ImageSizes::Exactly(vec![(side(bytes), side(bytes))]),
        _ => ImageSizes::UpTo(side(bytes), side(bytes)),
    };
    options.preprocess = *bytes.one(&[None, None, Some(Preprocess::Pad), Some(Preprocess::Crop)]);
    options.tower_int8 = bytes.rarely(8);
    if bytes.rarely(8) {
        options.image_tokens = Some(bytes.below(100) as u32);
    }
    if bytes.rarely(8) {
        options.memory_limit = Some(u64::from(bytes.short()) << 6);
        options.fit = bytes.flag();
    }
    options
}

/// An error that may be: it has words, and is no fault of ours.
fn harmless(error: &Error) {
    assert!(!error.to_string().is_empty());
    assert!(!matches!(error, Error::Run(_) | Error::NotANumber { .. }), "{error}");
}

/// Pixels of some format.
struct Picture {
    format: PixelFormat,
    colors: Colors,
    size: (u32, u32),
    data: Vec<u8>,
    stride: usize,
}

impl Picture {
    fn new(bytes: &mut Bytes<'_>) -> Picture {
        let format = *bytes.one(&PixelFormat::ALL);
        let colors = Colors {
            matrix: *bytes.one(&[Matrix::Bt601, Matrix::Bt709]),
            range: *bytes.one(&[Range::Limited, Range::Full]),
        };
        let size = (bytes.below(100) as u32, bytes.below(100) as u32);
        let stride = size.0 as usize * 4 + bytes.below(3);
        let mut seed = u32::from(bytes.short()) | 1;
        let data = (0..stride * size.1 as usize * 2)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        Picture { format, colors, size, data, stride }
    }

    fn frame(&self) -> Option<Frame<'_>> {
        let (first, second) = self.data.split_at(self.data.len() / 2);
        let planes =
            [Plane { data: first, stride: self.stride }, Plane { data: second, stride: self.stride }];
        Frame::new(self.format, self.colors, self.size, &planes[..self.format.planes()]).ok()
    }

    /// The first bytes as an image of three bytes a pixel.
    fn photo(&self) -> Photo<'_> {
        let (width, height) = self.size;
        Photo { width, height, rgb: &self.data[..width as usize * height as usize * 3] }
    }
}

/// A part of what is read.
#[derive(Clone)]
enum Part {
    Control(String),
    Text(String),
    Photo(usize),
    Frame(usize),
    /// The same without its pixels.
    SeenPhoto(usize),
    SeenFrame(usize),
}

/// What was read last, and what was asked since then.
struct Read {
    parts: Vec<Part>,
    answers: Vec<AnswerOptions>,
    /// Whether an image was looked at since: then the logits may be gone.
    looked: bool,
}

struct Story {
    model: &'static Model<'static>,
    options: Options,
    session: Session<'static>,
    shown: Vec<Part>,
    pictures: Vec<Picture>,
    read: Option<Read>,
    work: usize,
}

impl Story {
    fn call(&mut self, bytes: &mut Bytes<'_>) {
        self.work += 1;
        match bytes.below(16) {
            0 | 1 => self.shown.push(Part::Text(bytes.text())),
            2 => self.shown.push(Part::Control(bytes.text())),
            3 => {
                self.pictures.push(Picture::new(bytes));
                let last = self.pictures.len() - 1;
                self.shown.push(if bytes.flag() { Part::Frame(last) } else { Part::Photo(last) });
            }
            4 if !self.pictures.is_empty() => {
                let which = bytes.below(self.pictures.len());
                self.shown.push([Part::Frame(which), Part::Photo(which)][bytes.below(2)].clone());
            }
            5 => self.let_go(bytes),
            6 => self.shown.truncate(bytes.below(self.shown.len() + 1)),
            7 if !self.shown.is_empty() => {
                self.shown.remove(bytes.below(self.shown.len()));
            }
            8 | 9 => self.read(bytes),
            10 | 11 | 12 => self.answer(bytes),
            13 => self.look(bytes),
            14 => {
                self.session.reset();
                assert!(self.session.is_empty());
                self.read = None;
            }
            15 => {
                let stopper = self.session.stopper();
                match bytes.below(4) {
                    0 => stopper.stop(),
                    1 => stopper.clear(),
                    2 => stopper.set_deadline(Some(Duration::ZERO)),
                    _ => stopper.set_deadline(None),
                }
            }
            _ => {}
        }
    }

    /// Images that are shown without their pixels from now on, or with them again.
    fn let_go(&mut self, bytes: &mut Bytes<'_>) {
        let again = bytes.flag();
        for part in &mut self.shown {
            *part = match part {
                Part::Photo(n) if !again => Part::SeenPhoto(*n),
                Part::Frame(n) if !again => Part::SeenFrame(*n),
                Part::SeenPhoto(n) if again => Part::Photo(*n),
                Part::SeenFrame(n) if again => Part::Frame(*n),
                _ => continue,
            };
        }
    }

    fn stopped(&self) -> bool {
        self.session.stopper().is_stopped() || self.session.stopper().is_late()
    }

    fn read(&mut self, bytes: &mut Bytes<'_>) {
        // Stopped after so many reports, or not.
        let stop_at = if bytes.rarely(4) { bytes.below(6) } else { usize::MAX };
        let stopped_before = self.stopped();
        let before = self.session.len();
        let stopper = self.session.stopper().clone();
        let segments = segments(&self.shown, &self.pictures, false);
        let text: usize = segments
            .iter()
            .map(|segment| match segment {
                Segment::Control(text) | Segment::Text(text) => text.len() + 64,
                _ => 4096,
            })
            .sum();
        let (mut reports, mut work) = (0, 0);
        let (result, taken) = heap::peak(|| {
            self.session.read(&segments, &mut |progress| {
                work += match progress {
                    Progress::Encode { done, of } => {
                        assert!(done <= of);
                        20
                    }
                    Progress::Prefill { done, of } => {
                        assert!(done <= of);
                        1
                    }
                };
                if reports == stop_at {
                    stopper.stop();
                }
                reports += 1;
            })
        });
        assert!(taken <= (128 << 10) + 64 * text, "reading {text} bytes took {taken}");
        match result {
            Ok(reading) => {
                assert!(reading.prompt_tokens > 0 && reading.reused < reading.prompt_tokens);
                assert_eq!(reading.prompt_tokens, self.session.len());
                assert_eq!(self.session.positions().len(), self.session.len());
                let rows = self.session.positions().filter(Option::is_none).count();
                assert_eq!(rows, reading.image_tokens);
                assert_eq!(rows, reading.images.iter().map(|image| image.tokens as usize).sum::<usize>());
                work += reading.prompt_tokens - reading.reused;
                self.read = Some(Read { parts: self.shown.clone(), answers: Vec::new(), looked: false });
            }
            Err(error) => {
                harmless(&error);
                if matches!(error, Error::Stopped | Error::Deadline) {
                    assert!(stopped_before || stop_at < reports, "nobody stopped it");
                }
                if let Error::Context { needed, context } = &error {
                    assert!(needed > context);
                }
                // What was refused before it began changes nothing; what was begun may have read a part.
                if self.session.len() != before || reports > 0 || self.stopped() {
                    self.read = None;
                } else if let Some(read) = &mut self.read {
                    // The cache may have been cut where the new text parts from the old.
                    read.looked = true;
                }
            }
        }
        self.work += work;
    }

    fn answer(&mut self, bytes: &mut Bytes<'_>) {
        let options = answering(bytes);
        let stop_at = if bytes.rarely(4) { bytes.below(4) } else { usize::MAX };
        let made = answer(&mut self.session, &options, stop_at);
        self.work += 8;
        let Some(read) = &mut self.read else { return };
        match made {
            Err(Error::EmptyPrompt) if read.looked => self.read = None,
            Err(Error::Stopped | Error::Deadline) => self.read = None,
            Err(error) => panic!("no answer to what was read: {error}"),
            Ok(answered) => {
                read.answers.push(options);
                if !self.stopped() && bytes.flag() {
                    let read = self.read.take().expect("looked at above");
                    self.compare(&read, &answered);
                    self.read = Some(read);
                }
            }
        }
    }

    /// The last answer is that of a new session.
    fn compare(&mut self, read: &Read, answered: &Answered) {
        let mut options = self.options.clone();
        (options.batch, options.threads) = (77 - options.batch, Some(1));
        (options.memory_limit, options.fit) = (None, false);
        options.image_tokens = self.session.plan().fitted().or(options.image_tokens);
        let mut other = self.model.session(&options).expect("as planned before");
        other.read(&segments(&read.parts, &self.pictures, true), &mut |_| ()).expect("as read before");
        let answers =
            read.answers.iter().map(|options| answer(&mut other, options, usize::MAX).expect("as before"));
        let expected = answers.last().expect("the one that is compared");
        assert_eq!(expected.ids, answered.ids);
        assert_eq!(expected.reason, answered.reason);
        let bits = |answered: &Answered| -> Vec<(u32, u32)> {
            answered.logprobs.iter().flatten().map(|(id, value)| (*id, value.to_bits())).collect()
        };
        assert_eq!(bits(&expected), bits(answered));
        self.work += 20 + other.len();
    }

    fn look(&mut self, bytes: &mut Bytes<'_>) {
        if self.pictures.is_empty() {
            return;
        }
        let picture = &self.pictures[bytes.below(self.pictures.len())];
        let Some(frame) = picture.frame() else { return };
        let before = self.stopped();
        match self.session.embed(frame, &mut |_| ()) {
            Ok(made) => {
                assert_eq!(made.rows.len(), made.image.tokens as usize * made.width);
                assert!(made.rows.iter().all(|value| value.is_finite()));
            }
            Err(error) => {
                harmless(&error);
                assert!(before || !matches!(error, Error::Stopped | Error::Deadline));
            }
        }
        self.work += 60;
        if let Some(read) = &mut self.read {
            read.looked = true;
        }
    }
}

fn segments<'a>(parts: &'a [Part], pictures: &'a [Picture], whole: bool) -> Vec<Segment<'a>> {
    let photo = |n: usize| Segment::Image(pictures[n].photo());
    let frame = |n: usize| match pictures[n].frame() {
        Some(frame) => Segment::Frame(frame),
        None => Segment::Image(Photo { width: 0, height: 0, rgb: &[] }),
    };
    let seen = |n: usize, frame: Option<Frame<'_>>| match frame {
        Some(frame) => Segment::Seen(Seen::of(&frame)),
        None => Segment::Image(Photo { width: n as u32, height: 0, rgb: &[] }),
    };
    parts
        .iter()
        .map(|part| match part {
            Part::Control(text) => Segment::Control(text),
            Part::Text(text) => Segment::Text(text),
            Part::Photo(n) => photo(*n),
            Part::Frame(n) => frame(*n),
            Part::SeenPhoto(n) if whole => photo(*n),
            Part::SeenFrame(n) if whole => frame(*n),
            Part::SeenPhoto(n) => {
                let Photo { width, height, rgb } = pictures[*n].photo();
                seen(*n, Frame::rgb(rgb, width, height).ok())
            }
            Part::SeenFrame(n) => seen(*n, pictures[*n].frame()),
        })
        .collect()
}

fn answering(bytes: &mut Bytes<'_>) -> AnswerOptions {
    let mut options = AnswerOptions::default();
    options.max_tokens = bytes.below(7);
    options.logprobs = *bytes.one(&[0, 0, 0, 2, 400]);
    if bytes.flag() {
        let sampling = &mut options.sampling;
        sampling.temperature = *bytes.one(&[0.0, 1.0, 0.5, 3.0, 1e-9, 1e30]);
        sampling.top_k = *bytes.one(&[0, 1, 5, 299, usize::MAX]);
        sampling.top_p = *bytes.one(&[1.0, 0.5, 0.001, 0.999]);
        sampling.min_p = *bytes.one(&[0.0, 0.1, 1.0]);
        sampling.repetition_penalty = *bytes.one(&[1.0, 1.3, 0.5, 1e9]);
        sampling.seed = u64::from(bytes.byte());
    }
    for _ in 0..*bytes.one(&[0, 0, 0, 1, 3]) {
        options.stops.push(bytes.text());
    }
    options.stops.retain(|stop| !stop.is_empty());
    options
}

/// A whole answer, stopped once before token `stop_at` and taken up again.
fn answer(session: &mut Session<'_>, options: &AnswerOptions, stop_at: usize) -> Result<Answered, Error> {
    let stopper = session.stopper().clone();
    let stopped = || stopper.is_stopped() || stopper.is_late();
    let mut answer = session.answer(options)?;
    let mut steps = 0;
    loop {
        let stops = steps == stop_at && !stopped();
        if stops {
            stopper.stop();
        }
        let before = heap::count();
        let next = answer.next().map(|text| text.is_some());
        assert_eq!(heap::count(), before, "something was allocated in step {steps}");
        match next {
            Ok(true) => {}
            Ok(false) => break,
            Err(Error::Stopped) if stops => stopper.clear(),
            Err(error) => {
                harmless(&error);
                assert!(stopped() || !matches!(error, Error::Stopped | Error::Deadline), "nobody stopped it");
                return Err(error);
            }
        }
        if stops {
            stopper.clear();
        }
        steps += 1;
        assert!(steps < 1000, "an answer without an end");
    }
    let answered = answer.finish();
    assert!(answered.ids.len() <= options.max_tokens);
    Ok(answered)
}
