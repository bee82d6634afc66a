//! Every order of calls: all pairs and triples of entry points, each within an answer's callback too, with handles in
//! malloc and in blocks of the caller's. A small model of what the header says foretells every status; at the end
//! everything is freed and nothing of it is left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unsafe_code, missing_docs)]
#![allow(clippy::undocumented_unsafe_blocks, reason = "a caller who tests the header's rules")]

mod golden;
mod ops;

use golden::{Files, bytes};
use ocelli_c::open::ocelli_model_free;
use ocelli_c::session::ocelli_session_free;
use ocelli_c::status::*;
use ocelli_c::{Model, Session};
use ops::{ALL, Caller, During, Handle, Op};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time: they count what malloc has given.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What malloc keeps for a thread's next calls, at most: seven pieces of each of 64 sizes up to 1032 bytes (glibc). A handle
/// is more; of what is less than that, AddressSanitizer tells (`targets/c/sanitize`).
const KEPT: usize = 7 * 64 * 1032 / 2;

/// Bytes that malloc has given and not got back. What it keeps for a thread's next calls counts too.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn given() -> Option<usize> {
    #[repr(C)]
    struct Info {
        arena: usize,
        blocks: [usize; 3],
        mapped: usize,
        not_used: [usize; 2],
        used: usize,
        free: usize,
        keep: usize,
    }
    unsafe extern "C" {
        fn mallinfo2() -> Info;
    }
    let info = unsafe { mallinfo2() };
    Some(info.used + info.mapped)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn given() -> Option<usize> {
    None
}

/// Whether a handle is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Life {
    /// The pointer is NULL.
    None,
    Alive,
    /// Freed, in a block that is still the caller's.
    Freed,
}

impl Life {
    /// What a call with it gets, if it is not alive.
    fn refuses(self) -> Option<Status> {
        match self {
            Life::None => Some(BAD_ARGUMENT),
            Life::Freed => Some(BAD_HANDLE),
            Life::Alive => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Asking,
    Answering,
    Answered,
}

/// What is known of a session by what was called.
#[derive(Clone, Copy, Debug)]
struct State {
    life: Life,
    stage: Stage,
    /// Whether something, and an image, was added to this turn.
    asked: bool,
    image: bool,
    /// Whether a wish to stop is waiting; none where that is not known.
    stop: Option<bool>,
}

impl State {
    const NEW: State =
        State { life: Life::Alive, stage: Stage::Asking, asked: false, image: false, stop: Some(false) };

    /// What this call may give, and what is known after it gave that.
    fn expects(&self, op: Op) -> Vec<Status> {
        if let Some(status) = self.life.refuses() {
            return vec![if op == Op::Error { OK } else { status }];
        }
        let stopped = |otherwise: &[Status]| match self.stop {
            Some(true) => vec![CANCELLED],
            Some(false) => otherwise.to_vec(),
            None => [otherwise, &[CANCELLED]].concat(),
        };
        match (op, self.stage) {
            (Op::Next | Op::Answer, Stage::Asking) if !self.asked => vec![BAD_ORDER],
            (Op::Next, Stage::Asking) => stopped(&[OK, END]),
            (Op::Answer, Stage::Asking) => stopped(&[OK]),
            // What was said already is given without looking at the wish.
            (Op::Next, Stage::Answering) if self.stop != Some(false) => vec![OK, END, CANCELLED],
            (Op::Answer, Stage::Answering) if self.stop != Some(false) => vec![OK, CANCELLED],
            (Op::Next, Stage::Answering) => vec![OK, END],
            (Op::Next, Stage::Answered) => vec![END],
            (Op::Embed, Stage::Asking) if self.image && self.stop == Some(false) => vec![OK],
            // An image that was looked at before is not looked at again.
            (Op::Embed, Stage::Asking) if self.image => vec![OK, CANCELLED],
            (Op::Embed, _) => vec![BAD_ORDER],
            _ => vec![OK],
        }
    }

    fn follow(&mut self, op: Op, status: Status) {
        if self.life != Life::Alive {
            return;
        }
        if status == CANCELLED {
            self.stop = Some(false);
            return;
        }
        match op {
            Op::Cancel => self.stop = Some(true),
            Op::AddText | Op::AddImage | Op::AddFrame if status == OK => {
                if self.stage != Stage::Asking {
                    (self.stage, self.asked, self.image) = (Stage::Asking, false, false);
                }
                self.asked = true;
                self.image |= op != Op::AddText;
            }
            Op::Next if status == OK => self.stage = Stage::Answering,
            Op::Next if status == END => self.stage = Stage::Answered,
            Op::Answer if status == OK => self.stage = Stage::Answered,
            Op::ResetAll => (self.stage, self.asked, self.image) = (Stage::Asking, false, false),
            Op::ResetTurn if self.stage == Stage::Asking => (self.asked, self.image) = (false, false),
            _ => {}
        }
    }
}

/// Handles, and what is known of them.
struct Known {
    model: (Handle<Model>, Life),
    session: (Handle<Session>, State),
    /// Sessions of the model.
    users: usize,
    done: Vec<String>,
}

struct World<'a> {
    caller: Caller<'a>,
    known: Known,
}

/// Where a world's first handles live.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Begin {
    Nothing,
    Malloc,
    Blocks,
}

impl Known {
    /// What a call gets, which may come from within the session's own.
    fn expects(&self, op: Op, within: bool) -> Vec<Status> {
        let model = self.model.1.refuses();
        match op {
            Op::Words | Op::LastError | Op::Need | Op::Open | Op::OpenInBlock => vec![OK],
            Op::Platform => vec![BAD_ARGUMENT],
            Op::Plan | Op::New | Op::NewInBlock => vec![model.unwrap_or(OK)],
            Op::ModelFree => vec![model.unwrap_or(if self.users > 0 { BUSY } else { OK })],
            Op::Error | Op::Cancel if within => vec![OK],
            _ if within => vec![BUSY],
            _ => self.session.1.expects(op),
        }
    }

    /// Makes a call, and learns what came of it.
    fn check(&mut self, caller: &Caller<'_>, op: Op, within: bool) {
        let expected = self.expects(op, within);
        caller.model.set(self.model.0.at);
        caller.session.set(self.session.0.at);
        let status = caller.call(op, None);
        self.note(op, status, &expected);
        match op {
            Op::ModelFree if status == OK => {
                self.model.0.overwrite();
                let kept = self.model.0.block.is_some();
                self.model.1 = if kept { Life::Freed } else { Life::None };
                self.model.0.at = if kept { self.model.0.at } else { std::ptr::null_mut() };
            }
            Op::SessionFree if status == OK => {
                self.users -= 1;
                self.session.0.overwrite();
                let kept = self.session.0.block.is_some();
                self.session.1 = State { life: if kept { Life::Freed } else { Life::None }, ..State::NEW };
                self.session.0.at = if kept { self.session.0.at } else { std::ptr::null_mut() };
            }
            Op::New | Op::NewInBlock if status == OK => {
                self.users += 1;
                if self.session.1.life != Life::Alive {
                    self.session = (caller.sessions.borrow_mut().pop().unwrap(), State::NEW);
                }
            }
            Op::Open | Op::OpenInBlock if self.model.1 != Life::Alive => {
                self.model = (caller.models.borrow_mut().pop().unwrap(), Life::Alive);
            }
            // Whether the call that it was to stop has ended before is not known.
            Op::Cancel if within => self.session.1.stop = None,
            _ if within => {}
            _ => self.session.1.follow(op, status),
        }
    }

    #[track_caller]
    fn note(&mut self, op: Op, status: Status, expected: &[Status]) {
        self.done.push(format!("{op:?} {status}"));
        assert!(expected.contains(&status), "{:?}: {status}, and {expected:?} was expected", self.done);
    }
}

impl<'a> World<'a> {
    fn new(files: &'a Files, picture: &'a [u8], begin: Begin) -> World<'a> {
        let session = (Handle::NONE, State { life: Life::None, ..State::NEW });
        let known = Known { model: (Handle::NONE, Life::None), session, users: 0, done: Vec::new() };
        let mut world = World { caller: Caller::new(files, picture), known };
        match begin {
            Begin::Nothing => {}
            Begin::Malloc => world.steps(&[Op::Open, Op::New]),
            Begin::Blocks => world.steps(&[Op::OpenInBlock, Op::NewInBlock]),
        }
        world
    }

    fn steps(&mut self, ops: &[Op]) {
        for op in ops {
            self.known.check(&self.caller, *op, false);
        }
    }

    /// An answer with work from within its callback. Gives whether it came to that.
    fn answer(&mut self, may_stop: bool, work: &mut dyn FnMut(&Caller<'_>, &mut Known)) -> bool {
        let (caller, known) = (&self.caller, &mut self.known);
        let mut expected = known.session.1.expects(Op::Answer);
        if may_stop {
            expected.push(CANCELLED);
        }
        caller.model.set(known.model.0.at);
        caller.session.set(known.session.0.at);
        let mut once = || work(caller, known);
        let mut during = During { work: &mut once, pieces: 0 };
        let status = caller.call(Op::Answer, Some(&mut during));
        let called = during.pieces > 0;
        let stop = known.session.1.stop;
        known.note(Op::Answer, status, &expected);
        known.session.1.follow(Op::Answer, status);
        if status != CANCELLED {
            known.session.1.stop = stop;
        }
        called
    }

    /// Frees everything, the first session and its block before all else; what is left still works.
    fn end(mut self) {
        let (caller, done) = (&self.caller, &self.known.done);
        let must = |op| assert_eq!(caller.call(op, None), OK, "{op:?} after {done:?}");
        let ask = |session: *mut Session| {
            caller.session.set(session);
            [Op::AddText, Op::Answer, Op::GetStats].into_iter().for_each(must);
        };
        if self.known.session.1.life == Life::Alive {
            assert_eq!(unsafe { ocelli_session_free(self.known.session.0.at) }, OK, "{done:?}");
        }
        self.known.session.0.overwrite();
        drop(self.known.session);
        for made in caller.sessions.take() {
            ask(made.at);
            assert_eq!(unsafe { ocelli_session_free(made.at) }, OK, "{done:?}");
        }
        if self.known.model.1 == Life::Alive {
            assert_eq!(unsafe { ocelli_model_free(self.known.model.0.at) }, OK, "{done:?}");
        }
        self.known.model.0.overwrite();
        drop(self.known.model);
        for made in caller.models.take() {
            caller.model.set(made.at);
            must(Op::New);
            let session = caller.sessions.borrow_mut().pop().unwrap();
            ask(session.at);
            assert_eq!(unsafe { ocelli_session_free(session.at) }, OK, "{done:?}");
            assert_eq!(unsafe { ocelli_model_free(made.at) }, OK, "{done:?}");
        }
    }
}

/// Runs all of it, and looks at what is left of malloc's. The first of them fills what lives as long as the process.
fn counted(files: &Files, picture: &[u8], runs: impl Fn(&dyn Fn(Begin, &mut dyn FnMut(&mut World<'_>)))) {
    let run = |begin: Begin, work: &mut dyn FnMut(&mut World<'_>)| {
        let mut world = World::new(files, picture, begin);
        work(&mut world);
        world.end();
    };
    for begin in [Begin::Malloc, Begin::Blocks] {
        for op in ALL {
            run(begin, &mut |world| world.steps(&[op]));
        }
    }
    let before = given();
    runs(&run);
    match (before, given()) {
        (Some(before), Some(after)) => {
            println!("malloc has {before} bytes before and {after} after");
            assert!(after < before + KEPT, "{} bytes are left", after - before);
        }
        _ => println!("NOT COUNTED: malloc does not say here what it has given"),
    }
}

/// Whether all triples are wanted, where pairs of three kinds do in the tests of every day.
fn thorough() -> bool {
    std::env::var_os("OCELLI_ORDERS").is_some()
}

#[test]
fn all_orders_of_two_and_three() {
    let _turn = turn();
    let (files, picture) = (Files::read(), bytes("tiny.png"));
    counted(&files, &picture, |run| {
        for begin in [Begin::Nothing, Begin::Malloc, Begin::Blocks] {
            for first in ALL {
                for second in ALL {
                    run(begin, &mut |world| world.steps(&[first, second]));
                    for third in if thorough() { &ALL[..] } else { &[] } {
                        run(begin, &mut |world| world.steps(&[first, second, *third]));
                    }
                }
            }
        }
        // In a turn that has begun: with what was added, after an answer's first piece, after its end.
        for begin in [Begin::Malloc, Begin::Blocks] {
            for turn in [[Op::AddImage, Op::AddText], [Op::AddText, Op::Next], [Op::AddFrame, Op::Answer]] {
                for first in ALL {
                    for second in ALL {
                        run(begin, &mut |world| world.steps(&[turn[0], turn[1], first, second]));
                    }
                }
            }
        }
    });
}

#[test]
fn every_call_from_within_a_callback() {
    let _turn = turn();
    let (files, picture) = (Files::read(), bytes("tiny.png"));
    counted(&files, &picture, |run| {
        for begin in [Begin::Malloc, Begin::Blocks] {
            for inner in ALL {
                for after in ALL {
                    run(begin, &mut |world| {
                        world.steps(&[Op::AddText]);
                        let called = world.answer(inner == Op::Cancel, &mut |caller, known| {
                            known.check(caller, inner, true);
                        });
                        assert!(called, "the answer has no piece");
                        world.steps(&[after]);
                    });
                }
            }
        }
    });
}

/// Within a session's callback another session is made, asked and freed, and its own callback makes calls.
#[test]
fn a_callback_within_a_callback() {
    let _turn = turn();
    let (files, picture) = (Files::read(), bytes("tiny.png"));
    counted(&files, &picture, |run| {
        for begin in [Begin::Malloc, Begin::Blocks] {
            for innermost in ALL {
                let mut left = None;
                run(begin, &mut |outer| {
                    outer.steps(&[Op::AddText]);
                    outer.answer(false, &mut |_, _| {
                        let mut inner = World::new(&files, &picture, begin);
                        inner.steps(&[Op::AddImage, Op::Embed, Op::AddText]);
                        inner.answer(innermost == Op::Cancel, &mut |caller, known| {
                            known.check(caller, innermost, true);
                        });
                        inner.steps(&[Op::GetStats]);
                        left = Some(inner);
                    });
                });
                // What was made within outlives the outer session and its block.
                left.unwrap().end();
            }
        }
    });
}

/// A handle is where it was made: a copy of its block holds none.
#[cfg_attr(ocelli_asan, ignore = "reads what is nobody's in a block to copy it")]
#[test]
fn a_moved_block_holds_no_handle() {
    let _turn = turn();
    let (files, picture) = (Files::read(), bytes("tiny.png"));
    let mut world = World::new(&files, &picture, Begin::Blocks);
    world.steps(&[Op::AddText]);
    fn copy<T>(of: &Handle<T>) -> (Vec<u8>, *mut T) {
        let block = of.block.as_ref().unwrap();
        let mut copy = vec![0u8; block.len() + 128];
        // As far from a multiple of the alignment as the first was.
        let pad = copy.as_ptr().align_offset(64) + block.as_ptr().addr() % 64;
        copy[pad..pad + block.len()].copy_from_slice(block);
        let at = copy.as_mut_ptr().wrapping_add(pad + of.at.addr() - block.as_ptr().addr());
        (copy, at.cast())
    }
    let (_session, session) = copy(&world.known.session.0);
    let (_model, model) = copy(&world.known.model.0);
    world.caller.session.set(session);
    world.caller.model.set(model);
    for op in ALL {
        let expected = match op {
            Op::Words | Op::LastError | Op::Error | Op::Need | Op::Open | Op::OpenInBlock => OK,
            Op::Platform => BAD_ARGUMENT,
            _ => BAD_HANDLE,
        };
        assert_eq!(world.caller.call(op, None), expected, "{op:?}");
    }
    world.steps(&[Op::Answer]);
    world.end();
}

/// A thread of the C library's, of which Rust knows nothing, works with handles in a block, which is used for something else
/// before the thread ends: what a thread keeps to its end lies in no handle.
#[cfg(unix)]
#[test]
fn what_a_thread_keeps_lies_in_no_handle() {
    use std::ffi::c_void;
    unsafe extern "C" {
        fn pthread_create(
            thread: *mut usize,
            attributes: *const c_void,
            start: extern "C" fn(*mut c_void) -> *mut c_void,
            with: *mut c_void,
        ) -> i32;
        fn pthread_join(thread: usize, result: *mut *mut c_void) -> i32;
    }
    extern "C" fn start(files: *mut c_void) -> *mut c_void {
        let (files, picture, begin) = unsafe { &*files.cast::<(Files, Vec<u8>, Begin)>() };
        let mut world = World::new(files, picture, *begin);
        world.steps(&[Op::AddImage, Op::AddText]);
        world.answer(false, &mut |caller, known| known.check(caller, Op::Open, true));
        world.steps(&[Op::New, Op::GetStats]);
        world.end();
        std::ptr::null_mut()
    }
    let _turn = turn();
    for begin in [Begin::Malloc, Begin::Blocks] {
        let mut with = (Files::read(), bytes("tiny.png"), begin);
        for _ in 0..20 {
            let (mut thread, mut result) = (0, std::ptr::null_mut());
            assert_eq!(
                unsafe { pthread_create(&mut thread, std::ptr::null(), start, (&raw mut with).cast()) },
                0
            );
            assert_eq!(unsafe { pthread_join(thread, &mut result) }, 0);
        }
    }
}
