//! The house itself: who imports whom, and what documents say of the repository.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod documents;
mod layers;
