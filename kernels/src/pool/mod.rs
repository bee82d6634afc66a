//! Threads that share the tiles of one operation.
//!
//! A [`Pool`] runs one operation at a time. Each thread takes tiles of a region of its own, one after another, so that it
//! may ask the memory for what comes next; then it helps where tiles are left. The caller does not wait for a worker that
//! has not begun (a busy machine costs speed, never a stall), and every thread asks the [`Interrupt`] before each tile.
//! Without the feature `std` there is one thread.

use crate::tile::{Grid, Scratch, Tile};
use core::array::from_fn;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

#[cfg(feature = "std")]
mod pin;
#[cfg(feature = "std")]
mod threads;

#[cfg(feature = "std")]
pub use pin::{PinError, allowed};

pub use ocelli_tape::{Interrupt, Never, Stopped};

/// Most regions that tiles are divided into; more threads share them.
const REGIONS: usize = if cfg!(feature = "std") { 16 } else { 1 };

/// The next tile of a region, in a cache line of its own.
#[repr(align(64))]
struct Next(AtomicUsize);

/// Threads and the scratch memory they need.
pub struct Pool {
    #[cfg(feature = "std")]
    workers: threads::Workers,
}

impl Pool {
    /// A pool of so many threads, the caller's included; at least one. Threads that cannot be started are done without.
    #[allow(unused_variables, reason = "one thread without std")]
    pub fn new(threads: usize) -> Pool {
        Pool {
            #[cfg(feature = "std")]
            workers: threads::Workers::new(threads.saturating_sub(1), &[]),
        }
    }

    /// A pool of as many threads as there are processors given, each of its workers kept to one. The first is left to the
    /// caller, whose own thread may go on running anywhere.
    ///
    /// # Errors
    /// This system does not do that, or not with these processors.
    #[cfg(feature = "std")]
    pub fn pinned(processors: &[usize]) -> Result<Pool, PinError> {
        let workers = threads::Workers::new(processors.len().saturating_sub(1), processors);
        match workers.refused() {
            Some(error) => Err(error),
            None => Ok(Pool { workers }),
        }
    }

    /// Number of threads, the caller's included.
    pub fn threads(&self) -> usize {
        #[cfg(feature = "std")]
        return self.workers.len() + 1;
        #[cfg(not(feature = "std"))]
        1
    }

    /// Calls `work` here, and on every worker that comes while it runs: for work that is no grid, and that is shared by
    /// other means.
    pub fn join(&self, work: &(dyn Fn() + Sync)) {
        #[cfg(feature = "std")]
        self.workers.join_in(&|_| work());
        #[cfg(not(feature = "std"))]
        work();
    }

    /// Calls `work` once for every tile of the grid, with scratch memory of the thread that does it. `work` must not use
    /// this pool: it would wait for itself.
    ///
    /// A run takes its grid, so that no tile has two owners: neither two threads that run the same grid, nor a run within
    /// a tile's work.
    ///
    /// ```
    /// use ocelli_kernels::{pool::{Never, Pool}, tile::Grid};
    /// let (pool, mut matrix) = (Pool::new(2), [0.0; 4]);
    /// let grid = Grid::new(&mut matrix, 2, (1, 2));
    /// pool.run(grid, &mut [], &Never, &|tile, _| {
    ///     let row = tile.rows().start;
    ///     tile.row(row).fill(row as f32);
    /// });
    /// assert_eq!(matrix, [0.0, 0.0, 1.0, 1.0]);
    /// ```
    /// The same tile once more within its own work:
    /// ```compile_fail,E0507
    /// # use ocelli_kernels::{pool::{Never, Pool}, tile::Grid};
    /// # let (pool, mut matrix) = (Pool::new(2), [0.0; 4]);
    /// let grid = Grid::new(&mut matrix, 2, (2, 2));
    /// pool.run(Grid::new(&mut [0.0], 1, (1, 1)), &mut [], &Never, &|outer, _| {
    ///     pool.run(grid, &mut [], &Never, &|tile, _| tile.row(0).fill(1.0));
    /// });
    /// ```
    /// By two threads, or one after the other:
    /// ```compile_fail,E0382
    /// # use ocelli_kernels::{pool::{Never, Pool}, tile::Grid};
    /// # let (one, two, mut matrix) = (Pool::new(1), Pool::new(1), [0.0; 4]);
    /// let grid = Grid::new(&mut matrix, 2, (2, 2));
    /// std::thread::scope(|scope| {
    ///     scope.spawn(move || one.run(grid, &mut [], &Never, &|tile, _| tile.row(0).fill(1.0)));
    ///     two.run(grid, &mut [], &Never, &|tile, _| tile.row(0).fill(2.0));
    /// });
    /// ```
    /// Two grids over one matrix:
    /// ```compile_fail,E0499
    /// # use ocelli_kernels::{pool::{Never, Pool}, tile::Grid};
    /// # let (pool, mut matrix) = (Pool::new(1), [0.0; 4]);
    /// let (one, two) = (Grid::new(&mut matrix, 2, (2, 2)), Grid::new(&mut matrix, 2, (2, 2)));
    /// pool.run(one, &mut [], &Never, &|_, _| ()).and(pool.run(two, &mut [], &Never, &|_, _| ()));
    /// ```
    /// A tile that outlives its work:
    /// ```compile_fail
    /// # use ocelli_kernels::{pool::{Never, Pool}, tile::Grid};
    /// # use std::sync::Mutex;
    /// # let (pool, mut matrix) = (Pool::new(1), [0.0; 4]);
    /// let kept = Mutex::new(None);
    /// pool.run(Grid::new(&mut matrix, 2, (2, 2)), &mut [], &Never, &|tile, _| {
    ///     *kept.lock().unwrap() = Some(tile.row(0));
    /// });
    /// ```
    ///
    /// # Errors
    /// [`Stopped`] when the interrupt said so; tiles not begun by then are left out.
    #[allow(clippy::needless_pass_by_value, reason = "taken, so that it cannot be run twice")]
    pub fn run(
        &self,
        grid: Grid<'_>,
        scratch: &mut [f32],
        interrupt: &dyn Interrupt,
        work: &(dyn Fn(&mut Tile<'_>, &mut [f32]) + Sync),
    ) -> Result<(), Stopped> {
        let regions = self.threads().min(REGIONS);
        let start = |region: usize| grid.len() * region / regions;
        let next: [Next; REGIONS] = from_fn(|region| Next(AtomicUsize::new(start(region))));
        let (stop, scratch) = (AtomicBool::new(false), Scratch::new(scratch, self.threads()));
        let share = |thread: usize| {
            #[allow(unsafe_code)]
            // SAFETY: `thread` is the number of the one thread that runs this closure with it.
            let scratch = unsafe { scratch.part(thread) };
            for region in (0..regions).map(|after| (thread + after) % regions) {
                loop {
                    let index = next[region].0.fetch_add(1, Relaxed);
                    if index >= start(region + 1) || stop.load(Relaxed) {
                        break;
                    }
                    if interrupt.stopped() {
                        stop.store(true, Relaxed);
                        break;
                    }
                    #[allow(unsafe_code)]
                    // SAFETY: regions do not overlap, a counter gives every index once, and this run has taken the grid.
                    work(&mut unsafe { grid.tile(index) }, scratch);
                }
            }
        };
        #[cfg(feature = "std")]
        if grid.len() > 1 {
            self.workers.join_in(&share);
        } else {
            share(0);
        }
        #[cfg(not(feature = "std"))]
        share(0);
        if stop.load(Relaxed) { Err(Stopped) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
