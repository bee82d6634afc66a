//! How model files are made small.
//!
//! ```text
//! encode/<format>.rs   numbers to blocks: what each format makes small, and where it looks
//! ```

pub mod encode;
