//! Files: read, written, hostile, noise, and golden ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod golden;
mod hostile;
mod noise;
mod raw;
mod reader;
mod writer;
