//! Models in several files: `<prefix>-00001-of-00003.gguf` and so on.
//!
//! Each file is a whole GGUF file. The first has the model's metadata; every one has three keys:
//! `split.no` (from 0), `split.count` and `split.tensors.count` (of all files together). This crate opens no files:
//! it reads and makes the names, and checks that files already read belong together.
//! Source: llama.cpp's gguf-split.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::error::Error;
use crate::reader::Gguf;
use crate::tensor::TensorInfo;

const SUFFIX: &str = ".gguf";

/// The name of a file of a split model, in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitName<'a> {
    /// What comes before the numbers, a folder included.
    pub prefix: &'a str,
    /// Which file, from 0 (the name says it from 1).
    pub number: u32,
    /// How many files.
    pub count: u32,
}

impl<'a> SplitName<'a> {
    /// The parts of a name, `None` when it is not the name of one file of several.
    pub fn parse(name: &'a str) -> Option<Self> {
        let (rest, count) = name.strip_suffix(SUFFIX)?.rsplit_once("-of-")?;
        let (prefix, number) = rest.rsplit_once('-')?;
        let (number, count) = (digits(number)?, digits(count)?);
        (1..=count).contains(&number).then(|| Self { prefix, number: number - 1, count })
    }

    /// The names of all files, in order.
    pub fn all(self) -> impl ExactSizeIterator<Item = Self> {
        (0..self.count as usize).map(move |number| Self { number: number as u32, ..self })
    }
}

impl fmt::Display for SplitName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = u64::from(self.number) + 1;
        write!(f, "{}-{number:05}-of-{:05}{SUFFIX}", self.prefix, self.count)
    }
}

/// A number of at least five digits, as the names have them.
fn digits(text: &str) -> Option<u32> {
    let plain = text.len() >= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// What a file says about the split model that it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitInfo {
    /// Which file it is, from 0.
    pub number: u32,
    /// How many files there are.
    pub count: u32,
    /// How many tensors all files have together.
    pub tensors: u64,
}

impl SplitInfo {
    /// `None` for a file that is the whole model.
    pub fn of(file: &Gguf<'_>) -> Result<Option<Self>, Error> {
        let Some(count) = file.optional("split.count")? else { return Ok(None) };
        let (number, tensors) = (file.require("split.no")?, file.require("split.tensors.count")?);
        Ok(Some(Self { number, count, tensors }))
    }
}

/// The files of one model, checked against each other: one file that is not split, or all files of a split one.
#[derive(Clone, Debug)]
pub struct Shards<'a> {
    first: Gguf<'a>,
    rest: Vec<Gguf<'a>>,
}

impl<'a> Shards<'a> {
    /// Files in the order of their numbers.
    pub fn new(files: impl IntoIterator<Item = Gguf<'a>>) -> Result<Self, Error> {
        let mut files = files.into_iter();
        let first = files.next().ok_or(Error::NoFiles)?;
        let shards = Self { first, rest: files.collect() };
        if !shards.rest.is_empty() || SplitInfo::of(&shards.first)?.is_some() {
            shards.check_numbers()?;
            shards.check_total()?;
            shards.check_names()?;
        }
        Ok(shards)
    }

    /// The first file: the one with the model's metadata.
    pub fn first(&self) -> &Gguf<'a> {
        &self.first
    }

    /// All files, in order.
    pub fn files(&self) -> impl Iterator<Item = &Gguf<'a>> + Clone {
        core::iter::once(&self.first).chain(&self.rest)
    }

    /// The tensor of a name, and the position of its file.
    pub fn tensor(&self, name: &str) -> Option<(usize, &TensorInfo<'a>)> {
        self.files().enumerate().find_map(|(i, file)| Some((i, file.tensor(name)?)))
    }

    /// Whether there is a tensor of this name. It does not count as asked for.
    pub fn has_tensor(&self, name: &str) -> bool {
        self.files().any(|file| file.has_tensor(name))
    }

    /// Each file is the one of its place, and none is missing.
    fn check_numbers(&self) -> Result<(), Error> {
        let files = self.rest.len() + 1;
        for (i, file) in self.files().enumerate() {
            let count = file.require::<u32>("split.count")?;
            if count as usize != files {
                return Err(Error::SplitCount { file: i, files, count });
            }
            let number = file.require::<u32>("split.no")?;
            if number as usize != i {
                return Err(Error::SplitNumber { file: i, number });
            }
        }
        Ok(())
    }

    /// The files have as many tensors as each of them promises.
    fn check_total(&self) -> Result<(), Error> {
        let found = self.files().map(|file| file.tensors().len() as u64).sum();
        for (i, file) in self.files().enumerate() {
            let promised = file.require::<u64>("split.tensors.count")?;
            if promised != found {
                return Err(Error::SplitTensors { file: i, promised, found });
            }
        }
        Ok(())
    }

    /// No tensor is in two files.
    fn check_names(&self) -> Result<(), Error> {
        let names =
            self.files().enumerate().flat_map(|(i, file)| file.tensors().iter().map(move |t| (t.name, i)));
        let mut names: Vec<(&str, usize)> = names.collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            if let [(a, first), (b, second)] = *pair
                && a == b
            {
                return Err(Error::SplitDuplicate { name: String::from(a), first, second });
            }
        }
        Ok(())
    }
}
