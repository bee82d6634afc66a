//! What can be wrong with a file's tokenizer, or with a text.

use core::fmt;

/// Why a tokenizer could not be made from a file, or a text could not be encoded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A key is missing or has another type.
    Metadata(ocelli_gguf::Error),
    /// `tokenizer.ggml.model` names a family that is not supported.
    UnknownModel(alloc::string::String),
    /// `tokenizer.ggml.pre` names a pre-tokenizer that is not supported.
    UnknownPre(alloc::string::String),
    /// A key that would change what texts become, and that nothing here reads.
    Left(ocelli_models::account::Left),
    /// No tokens, or more than the limit.
    TokenCount {
        /// How many the file has.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A list that goes with the tokens is shorter than they are.
    ShortList {
        /// The list's key.
        key: &'static str,
        /// Its length.
        len: usize,
        /// The number of tokens.
        tokens: usize,
    },
    /// A token's type is none of 1 to 6.
    TokenType {
        /// The token.
        id: u32,
        /// Its type as the file says it.
        kind: i32,
    },
    /// A token's score is not a number.
    Score {
        /// The token.
        id: u32,
    },
    /// A token of type byte does not read `<0xHH>`.
    ByteToken {
        /// The token.
        id: u32,
    },
    /// A token is longer than the limit.
    LongToken {
        /// The token.
        id: u32,
        /// Its length in bytes.
        len: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A special token's id is not a token.
    IdOutOfRange {
        /// The key that names it.
        key: &'static str,
        /// The id.
        id: u32,
        /// The number of tokens.
        tokens: usize,
    },
    /// The file asks for a token at the start or the end of a text and does not say which.
    MissingId {
        /// The key that asks.
        asked_by: &'static str,
        /// The key that should say which.
        key: &'static str,
    },
    /// More merges than the limit.
    MergeCount {
        /// How many the file has.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A merge is not two pieces with a space between them.
    MalformedMerge {
        /// The merge's place in the list.
        rank: usize,
        /// Where in the file it is.
        offset: usize,
    },
    /// A merge's left piece, right piece or result is not a token.
    MergeOutOfVocabulary {
        /// The merge's place in the list.
        rank: usize,
        /// Where in the file it is.
        offset: usize,
    },
    /// The texts are made so that they collide in the hash index.
    Collisions {
        /// What was being indexed.
        what: &'static str,
        /// How many entries there are.
        count: usize,
    },
    /// A text to encode is longer than the limit.
    LongText {
        /// Its length in bytes.
        len: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// Memory for a table could not be had.
    OutOfMemory {
        /// The bytes asked for.
        bytes: usize,
    },
}

impl From<ocelli_gguf::Error> for TokenizerError {
    fn from(error: ocelli_gguf::Error) -> Self {
        Self::Metadata(error)
    }
}

impl fmt::Display for TokenizerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metadata(error) => write!(f, "tokenizer: {error}"),
            Self::UnknownModel(name) => {
                write!(f, "tokenizer.ggml.model is {name:?}; supported are \"llama\" and \"gpt2\"")
            }
            Self::UnknownPre(name) => {
                write!(f, "tokenizer.ggml.pre is {name:?}; supported are")?;
                let mut between = "";
                for name in super::pretokenize::names() {
                    write!(f, "{between} {name:?}")?;
                    between = ",";
                }
                if cfg!(not(feature = "unicode")) {
                    f.write_str("; in other builds \"qwen2\", \"tekken\" and \"default\" too")?;
                }
                Ok(())
            }
            Self::Left(left) => left.fmt(f),
            Self::TokenCount { count, limit } => {
                write!(f, "tokenizer.ggml.tokens has {count} tokens; 1 to {limit} are allowed")
            }
            Self::ShortList { key, len, tokens } => {
                write!(f, "{key} has {len} entries for {tokens} tokens")
            }
            Self::TokenType { id, kind } => {
                write!(f, "token {id} has the type {kind}; 1 to 6 are known")
            }
            Self::Score { id } => write!(f, "the score of token {id} is not a number"),
            Self::ByteToken { id } => write!(f, "token {id} is of type byte and does not read <0xHH>"),
            Self::LongToken { id, len, limit } => {
                write!(f, "token {id} is {len} bytes long; {limit} are allowed")
            }
            Self::IdOutOfRange { key, id, tokens } => {
                write!(f, "{key} is {id}, and there are {tokens} tokens")
            }
            Self::MissingId { asked_by, key } => write!(f, "{asked_by} is true and {key} is missing"),
            Self::MergeCount { count, limit } => {
                write!(f, "tokenizer.ggml.merges has {count} merges; {limit} are allowed")
            }
            Self::MalformedMerge { rank, offset } => {
                write!(f, "merge {rank} (offset {offset}) is not two pieces with a space between them")
            }
            Self::MergeOutOfVocabulary { rank, offset } => {
                write!(f, "merge {rank} (offset {offset}) has a piece or a result that is not a token")
            }
            Self::Collisions { what, count } => {
                write!(
                    f,
                    "the {count} {what} collide in the hash index under every seed; the file is crafted"
                )
            }
            Self::LongText { len, limit } => {
                write!(f, "the text is {len} bytes long; {limit} can be encoded at once")
            }
            Self::OutOfMemory { bytes } => write!(f, "{bytes} bytes for the tokenizer could not be had"),
        }
    }
}

impl core::error::Error for TokenizerError {}
