//! How fast the kernels alone are, on one thread: the figures that docs/numbers.md gives for them.
//!
//! ```text
//! cargo run --release -p ocelli-kernels --example speed -- [INSTRUCTION SET] [FORMAT] [INPUTS OF THE ONE ROW]
//! ```
//!
//! For each format a map of 256 rows (768 inputs, 768 outputs), whose weights stay in the second-level cache, and one row by
//! weights of 64 MiB, which do not; then attention, the operations that take each value once, beside a copy, and what it costs
//! two threads to meet. Each figure is the best of several runs: a shared machine only ever takes away. Above them stands what
//! the units give when nothing is in their way (`ops::peak`).
#![allow(clippy::unwrap_used, reason = "an example that is run by hand")]

use ocelli_kernels::cpu;
use ocelli_kernels::formats::Format;
use ocelli_kernels::ops::activation::{Activate, Activation};
use ocelli_kernels::ops::add::Add;
use ocelli_kernels::ops::attention::Attention;
use ocelli_kernels::ops::memory::{self, Layout};
use ocelli_kernels::ops::norm::Norm;
use ocelli_kernels::ops::peak::{Peak, Units};
use ocelli_kernels::ops::rope::Rope;
use ocelli_kernels::ops::{Job, Kernels, linear, quantize};
use ocelli_kernels::pool::{Never, Pool};
use ocelli_tape::{KvType, Matrix, Pairing};
use std::time::Instant;

/// Cells of scratch, more than any operation here takes.
const SCRATCH: usize = 1 << 17;
const RUNS: usize = 15;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let kernels = cpu::choose(arguments.next().as_deref()).unwrap();
    let only = arguments.next();
    let width = arguments.next().map_or(2048, |width| width.parse().unwrap());
    let mut bench = Bench { kernels, pool: Pool::new(1), scratch: Aligned::new(SCRATCH) };
    println!("{}, one thread", kernels.name());
    for (units, name) in
        [(Units::NarrowCodes, "4-bit codes"), (Units::WideCodes, "8-bit codes"), (Units::Float, "f32")]
    {
        let peak = Peak { units, passes: 2000 };
        let seconds = bench.time(&Job::Peak(peak), 1, 1, (1, 1));
        println!("{name:12} {:6.1} GOP/s with nothing in the way", peak.ops() as f64 / seconds / 1e9);
    }
    println!("{:12} {:>12} {:>28}", "weights", "256 rows", "one row, from memory");
    for format in Format::ALL {
        if only.as_ref().is_none_or(|only| only.eq_ignore_ascii_case(format.name())) {
            let (many, _) = bench.linear(*format, 256, 768, 768);
            let height = (64 << 20) / format.row_bytes(width).unwrap();
            let (one, bytes) = bench.linear(*format, 1, height, width);
            println!("{:12} {many:6.1} GOP/s {one:14.1} GOP/s {bytes:5.2} GB/s", format.name());
        }
    }
    println!("attention    {:6.1} GFLOP/s of 1024 queries over 1024 keys, 12 heads of 64", bench.attention());
    bench.each_value_once();
    let (one, more) = bench.barrier(20);
    println!("two threads  {more:6.2} µs more for a tile each than one for a tile of {one:.1} µs");
}

/// What everything is run with.
struct Bench {
    kernels: &'static dyn Kernels,
    pool: Pool,
    scratch: Aligned,
}

impl Bench {
    /// Runs a job once, tile by tile.
    fn run(&mut self, job: &Job<'_>, out: &mut [f32], width: usize, tile: (usize, usize)) {
        let Bench { kernels, pool, scratch } = self;
        let grid = job.grid(out, width, tile);
        pool.run(grid, scratch.get(), &Never, &|tile, scratch| kernels.tile(job, tile, scratch)).unwrap();
    }

    /// Seconds of the fastest run.
    fn time(&mut self, job: &Job<'_>, rows: usize, width: usize, tile: (usize, usize)) -> f64 {
        let mut out = vec![0.0; rows * width];
        let once = |_| {
            let start = Instant::now();
            self.run(job, &mut out, width, tile);
            start.elapsed().as_secs_f64()
        };
        (0..RUNS).map(once).fold(f64::INFINITY, f64::min)
    }

    /// A map by weights that are not random, since only their format matters: GOP/s, and GB/s of weights.
    fn linear(&mut self, format: Format, rows: usize, height: usize, width: usize) -> (f64, f64) {
        let row_bytes = format.row_bytes(width).unwrap();
        // No pattern of these bytes is an infinity or a subnormal number of any format.
        let bytes: Vec<u8> = (0..height * row_bytes).map(|i| 0x20 + (i * 7919 % 31) as u8).collect();
        let weight = Matrix { bytes: &bytes, format, height, width, row_bytes };
        let x: Vec<f32> = (0..rows * width).map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0).collect();
        let mut codes = vec![0.0; rows * quantize::cells(width)];
        let job = Job::Quantize(quantize::Quantize { x: &x, width });
        self.run(&job, &mut codes, quantize::cells(width), (8, usize::MAX));
        let x = if format.is_float() { &x } else { &codes };
        let job = Job::Linear(linear::Linear { x, weight, bias: None, activation: Activation::None });
        let seconds = self.time(&job, rows, height, (256, linear::COLUMNS));
        (2.0 * (rows * height * width) as f64 / seconds / 1e9, bytes.len() as f64 / seconds / 1e9)
    }

    /// An encoder's: every query sees every key. GFLOP/s.
    fn attention(&mut self) -> f64 {
        let (rows, heads, head_dim) = (1024, 12, 64);
        let layout = Layout { stored: KvType::F32, heads, head_dim, capacity: rows };
        let q: Vec<f32> =
            (0..rows * heads * head_dim).map(|i| (i * 7919 % 1009) as f32 / 504.5 - 1.0).collect();
        let [mut keys, mut values] =
            [layout.keys(), layout.values()].map(|cells| Aligned::new(heads * cells));
        keys.get().fill(0.3);
        values.get().fill(0.3);
        let job = Job::Attention(Attention {
            q: &q,
            keys: keys.get(),
            values: values.get(),
            layout,
            groups: 1,
            per_unit: rows,
            past: 0,
            causal: false,
            scale: 0.125,
        });
        let seconds = self.time(&job, rows, heads * head_dim, (48, head_dim));
        4.0 * (rows * rows * heads * head_dim) as f64 / seconds / 1e9
    }

    /// The operations between the maps, of 64 rows of a SmolVLM-256M view, which stay in the second-level cache.
    fn each_value_once(&mut self) {
        const ROWS: usize = 64;
        const HEADS: usize = 12;
        const HEAD: usize = 64;
        const WIDTH: usize = HEADS * HEAD;
        let x: Vec<f32> = (0..ROWS * WIDTH).map(|i| (i * 7919 % 1013) as f32 / 126.5 - 4.0).collect();
        let x = x.as_slice();
        let ones: Vec<u8> = [1.0f32; WIDTH].iter().flat_map(|one| one.to_le_bytes()).collect();
        let row = Matrix { bytes: &ones, format: Format::F32, height: 1, width: WIDTH, row_bytes: 4 * WIDTH };
        let norm = |bias, center| Job::Norm(Norm { x, weight: row, bias, epsilon: 1e-6, center });
        let activate = |activation, up| Job::Activate(Activate { x, up, width: WIDTH, activation });
        let angles = &vec![0.5; ROWS * HEAD];
        let rope = |pairing| Job::Rope(Rope { x, angles, width: WIDTH, head_dim: HEAD, dim: HEAD, pairing });
        let tokens = |name, job, cells| (name, job, ROWS, cells, (8, usize::MAX));
        let heads = |name, job, cells| (name, job, HEADS, cells, (HEADS, cells / (ROWS / 16))); // sixteen positions a tile
        let codes = Job::Quantize(quantize::Quantize { x, width: WIDTH });
        let mut operations = vec![
            tokens("to codes", codes, quantize::cells(WIDTH)),
            tokens("layer norm", norm(Some(row), true), WIDTH),
            tokens("RMS norm", norm(None, false), WIDTH),
            tokens("GELU, erf", activate(Activation::GeluErf, None), WIDTH),
            tokens("GELU, tanh", activate(Activation::GeluTanh, None), WIDTH),
            tokens("SiLU, gate", activate(Activation::Silu, Some(x)), WIDTH),
            tokens("RoPE, halves", rope(Pairing::Halves), WIDTH),
            tokens("RoPE, pairs", rope(Pairing::Adjacent), WIDTH),
            tokens("sum", Job::Add(Add { a: x, b: x, width: WIDTH }), WIDTH),
        ];
        for (stored, keys, values) in [
            (KvType::F32, "keys, F32", "values, F32"),
            (KvType::F16, "keys, F16", "values, F16"),
            (KvType::Q8_0, "keys, Q8_0", "values, Q8_0"),
        ] {
            let layout = Layout { stored, heads: HEADS, head_dim: HEAD, capacity: ROWS };
            let rows = memory::Rows { x, layout, per_unit: ROWS, past: 0 };
            operations.push(heads(keys, Job::Keys(memory::Keys(rows)), layout.keys()));
            operations.push(heads(values, Job::Values(memory::Values(rows)), layout.values()));
        }
        let mut copy = vec![0.0; x.len()];
        let once = |_| {
            let start = Instant::now();
            std::hint::black_box(&mut copy[..]).copy_from_slice(std::hint::black_box(x));
            start.elapsed().as_secs_f64()
        };
        let print = |name: &str, seconds: f64| {
            println!("{name:12} {:6.2} G values/s", x.len() as f64 / seconds / 1e9);
        };
        print("a copy", (0..RUNS).map(once).fold(f64::INFINITY, f64::min));
        for (name, job, rows, width, tile) in operations {
            print(name, self.time(&job, rows, width, tile));
        }
    }

    /// Microseconds by which two threads take longer for a tile each than one thread for one tile, of about that many
    /// microseconds: what it costs them to begin together and to wait for each other.
    fn barrier(&self, tile_micros: usize) -> (f64, f64) {
        const CALLS: usize = 1000;
        let work = Job::Peak(Peak { units: Units::Float, passes: tile_micros / 2 });
        let mut out = [0.0; 2];
        let mut each = |threads: usize| {
            let pool = Pool::new(threads);
            let mut calls = || {
                let start = Instant::now();
                for _ in 0..CALLS {
                    let grid = work.grid(&mut out[..threads], 1, (1, 1));
                    pool.run(grid, &mut [], &Never, &|tile, scratch| self.kernels.tile(&work, tile, scratch))
                        .unwrap();
                }
                start.elapsed().as_secs_f64() * 1e6 / CALLS as f64
            };
            (0..RUNS).map(|_| calls()).fold(f64::INFINITY, f64::min)
        };
        let one = each(1);
        (one, each(2) - one)
    }
}

/// Cells that begin at a cache line.
struct Aligned(Vec<f32>, usize);

impl Aligned {
    fn new(cells: usize) -> Self {
        let room = vec![0.0; cells + 15];
        let skip = room.as_ptr().align_offset(64).min(15);
        Self(room, skip)
    }

    fn get(&mut self) -> &mut [f32] {
        let end = self.0.len() - (15 - self.1);
        &mut self.0[self.1..end]
    }
}
