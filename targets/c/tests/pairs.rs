//! Every pair of entry points from two threads on one handle: what the header says, BUSY included, and the session is as
//! good as before. Run with ThreadSanitizer too (`targets/c/sanitize`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unsafe_code, missing_docs)]
#![allow(clippy::undocumented_unsafe_blocks, reason = "a caller who tests the header's rules")]

mod golden;
mod ops;

use golden::{Files, bytes, listen, say};
use ocelli_c::open::ocelli_model_free;
use ocelli_c::session::ocelli_session_free;
use ocelli_c::status::*;
use ocelli_c::turn::ocelli_reset;
use ocelli_c::{Model, Session};
use ops::{Caller, Handle, Op, SESSION};
use std::sync::Barrier;
use std::thread::scope;

/// Two handles that threads share, as addresses.
#[derive(Clone, Copy)]
struct Shared {
    model: usize,
    session: usize,
}

struct Both {
    files: Files,
    picture: Vec<u8>,
}

impl Both {
    fn new() -> Both {
        Both { files: Files::read(), picture: bytes("tiny.png") }
    }

    fn caller(&self, shared: Shared) -> Caller<'_> {
        let caller = Caller::new(&self.files, &self.picture);
        caller.model.set(shared.model as *mut Model);
        caller.session.set(shared.session as *mut Session);
        caller
    }

    /// A model and a session, in malloc or in blocks.
    fn make(&self, open: Op, new: Op) -> (Handle<Model>, Handle<Session>, Shared) {
        let caller = self.caller(Shared { model: 0, session: 0 });
        assert_eq!(caller.call(open, None), OK);
        let model = caller.models.borrow_mut().pop().unwrap();
        caller.model.set(model.at);
        assert_eq!(caller.call(new, None), OK);
        let session = caller.sessions.borrow_mut().pop().unwrap();
        let shared = Shared { model: model.at as usize, session: session.at as usize };
        (model, session, shared)
    }

    /// Two calls at the same time, so often. Gives how often the second thread's call was made while the first was at it.
    fn at_once(
        &self,
        shared: Shared,
        ops: [Op; 2],
        times: usize,
        allowed: [&[Status]; 2],
    ) -> [Vec<Status>; 2] {
        let start = Barrier::new(2);
        let side = |op: Op, allowed: &[Status]| {
            let caller = self.caller(shared);
            let got: Vec<Status> = (0..times)
                .map(|_| {
                    start.wait();
                    let status = caller.call(op, None);
                    assert!(allowed.contains(&status), "{ops:?}: {op:?} gave {status}");
                    status
                })
                .collect();
            for session in caller.sessions.take() {
                assert_eq!(unsafe { ocelli_session_free(session.at) }, OK);
            }
            for model in caller.models.take() {
                assert_eq!(unsafe { ocelli_model_free(model.at) }, OK);
            }
            got
        };
        scope(|scope| {
            let first = scope.spawn(|| side(ops[0], allowed[0]));
            let second = side(ops[1], allowed[1]);
            [first.join().unwrap(), second]
        })
    }
}

/// What a call with a session may give, in any state that calls of others leave it in.
fn usual(op: Op) -> &'static [Status] {
    match op {
        Op::Error | Op::Cancel => &[OK],
        Op::Next => &[OK, END, CANCELLED, BAD_ORDER, NO_CONTEXT, BUSY],
        Op::Answer | Op::Embed => &[OK, CANCELLED, BAD_ORDER, NO_CONTEXT, BUSY],
        // Texts and images add up.
        Op::AddText | Op::AddImage | Op::AddFrame => &[OK, NO_CONTEXT, BUSY],
        _ => &[OK, BUSY],
    }
}

#[test]
fn two_calls_with_one_session() {
    let both = Both::new();
    let (model, session, shared) = both.make(Op::Open, Op::New);
    let answer = || {
        // A wish to stop may be left of a pair.
        while unsafe { ocelli_reset(session.at, 0) } != OK {}
        assert_eq!(say(session.at, 1, "What?"), OK);
        let (mut text, mut status) = listen(session.at, 64);
        if status == CANCELLED {
            let (rest, then) = listen(session.at, 64);
            text.push_str(&rest);
            status = then;
        }
        assert_eq!(status, END);
        text
    };
    let expected = answer();
    let mut busy = 0;
    for (i, first) in SESSION.into_iter().enumerate() {
        for second in &SESSION[i..] {
            let allowed = [usual(first), usual(*second)];
            let got = both.at_once(shared, [first, *second], 6, allowed);
            busy += got.iter().flatten().filter(|status| **status == BUSY).count();
            assert_eq!(answer(), expected, "after {first:?} beside {second:?}");
        }
    }
    println!("{busy} calls found the session busy");
    assert_eq!(unsafe { ocelli_session_free(session.at) }, OK);
    assert_eq!(unsafe { ocelli_model_free(model.at) }, OK);
}

#[test]
fn two_calls_with_one_model() {
    let both = Both::new();
    let model_ops = [Op::Need, Op::Open, Op::OpenInBlock, Op::Plan, Op::New, Op::NewInBlock, Op::ModelFree];
    for (open, new) in [(Op::Open, Op::New), (Op::OpenInBlock, Op::NewInBlock)] {
        let (model, session, shared) = both.make(open, new);
        for (i, first) in model_ops.into_iter().enumerate() {
            for second in &model_ops[i..] {
                // The model has a session.
                let allowed = |op| if op == Op::ModelFree { &[BUSY] } else { &[OK] };
                both.at_once(shared, [first, *second], 2, [allowed(first), allowed(*second)]);
            }
            // And beside a call with that session.
            let allowed = [if first == Op::ModelFree { &[BUSY] } else { &[OK] }, usual(Op::AddText)];
            both.at_once(shared, [first, Op::AddText], 2, allowed);
        }
        assert_eq!(unsafe { ocelli_session_free(session.at) }, OK);
        assert_eq!(unsafe { ocelli_model_free(model.at) }, OK);
    }
}

/// A handle that is freed while another call is made, in memory that stays the caller's: one of them, or both after each
/// other. (`ocelli_cancel` and `ocelli_error` must not be called any more by then: see the header.)
#[test]
fn freeing_beside_every_call() {
    let both = Both::new();
    let gone = |op: Op| [usual(op), &[BAD_HANDLE]].concat();
    for op in SESSION.into_iter().filter(|op| ![Op::Cancel, Op::Error].contains(op)).chain([Op::SessionFree])
    {
        for _ in 0..4 {
            let (model, session, shared) = both.make(Op::OpenInBlock, Op::NewInBlock);
            let free: &[Status] = if op == Op::SessionFree { &[OK, BAD_HANDLE] } else { &[OK, BUSY] };
            let other = if op == Op::SessionFree { free.to_vec() } else { gone(op) };
            let got = both.at_once(shared, [Op::SessionFree, op], 1, [free, &other]);
            let freed = got.iter().flatten().filter(|status| **status == OK).count();
            match got[0][0] {
                BUSY => assert_eq!(unsafe { ocelli_session_free(session.at) }, OK),
                OK if op == Op::SessionFree => assert_eq!(freed, 1, "freed twice"),
                _ => {}
            }
            assert_eq!(unsafe { ocelli_session_free(session.at) }, BAD_HANDLE);
            assert_eq!(unsafe { ocelli_model_free(model.at) }, OK, "{op:?}");
        }
    }
    for op in [Op::Plan, Op::New, Op::NewInBlock, Op::ModelFree] {
        for _ in 0..4 {
            let (model, session, shared) = both.make(Op::OpenInBlock, Op::NewInBlock);
            assert_eq!(unsafe { ocelli_session_free(session.at) }, OK);
            let allowed: &[Status] = if op == Op::ModelFree { &[OK, BAD_HANDLE] } else { &[OK, BUSY] };
            let other: &[Status] = &[OK, BAD_HANDLE];
            let got = both.at_once(shared, [Op::ModelFree, op], 1, [allowed, other]);
            if got[0][0] == BUSY {
                assert_eq!(unsafe { ocelli_model_free(model.at) }, OK, "{op:?}");
            }
            assert_eq!(unsafe { ocelli_model_free(model.at) }, BAD_HANDLE);
        }
    }
}
