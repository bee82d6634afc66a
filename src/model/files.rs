//! Model files on disk: mapped or read, split or whole, and the mmproj beside a model.
#![allow(unsafe_code, reason = "mapping a file: the kernel lends its pages as a slice")]

use crate::error::Error;
use crate::model::{Bytes, Model, TowerFiles};
use ocelli_gguf::{Gguf, SplitInfo, SplitName};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec::Vec;

/// How files are brought into memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Load {
    /// Mapped: ready at once, pages are read when first used, memory is shared between processes. A file that is
    /// truncated while it is mapped ends the process: nothing can be done about that but not to map.
    #[default]
    Map,
    /// Read into memory.
    Read,
}

/// Where a model's vision tower is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mmproj<'p> {
    /// Beside the model: the file with `mmproj` in its name whose rows are as wide as the model's. None is no error:
    /// then the model is a language model only. Several are one.
    #[default]
    Beside,
    /// As [`Beside`](Mmproj::Beside), but of several none is taken: for a prompt without images.
    OneBeside,
    /// In this file.
    File(&'p Path),
    /// Nowhere: a language model only.
    None,
}

impl Model<'static> {
    /// Opens a model and its vision tower.
    ///
    /// # Errors
    /// A file cannot be read or is not supported, the two do not fit, or several towers fit.
    pub fn open(path: &Path, mmproj: Mmproj<'_>, load: Load) -> Result<Model<'static>, Error> {
        let text = open(path, load)?;
        let vision = match mmproj {
            Mmproj::File(path) => Some(open(path, load)?),
            Mmproj::Beside | Mmproj::OneBeside => {
                let beside = match find_mmproj(path, embedding_length(&text)?) {
                    Err(_) if mmproj == Mmproj::OneBeside => None,
                    found => found?,
                };
                beside.map(|path| open(&path, load)).transpose()?
            }
            Mmproj::None => None,
        };
        Model::from_files(text, vision)
    }
}

/// Opens a file, or all files of the split one it belongs to.
///
/// # Errors
/// As [`paths`], or a file cannot be read.
pub fn open(path: &Path, load: Load) -> Result<TowerFiles<'static>, Error> {
    let name = path.display().to_string();
    let parts = paths(path)?.iter().map(|path| bytes(path, load)).collect::<Result<_, _>>()?;
    Ok(TowerFiles { name, parts })
}

/// A file, or all files of the split one that it is part of. The file says which it is, not its name: a whole model may keep the
/// name of a part that it was made of.
///
/// # Errors
/// The file cannot be read, has another place among its parts than its name says, or one of them is missing.
pub fn paths(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let alone = || Ok([path.to_path_buf()].into());
    let Some(name) = path.file_name().and_then(|n| n.to_str()).and_then(SplitName::parse) else {
        // What is a part under such a name is refused where all parts are put together.
        return alone();
    };
    let bytes = bytes(path, Load::Map)?;
    let at = |error| Error::File { name: path.display().to_string(), error };
    let Some(info) = Gguf::parse(bytes.get()).and_then(|file| SplitInfo::of(&file)).map_err(at)? else {
        return alone();
    };
    if info.count == 1 {
        return alone();
    }
    let SplitInfo { number, count, .. } = info;
    let this = std::format!("part {} of {count} by its split.no and split.count", u64::from(number) + 1);
    if (number, count) != (name.number, name.count) {
        let what = std::format!("is {this}, which its name contradicts: the other parts are found by it");
        return Err(Error::Path { path: path.to_path_buf(), what });
    }
    // One by one: a name may claim billions of parts.
    let mut parts = Vec::new();
    for part in name.all() {
        let part = path.with_file_name(part.to_string());
        if !part.exists() {
            let what = std::format!("is missing: {} is {this}", path.display());
            return Err(Error::Path { path: part, what });
        }
        parts.push(part);
    }
    Ok(parts)
}

/// A file's bytes.
///
/// # Errors
/// It cannot be read, or is no file.
pub fn bytes(path: &Path, load: Load) -> Result<Bytes<'static>, Error> {
    let at = |error| Error::Io { path: path.to_path_buf(), error };
    // Looked at before it is opened: a pipe would keep whoever opens it waiting.
    if !std::fs::metadata(path).map_err(at)?.is_file() {
        return Err(Error::Path { path: path.to_path_buf(), what: "is not a file".into() });
    }
    let mut file = File::open(path).map_err(at)?;
    let meta = file.metadata().map_err(at)?;
    if meta.len() == 0 {
        return Err(Error::Path { path: path.to_path_buf(), what: "is empty".into() });
    }
    match load {
        // SAFETY: the mapping is private and read-only. That nobody truncates or writes the file meanwhile is asked of
        // the user (`Load::Map` says so).
        Load::Map => Ok(Bytes::Mapped(unsafe { memmap2::Mmap::map(&file) }.map_err(at)?)),
        Load::Read => {
            let size = usize::try_from(meta.len()).map_err(|_| Error::OutOfMemory { bytes: usize::MAX })?;
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(size).map_err(|_| Error::OutOfMemory { bytes: size })?;
            file.read_to_end(&mut bytes).map_err(at)?;
            Ok(Bytes::Owned(bytes))
        }
    }
}

/// The width of a language model's rows.
fn embedding_length(text: &TowerFiles<'_>) -> Result<Option<u32>, Error> {
    let shards = text.shards()?;
    let file = shards.first();
    let at = |error| Error::File { name: text.name.clone(), error };
    let Some(name) = file.optional::<&str>("general.architecture").map_err(at)? else { return Ok(None) };
    if name == "clip" {
        let what = "is a vision tower: give it as mmproj, beside the language model".into();
        return Err(Error::Path { path: PathBuf::from(&text.name), what });
    }
    file.optional(&std::format!("{name}.embedding_length")).map_err(at)
}

/// The vision tower in a model's folder: `mmproj` in its name, and rows as wide as the model's.
fn find_mmproj(model: &Path, width: Option<u32>) -> Result<Option<PathBuf>, Error> {
    let folder = model.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(None) };
    let is_tower = |path: &PathBuf| {
        let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
        name.contains("mmproj") && name.ends_with(".gguf") && path != model
    };
    let mut candidates: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(is_tower).collect();
    candidates.retain(|path| width.is_some() && output_width(path) == width);
    candidates.sort();
    match candidates.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        several => {
            let names: Vec<String> = several.iter().map(|p| p.display().to_string()).collect();
            let what = std::format!("several vision towers fit, name one: {}", names.join(", "));
            Err(Error::Path { path: model.to_path_buf(), what })
        }
    }
}

/// Rows of the last projection of a vision tower: the width it gives.
fn output_width(path: &Path) -> Option<u32> {
    let bytes = bytes(path, Load::Map).ok()?;
    let file = Gguf::parse(bytes.get()).ok()?;
    let last = ["mm.model.fc.weight", "mm.2.weight"].iter().find_map(|name| file.tensor(name))?;
    u32::try_from(last.rows()).ok()
}
