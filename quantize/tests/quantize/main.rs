//! Block encoders, whole files, importance.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod encode;
mod file;
mod importance;
