//! A CPU: an instruction set and threads.

use crate::ops::Kernels;
use crate::pool::Pool;
use alloc::sync::Arc;

/// An instruction set and threads to work on: pixels, and whatever else is no program.
#[derive(Clone, Copy)]
pub struct Machine<'a> {
    /// The instruction set.
    pub kernels: &'a dyn Kernels,
    /// The threads.
    pub pool: &'a Pool,
}

/// A CPU: an instruction set, and how many threads of it. A handle, whose clones share the threads.
///
/// The threads are started by the first run, or by [`start`](Cpu::start).
#[derive(Clone)]
pub struct Cpu(Arc<Inner>);

struct Inner {
    kernels: &'static dyn Kernels,
    threads: usize,
    #[cfg(feature = "std")]
    pool: std::sync::OnceLock<Pool>,
    #[cfg(not(feature = "std"))]
    pool: Pool,
}

impl Cpu {
    /// This instruction set on so many threads, the caller's included.
    pub fn new(kernels: &'static dyn Kernels, threads: usize) -> Cpu {
        Cpu(Arc::new(Inner {
            kernels,
            threads: threads.max(1),
            #[cfg(feature = "std")]
            pool: std::sync::OnceLock::new(),
            #[cfg(not(feature = "std"))]
            pool: Pool::new(1),
        }))
    }

    /// Takes threads that were started elsewhere, kept to processors for example; not if there are some already.
    #[cfg(feature = "std")]
    pub fn start(&self, pool: Pool) {
        let _ = self.0.pool.set(pool);
    }

    /// The instruction set.
    pub fn kernels(&self) -> &'static dyn Kernels {
        self.0.kernels
    }

    /// Threads that were asked for.
    pub fn threads(&self) -> usize {
        self.0.threads
    }

    /// The threads, started if they are not yet.
    pub fn pool(&self) -> &Pool {
        #[cfg(feature = "std")]
        return self.0.pool.get_or_init(|| Pool::new(self.0.threads));
        #[cfg(not(feature = "std"))]
        &self.0.pool
    }

    /// For what is no program.
    pub fn machine(&self) -> Machine<'_> {
        Machine { kernels: self.kernels(), pool: self.pool() }
    }
}
