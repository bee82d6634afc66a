//! Chat templates: rendered as Jinja2 renders them, known by their text, hostile, and whose text is whose.
#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod expressions;
mod hostile;
mod json_text;
mod known;
mod origins;
mod rendered;
