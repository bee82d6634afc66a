//! Worker threads that may join a job while it is open.
//!
//! One atomic word is the gate: a generation, an *open* bit, and how many workers are inside.
//!
//! ```text
//! caller   writes the job, opens the gate of a new generation, wakes sleepers, works itself,
//!          closes the gate, waits until nobody is inside
//! worker   sees an open gate of a generation it has not served, counts itself in (one compare-and-swap on
//!          the whole word, so it cannot enter a gate that has closed), works, counts itself out
//! ```
//!
//! A worker that finds nothing spins for some tens of microseconds, the length of a few operations, then sleeps.
//! The caller never waits for a worker that is not inside, so a worker that the system does not schedule costs
//! nothing but its help.
#![allow(unsafe_code, reason = "the job is lent to the workers across threads")]

use super::pin::{self, PinError};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::vec::Vec;

/// How long a worker looks for the next operation before it sleeps.
const SPIN: Duration = Duration::from_micros(50);

const OPEN: u64 = 1 << 31;
const INSIDE: u64 = OPEN - 1;

/// What a job is: called with the number of the thread.
type Job = dyn Fn(usize) + Sync;

struct Shared {
    gate: AtomicU64,
    /// The job of the open generation; written only while the gate is closed and nobody is inside.
    job: UnsafeCell<Option<*const Job>>,
    sleeping: AtomicUsize,
    started: AtomicUsize,
    bed: Mutex<()>,
    bell: Condvar,
    ended: AtomicBool,
    panicked: AtomicBool,
    /// Why a worker could not be kept to its processor.
    refused: Mutex<Option<PinError>>,
}

// SAFETY: `job` is the only part that is not `Sync` by itself; the gate orders its writes and reads (see the module).
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

pub(super) struct Workers {
    shared: Arc<Shared>,
    handles: Vec<JoinHandle<()>>,
    /// One job at a time: a second caller on another thread waits here.
    turn: Mutex<()>,
}

impl Workers {
    /// So many workers; worker n (from 1) is kept to the n-th of the processors, where there is one.
    pub(super) fn new(count: usize, processors: &[usize]) -> Workers {
        let shared = Arc::new(Shared {
            gate: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            sleeping: AtomicUsize::new(0),
            started: AtomicUsize::new(0),
            bed: Mutex::new(()),
            bell: Condvar::new(),
            ended: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            refused: Mutex::new(None),
        });
        let start = |number: usize| {
            let (shared, processor) = (shared.clone(), processors.get(number).copied());
            let begin = move || shared.serve(number, processor);
            std::thread::Builder::new().name("ocelli".into()).spawn(begin).ok()
        };
        let handles: Vec<JoinHandle<()>> = (1..=count).map_while(start).collect();
        // A thread allocates while it starts: that belongs here, not into the middle of an answer.
        while shared.started.load(Acquire) < handles.len() {
            std::thread::yield_now();
        }
        Workers { shared, handles, turn: Mutex::new(()) }
    }

    pub(super) fn len(&self) -> usize {
        self.handles.len()
    }

    /// Why a worker is not kept to its processor, if one is not.
    pub(super) fn refused(&self) -> Option<PinError> {
        *self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `job` here as thread 0, and on every worker that comes while it runs as its own number.
    pub(super) fn join_in(&self, job: &(dyn Fn(usize) + Sync)) {
        if self.handles.is_empty() {
            return job(0);
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = &*self.shared;
        // SAFETY: only the lifetime is forgotten. `Closing` waits, before `job` can end, until nobody is inside, and
        // nobody can enter after that.
        let lent = unsafe { core::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const Job>(job) };
        // SAFETY: the gate is closed and nobody is inside: no worker reads the cell.
        unsafe { *shared.job.get() = Some(lent) };
        let generation = (shared.gate.load(Relaxed) >> 32).wrapping_add(1) & 0xffff_ffff;
        shared.gate.store(generation << 32 | OPEN, SeqCst);
        if shared.sleeping.load(SeqCst) > 0 {
            drop(shared.bed.lock());
            shared.bell.notify_all();
        }
        let closing = Closing(shared);
        job(0);
        drop(closing);
        if shared.panicked.swap(false, Relaxed) {
            std::panic::resume_unwind(Box::new("a worker thread panicked"));
        }
    }
}

/// Closes the gate and waits for those inside, also when the caller's own share panics.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.gate.fetch_and(!OPEN, AcqRel);
        let mut spins = 0u32;
        while self.0.gate.load(Acquire) & INSIDE != 0 {
            spins += 1;
            if spins < 2000 { core::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

impl Shared {
    fn serve(&self, number: usize, processor: Option<usize>) {
        if let Some(Err(error)) = processor.map(pin::keep) {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
        self.started.fetch_add(1, Release);
        let mut served = 0;
        while let Some(generation) = self.next(served) {
            served = generation;
            let open = generation << 32 | OPEN;
            let entered =
                self.gate.fetch_update(AcqRel, Relaxed, |gate| (gate & !INSIDE == open).then_some(gate + 1));
            if entered.is_err() {
                continue;
            }
            // SAFETY: this worker is inside an open gate, so the job was written before and lives until it leaves.
            let job = unsafe { (*self.job.get()).map(|job| &*job) };
            if let Some(job) = job
                && catch_unwind(AssertUnwindSafe(|| job(number))).is_err()
            {
                self.panicked.store(true, Relaxed);
            }
            self.gate.fetch_sub(1, AcqRel);
        }
    }

    /// Waits for an open gate of another generation than the one served; none when the pool ends.
    fn next(&self, served: u64) -> Option<u64> {
        let open = || {
            let gate = self.gate.load(SeqCst);
            (gate & OPEN != 0 && gate >> 32 != served).then_some(gate >> 32)
        };
        let start = Instant::now();
        loop {
            for _ in 0..200 {
                if let Some(generation) = open() {
                    return Some(generation);
                }
                core::hint::spin_loop();
            }
            if start.elapsed() > SPIN {
                break;
            }
        }
        let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleeping.fetch_add(1, SeqCst);
        let generation = loop {
            if self.ended.load(SeqCst) {
                break None;
            }
            if let Some(generation) = open() {
                break Some(generation);
            }
            bed = self.bell.wait(bed).unwrap_or_else(PoisonError::into_inner);
        };
        self.sleeping.fetch_sub(1, SeqCst);
        generation
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.ended.store(true, SeqCst);
        drop(self.shared.bed.lock());
        self.shared.bell.notify_all();
        for handle in self.handles.drain(..) {
            let _ = handle.join();
        }
    }
}
