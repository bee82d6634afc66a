//! A model file made small: `ocelli_quantize` between files.
//!
//! The source is mapped for its header and its tensors are read piece by piece, so that what is resident does not grow with
//! the model. The new file has its name when it is whole (`atomic_file.rs`).

use crate::atomic_file::{self, Part};
use ocelli::Error;
use ocelli::Load;
use ocelli::low_level::files::{bytes, paths};
use ocelli_gguf::{Gguf, Shards, TensorType};
use ocelli_quantize::{Importance, Means, Plan, Request, Source};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Why no file was made.
#[derive(Debug)]
pub enum Failure {
    /// The source cannot be opened.
    Open(Error),
    /// The source, the request, or the numbers in it.
    Quantize {
        /// The source.
        path: PathBuf,
        /// Why.
        error: ocelli_quantize::Error,
    },
    /// The new file.
    Write(atomic_file::Failure),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Open(error) => error.fmt(f),
            Failure::Quantize { path, error } => write!(f, "{}: {error}", path.display()),
            Failure::Write(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

/// What was made.
#[derive(Debug, Default)]
pub struct Made {
    /// Bytes of the tensors before.
    pub before: u64,
    /// Bytes of the new file.
    pub bytes: u64,
    /// How many tensors are stored as what.
    pub kinds: BTreeMap<TensorType, usize>,
    /// Tensors whose rows do not fit the blocks they should be stored in: what they should be, the length of their
    /// rows, what they are, and how many.
    pub fallbacks: BTreeMap<(TensorType, usize, TensorType), usize>,
    /// Tensors whose rows are padded: the length of their rows, that with the padding, what they are, and how many.
    pub padded: BTreeMap<(usize, usize, TensorType), usize>,
}

/// What the user is told while it runs.
pub trait Listener {
    /// Before the work: so many tensors are in blocks already and lose a second time.
    fn requantized(&mut self, tensors: usize);
    /// Before the work: these tensors have no importance, though it was given and would count.
    fn without_importance(&mut self, tensors: &[&str]);
    /// So many numbers of so many are written.
    fn progress(&mut self, done: u64, of: u64);
}

/// Reads a file of importance.
///
/// # Errors
/// It cannot be read, or is none.
pub fn importance(path: &Path) -> Result<Importance, Failure> {
    let file = bytes(path, Load::Map).map_err(Failure::Open)?;
    let broken = |error| Failure::Quantize { path: path.into(), error };
    let file = Gguf::parse(file.get()).map_err(|error| broken(error.into()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Importance::read(&file, &name).map_err(broken)
}

/// Reads `from` (any file of a split model) and makes `to`, in the place of a file of that name or not.
///
/// # Errors
/// The source is missing or malformed, the request does not fit it, numbers cannot be stored, the disk does not take it.
/// There is the old file or the whole new one then.
pub fn quantize(
    from: &Path,
    (to, replace): (&Path, bool),
    request: &Request,
    means: Means<'_>,
    listener: &mut dyn Listener,
) -> Result<Made, Failure> {
    let paths = paths(from).map_err(Failure::Open)?;
    atomic_file::apart(to, &paths).and_then(|()| atomic_file::check(to, replace)).map_err(Failure::Write)?;
    let parts = paths.iter().map(|path| bytes(path, Load::Map)).collect::<Result<Vec<_>, _>>();
    let parts = parts.map_err(Failure::Open)?;
    let broken = |error: ocelli_quantize::Error| Failure::Quantize { path: from.into(), error };
    let files = parts.iter().map(|part| Gguf::parse(part.get())).collect::<Result<Vec<_>, _>>();
    let shards = files.and_then(Shards::new).map_err(|error| broken(error.into()))?;
    let plan = Plan::new(&shards, request).map_err(broken)?;
    let mut made = describe(&plan);
    let requantized = plan.changes().iter().filter(|change| change.is_requantized()).count();
    if requantized > 0 {
        listener.requantized(requantized);
    }
    let lacking = plan.changes().iter().filter(|change| change.lacks_importance());
    let lacking: Vec<&str> = lacking.map(|change| change.name).collect();
    if request.importance.is_some() && !lacking.is_empty() {
        listener.without_importance(&lacking);
    }
    let source = Files::open(&paths).map_err(Failure::Open)?;
    let mut part = Part::create(to, replace).map_err(Failure::Write)?;
    let mut progress = |done, of| {
        listener.progress(done, of);
        true
    };
    plan.write(&source, means, &mut progress, &mut |bytes| part.write(bytes)).map_err(
        |error| match error {
            ocelli_quantize::Error::Write(error) => {
                Failure::Write(atomic_file::Failure::Write(to.into(), error))
            }
            error => broken(error),
        },
    )?;
    made.bytes = part.finish().map_err(Failure::Write)?;
    Ok(made)
}

fn describe(plan: &Plan<'_>) -> Made {
    let mut made = Made::default();
    for change in plan.changes() {
        made.before += change.bytes();
        *made.kinds.entry(change.to).or_default() += 1;
        if change.padding.1 > 0 {
            *made.padded.entry((change.row, change.row + change.padding.1, change.to)).or_default() += 1;
        }
        if change.to != change.wanted {
            *made.fallbacks.entry((change.wanted, change.row, change.to)).or_default() += 1;
        }
    }
    made
}

/// The files of a model, read from anywhere.
struct Files(Vec<Mutex<File>>);

impl Files {
    fn open(paths: &[PathBuf]) -> Result<Files, Error> {
        let open = |path: &PathBuf| {
            File::open(path).map(Mutex::new).map_err(|error| Error::Io { path: path.clone(), error })
        };
        paths.iter().map(open).collect::<Result<_, _>>().map(Files)
    }
}

impl Source for Files {
    fn read(&self, file: usize, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let file = self.0.get(file).ok_or(io::ErrorKind::NotFound)?;
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(out)
    }
}
