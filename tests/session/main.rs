//! Sessions and answers: the Rust API, whole answers of golden models, what is left of a file, the pocket model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod api;
mod left;
mod pocket;
mod rotary;
mod sampler;
mod stream;
mod whole;
