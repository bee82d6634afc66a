//! Folders in memory, and what is made of them.
#![allow(dead_code, reason = "no test uses all of it")]

#[path = "../../../targets/cli/tests/cli/checkpoint.rs"]
pub mod checkpoint;

use ocelli_convert::{Checkpoint, Error, Folder};
use ocelli_quantize::{Means, Recipe};
use std::collections::BTreeMap;
use std::io;

/// A folder in memory.
#[derive(Clone, Default)]
pub struct Memory(pub BTreeMap<String, Vec<u8>>);

impl Memory {
    /// A golden checkpoint.
    pub fn golden(case: &str) -> Memory {
        Memory(checkpoint::files(case))
    }

    /// A text file.
    pub fn text(&self, file: &str) -> String {
        String::from_utf8(self.0[file].clone()).unwrap()
    }

    /// With another file.
    pub fn with(mut self, file: &str, bytes: impl Into<Vec<u8>>) -> Memory {
        self.0.insert(file.into(), bytes.into());
        self
    }

    /// Without a file.
    pub fn without(mut self, file: &str) -> Memory {
        assert!(self.0.remove(file).is_some(), "{file}");
        self
    }

    /// With a part of a text replaced.
    pub fn replaced(self, file: &str, from: &str, to: &str) -> Memory {
        let text = self.text(file);
        assert!(text.contains(from), "{from:?} is not in {file}");
        self.with(file, text.replacen(from, to, 1))
    }
}

impl Folder for Memory {
    fn name(&self) -> String {
        "a-folder".into()
    }

    fn files(&self) -> io::Result<Vec<String>> {
        Ok(self.0.keys().filter(|name| !name.contains('/')).cloned().collect())
    }

    fn files_in(&self, folder: &str) -> io::Result<Vec<String>> {
        let inside = |name: &String| name.strip_prefix(folder)?.strip_prefix('/').map(String::from);
        Ok(self.0.keys().filter_map(inside).collect())
    }

    fn size(&self, file: &str) -> io::Result<u64> {
        Ok(self.0.get(file).ok_or(io::ErrorKind::NotFound)?.len() as u64)
    }

    fn read(&self, file: &str, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.get(file).ok_or(io::ErrorKind::NotFound)?;
        let from = bytes.get(offset as usize..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// One thread, and the instruction set that is everywhere.
pub const ONE: Means<'_> = Means { threads: 1, isa: Some("scalar") };

/// The files of a checkpoint: the language model, and the tower where there is one.
pub fn made(folder: &Memory, recipe: &str, name: &str, means: Means<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let recipe = Recipe::named(recipe).unwrap();
    let checkpoint = Checkpoint::open(folder)?;
    let mut plans = vec![checkpoint.text(recipe, name)?];
    plans.extend(checkpoint.vision(recipe, name)?);
    plans
        .into_iter()
        .map(|plan| {
            let (mut out, mut heard) = (Vec::new(), 0);
            let mut progress = |done: u64, of: u64| {
                assert!(done >= heard && done <= of);
                heard = done;
                true
            };
            plan.write(folder, means, &mut progress, &mut |bytes| {
                out.extend_from_slice(bytes);
                Ok(())
            })?;
            Ok(out)
        })
        .collect()
}
