//! The engine's inside, for tools: measuring, comparing, calibrating, constrained decoding, programs of one's own.
//!
//! A [`Session`] reads prompts and an answer chooses its tokens. Here are the steps between: tokens that come from no text,
//! logits after every one of them, the inputs of linear layers, the programs of a plan, the files of a model.
//! The traits are implemented for the engine's types only; they are traits so that their methods are seen by those who ask.
//! What is here may change in any version.
//!
//! ```
//! use ocelli::low_level::SessionSteps;
//! use ocelli::{Load, Mmproj, Model, Options};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # std::env::set_current_dir(env!("CARGO_MANIFEST_DIR"))?;
//! let model = Model::open("tests/golden/models/smolvlm.gguf".as_ref(), Mmproj::None, Load::Map)?;
//! let mut session = model.session(&Options::default())?;
//! session.read_ids(&[1, 2, 3])?;
//! session.step(4)?;
//! assert_eq!(session.logits()?.len(), model.decoder().vocabulary());
//! # Ok(())
//! # }
//! ```

use super::Session;
use crate::error::Error;
use crate::generate::sampler::Sampler;
use crate::image::Preprocessor;
use crate::model::{Model, TowerFiles};
use crate::session::cancel::Stopper;
use crate::session::plan::Plan;
use crate::session::prompt::{Entry, Prompt, Segment};
use alloc::boxed::Box;
use alloc::vec::Vec;
use ocelli_tape::{Program, Tape};

pub use super::SeeInputs;
pub use super::plan::{default_threads, prepare};
pub use super::scorer::{BATCH, Scorer};
pub use super::zeroed;
#[cfg(feature = "std")]
pub use crate::model::files;

/// A session's work, step by step.
pub trait SessionSteps {
    /// Reads tokens that come from no text.
    ///
    /// # Errors
    /// There are none, or the context is full.
    fn read_ids(&mut self, ids: &[u32]) -> Result<(), Error>;

    /// Computes the logits after one more token.
    ///
    /// # Errors
    /// The context is full, or the session was stopped.
    fn step(&mut self, id: u32) -> Result<(), Error>;

    /// The logits after what was read.
    ///
    /// # Errors
    /// Nothing was read.
    fn logits(&mut self) -> Result<&[f32], Error>;

    /// Chooses the next token by the logits after what was read; `best` takes the likeliest ones and their logarithms of
    /// probabilities.
    ///
    /// # Errors
    /// Nothing was read, or the logits are no numbers.
    fn choose(&mut self, sampler: &mut Sampler, best: &mut [(u32, f32)]) -> Result<u32, Error>;

    /// Continues with a token, which is read when something is asked that follows from it.
    fn accept(&mut self, id: u32);

    /// Forgets what stands at this position and after it.
    fn rewind(&mut self, to: usize);

    /// Lets the next image be encoded even if it is the last one again.
    fn forget_image(&mut self);

    /// From now on shows the inputs of linear layers, rows as they are before they are quantized.
    fn show_inputs(&mut self, see: Box<SeeInputs>);
}

impl SessionSteps for Session<'_> {
    fn read_ids(&mut self, ids: &[u32]) -> Result<(), Error> {
        if ids.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        let entries = ids.iter().map(|id| Entry::Token(*id)).collect();
        self.take_in(&Prompt { entries, images: Vec::new(), beyond: 0 }, &mut |_| ())?;
        Ok(())
    }

    fn step(&mut self, id: u32) -> Result<(), Error> {
        Session::accept(self, id);
        self.settle()
    }

    fn logits(&mut self) -> Result<&[f32], Error> {
        self.settle()?;
        if !self.ready {
            return Err(Error::EmptyPrompt);
        }
        let arena = self.block.get(self.skip..).and_then(|block| block.get(self.plan.places.arena.clone()));
        Ok(arena.map_or(&[], |arena| self.plan.decode.output(arena, 1)))
    }

    fn choose(&mut self, sampler: &mut Sampler, best: &mut [(u32, f32)]) -> Result<u32, Error> {
        Session::choose(self, sampler, best)
    }

    fn accept(&mut self, id: u32) {
        Session::accept(self, id);
    }

    fn rewind(&mut self, to: usize) {
        Session::rewind(self, to);
    }

    fn forget_image(&mut self) {
        self.encoded = None;
    }

    fn show_inputs(&mut self, see: Box<SeeInputs>) {
        self.see = Some(see);
    }
}

/// What a plan was made of.
pub trait PlanParts {
    /// The language model's program.
    fn decoder_program(&self) -> &dyn Program;

    /// The vision tower's program, for one view.
    fn encoder_program(&self) -> Option<&dyn Program>;

    /// How an image of a size becomes views.
    ///
    /// # Errors
    /// The model has no vision tower, or does not take images of this size.
    fn preprocessor(&self, width: u32, height: u32) -> Result<Preprocessor, Error>;

    /// Positions that a prompt takes.
    ///
    /// # Errors
    /// As [`Session::read`].
    fn positions(&self, model: &Model<'_>, prompt: &[Segment<'_>]) -> Result<usize, Error>;
}

impl PlanParts for Plan {
    fn decoder_program(&self) -> &dyn Program {
        &*self.decode
    }

    fn encoder_program(&self) -> Option<&dyn Program> {
        self.vision.as_ref().map(|vision| &*vision.program)
    }

    fn preprocessor(&self, width: u32, height: u32) -> Result<Preprocessor, Error> {
        let vision = self.vision.as_ref().ok_or(Error::NoVision)?;
        Ok(Preprocessor::new(&vision.recipe, width, height, vision.tokens)?)
    }

    fn positions(&self, model: &Model<'_>, prompt: &[Segment<'_>]) -> Result<usize, Error> {
        Ok(Prompt::new(model, self, prompt, &Stopper::default())?.entries.len())
    }
}

/// What a model was made of.
pub trait ModelParts<'a> {
    /// The language model's files, then the vision tower's.
    fn towers(&self) -> Vec<&TowerFiles<'a>>;

    /// All files, in the order in which weights count them ([`Weights::of`](ocelli_tape::Weights::of)).
    fn files(&self) -> Vec<&[u8]>;

    /// The language model's tape, for calls of at most so many tokens.
    ///
    /// # Errors
    /// The weights do not fit each other.
    fn decoder_tape(&self, tokens: usize) -> Result<Tape, Error>;

    /// The vision tower's tape, for calls of one view.
    ///
    /// # Errors
    /// The weights do not fit each other.
    fn encoder_tape(&self) -> Result<Option<Tape>, Error>;
}

impl<'a> ModelParts<'a> for Model<'a> {
    fn towers(&self) -> Vec<&TowerFiles<'a>> {
        Model::towers(self).collect()
    }

    fn files(&self) -> Vec<&[u8]> {
        Model::files(self)
    }

    fn decoder_tape(&self, tokens: usize) -> Result<Tape, Error> {
        self.decode(tokens)
    }

    fn encoder_tape(&self) -> Result<Option<Tape>, Error> {
        self.encoder().map(|encoder| self.encode(encoder)).transpose()
    }
}
