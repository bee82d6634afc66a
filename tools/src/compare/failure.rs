//! Why two models were not compared.

use super::Side;
use ocelli::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// One cause each.
#[derive(Debug)]
pub enum Failure {
    /// The engine, with one of the two.
    Model {
        /// Which.
        side: Side,
        /// Why.
        error: Error,
    },
    /// The text cannot be read.
    Text {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The text has too few tokens for a position to be scored.
    Short {
        /// The file.
        path: PathBuf,
        /// Tokens it has.
        tokens: usize,
    },
    /// The folder has no image.
    NoImages {
        /// The folder.
        path: PathBuf,
    },
    /// The numbers of tokens differ.
    Tokens {
        /// Tokens, and rows of the output map, of A.
        a: (usize, usize),
        /// And of B.
        b: (usize, usize),
    },
    /// A token differs.
    Token {
        /// Its number.
        id: u32,
        /// What it is in A.
        a: String,
        /// And in B.
        b: String,
    },
    /// The same tokens are put together in another way.
    Tokenizer {
        /// The first token of the text that differs.
        at: usize,
    },
    /// An image becomes different numbers of rows.
    Rows {
        /// The image.
        path: PathBuf,
        /// Rows, and values of each, of A.
        a: (usize, usize),
        /// And of B.
        b: (usize, usize),
    },
    /// A model computed something that is no number.
    NotFinite {
        /// Which.
        side: Side,
        /// Where.
        at: String,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Model { side, error } => write!(f, "{side}: {error}"),
            Failure::Text { path, error } => write!(f, "{}: {error}", path.display()),
            Failure::Short { path, tokens } => {
                write!(
                    f,
                    "{}: {tokens} tokens are too few to score one: at least 3 are needed",
                    path.display()
                )
            }
            Failure::NoImages { path } => {
                write!(f, "{}: no image (png, jpg, jpeg, gif, webp or bmp) is in this folder", path.display())
            }
            Failure::Tokens { a, b } => write!(
                f,
                "the vocabularies differ: A has {} tokens and {} logits, B has {} and {}",
                a.0, a.1, b.0, b.1
            ),
            Failure::Token { id, a, b } => {
                write!(f, "the vocabularies differ: token {id} is {a} in A and {b} in B")
            }
            Failure::Tokenizer { at } => {
                write!(f, "the tokenizers differ: the text's tokens are others from number {at} on")
            }
            Failure::Rows { path, a, b } => write!(
                f,
                "{}: A makes {} rows of {} values of it, B {} of {}: they cannot be compared",
                path.display(),
                a.0,
                a.1,
                b.0,
                b.1
            ),
            Failure::NotFinite { side, at } => {
                write!(f, "{side} computes values that are no numbers ({at}): its weights are damaged")
            }
        }
    }
}

impl std::error::Error for Failure {}
