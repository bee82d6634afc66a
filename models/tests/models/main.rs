//! Models: every stage beside the reference, and the listing of what is computed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod goldens;
mod listing;
