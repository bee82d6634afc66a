//! The memory contract: nothing is allocated between the first and the last generated token, a session takes what its
//! plan says, and a limit is kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unsafe_code, missing_docs)]

use ocelli::answer::AnswerOptions;
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
        LIVE.fetch_add(layout.size(), SeqCst);
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
