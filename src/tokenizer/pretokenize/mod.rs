//! Pre-tokenizers of byte-level BPE: where a text is cut into words before merging. Merges never cross a cut.
//!
//! Each is a hand-written scanner: given a text that is not empty, how many bytes its first word has. The rules are
//! ordered alternatives tried at the start of what is left, as in the regular expression that the vocabulary was
//! trained with, with a backtracking engine's greedy choice. Every scanner is linear in the text.
//!
//! | name                            | scanner                                         |
//! |---------------------------------|-------------------------------------------------|
//! | `gpt-2`                         | [`gpt2`]                                        |
//! | `smollm`                        | every number character alone, then [`gpt2`]     |
//! | `llama-bpe` `llama3` `llama-v3` | [`llama3`] with up to three digits in a word    |
//! | `qwen2`                         | [`llama3`] with one digit in a word, after NFC  |
//! | `default`, or no name           | [`generic`]: four patterns one after the other  |
//!
//! Without the feature `unicode` there are no `qwen2` and no [`generic`].
//!
//! Sources: the `pre_tokenizer` of the tokenizers published with the models; `generic` is what llama.cpp does with a
//! file that has no name.

mod class;
#[cfg(feature = "unicode")]
mod generic;
mod gpt2;
mod letters;
mod llama3;

/// The names, for an error.
#[cfg(not(feature = "unicode"))]
pub(super) const NAMES: &str = "\"gpt-2\", \"llama-bpe\", \"llama3\", \"llama-v3\" and \"smollm\"; in other builds \"qwen2\" and \"default\" too";

/// The names, for an error.
#[cfg(feature = "unicode")]
pub(super) const NAMES: &str =
    "\"gpt-2\", \"llama-bpe\", \"llama3\", \"llama-v3\", \"qwen2\", \"smollm\" and \"default\"";

/// A pre-tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pre {
    Gpt2,
    Smollm,
    Llama3,
    #[cfg(feature = "unicode")]
    Qwen2,
    #[cfg(feature = "unicode")]
    Generic,
}

impl Pre {
    /// The pre-tokenizer with this name in `tokenizer.ggml.pre`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gpt-2" => Self::Gpt2,
            "smollm" => Self::Smollm,
            "llama-bpe" | "llama3" | "llama-v3" => Self::Llama3,
            #[cfg(feature = "unicode")]
            "qwen2" => Self::Qwen2,
            #[cfg(feature = "unicode")]
            "default" => Self::Generic,
            _ => return None,
        })
    }

    /// Whether a word that is a token is taken as it is, without looking at merges.
    pub(super) fn ignores_merges(self) -> bool {
        self == Self::Llama3
    }

    /// Whether a text begins with BOS when the file does not say.
    pub(super) fn adds_bos(self) -> bool {
        self == Self::Llama3
    }

    /// Whether the reference brings the text to normal form C first.
    #[cfg(feature = "unicode")]
    pub(super) fn normalizes(self) -> bool {
        self == Self::Qwen2
    }

    /// Calls `word` with every word of `text`, in order; together they are the text.
    pub(super) fn split(self, text: &str, word: &mut dyn FnMut(&str)) {
        match self {
            Self::Gpt2 => scan(text, gpt2::first, word),
            Self::Smollm => scan(text, class::number_or_rest, &mut |part| scan(part, gpt2::first, word)),
            Self::Llama3 => scan(text, |text| llama3::first(text, 3), word),
            #[cfg(feature = "unicode")]
            Self::Qwen2 => scan(text, |text| llama3::first(text, 1), word),
            #[cfg(feature = "unicode")]
            Self::Generic => generic::split(text, word),
        }
    }
}

/// Cuts `text` with a scanner. One that gives no length, or no boundary of characters, would be a defect; the rest
/// then becomes one word, so that no text is lost and the loop ends.
fn scan(mut text: &str, first: impl Fn(&str) -> usize, word: &mut dyn FnMut(&str)) {
    while !text.is_empty() {
        let (head, tail) = text.split_at_checked(first(text).max(1)).unwrap_or((text, ""));
        word(head);
        text = tail;
    }
}

#[cfg(all(test, feature = "unicode"))]
mod tests;
