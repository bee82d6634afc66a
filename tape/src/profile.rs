//! Time of a program, step by step.
//!
//! A [`Profile`] is made for one program before it runs and given to its runs ([`Watch`](crate::Watch)); its storage is made
//! then, so that a run allocates nothing. A run without one asks for it once a step. The clock is the caller's: this crate
//! has none.

use crate::cost::Work;
use crate::value::Rows;
use crate::weight::Weight;
use alloc::vec;
use alloc::vec::Vec;

/// Nanoseconds since any fixed moment.
pub type Clock = fn() -> u64;

/// What a step is.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The kind of operation.
    pub op: &'static str,
    /// Its weights: of a linear layer without the bias.
    pub weight: Option<Weight>,
    /// Rows of its result.
    pub rows: Rows,
    /// Numbers of a row of its first operand; 0 without one.
    pub inputs: usize,
    /// Numbers of a row of its result.
    pub width: usize,
}

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

/// Time of all steps of a program.
#[derive(Clone, Debug)]
pub struct Profile {
    clock: Clock,
    steps: Vec<Spent>,
    runs: u64,
    nanoseconds: u64,
}

impl Profile {
    /// For a program of so many steps ([`Need::steps`](crate::Need::steps)) that has not run yet.
    pub fn new(steps: usize, clock: Clock) -> Profile {
        Profile { clock, steps: vec![Spent::default(); steps], runs: 0, nanoseconds: 0 }
    }

    /// What each step has taken, in the order of the program.
    pub fn steps(&self) -> &[Spent] {
        &self.steps
    }

    /// Runs of the program.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Time of all runs: that of the steps and of what is between them.
    pub fn nanoseconds(&self) -> u64 {
        self.nanoseconds
    }

    /// Now, for a device that measures its steps.
    pub fn now(&self) -> u64 {
        (self.clock)()
    }

    /// A step has ended that began then.
    pub fn add(&mut self, step: usize, began: u64, work: Work) {
        let now = self.now();
        if let Some(spent) = self.steps.get_mut(step) {
            spent.calls += 1;
            spent.nanoseconds = spent.nanoseconds.saturating_add(now.saturating_sub(began));
            spent.work += work;
        }
    }

    /// A run has ended that began then.
    pub fn end(&mut self, began: u64) {
        self.runs += 1;
        self.nanoseconds = self.nanoseconds.saturating_add(self.now().saturating_sub(began));
    }
}
