//! A model: the files of its two towers, read and checked.

use crate::error::Error;
use crate::tokenizer::Tokenizer;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ocelli_gguf::{Gguf, Shards};
use ocelli_models::{Decoder, Encoder, Instead, Source};
use ocelli_tape::{Tape, Weights};

#[cfg(feature = "std")]
pub mod files;
#[cfg(feature = "tower-int8")]
pub(crate) mod int8;
#[cfg(not(feature = "tower-int8"))]
pub(crate) mod int8_disabled;

#[cfg(feature = "std")]
pub use files::{Load, Mmproj};
#[cfg(not(feature = "tower-int8"))]
pub(crate) use int8_disabled as int8;

/// Bytes of a file: borrowed from flash or a buffer, read, or mapped.
#[derive(Debug)]
pub enum Bytes<'a> {
    /// Somebody else's.
    Borrowed(&'a [u8]),
    /// Read into memory.
    Owned(Vec<u8>),
    /// Mapped: pages come from the file when they are first used.
    #[cfg(feature = "std")]
    Mapped(memmap2::Mmap),
    /// Of a file that is still to be written: enough to read what it says, not to compute with it.
    #[cfg(feature = "std")]
    Beginning(Beginning),
}

/// See [`Bytes::Beginning`].
#[cfg(feature = "std")]
#[derive(Debug)]
pub struct Beginning {
    bytes: Vec<u8>,
    len: usize,
}

#[cfg(feature = "std")]
impl Beginning {
    /// The first bytes of a file that will have `len`.
    pub fn new(bytes: Vec<u8>, len: usize) -> Beginning {
        Beginning { bytes, len }
    }
}

impl Bytes<'_> {
    /// The bytes.
    pub fn get(&self) -> &[u8] {
        match self {
            Bytes::Borrowed(bytes) => bytes,
            Bytes::Owned(bytes) => bytes,
            #[cfg(feature = "std")]
            Bytes::Mapped(map) => map,
            #[cfg(feature = "std")]
            Bytes::Beginning(beginning) => &beginning.bytes,
        }
    }

    /// The file that they are.
    fn parse(&self) -> Result<Gguf<'_>, ocelli_gguf::Error> {
        #[cfg(feature = "std")]
        if let Bytes::Beginning(Beginning { bytes, len }) = self {
            return Gguf::parse_beginning(bytes, *len);
        }
        Gguf::parse(self.get())
    }
}

/// A tower's file, or the files of a split one.
#[derive(Debug)]
pub struct TowerFiles<'a> {
    /// What messages call it: a path, for example.
    pub name: String,
    /// The files, in order.
    pub parts: Vec<Bytes<'a>>,
}

impl TowerFiles<'_> {
    /// Reads all parts and checks that they belong together.
    pub fn shards(&self) -> Result<Shards<'_>, Error> {
        let at = |error| Error::File { name: self.name.clone(), error };
        let files: Vec<Gguf<'_>> =
            self.parts.iter().map(Bytes::parse).collect::<Result<_, _>>().map_err(at)?;
        Shards::new(files).map_err(at)
    }

    fn bytes(&self) -> u64 {
        self.parts.iter().map(|p| p.get().len() as u64).sum()
    }
}

/// A language model, and a vision tower where there is one.
#[derive(Debug)]
pub struct Model<'a> {
    text: TowerFiles<'a>,
    vision: Option<TowerFiles<'a>>,
    decoder: Box<dyn Decoder>,
    encoder: Option<Box<dyn Encoder>>,
    tokenizer: Tokenizer,
    /// What [`ocelli_models::projector`] says, by which a built-in template is chosen.
    projector: Option<String>,
    name: Option<String>,
}

impl<'a> Model<'a> {
    /// A model in memory: the bytes of a GGUF file, and of its mmproj.
    ///
    /// # Errors
    /// A file is damaged, not supported, or the two do not belong together.
    pub fn from_bytes(text: &'a [u8], vision: Option<&'a [u8]>) -> Result<Model<'a>, Error> {
        let tower =
            |name: &str, bytes| TowerFiles { name: name.into(), parts: [Bytes::Borrowed(bytes)].into() };
        Model::from_files(tower("the model", text), vision.map(|bytes| tower("the mmproj", bytes)))
    }

    /// A model in files that were opened elsewhere.
    ///
    /// # Errors
    /// As [`from_bytes`](Model::from_bytes).
    pub fn from_files(text: TowerFiles<'a>, vision: Option<TowerFiles<'a>>) -> Result<Model<'a>, Error> {
        let shards = text.shards()?;
        let at = |error| Error::Model { name: text.name.clone(), error };
        let decoder = ocelli_models::decoder(&Source::new(&shards, 0)).map_err(at)?;
        let tokenizer = Tokenizer::from_gguf(shards.first())
            .map_err(|error| Error::Vocab { name: text.name.clone(), error })?;
        if tokenizer.len() > decoder.vocabulary() {
            let (name, tokens, rows) = (text.name.clone(), tokenizer.len(), decoder.vocabulary());
            return Err(Error::Vocabulary { name, tokens, rows });
        }
        let name = shards.first().optional::<&str>("general.name").ok().flatten().map(ToString::to_string);
        drop(shards);
        let first = text.parts.len();
        let tower =
            vision.as_ref().map(|vision| read_encoder(vision, first, &|_, stored| stored)).transpose()?;
        let (encoder, projector) = tower.unzip();
        if let Some(encoder) = &encoder
            && encoder.width() != decoder.width()
        {
            let files = [&text, vision.as_ref().unwrap_or(&text)].map(|tower| tower.name.clone());
            return Err(Error::Widths { files, vision: encoder.width(), text: decoder.width() });
        }
        Ok(Model { text, vision, decoder, encoder, tokenizer, projector, name })
    }

    /// The language model.
    pub fn decoder(&self) -> &dyn Decoder {
        &*self.decoder
    }

    /// The vision tower.
    pub fn encoder(&self) -> Option<&dyn Encoder> {
        self.encoder.as_deref()
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What messages call the language model's file.
    pub(crate) fn file_name(&self) -> &str {
        &self.text.name
    }

    /// The language model's files.
    pub(crate) fn text_files(&self) -> &TowerFiles<'a> {
        &self.text
    }

    /// The model's name, as the file has it.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Bytes of both towers' files.
    pub fn weight_bytes(&self) -> (u64, u64) {
        (self.text.bytes(), self.vision.as_ref().map_or(0, TowerFiles::bytes))
    }

    /// The vision tower once more, with matrices elsewhere than in its files.
    #[cfg(feature = "tower-int8")]
    pub(crate) fn encoder_with(&self, instead: &Instead<'_>) -> Result<Option<Box<dyn Encoder>>, Error> {
        let Some(vision) = &self.vision else { return Ok(None) };
        let first = self.text.parts.len();
        Ok(Some(read_encoder(vision, first, instead)?.0))
    }

    /// What the vision tower's file calls its projector.
    pub(crate) fn projector(&self) -> Option<&str> {
        self.projector.as_deref()
    }

    /// What messages call the language model's file.
    pub(crate) fn text_name(&self) -> String {
        self.text.name.clone()
    }

    /// What messages call the vision tower's file.
    pub(crate) fn vision_name(&self) -> String {
        self.vision.as_ref().unwrap_or(&self.text).name.clone()
    }

    /// The language model's tape, for calls of at most so many tokens.
    pub(crate) fn decode(&self, units: usize) -> Result<Tape, Error> {
        self.decoder.decode(units).map_err(|error| Error::Tape { name: self.text_name(), error })
    }

    /// The vision tower's tape, for calls of one view. (`encoder` may be the tower with other weights.)
    pub(crate) fn encode(&self, encoder: &dyn Encoder) -> Result<Tape, Error> {
        encoder.encode(1).map_err(|error| Error::Tape { name: self.vision_name(), error })
    }

    /// The towers, in the order in which weights count their files.
    pub(crate) fn towers(&self) -> impl Iterator<Item = &TowerFiles<'a>> {
        core::iter::once(&self.text).chain(&self.vision)
    }

    /// All files, in the order in which weights count them.
    pub(crate) fn files(&self) -> Vec<&[u8]> {
        self.text.parts.iter().chain(self.vision.iter().flat_map(|v| &v.parts)).map(Bytes::get).collect()
    }
}

/// The tower and the name of its projector.
fn read_encoder(
    vision: &TowerFiles<'_>,
    first: usize,
    instead: &Instead<'_>,
) -> Result<(Box<dyn Encoder>, String), Error> {
    let shards = vision.shards()?;
    let at = |error| Error::Model { name: vision.name.clone(), error };
    let encoder = ocelli_models::encoder(&Source::new(&shards, first).with(instead)).map_err(at)?;
    let projector = ocelli_models::projector(shards.first()).map_err(at)?;
    Ok((encoder, projector.to_string()))
}

/// A borrowed view of the files for a run.
pub(crate) fn weights<'a>(files: &'a [&'a [u8]]) -> Weights<'a> {
    Weights::of(files)
}
