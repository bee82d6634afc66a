//! The arrays of a dump.

use crate::convert_folder::Disk;
use ocelli::Error;
use ocelli_convert::Folder;
use ocelli_gguf::TensorType;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Numbers in a shape, the last extent the fastest.
#[derive(Clone, PartialEq, Debug)]
pub struct Array {
    /// The extents.
    pub shape: Vec<usize>,
    /// Their product of numbers.
    pub values: Vec<f32>,
}

/// What the reference computed, by stage.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Dump(BTreeMap<String, Array>);

/// Why a model was not verified.
#[derive(Debug)]
pub enum Failure {
    /// The file of the dump, which the error names.
    File(ocelli_convert::Error),
    /// An array is not of F32.
    Kind {
        /// The array.
        array: String,
        /// What it is of.
        kind: TensorType,
    },
    /// Nothing in it can be compared.
    Nothing,
    /// An array has other extents than it must.
    Extents {
        /// The array.
        array: &'static str,
        /// Its extents.
        found: Vec<usize>,
        /// What they must be.
        expected: &'static str,
    },
    /// An array should hold whole numbers.
    Whole {
        /// The array.
        array: String,
        /// One that is none.
        value: f32,
    },
    /// An index is too large.
    Beyond {
        /// The array.
        array: &'static str,
        /// The index.
        index: u32,
        /// Of so many.
        of: usize,
    },
    /// Two arrays do not belong together.
    Lengths {
        /// One.
        first: &'static str,
        /// Its length.
        one: usize,
        /// The other.
        second: &'static str,
        /// And its.
        other: usize,
    },
    /// The engine.
    Engine(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Engine(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::File(error) => error.fmt(f),
            Failure::Kind { array, kind } => write!(f, "the dump's {array} is {kind} and must be F32"),
            Failure::Nothing => f.write_str(
                "nothing in the dump can be compared: it has no `pixels` and no `ids`, or no stage of them",
            ),
            Failure::Extents { array, found, expected } => {
                write!(f, "the dump's {array} has the extents {found:?} and must have {expected}")
            }
            Failure::Whole { array, value } => {
                write!(f, "the dump's {array} has {value}, which is no index")
            }
            Failure::Beyond { array, index, of } => {
                write!(f, "the dump's {array} names number {index} of {of}")
            }
            Failure::Lengths { first, one, second, other } => {
                write!(
                    f,
                    "the dump's {first} has {one} and its {second} {other}: they do not belong together"
                )
            }
            Failure::Engine(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

impl Dump {
    /// Reads a safetensors file.
    ///
    /// # Errors
    /// It cannot be read, is malformed, or has arrays of another type than F32.
    pub fn read(path: &Path) -> Result<Dump, Failure> {
        // The file's whole path is its name, so that errors have it.
        let name = path.to_string_lossy().into_owned();
        let disk = Disk::new(Path::new(""));
        let mut dump = Dump::default();
        for stored in ocelli_convert::safetensors::read(&disk, &name).map_err(Failure::File)? {
            if stored.kind != TensorType::F32 {
                return Err(Failure::Kind { array: stored.name, kind: stored.kind });
            }
            // The header's claims have been held against the file's size.
            let shape: Vec<usize> = stored.shape.iter().map(|extent| *extent as usize).collect();
            let mut bytes = vec![0; shape.iter().product::<usize>() * 4];
            let io = |error| Failure::File(ocelli_convert::Error::Io { file: name.clone(), error });
            disk.read(&name, stored.offset, &mut bytes).map_err(io)?;
            let values = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            dump.0.insert(stored.name, Array { shape, values });
        }
        Ok(dump)
    }

    /// An array.
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.0.get(name)
    }

    /// An array of indices, counts or flags.
    ///
    /// # Errors
    /// One of its numbers is not whole.
    pub fn numbers(&self, name: &str) -> Result<Option<Vec<u32>>, Failure> {
        let Some(array) = self.get(name) else { return Ok(None) };
        // A float holds every whole number up to 2²⁴.
        let whole = |value: &f32| match *value {
            value if value.fract() == 0.0 && (0.0..=16_777_216.0).contains(&value) => Ok(value as u32),
            value => Err(Failure::Whole { array: name.into(), value }),
        };
        array.values.iter().map(whole).collect::<Result<_, _>>().map(Some)
    }

    /// Arrays named so and a number, in the order of the numbers.
    pub fn numbered<'d>(&'d self, prefix: &str) -> impl Iterator<Item = (&'d str, usize)> {
        let number =
            |name: &'d String| Some((name.as_str(), name.strip_prefix(prefix)?.parse::<usize>().ok()?));
        let mut found: Vec<(&str, usize)> = self.0.keys().filter_map(number).collect();
        found.sort_by_key(|(_, index)| *index);
        found.into_iter()
    }
}
