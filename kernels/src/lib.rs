//! How numbers are computed on a CPU: block formats, instruction sets, operations, and the programs that tapes become.
//!
//! ```text
//! formats/<format>.rs   how weights are stored, and how a block unpacks to integer codes and scales
//! cpu/<isa>.rs          the sixteen-lane machine of one instruction set; `scalar` is the oracle
//! ops/<op>.rs           one operation each: formula, shape rule, code over the machine
//! lower.rs arena.rs     a tape of `ocelli_tape` becomes steps of this CPU, each value a place in one arena
//! machine.rs            an instruction set and threads
//! program.rs backend.rs the steps, run; the CPU as a device
//! pool.rs               threads that share the tiles of one operation
//! ```
//!
//! # The numeric contract
//!
//! The same bytes come out on every instruction set, for every number of threads and every split of rows into calls:
//!
//! - Weights times activations: integer sums within a group are exact; across groups, one fused multiply-add per
//!   output element in ascending order, and a second one for a minimum. Float weights the same, value by value.
//! - Lanes are output columns, so no order depends on a register's width. Where a row is summed (norms, softmax),
//!   sixteen partial sums are combined by one fixed tree.
//! - One thread owns an output element. `exp`, `tanh`, `erf`, `sin` are our own.
#![allow(
    clippy::needless_range_loop,
    reason = "rows and panels index several arrays at once, and closures over arrays may be left as calls"
)]
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod arena;
mod array;
mod backend;
pub mod cpu;
pub mod formats;
mod lower;
mod machine;
mod math;
pub mod ops;
pub mod pool;
mod program;
pub mod tile;

pub use machine::{Cpu, Machine};
pub use program::CpuProgram;
