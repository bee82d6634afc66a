//! Pre-tokenizers of byte-level BPE: where a text is cut into words before merging. Merges never cross a cut.
//!
//! Each is a hand-written scanner: given a text that is not empty, how many bytes its first word has. The rules are
//! ordered alternatives tried at the start of what is left, as in the regular expression that the vocabulary was
//! trained with, with a backtracking engine's greedy choice. Every scanner is linear in the text.
//!
//! | names                                                             | scanner                                         |
//! |-------------------------------------------------------------------|-------------------------------------------------|
//! | `gpt-2` `gpt2`, `trillion` t, `a.x-4.0` `granite-docling` `mellum` | [`gpt2`]                                        |
//! | `smollm` t, `refact` `starcoder`                                  | every number character alone, then [`gpt2`]     |
//! | `llama-bpe` `llama3` `llama-v3` `midm-2.0` t, `falcon3` `falcon-h1` `lfm2` `pixtral` | [`llama3`] with up to three digits in a word; a word that is a token is not merged |
//! | `smaug-bpe` `dbrx`                                                | the same, and merged                            |
//! | `qwen2` `kormo` t, `deepseek-r1-qwen` `megrez`                    | [`llama3`] with one digit in a word, after NFC  |
//! | `tekken`                                                          | [`tekken`]; a word that is a token is not merged |
//! | `default`, or no name                                             | [`generic`]: four patterns one after the other  |
//!
//! Without the feature `unicode` there are no `qwen2`, no [`tekken`] and no [`generic`].
//!
//! Sources: the `pre_tokenizer` of the tokenizers published with the models; `generic` is what llama.cpp does with a
//! file that has no name. The other names of a rule are those that llama.cpp's `llama-vocab.cpp` has for it, of models that
//! are a llama or a qwen2; t stands behind those whose `tokenizer.json` was seen, quoted at llama.cpp's pull requests 12556
//! (trillion), 14626 (midm-2.0) and 18032 (kormo). `lfm2` also stands in files of LFM2.5, whose own rule differs a little,
//! and which are no llama.

mod class;
#[cfg(feature = "unicode")]
mod generic;
mod gpt2;
mod letters;
mod llama3;
#[cfg(feature = "unicode")]
mod tekken;

/// A pre-tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pre {
    Gpt2,
    Smollm,
    Llama3,
    /// As [`Llama3`](Pre::Llama3), but every word is merged.
    Smaug,
    #[cfg(feature = "unicode")]
    Qwen2,
    #[cfg(feature = "unicode")]
    Tekken,
    #[cfg(feature = "unicode")]
    Generic,
}

/// The names in `tokenizer.ggml.pre`.
const NAMED: &[(&str, Pre)] = &[
    ("gpt-2", Pre::Gpt2),
    ("gpt2", Pre::Gpt2),
    ("a.x-4.0", Pre::Gpt2),
    ("granite-docling", Pre::Gpt2),
    ("mellum", Pre::Gpt2),
    ("trillion", Pre::Gpt2),
    ("smollm", Pre::Smollm),
    ("refact", Pre::Smollm),
    ("starcoder", Pre::Smollm),
    ("llama-bpe", Pre::Llama3),
    ("llama3", Pre::Llama3),
    ("llama-v3", Pre::Llama3),
    ("falcon-h1", Pre::Llama3),
    ("falcon3", Pre::Llama3),
    ("lfm2", Pre::Llama3),
    ("midm-2.0", Pre::Llama3),
    ("pixtral", Pre::Llama3),
    ("smaug-bpe", Pre::Smaug),
    ("dbrx", Pre::Smaug),
    #[cfg(feature = "unicode")]
    ("qwen2", Pre::Qwen2),
    #[cfg(feature = "unicode")]
    ("deepseek-r1-qwen", Pre::Qwen2),
    #[cfg(feature = "unicode")]
    ("kormo", Pre::Qwen2),
    #[cfg(feature = "unicode")]
    ("megrez", Pre::Qwen2),
    #[cfg(feature = "unicode")]
    ("tekken", Pre::Tekken),
    #[cfg(feature = "unicode")]
    ("default", Pre::Generic),
];

/// Every name, for an error.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMED.iter().map(|(name, _)| *name)
}

impl Pre {
    /// The pre-tokenizer with this name in `tokenizer.ggml.pre`.
    pub(super) fn named(name: &str) -> Option<Self> {
        NAMED.iter().find(|(known, _)| *known == name).map(|(_, pre)| *pre)
    }

    /// Whether a word that is a token is taken as it is, without looking at merges.
    pub(super) fn ignores_merges(self) -> bool {
        match self {
            #[cfg(feature = "unicode")]
            Self::Tekken => true,
            other => other == Self::Llama3,
        }
    }

    /// Whether a text begins with BOS when the file does not say.
    pub(super) fn adds_bos(self) -> bool {
        // The same two.
        self.ignores_merges()
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
            Self::Llama3 | Self::Smaug => scan(text, |text| llama3::first(text, 3), word),
            #[cfg(feature = "unicode")]
            Self::Qwen2 => scan(text, |text| llama3::first(text, 1), word),
            #[cfg(feature = "unicode")]
            Self::Tekken => scan(text, tekken::first, word),
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
