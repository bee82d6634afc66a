//! Time of every step of a session's tapes, and what the files call the weights of a step.

#[cfg(feature = "std")]
use crate::error::Error;
#[cfg(feature = "std")]
use crate::model::{Model, TowerFiles};
use crate::session::timings::Stage;
#[cfg(feature = "std")]
use alloc::string::{String, ToString};
#[cfg(feature = "std")]
use alloc::vec::Vec;
pub use ocelli_tape::{Clock, Description, Profile, Rows, Spent, Work};
#[cfg(feature = "std")]
use ocelli_tape::{Program, Weight};

/// One profile per stage; reading a prompt and generating run the same tape in different ways.
#[derive(Clone, Debug)]
pub struct Profiles {
    /// The vision tower, where there is one.
    pub encode: Option<Profile>,
    /// The language model over the prompt.
    pub prefill: Profile,
    /// The language model, token by token.
    pub generate: Profile,
}

impl Profiles {
    /// The one of a stage that runs a tape.
    pub(crate) fn of(&mut self, stage: Stage) -> Option<&mut Profile> {
        match stage {
            Stage::Resize => None,
            Stage::Encode => self.encode.as_mut(),
            Stage::Prefill => Some(&mut self.prefill),
            Stage::Generate => Some(&mut self.generate),
        }
    }
}

/// A step as people know it.
#[cfg(feature = "std")]
#[derive(Clone, Debug)]
pub struct NamedStep {
    /// What it is.
    pub step: Description,
    /// The tensor it reads, as the file names it.
    pub tensor: Option<String>,
}

#[cfg(feature = "std")]
impl crate::Session<'_> {
    /// The steps of the vision tower and of the language model, in the order of their profiles.
    ///
    /// # Errors
    /// The files can no longer be read.
    pub fn steps(&self) -> Result<(Vec<NamedStep>, Vec<NamedStep>), Error> {
        let names = Names::of(self.model())?;
        let vision = self.plan().vision.as_ref().map_or(Vec::new(), |vision| names.steps(&*vision.program));
        Ok((vision, names.steps(&*self.plan().decode)))
    }
}

/// Tensors by their place: file, offset, name.
#[cfg(feature = "std")]
struct Names(Vec<(usize, usize, String)>);

#[cfg(feature = "std")]
impl Names {
    fn of(model: &Model<'_>) -> Result<Names, Error> {
        let mut names = Vec::new();
        let mut first = 0;
        for tower in model.towers() {
            first = list(tower, first, &mut names)?;
        }
        names.sort_unstable();
        Ok(Names(names))
    }

    fn steps(&self, program: &dyn Program) -> Vec<NamedStep> {
        let named = |step: Description| NamedStep { tensor: step.weight.and_then(|w| self.find(&w)), step };
        program.steps().into_iter().map(named).collect()
    }

    fn find(&self, weight: &Weight) -> Option<String> {
        let place = (weight.file, weight.offset);
        let at = self.0.partition_point(|(file, offset, _)| (*file, *offset) < place);
        self.0.get(at).filter(|(file, offset, _)| (*file, *offset) == place).map(|(.., name)| name.clone())
    }
}

/// Adds a tower's tensors; gives the number of the file after its last.
#[cfg(feature = "std")]
fn list(
    tower: &TowerFiles<'_>,
    first: usize,
    names: &mut Vec<(usize, usize, String)>,
) -> Result<usize, Error> {
    let shards = tower.shards()?;
    for (number, file) in shards.files().enumerate() {
        let named = file.tensors().iter().map(|t| (first + number, t.offset, t.name.to_string()));
        names.extend(named);
    }
    Ok(first + tower.parts.len())
}
