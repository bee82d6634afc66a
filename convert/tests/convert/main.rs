//! Checkpoints: golden ones, choices where files contradict each other, hostile ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod choices;
mod goldens;
mod hostile;
mod made;
