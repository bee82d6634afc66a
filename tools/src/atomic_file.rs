//! A file that has another name until it is whole.
//!
//! It is written beside the name it will have, as `<name>.<process>.part`, and named when complete and on the disk. Whoever
//! looks under the name finds what was there before or the whole new file, also after the process was killed or the
//! machine lost power (then the `.part` may be left). Every file that the command line makes is made here.
//!
//! ```text
//! of the name there is      without --force     with --force
//! nothing                   made                made
//! a file                    refused             replaced, with the old one's permissions and owner
//! a link, even to a file    refused: to replace it would cut what it leads to off, to follow it is to guess what is meant
//! a folder, device, pipe    refused
//! a file that is read       refused
//! ```
//!
//! The `.part` is a new file always (`O_EXCL`): a name that is taken, be it by somebody's link, is left alone and another one
//! tried. What has come by the name meanwhile is not replaced either: without `--force` the file gets its name by a hard
//! link, which fails where one is.
//!
//! A signal that ends the process ([`abandon`]) removes the files that are not whole: which ones is one list, locked while a
//! file is begun and while it is named, so that none is forgotten and none is removed that has its name.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes that are collected before they are written.
const BUFFER: usize = 1 << 18;

/// Names that are tried for a file that is not whole.
const TRIES: usize = 64;

/// The longest name that another one is made of by an ending: file systems take 255 bytes.
const LONGEST: usize = 200;

/// The files that are not whole.
static PARTS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn parts() -> MutexGuard<'static, Vec<PathBuf>> {
    PARTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a file was not made.
#[derive(Debug)]
pub enum Failure {
    /// A file has the name.
    Exists(PathBuf),
    /// What has the name is a link: where it leads.
    Link(PathBuf, PathBuf),
    /// The name is a folder's.
    Folder(PathBuf),
    /// What has the name is a device, a pipe or a socket.
    NoFile(PathBuf),
    /// It is one of the files that are read.
    Source(PathBuf),
    /// It cannot be begun.
    Begin(PathBuf, io::Error),
    /// It cannot be written, or not named.
    Write(PathBuf, io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Exists(path) => write!(f, "{} exists already (--force replaces it)", path.display()),
            Failure::Link(path, to) => write!(
                f,
                "{} is a link (to {}) and is not replaced: name the file that is to be written",
                path.display(),
                to.display()
            ),
            Failure::Folder(path) => {
                write!(f, "{} is the name of a folder: name a file in it", path.display())
            }
            Failure::NoFile(path) => write!(
                f,
                "{}: there is something of that name that is not a file; it is not replaced",
                path.display()
            ),
            Failure::Source(path) => {
                write!(f, "{} is a file that is read: give what is written another name", path.display())
            }
            Failure::Begin(path, error) if error.kind() == ErrorKind::NotFound => {
                write!(f, "{}: there is no such folder to write into", path.display())
            }
            Failure::Begin(path, error) => write!(f, "{}: {error}", path.display()),
            Failure::Write(path, error) => {
                write!(f, "{}: {error} (what was written is removed)", path.display())
            }
        }
    }
}

impl std::error::Error for Failure {}

/// Whether a file of the name may be made, replacing one or not: what has the name now.
///
/// # Errors
/// It may not.
pub fn check(path: &Path, replace: bool) -> Result<Option<Metadata>, Failure> {
    let slash = path
        .as_os_str()
        .as_encoded_bytes()
        .last()
        .is_some_and(|last| std::path::is_separator(char::from(*last)));
    if slash || path.file_name().is_none() {
        return Err(Failure::Folder(path.into()));
    }
    // Of a link itself, not of what it leads to.
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::Begin(path.into(), error)),
        Ok(found) if found.is_symlink() => {
            Err(Failure::Link(path.into(), std::fs::read_link(path).unwrap_or_default()))
        }
        Ok(found) if found.is_dir() => Err(Failure::Folder(path.into())),
        Ok(found) if !found.is_file() => Err(Failure::NoFile(path.into())),
        Ok(_) if !replace => Err(Failure::Exists(path.into())),
        Ok(found) => Ok(Some(found)),
    }
}

/// Refuses to write what is read, by whatever name: a link to it and a second name of it are it.
///
/// # Errors
/// It is.
pub fn apart<P: AsRef<Path>>(path: &Path, sources: impl IntoIterator<Item = P>) -> Result<(), Failure> {
    let Some(found) = identity(path) else { return Ok(()) };
    let mut sources = sources.into_iter();
    match sources.any(|source| identity(source.as_ref()).as_ref() == Some(&found)) {
        true => Err(Failure::Source(path.into())),
        false => Ok(()),
    }
}

/// What two names of one file have in common; nothing of what is not there.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// What two names of one file have in common; nothing of what is not there.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

/// A file that is being written.
#[derive(Debug)]
pub struct Part {
    file: BufWriter<File>,
    path: PathBuf,
    part: PathBuf,
    replace: bool,
    written: u64,
    whole: bool,
}

impl Part {
    /// Begins the file that will be at `path`, in the place of one that is there or not.
    ///
    /// # Errors
    /// As [`check`], or the folder does not take it.
    pub fn create(path: &Path, replace: bool) -> Result<Part, Failure> {
        let old = check(path, replace)?;
        let mut parts = parts();
        let (part, file) = begin(path, old.as_ref()).map_err(|error| Failure::Begin(path.into(), error))?;
        parts.push(part.clone());
        let file = BufWriter::with_capacity(BUFFER, file);
        Ok(Part { file, path: path.into(), part, replace, written: 0, whole: false })
    }

    /// Writes the next bytes.
    ///
    /// # Errors
    /// The disk is full, or worse.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Ends the file: it is on the disk and has its name then. How many bytes it has.
    ///
    /// # Errors
    /// The disk does not take the rest, or the name is taken by now.
    pub fn finish(mut self) -> Result<u64, Failure> {
        let unwritten = |error| Failure::Write(self.path.clone(), error);
        self.file.flush().and_then(|()| self.file.get_ref().sync_all()).map_err(unwritten)?;
        let mut parts = parts();
        check(&self.path, self.replace)?;
        name(&self.part, &self.path, self.replace)?;
        parts.retain(|part| *part != self.part);
        drop(parts);
        self.whole = true;
        // The name is on the disk when its folder is. Not every system lets a folder be opened; the file is whole anyway.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
            let _ = folder.sync_all();
        }
        Ok(self.written)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.whole {
            let mut parts = parts();
            // What cannot be removed either is named in no second message.
            let _ = std::fs::remove_file(&self.part);
            parts.retain(|part| *part != self.part);
        }
    }
}

/// A new file beside `path`, like the one that it replaces.
fn begin(path: &Path, old: Option<&Metadata>) -> io::Result<(PathBuf, File)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if let Some(old) = old {
        use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
        // Nobody may read it while it grows who may not read the old one.
        options.mode(old.mode() & 0o777);
    }
    let name = path.file_name().unwrap_or_default();
    let name = if name.len() > LONGEST { "ocelli".as_ref() } else { name };
    let process = std::process::id();
    for number in 0..TRIES {
        let mut name = name.to_os_string();
        name.push(if number == 0 { format!(".{process}.part") } else { format!(".{process}-{number}.part") });
        let part = path.with_file_name(name);
        match options.open(&part) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => {
                if let Some(old) = old {
                    become_like(&file, old);
                }
                return Ok((part, file));
            }
        }
    }
    Err(io::Error::new(ErrorKind::AlreadyExists, "all names for a file that is not whole are taken (.part)"))
}

/// Gives a file the permissions and, where that is allowed, the owner of another. One that stays as it was made is whole too.
#[cfg(unix)]
fn become_like(file: &File, old: &Metadata) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let _ = std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()));
    let _ = file.set_permissions(std::fs::Permissions::from_mode(old.mode() & 0o777));
}

/// What other systems know of permissions would make the new file unwritable.
#[cfg(not(unix))]
fn become_like(_: &File, _: &Metadata) {}

/// Gives a whole file its name.
fn name(part: &Path, path: &Path, replace: bool) -> Result<(), Failure> {
    if !replace {
        match std::fs::hard_link(part, path) {
            Ok(()) => {
                let _ = std::fs::remove_file(part);
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(Failure::Exists(path.into()));
            }
            // A file system without hard links. That nothing had the name was looked at a moment ago.
            Err(_) => {}
        }
    }
    std::fs::rename(part, path).map_err(|error| Failure::Write(path.into(), error))
}

/// Holds what was abandoned: nothing is begun and nothing gets its name while it lives.
pub struct Abandoned(#[allow(dead_code, reason = "the lock")] MutexGuard<'static, Vec<PathBuf>>);

/// Removes the files that are not whole: for who ends the process.
pub fn abandon() -> Abandoned {
    let mut parts = parts();
    remove(&mut parts);
    Abandoned(parts)
}

fn remove(parts: &mut Vec<PathBuf>) {
    for part in parts.drain(..) {
        let _ = std::fs::remove_file(part);
    }
}

#[cfg(test)]
mod tests;
