//! The C interface: `ocelli.h` says what it is, to those who call it; this is what it is made of.
//!
//! ```text
//! open.rs session.rs turn.rs frame.rs    the entry points: check what came in, do one thing with the engine
//!   talk.rs                     a conversation: its messages and images, and the answer that is being made
//!   limits.rs                   what a conversation may hold
//!   options.rs                  every key, and what it sets
//!   text.rs status.rs           what comes in as pointers and lengths; what went wrong, in a fixed buffer
//!   entry.rs                    no panic gets out, one call at a time, errors are kept
//!   block.rs                    a handle is the beginning of a block; its magic word says what it is
//!   heap.rs memory.rs           a heap within that block, and the allocator that uses it during a call
//!   measure.rs                  how large such a heap must be: tried out
//! ```
//!
//! **Memory.** The engine allocates like any Rust code, and a template interpreter inside it allocates a lot. Yet what a
//! handle takes must come from one block whose size is known before. So the library's allocator asks, per thread, whose
//! call this is, and during a call with a session takes memory from the heap in that session's block. Every piece
//! remembers whose it is; it may be given back from anywhere.
//!
//! **Panics.** Every entry point catches them. A session in which one happened can only be freed.
#![cfg_attr(not(feature = "std"), no_std)]
#![allow(clippy::result_large_err, reason = "an error carries its text, because it must not allocate")]

extern crate alloc;

mod block;
#[cfg(any(test, not(feature = "std")))]
mod decimal;
mod entry;
#[cfg(not(feature = "std"))]
mod escape;
pub mod frame;
mod heap;
mod limits;
mod measure;
mod memory;
pub mod open;
mod options;
pub mod platform;
pub mod session;
pub mod status;
#[cfg_attr(feature = "std", path = "hosted.rs")]
#[cfg_attr(not(feature = "std"), path = "bare.rs")]
mod system;
mod talk;
mod text;
pub mod turn;

/// `ocelli_model`, for tests.
pub type Model = block::Block<open::Opened>;
/// `ocelli_session`, for tests.
pub type Session = block::Block<session::Session>;
