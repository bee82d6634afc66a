//! What the machine can do, measured in the same run as the models.
//!
//! - Read bandwidth, for each number of threads: a buffer well above the last-level cache is summed, as 64-bit words in
//!   sixteen lanes, by the engine's own thread pool. It is what reading alone gives; a decoder also writes a little.
//! - Peaks, for each instruction set and number of threads: `ocelli_kernels::ops::peak` says what they are and are not.
//!
//! The limit is the best of the runs, as a limit is what can be reached.

use super::figure::{Figure, Spread, Subject};
use crate::args::bytes;
use crate::work::Limits;
use anyhow::Context;
use ocelli_kernels::ops::peak::{Peak, Units};
use ocelli_kernels::ops::{Job, Kernels};
use ocelli_kernels::pool::{Never, Pool};
use ocelli_kernels::tile::Grid;
use std::hint::black_box;
use std::time::Instant;

/// Words of a tile of the buffer: 1 MiB.
const TILE: usize = 1 << 17;
/// Additions that go on side by side.
const LANES: usize = 16;
/// Where the last-level cache is not known, and the least that is measured over.
const BUFFER: u64 = 256 << 20;

/// Bytes a second that so many threads read.
pub struct Bandwidth {
    buffer: Vec<u64>,
}

impl Bandwidth {
    /// Of a buffer of so many bytes, written once so that every page of it is there.
    ///
    /// # Errors
    /// The memory cannot be had.
    pub fn new(bytes: u64) -> anyhow::Result<Bandwidth> {
        let tiles = usize::try_from(bytes)?.div_ceil(TILE * size_of::<u64>()).max(1);
        let mut buffer = Vec::new();
        buffer
            .try_reserve_exact(tiles * TILE)
            .with_context(|| format!("{bytes} bytes to measure the read bandwidth with"))?;
        buffer.extend(0..(tiles * TILE) as u64);
        Ok(Bandwidth { buffer })
    }

    /// Bytes of the buffer.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.buffer)
    }

    /// The figure.
    pub fn measure(&self, threads: usize, runs: usize) -> Figure {
        let pool = Pool::new(threads);
        let mut sums = vec![0.0; self.buffer.len() / TILE];
        let mut pass = || {
            let grid = Grid::new(&mut sums, 1, (1, 1));
            let start = Instant::now();
            // Nothing interrupts it.
            let _ = pool.run(grid, &mut [], &Never, &|tile, _| {
                for r in tile.rows() {
                    let sum = sum(self.buffer.get(r * TILE..(r + 1) * TILE).unwrap_or(&[]));
                    tile.row(r).fill(sum as f32);
                }
            });
            let seconds = start.elapsed().as_secs_f64();
            black_box(&sums);
            seconds
        };
        pass();
        let samples: Vec<f64> = (0..runs).map(|_| pass()).collect();
        let rate = Spread::of(&samples).rate(self.bytes() as f64 / 1e9);
        let subject = Subject { model: None, isa: None, threads };
        Figure::new(&subject, "read bandwidth", "GB/s", rate)
    }
}

/// The wrapping sum of all words.
fn sum(words: &[u64]) -> u64 {
    let mut lanes = [0u64; LANES];
    for words in words.as_chunks::<LANES>().0 {
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane = lane.wrapping_add(*word);
        }
    }
    lanes.iter().fold(0, |sum, lane| sum.wrapping_add(*lane))
}

/// The three peaks of an instruction set: of codes of four bits, of eight, of floats.
pub fn peaks(kernels: &'static dyn Kernels, threads: usize, runs: usize) -> [Figure; 3] {
    let pool = Pool::new(threads);
    let subject = Subject { model: None, isa: Some(kernels.name()), threads };
    [
        ("int8 peak, 4-bit codes", Units::NarrowCodes),
        ("int8 peak, 8-bit codes", Units::WideCodes),
        ("f32 peak", Units::Float),
    ]
    .map(|(name, units)| Figure::new(&subject, name, "GOP/s", peak(kernels, &pool, units, runs).times(1e-9)))
}

/// Operations a second.
fn peak(kernels: &dyn Kernels, pool: &Pool, units: Units, runs: usize) -> Spread {
    let once = |peak: Peak, tiles: usize| {
        let mut sums = vec![0.0; tiles];
        let grid = Grid::new(&mut sums, 1, (1, 1));
        let start = Instant::now();
        // Nothing interrupts it.
        let _ = pool.run(grid, &mut [], &Never, &|tile, scratch| {
            kernels.tile(&Job::Peak(peak), tile, scratch);
        });
        let seconds = start.elapsed().as_secs_f64();
        black_box(&sums);
        seconds
    };
    // Tiles of about a millisecond: long beside what sharing them costs.
    let mut work = Peak { units, passes: 1 };
    while once(work, 1) < 1e-3 && work.passes < 1 << 24 {
        work.passes *= 2;
    }
    let tiles = 16 * pool.threads();
    once(work, tiles);
    let samples: Vec<f64> = (0..runs).map(|_| once(work, tiles)).collect();
    Spread::of(&samples).rate(work.ops() as f64 * tiles as f64)
}

/// The limits out of the figures: the faster kind of codes counts.
pub fn limits(read: &Figure, peaks: &[Figure; 3]) -> Limits {
    let [narrow, wide, float] = peaks;
    let best = |figure: &Figure| figure.spread.max * 1e9;
    Limits { read: best(read), int: best(narrow).max(best(wide)), float: best(float) }
}

/// Bytes to measure the bandwidth over: four times the last-level cache and at most half of what is free.
pub fn buffer_bytes() -> u64 {
    let wanted = last_level_cache().map_or(BUFFER, |cache| (4 * cache).max(BUFFER));
    available_memory().map_or(wanted, |free| wanted.min(free / 2))
}

/// Bytes of the largest cache, where the system says.
fn last_level_cache() -> Option<u64> {
    let size = |index: u32| {
        let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size");
        let text = std::fs::read_to_string(path).ok()?;
        bytes(text.trim()).ok()
    };
    (0..8).filter_map(size).max()
}

fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// What the CPU calls itself, where the system says.
pub fn cpu_name() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().into())
}
