//! Time of a tape, step by step.
//!
//! A [`Profile`] is made for one tape before it runs and given to its runs (`run::Watch`); its storage is made then, so
//! that a run allocates nothing. A run without one asks for it once a step. The clock is the caller's: this crate has
//! none without `std`.

use crate::tape::Tape;
use crate::work::Work;
use alloc::vec;
use alloc::vec::Vec;

/// Nanoseconds since any fixed moment.
pub type Clock = fn() -> u64;

/// What one step has taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spent {
    /// Times it ran.
    pub calls: u64,
    /// Time of all of them.
    pub nanoseconds: u64,
    /// Work of all of them.
    pub work: Work,
}

/// Time of all steps of a tape.
#[derive(Clone, Debug)]
pub struct Profile {
    clock: Clock,
    steps: Vec<Spent>,
    runs: u64,
    nanoseconds: u64,
}

impl Profile {
    /// For a tape that has not run yet.
    pub fn new(tape: &Tape, clock: Clock) -> Profile {
        Profile { clock, steps: vec![Spent::default(); tape.len()], runs: 0, nanoseconds: 0 }
    }

    /// What each step has taken, in the order of the tape.
    pub fn steps(&self) -> &[Spent] {
        &self.steps
    }

    /// Runs of the tape.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Time of all runs: that of the steps and of what is between them.
    pub fn nanoseconds(&self) -> u64 {
        self.nanoseconds
    }

    pub(crate) fn now(&self) -> u64 {
        (self.clock)()
    }

    /// A step has ended that began then.
    pub(crate) fn add(&mut self, step: usize, began: u64, work: Work) {
        let now = self.now();
        if let Some(spent) = self.steps.get_mut(step) {
            spent.calls += 1;
            spent.nanoseconds = spent.nanoseconds.saturating_add(now.saturating_sub(began));
            spent.work += work;
        }
    }

    /// A run has ended that began then.
    pub(crate) fn end(&mut self, began: u64) {
        self.runs += 1;
        self.nanoseconds = self.nanoseconds.saturating_add(self.now().saturating_sub(began));
    }
}
