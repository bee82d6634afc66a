//! How numbers are computed: block formats, instruction sets, ops, and the tape that replays them.
//!
//! ```text
//! formats/<format>.rs   how weights are stored, and how a block unpacks to integer codes and scales
//! cpu/<isa>.rs          the sixteen-lane machine of one instruction set; `scalar` is the oracle
//! ops/<op>.rs           one operation each: formula, shape rule, code over the machine
//! tape.rs plan.rs       a model is recorded once, its memory planned once, then replayed
//! pool.rs               threads that share the tiles of one operation
//! work.rs profile.rs    what a tape's steps must do, counted; what they take, measured
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

mod array;
pub mod cpu;
pub mod formats;
pub mod ops;
pub mod pool;
pub mod tile;
pub mod weight;

mod math;
mod plan;
pub mod profile;
pub mod run;
pub mod tape;
pub mod work;
