//! Tools for model files, on top of the engine: one file or room for each, none of which prints anything.
//!
//! | tool | from | to |
//! |---|---|---|
//! | [`convert_folder`] | a checkpoint's folder | a model and its vision tower |
//! | [`quantize_file`] | a model file | a smaller one |
//! | [`calibrate`] | a model, texts and pictures | which columns count: an importance file |
//! | [`compare`] | two models | how far logits, rows and answers are apart |
//! | [`verify`] | a model and a reference's dump | the first stage that differs |
//! | [`synthesize`] | a published layout | a model of random weights |
//!
//! Files are written by [`atomic_file`]: a name has the old file or the whole new one. [`exit_code`] says what a program that
//! fails tells a script.

pub mod atomic_file;
pub mod calibrate;
pub mod compare;
pub mod convert_folder;
pub mod exit_code;
pub mod quantize_file;
pub mod synthesize;
pub mod verify;
