//! Made-up vocabularies of the published sizes, with the published special tokens at their published places.
//!
//! Pieces are made systematically: letters in the order of their frequency in English, strings of two, three and four
//! of them (the first may be a space or a capital), shortest first, each by adding a letter to a shorter one. English
//! then takes a token for two or three letters, so more of them than with a trained vocabulary.
//!
//! ```text
//! SmolVLM     17 control tokens | 256 bytes | pieces | ⟨global-img⟩ 36 × ⟨row_r_col_c⟩ ⟨fake…⟩ ⟨image⟩ 88 reserved ⟨end…⟩
//! Qwen2       256 bytes | pieces | ⟨|endoftext|⟩ ⟨|im_start|⟩ ⟨|im_end|⟩ | 290 unused
//! TinyLlama   ⟨unk⟩ ⟨s⟩ ⟨/s⟩ | 256 bytes | pieces, best first | single characters
//! ```

use ocelli_gguf::Outline;

const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const UNUSED: i32 = 5;
const BYTE: i32 = 6;

/// SmolLM's control tokens: ids 0 and following.
const SMOLLM: [&str; 17] = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<repo_name>",
    "<reponame>",
    "<file_sep>",
    "<filename>",
    "<gh_stars>",
    "<issue_start>",
    "<issue_comment>",
    "<issue_closed>",
    "<jupyter_start>",
    "<jupyter_text>",
    "<jupyter_code>",
    "<jupyter_output>",
    "<jupyter_script>",
    "<empty_output>",
];

/// A vocabulary.
#[derive(Debug, Default)]
pub struct Vocabulary {
    tokens: Vec<String>,
    kinds: Vec<i32>,
    /// Of SentencePiece's: higher is merged first.
    scores: Vec<f32>,
    /// Of byte-level BPE: best first.
    merges: Vec<String>,
}

impl Vocabulary {
    /// SmolVLM's, of `size` tokens.
    pub fn smolvlm(size: usize) -> Vocabulary {
        let mut last = vec![String::from("<global-img>")];
        last.extend((1..=6).flat_map(|r| (1..=6).map(move |c| format!("<row_{r}_col_{c}>"))));
        last.extend(["<fake_token_around_image>".into(), "<image>".into()]);
        last.extend((0..88).map(|n| format!("<|reserved_special_token_{n}|>")));
        last.push("<end_of_utterance>".into());
        let mut vocabulary = Vocabulary::default();
        SMOLLM.iter().for_each(|token| vocabulary.push(*token, CONTROL));
        vocabulary.byte_level(size.saturating_sub(last.len()));
        last.into_iter().for_each(|token| vocabulary.push(token, CONTROL));
        vocabulary
    }

    /// Qwen2's, of `size` tokens.
    pub fn qwen2(size: usize) -> Vocabulary {
        const UNUSED_TOKENS: usize = 290;
        const CONTROLS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
        let mut vocabulary = Vocabulary::default();
        vocabulary.byte_level(size.saturating_sub(CONTROLS.len() + UNUSED_TOKENS));
        CONTROLS.iter().for_each(|token| vocabulary.push(*token, CONTROL));
        (vocabulary.tokens.len()..size).for_each(|id| vocabulary.push(format!("[PAD{id}]"), UNUSED));
        vocabulary
    }

    /// TinyLlama's, of `size` tokens.
    pub fn tinyllama(size: usize) -> Vocabulary {
        let mut vocabulary = Vocabulary::default();
        vocabulary.push("<unk>", UNKNOWN);
        ["<s>", "</s>"].iter().for_each(|token| vocabulary.push(*token, CONTROL));
        (0..=u8::MAX).for_each(|byte| vocabulary.push(format!("<0x{byte:02X}>"), BYTE));
        vocabulary.scores.resize(vocabulary.tokens.len(), 0.0);
        let singles: Vec<char> = "\u{2581}".chars().chain('!'..='~').collect();
        let longer = size.saturating_sub(vocabulary.tokens.len() + singles.len());
        let pieces = pieces('\u{2581}').take(longer).map(|(head, tail)| format!("{head}{tail}"));
        for (rank, piece) in pieces.chain(singles.into_iter().map(String::from)).enumerate() {
            vocabulary.push(piece, NORMAL);
            vocabulary.scores.push(-(rank as f32));
        }
        vocabulary
    }

    fn push(&mut self, token: impl Into<String>, kind: i32) {
        self.tokens.push(token.into());
        self.kinds.push(kind);
    }

    /// Adds bytes and pieces until there are `size` tokens.
    fn byte_level(&mut self, size: usize) {
        let (kept, moved): (Vec<u8>, Vec<u8>) = (0..=u8::MAX).partition(|byte| stands_for_itself(*byte));
        for byte in kept.into_iter().chain(moved) {
            self.push(character(byte), NORMAL);
        }
        // Two line ends are one token in every published vocabulary, and llama.cpp looks it up.
        let (line, space) = (character(b'\n'), character(b' '));
        let doubled = [line, space].map(|c| (String::from(c), c));
        let left = size.saturating_sub(self.tokens.len());
        for (head, tail) in doubled.into_iter().chain(pieces(space)).take(left) {
            self.merges.push(format!("{head} {tail}"));
            self.push(format!("{head}{tail}"), NORMAL);
        }
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The id of a token.
    fn id(&self, token: &str) -> u32 {
        self.tokens.iter().position(|text| text == token).unwrap_or_default() as u32
    }

    /// Writes the tokenizer's keys; `pre` is byte-level BPE's pre-tokenizer, the others are tokens.
    pub fn describe(&self, outline: &mut Outline, pre: &str, (bos, eos, padding): (&str, &str, &str)) {
        let spm = !self.scores.is_empty();
        outline.metadata("tokenizer.ggml.model", if spm { "llama" } else { "gpt2" });
        outline.metadata("tokenizer.ggml.pre", pre);
        outline.metadata("tokenizer.ggml.tokens", &self.tokens);
        outline.metadata("tokenizer.ggml.token_type", &self.kinds);
        if spm {
            outline.metadata("tokenizer.ggml.scores", &self.scores);
            outline.metadata("tokenizer.ggml.unknown_token_id", 0u32);
        } else {
            outline.metadata("tokenizer.ggml.merges", &self.merges);
        }
        outline.metadata("tokenizer.ggml.bos_token_id", self.id(bos));
        outline.metadata("tokenizer.ggml.eos_token_id", self.id(eos));
        outline.metadata("tokenizer.ggml.padding_token_id", self.id(padding));
        outline.metadata("tokenizer.ggml.add_bos_token", spm);
        outline.metadata("tokenizer.ggml.add_eos_token", false);
    }
}

/// Strings of two, three and four, each as a shorter one and a letter; what is shorter comes first.
fn pieces(space: char) -> impl Iterator<Item = (String, char)> {
    const LETTERS: &str = "etaoinshrdlcumwfgypbvkjxqz";
    let one: Vec<String> = [space]
        .into_iter()
        .chain(LETTERS.chars())
        .chain(LETTERS.to_uppercase().chars().collect::<Vec<_>>())
        .map(String::from)
        .collect();
    let longer = |heads: &[String]| -> Vec<String> {
        heads.iter().flat_map(|head| LETTERS.chars().map(move |c| format!("{head}{c}"))).collect()
    };
    let two = longer(&one);
    let three = longer(&two);
    let heads = one.into_iter().chain(two).chain(three);
    heads.flat_map(|head| LETTERS.chars().map(move |c| (head.clone(), c)))
}

/// Whether a byte is written as the character with its number (GPT-2's map).
fn stands_for_itself(byte: u8) -> bool {
    matches!(byte, 33..=126 | 161..=172 | 174..=255)
}

/// The character that a byte is written as: itself, or the next of U+0100 and following.
fn character(byte: u8) -> char {
    if stands_for_itself(byte) {
        return char::from(byte);
    }
    let rank = (0..byte).filter(|before| !stands_for_itself(*before)).count();
    char::from_u32(0x100 + rank as u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use ocelli::tokenizer::{Special, Tokenizer};
    use ocelli_gguf::Gguf;
    use std::convert::Infallible;

    fn tokenizer(vocabulary: &Vocabulary, pre: &str, special: (&str, &str, &str)) -> Tokenizer {
        let mut outline = Outline::new();
        vocabulary.describe(&mut outline, pre, special);
        let mut bytes = Vec::new();
        let sink = |part: &[u8]| -> Result<(), Infallible> {
            bytes.extend_from_slice(part);
            Ok(())
        };
        outline.begin(sink).unwrap().finish().unwrap();
        Tokenizer::from_gguf(&Gguf::parse(&bytes).unwrap()).unwrap()
    }

    /// Encodes, checks that decoding gives the text back, and returns the tokens.
    fn round_trip(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        tokenizer.encode(text, Special::Parse, &mut ids).unwrap();
        assert_eq!(tokenizer.decode(&ids), text.as_bytes());
        ids
    }

    /// Tokens are two letters and more.
    const ENGLISH: &str = "What is the number on this meter";

    /// A line with what a vocabulary must write: words, digits, marks, other scripts.
    const LINE: &str = "What is the number on this meter? 48.5 °C — Zähler, 読む\n\nOK  then";

    #[test]
    fn smolvlm_has_the_published_places() {
        let vocabulary = Vocabulary::smolvlm(49_280);
        assert_eq!((vocabulary.len(), vocabulary.id("<image>")), (49_280, 49_190));
        let tokenizer =
            tokenizer(&vocabulary, "smollm", ("<|im_start|>", "<end_of_utterance>", "<|im_end|>"));
        let ids = [
            ("<|im_start|>", 1),
            ("<global-img>", 49_152),
            ("<row_1_col_1>", 49_153),
            ("<row_6_col_6>", 49_188),
            ("<fake_token_around_image>", 49_189),
            ("<image>", 49_190),
            ("<end_of_utterance>", 49_279),
        ];
        for (token, id) in ids {
            assert_eq!(tokenizer.special(token), Some(id), "{token}");
        }
        assert_eq!(round_trip(&tokenizer, "\n\n").len(), 1);
        round_trip(&tokenizer, LINE);
        assert!(2 * round_trip(&tokenizer, ENGLISH).len() <= ENGLISH.len());
    }

    #[test]
    fn qwen2_has_the_published_places() {
        let vocabulary = Vocabulary::qwen2(151_936);
        let tokenizer = tokenizer(&vocabulary, "qwen2", ("<|endoftext|>", "<|im_end|>", "<|endoftext|>"));
        assert_eq!(tokenizer.len(), 151_936);
        assert_eq!(tokenizer.special("<|endoftext|>"), Some(151_643));
        assert_eq!(tokenizer.special("<|im_end|>"), Some(151_645));
        assert!(tokenizer.is_end(151_645) && !tokenizer.adds_bos());
        assert_eq!(round_trip(&tokenizer, "\n\n").len(), 1);
        round_trip(&tokenizer, LINE);
    }

    #[test]
    fn tinyllama_has_the_published_places() {
        let tokenizer = tokenizer(&Vocabulary::tinyllama(32_000), "default", ("<s>", "</s>", "</s>"));
        assert_eq!((tokenizer.len(), tokenizer.bos(), tokenizer.eos()), (32_000, Some(1), Some(2)));
        assert!(tokenizer.adds_bos() && tokenizer.adds_space());
        round_trip(&tokenizer, LINE);
        assert!(2 * round_trip(&tokenizer, ENGLISH).len() <= ENGLISH.len());
    }

    #[test]
    fn no_token_is_there_twice() {
        for vocabulary in
            [Vocabulary::smolvlm(49_280), Vocabulary::qwen2(151_936), Vocabulary::tinyllama(32_000)]
        {
            let mut tokens = vocabulary.tokens.clone();
            tokens.sort_unstable();
            tokens.dedup();
            assert_eq!(tokens.len(), vocabulary.len());
        }
    }
}
