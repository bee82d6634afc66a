//! The memory contract: nothing is allocated between the first and the last generated token, a session takes what its
//! plan says, and a limit is kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unsafe_code, missing_docs)]

use ocelli::generate::AnswerOptions;
use ocelli::{Error, ImageSizes, Load, Mmproj, Model, Options, Photo, Segment};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Counts what is allocated, and how often by threads that began with the test that counts.
struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicUsize = AtomicUsize::new(0);
/// The most that was alive since it was set.
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// One test at a time: the counters are the process's.
static TURN: Mutex<()> = Mutex::new(());

/// How many tests have begun to count.
static TESTS: AtomicUsize = AtomicUsize::new(0);
thread_local! {
    /// That number when this thread first allocated. The harness's thread, which writes down meanwhile how other tests
    /// ended, has a smaller one.
    static BEGAN: Cell<Option<usize>> = const { Cell::new(None) };
}

fn counts() -> bool {
    let now = TESTS.load(SeqCst);
    let began = BEGAN.try_with(|began| {
        began.set(began.get().or(Some(now)));
        began.get()
    });
    began == Ok(Some(now))
}

// SAFETY: everything is the system allocator's; counting has no effect on it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(usize::from(counts()), SeqCst);
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), SeqCst) + layout.size(), SeqCst);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), SeqCst);
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn model(text: &str, vision: &str) -> Model<'static> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/models");
    Model::open(&folder.join(text), Mmproj::File(&folder.join(vision)), Load::Map).unwrap()
}

fn options() -> Options {
    let mut options = Options::default();
    (options.threads, options.context, options.images) = (Some(2), Some(256), ImageSizes::UpTo(64, 64));
    options
}

#[test]
fn nothing_is_allocated_while_generating() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    BEGAN.set(Some(TESTS.fetch_add(1, SeqCst) + 1));
    let counted = std::thread::spawn(|| {
        let before = COUNT.load(SeqCst);
        drop(std::hint::black_box(Box::new(7)));
        COUNT.load(SeqCst) - before
    });
    assert_eq!(counted.join().unwrap(), 1, "a thread that begins now is counted");
    for (text, vision) in
        [("smolvlm.gguf", "mmproj-smolvlm-x2.gguf"), ("vicuna.gguf", "mmproj-llava-legacy.gguf")]
    {
        let model = model(text, vision);
        let mut options = options();
        options.tower_int8 = true;
        let mut session = model.session(&options).unwrap();
        let pixels = [200u8; 40 * 30 * 3];
        let photo = Photo { width: 40, height: 30, rgb: &pixels };
        session.read(&[Segment::Image(photo), Segment::Text("What is it?")], &mut |_| ()).unwrap();
        // Measuring has taken its room by now.
        session.start_profile(|| 0);
        let mut answer_options = AnswerOptions::default();
        answer_options.max_tokens = 100;
        answer_options.sampling.temperature = 1.0;
        answer_options.sampling.top_k = 40;
        answer_options.sampling.top_p = 0.9;
        answer_options.sampling.repetition_penalty = 1.1;
        answer_options.stops = vec!["never to be seen".into()];
        answer_options.logprobs = 5;
        let mut answer = session.answer(&answer_options).unwrap();
        let mut steps = 0;
        let before = COUNT.load(SeqCst);
        while answer.next().unwrap().is_some() {
            steps += 1;
        }
        assert_eq!(COUNT.load(SeqCst) - before, 0, "{text}");
        assert!(steps > 2, "{text}: {steps} steps");
        drop(answer);
        assert!(session.take_profile().unwrap().generate.runs() > 0, "{text}");
    }
}

#[test]
fn a_session_takes_what_its_plan_says() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let model = model("smolvlm.gguf", "mmproj-smolvlm-x2.gguf");
    let plan = model.plan(&options()).unwrap();
    let bill = *plan.bill();
    let before = LIVE.load(SeqCst);
    let session = ocelli::Session::new(&model, plan).unwrap();
    let taken = (LIVE.load(SeqCst) - before) as u64;
    // The decoded image is billed and not there yet; thread stacks and a few tables of a hundred bytes are.
    let billed = bill.arena + bill.kv + bill.io;
    assert!(taken <= billed + 8192, "{taken} taken, {billed} billed");
    assert!(taken + 64 * 64 * 3 + 8192 >= billed, "{taken} taken, {billed} billed");
    drop(session);

    // A tower in int8 is a part of it: what is made of a matrix is 34 bytes for 32 numbers.
    let mut int8 = options();
    int8.tower_int8 = true;
    let plan = model.plan(&int8).unwrap();
    let with = *plan.bill();
    assert!(with.vision_int8 > 0 && with.vision_int8 < bill.vision_weights * 34 / 128);
    assert_eq!(
        with.total() - with.arena,
        bill.total() - bill.arena + with.vision_int8 + with.tables - bill.tables
    );
    let before = LIVE.load(SeqCst);
    let session = ocelli::Session::new(&model, plan).unwrap();
    let taken = (LIVE.load(SeqCst) - before) as u64;
    let billed = with.arena + with.kv + with.io + with.vision_int8;
    assert!(taken <= billed + 8192, "{taken} taken, {billed} billed");
    assert!(taken + 64 * 64 * 3 + 8192 >= billed, "{taken} taken, {billed} billed");
    drop(session);
    int8.memory_limit = Some(with.total() - 1);
    assert!(matches!(model.plan(&int8), Err(Error::Memory { bill, .. }) if bill == with));
    int8.tower_int8 = false;
    assert!(model.plan(&int8).is_ok());
}

#[test]
fn a_limit_is_kept_or_refused() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let model = model("smolvlm.gguf", "mmproj-smolvlm-x2.gguf");
    let full = *model.plan(&options()).unwrap().bill();
    let mut less = options();
    less.memory_limit = Some(full.total() - 1);
    match model.plan(&less) {
        Err(Error::Memory { bill, limit }) => assert_eq!((bill, limit), (full, full.total() - 1)),
        other => panic!("{other:?}"),
    }
    less.fit = true;
    let fitted = model.plan(&less).unwrap();
    assert!(fitted.bill().total() < full.total());
    assert!(fitted.fitted().is_some_and(|tokens| tokens < 20), "{fitted:?}");
    less.memory_limit = Some(full.weights());
    assert!(matches!(model.plan(&less), Err(Error::Memory { .. })));
}

/// The most that was alive beside what was there before, while this ran.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = LIVE.load(SeqCst);
    PEAK.store(before, SeqCst);
    let result = work();
    (result, (PEAK.load(SeqCst) - before) as u64)
}

/// Texts that encoders find hard: one word, many, no tokens, characters that fall apart or come together.
const UNITS: [&str; 10] = [
    "a",
    "so it is ",
    "ab",
    "\u{2581}",
    " ",
    "\u{1d15e}",
    "\u{4e00}",
    "e\u{301}",
    "\u{1100}\u{1161}\u{11a8}",
    "\n",
];

#[test]
fn texts_take_what_the_bill_says() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/models");
    for name in ["smolvlm.gguf", "vicuna.gguf", "qwen2.gguf"] {
        let model = Model::open(&folder.join(name), Mmproj::None, Load::Map).unwrap();
        for asked in [None, Some(200_000)] {
            let mut options = options();
            options.text_bytes = asked;
            let plan = model.plan(&options).unwrap();
            let (most, billed) = (plan.text_bytes(), plan.bill().prompt);
            assert!(most as u64 > asked.unwrap_or(8 * 256));
            let mut session = ocelli::Session::new(&model, plan).unwrap();
            let mut read = |segments: &[Segment<'_>], within: u64| {
                let (result, peak) = peak_of(|| session.read(segments, &mut |_| ()));
                assert!(peak <= within + 16384, "{name}: {peak} bytes, {within} billed");
                session.reset();
                result
            };
            for unit in UNITS {
                let text = unit.repeat(most / unit.len());
                let fits =
                    |result| assert!(matches!(result, Ok(_) | Err(Error::Context { .. })), "{result:?}");
                fits(read(&[Segment::Text(&text)], billed));
                // The same in many small texts, of both kinds by turns, and empty ones between.
                let small = (0..most / unit.len()).flat_map(|n| {
                    let part = if n % 2 == 0 { Segment::Text(unit) } else { Segment::Control(unit) };
                    [part, Segment::Text("")]
                });
                fits(read(&small.collect::<Vec<_>>(), billed));
            }
            // One byte more is refused before anything is made of it.
            let long = "a".repeat(most + 1);
            for parts in [&[Segment::Text(&long)][..], &[Segment::Control(&long[1..]), Segment::Text("a")]] {
                match read(parts, 0) {
                    Err(Error::LongText { bytes, most: planned }) => {
                        assert_eq!((bytes, planned), (most + 1, most))
                    }
                    other => panic!("{other:?}"),
                }
            }
            let empty = vec![Segment::Text(""); 100_000];
            let result = read(&empty, 0);
            assert!(matches!(result, Ok(_) | Err(Error::EmptyPrompt)), "{result:?}");
        }
    }
}

#[test]
fn many_images_take_what_the_bill_says() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let model = model("smolvlm.gguf", "mmproj-smolvlm-x2.gguf");
    let plan = model.plan(&options()).unwrap();
    let billed = plan.bill().prompt;
    let mut session = ocelli::Session::new(&model, plan).unwrap();
    let pixels = [200u8; 8 * 8 * 3];
    let photo = Photo { width: 8, height: 8, rgb: &pixels };
    let many = vec![Segment::Image(photo); 3000];
    let (result, peak) = peak_of(|| session.read(&many, &mut |_| ()));
    assert!(matches!(result, Err(Error::Context { needed, context: 256 }) if needed > 9000), "{result:?}");
    assert!(peak <= billed, "{peak} bytes, {billed} billed");
}
