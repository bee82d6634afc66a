//! The language model of a checkpoint: its keys and its tensors.

use crate::error::Error;
use crate::hyper::{self, Hyper};
use crate::json::Json;
use crate::layout::{Named, Placed, Sizes};
use crate::model::{DECODERS, Decoder, Dim, Family, Ties};
use crate::rope::Rope;
use ocelli_gguf::Outline;

/// The entry that says whether the embedding is the output matrix too, and the two.
const TIED: &str = "tie_word_embeddings";
const EMBEDDING: &str = "embed_tokens.weight";
const OUTPUT: &str = "lm_head.weight";

/// A language model.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) decoder: &'static Decoder,
    hyper: Hyper,
    pub(crate) rope: Rope,
    /// The width of a head.
    pub(crate) head: usize,
    /// Rows of the table of embeddings.
    pub(crate) vocabulary: usize,
    /// The width of a row.
    pub(crate) width: usize,
    pub(crate) tensors: Vec<Placed>,
}

impl Text {
    /// Reads what `config.json` says of it and finds its tensors.
    pub(crate) fn read(config: &Json, family: &Family, named: &mut Named) -> Result<Text, Error> {
        let root = config;
        // A language model alone has no such part, whatever lies there.
        let inner = match family.tower {
            Some(_) => {
                Some(root.object("text_config")?.ok_or_else(|| root.missing("text_config", "an object"))?)
            }
            None => None,
        };
        let config = inner.as_ref().unwrap_or(root);
        let kind = config.string("model_type")?.unwrap_or(family.decoder);
        let Some(decoder) = DECODERS.iter().find(|decoder| decoder.kind == kind) else {
            let found = format!("model_type is {kind:?}");
            return Err(Error::Unsupported { what: "this language model", found });
        };
        hyper::check(config, decoder.musts)?;
        let hyper = Hyper::read(config, decoder.keys)?;
        let head = hyper.head_width(config)?;
        let (heads, keys) = (hyper.size("attention.head_count"), hyper.size("attention.head_count_kv"));
        if !heads.is_multiple_of(keys) {
            return Err(config.range("num_key_value_heads", keys, "must divide num_attention_heads"));
        }
        // Every model's embeddings are by token, also where its file has no key that says how many there are.
        let vocabulary = match config.size("vocab_size")? {
            Some(size) => size,
            None => match hyper.size("vocab_size") {
                0 => return Err(config.missing("vocab_size", "a whole number")),
                size => size,
            },
        };
        let width = hyper.size("embedding_length");
        let sizes = Sizes(vec![
            (Dim::Vocabulary, vocabulary),
            (Dim::Width, width),
            (Dim::Hidden, hyper.size("feed_forward_length")),
            (Dim::Queries, heads.saturating_mul(head)),
            (Dim::Keys, keys.saturating_mul(head)),
        ]);
        let blocks = hyper.size("block_count");
        let tied = match family.ties {
            Ties::Root => root.flag(TIED)?,
            Ties::RootOrText => root.flag(TIED)?.filter(|tied| *tied).or(config.flag(TIED)?),
        };
        if tied == Some(true) {
            named.stand_in(EMBEDDING, OUTPUT);
        } else if !named.has(OUTPUT) {
            let found = tied.map_or("left out, which is false".into(), |tied| tied.to_string());
            return Err(Error::Untied { tensor: OUTPUT, found });
        }
        let tensors = named.take(decoder.tensors, &sizes, blocks, blocks)?;
        let rope = Rope::read(config, head)?;
        Ok(Text { decoder, hyper, rope, head, vocabulary, width, tensors })
    }

    /// Writes its keys, but for the tokenizer's.
    pub(crate) fn write(&self, outline: &mut Outline) {
        self.hyper.write(self.decoder.name, outline);
        self.rope.write(self.decoder.name, outline);
    }
}
