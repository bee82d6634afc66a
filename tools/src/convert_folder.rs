//! A checkpoint made a model: `ocelli_convert` between a folder and files.
//!
//! Tensors are read piece by piece, so what is resident does not grow with the model. Everything that can be wrong with the
//! checkpoint is found before a file is begun; a new file has its name when it is whole (`atomic_file.rs`).

use crate::atomic_file::{self, Part};
use crate::quantize_file::Made;
use ocelli::Options;
use ocelli::chat::template::TemplateError;
use ocelli::{Beginning, Bytes, Model, TowerFiles};
use ocelli_convert::{Checkpoint, Error, Folder, Plan};
use ocelli_gguf::TensorType;
use ocelli_quantize::{Means, RECIPES, Recipe};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Why no file was made.
#[derive(Debug)]
pub enum Failure {
    /// The checkpoint's folder is not there, or is none.
    NoFolder {
        /// What was named.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The checkpoint cannot be converted.
    Checkpoint {
        /// Its folder.
        path: PathBuf,
        /// Why.
        error: Error,
    },
    /// A new file.
    Write(atomic_file::Failure),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NoFolder { path, error } if error.kind() == io::ErrorKind::NotADirectory => write!(
                f,
                "{} is no folder; a checkpoint is the folder that config.json and the weights are in",
                path.display()
            ),
            Failure::NoFolder { path, error } => write!(f, "the folder {}: {error}", path.display()),
            Failure::Checkpoint { path, error } => write!(f, "{}: {error}", path.display()),
            Failure::Write(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

/// What is to be made.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The file of the language model, or a folder for both files; `None` is the checkpoint's own.
    pub output: Option<PathBuf>,
    /// How the language model's weights are stored; `None` is as they are, in 16 bits.
    pub recipe: Option<&'static Recipe>,
    /// How the vision tower's are; `None` is as the language model's, but with no fewer than eight bits.
    pub tower: Option<&'static Recipe>,
    /// What the model is called; `None` is as the checkpoint is.
    pub name: Option<String>,
    /// Whether files of the names are replaced.
    pub force: bool,
}

/// What is taken where nothing is asked for; a test says that these are they.
const F16: &Recipe = &RECIPES[1];
const BF16: &Recipe = &RECIPES[2];
const Q8_0: &Recipe = &RECIPES[3];

impl Request {
    /// How the two files are stored.
    fn recipes(&self, kind: TensorType) -> (&'static Recipe, &'static Recipe) {
        let text = self.recipe.unwrap_or(if kind == TensorType::BF16 { BF16 } else { F16 });
        let like = if text.is_quantized() { Q8_0 } else { text };
        (text, self.tower.unwrap_or(like))
    }

    /// Where the two files go.
    fn places(&self, folder: &Path, text: &Recipe, tower: &Recipe) -> (PathBuf, PathBuf) {
        let called = called(folder);
        let into = |folder: &Path| {
            let name =
                |prefix: &str, recipe: &Recipe| folder.join(format!("{prefix}{called}-{}.gguf", recipe.name));
            (name("", text), name("mmproj-", tower))
        };
        match &self.output {
            None => into(folder),
            Some(output) if output.is_dir() => into(output),
            Some(output) => {
                let name = output.file_name().unwrap_or_default().to_string_lossy();
                (output.clone(), output.with_file_name(format!("mmproj-{name}")))
            }
        }
    }
}

/// The name of a folder, also of one that is given as `.`.
fn called(folder: &Path) -> String {
    let whole = folder.canonicalize();
    let path = whole.as_deref().unwrap_or(folder);
    path.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned())
}

/// Reads the checkpoint in `folder` and makes its one or two files: their paths and what is in them.
///
/// # Errors
/// The checkpoint is broken or of a kind that is not converted, a file of the name exists, the disk does not take it. There
/// is the old file or the whole new one then.
pub fn convert(
    folder: &Path,
    request: &Request,
    means: Means<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<(PathBuf, Made)>, Failure> {
    let broken = |error: Error| Failure::Checkpoint { path: folder.into(), error };
    std::fs::read_dir(folder).map_err(|error| Failure::NoFolder { path: folder.into(), error })?;
    let disk = Disk::new(folder);
    let checkpoint = Checkpoint::open(&disk).map_err(broken)?;
    let name = match &request.name {
        Some(name) => name.clone(),
        None => checkpoint.name().map_err(broken)?,
    };
    let (text, tower) = request.recipes(checkpoint.kind());
    let (first, second) = request.places(folder, text, tower);
    let mut files = vec![(first, checkpoint.text(text, &name).map_err(broken)?)];
    if let Some(vision) = checkpoint.vision(tower, &name).map_err(broken)? {
        files.push((second, vision));
    }
    for (path, _) in &files {
        let free =
            atomic_file::apart(path, disk.opened()).and_then(|()| atomic_file::check(path, request.force));
        free.map_err(Failure::Write)?;
    }
    read_back(&files).map_err(broken)?;
    let of: u64 = files.iter().map(|(_, plan)| numbers(plan)).sum();
    let mut before = 0;
    let mut made = Vec::new();
    for (path, plan) in files {
        let count = numbers(&plan);
        let mut some = |done: u64, _: u64| {
            progress(before + done, of);
            true
        };
        let mut what = describe(&plan);
        let mut part = Part::create(&path, request.force).map_err(Failure::Write)?;
        plan.write(&disk, means, &mut some, &mut |bytes| part.write(bytes)).map_err(|error| match error {
            Error::Write(error) => Failure::Write(atomic_file::Failure::Write(path.clone(), error)),
            error => broken(error),
        })?;
        what.bytes = part.finish().map_err(Failure::Write)?;
        before += count;
        made.push((path, what));
    }
    Ok(made)
}

/// Reads what the files will say as whoever runs them does, before a weight is touched: what could not be loaded is not
/// written, and the error names the file of the checkpoint that says so, as far as that can be told.
fn read_back(files: &[(PathBuf, Plan)]) -> Result<(), Error> {
    let tower = |(path, plan): &(PathBuf, Plan)| -> Result<TowerFiles<'static>, Error> {
        let (bytes, len) = plan.beginning()?;
        // On a machine that cannot count so far nothing could map the file, but it may be written for another.
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let name = path.display().to_string();
        Ok(TowerFiles { name, parts: vec![Bytes::Beginning(Beginning::new(bytes, len))] })
    };
    let mut towers = files.iter().map(tower).collect::<Result<Vec<_>, _>>()?;
    let vision = if towers.len() > 1 { towers.pop() } else { None };
    let Some(text) = towers.pop() else { return Ok(()) };
    let name = text.name.clone();
    let loaded = Model::from_files(text, vision).and_then(|model| {
        model.plan(&Options::default())?;
        Ok(model)
    });
    let (file, why) = match loaded {
        Ok(model) => {
            note_of_template(&name, &model);
            return Ok(());
        }
        // It may run on another machine.
        Err(ocelli::Error::OutOfMemory { .. }) => return Ok(()),
        Err(ocelli::Error::Vocab { error, .. }) => (tokens(files), error.to_string()),
        Err(ocelli::Error::Vocabulary { tokens: many, rows, .. }) => {
            (tokens(files), format!("the tokenizer has {many} tokens, the embedding table {rows} rows"))
        }
        Err(ocelli::Error::Model { error: error @ ocelli_models::Error::Recipe(_), .. }) => {
            ("preprocessor_config.json", error.to_string())
        }
        Err(ocelli::Error::Model { error, .. }) => ("config.json", error.to_string()),
        Err(ocelli::Error::File { error, .. }) => ("config.json", error.to_string()),
        Err(error) => ("config.json", error.to_string()),
    };
    Err(Error::Unreadable { file: file.into(), why })
}

/// The file of the checkpoint that the tokens are from.
fn tokens(files: &[(PathBuf, Plan)]) -> &'static str {
    files.first().map_or("", |(_, plan)| plan.tokens())
}

/// A chat template that this engine does not render is still the checkpoint's, and others may.
fn note_of_template(path: &str, model: &Model<'_>) {
    match model.chat_template() {
        Ok(_) | Err(ocelli::Error::Template { error: TemplateError::Absent, .. }) => {}
        Err(ocelli::Error::Template { error, .. }) => {
            log::warn!("{path}: {error}; the model can be asked with --raw");
        }
        Err(error) => log::warn!("{path}: {error}"),
    }
}

fn numbers(plan: &Plan) -> u64 {
    plan.tensors().iter().map(|tensor| tensor.elements() as u64).sum()
}

/// What a file will have.
fn describe(plan: &Plan) -> Made {
    let mut made = Made::default();
    for tensor in plan.tensors() {
        made.before += tensor.bytes(tensor.from);
        *made.kinds.entry(tensor.to).or_default() += 1;
        if tensor.to != tensor.wanted {
            *made.fallbacks.entry((tensor.wanted, tensor.row(), tensor.to)).or_default() += 1;
        }
    }
    made
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        // A name that is no UTF-8 is none that a checkpoint has.
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// A folder on the disk.
pub(crate) struct Disk {
    path: PathBuf,
    open: Mutex<BTreeMap<String, Arc<Mutex<File>>>>,
}

impl Disk {
    /// Nothing is opened yet.
    pub(crate) fn new(path: &Path) -> Disk {
        Disk { path: path.into(), open: Mutex::default() }
    }

    /// The files that were read so far.
    fn opened(&self) -> Vec<PathBuf> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.keys().map(|name| self.path.join(name)).collect()
    }

    /// A file, opened once.
    fn file(&self, name: &str) -> io::Result<Arc<Mutex<File>>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(name) {
            return Ok(file.clone());
        }
        let file = Arc::new(Mutex::new(File::open(self.path.join(name))?));
        open.insert(name.into(), file.clone());
        Ok(file)
    }
}

impl Folder for Disk {
    fn name(&self) -> String {
        called(&self.path)
    }

    fn files(&self) -> io::Result<Vec<String>> {
        names(&self.path)
    }

    fn files_in(&self, folder: &str) -> io::Result<Vec<String>> {
        let path = self.path.join(folder);
        if path.is_dir() { names(&path) } else { Ok(Vec::new()) }
    }

    fn size(&self, file: &str) -> io::Result<u64> {
        let meta = std::fs::metadata(self.path.join(file))?;
        // A pipe would keep whoever opens it waiting.
        if meta.is_file() { Ok(meta.len()) } else { Err(io::Error::other("is not a file")) }
    }

    fn read(&self, file: &str, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let file = self.file(file)?;
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_recipes() {
        assert_eq!([F16.name, BF16.name, Q8_0.name], ["F16", "BF16", "Q8_0"]);
    }
}
