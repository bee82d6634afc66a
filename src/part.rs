//! A file that has another name until it is whole.
//!
//! It is written beside the name it will have, as `<name>.<process>.part`, and renamed when complete and on the disk. Whoever
//! looks under the name finds what was there before or the whole new file, also after the process was killed or the
//! machine lost power (then the `.part` may be left).

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Bytes that are collected before they are written.
const BUFFER: usize = 1 << 18;

/// A file that is being written.
#[derive(Debug)]
pub struct Part {
    file: BufWriter<File>,
    path: PathBuf,
    part: PathBuf,
    written: u64,
    whole: bool,
}

impl Part {
    /// Begins the file that will be at `path`.
    ///
    /// # Errors
    /// The folder does not take it, or what has the name is no file: a device or a pipe would be replaced by one.
    pub fn create(path: &Path) -> io::Result<Part> {
        if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
            return Err(io::Error::other("there is something of that name that is not a file"));
        }
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{}.part", std::process::id()));
        let part = path.with_file_name(name);
        let file = BufWriter::with_capacity(BUFFER, File::create(&part)?);
        Ok(Part { file, path: path.into(), part, written: 0, whole: false })
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
    /// The disk does not take the rest, or the name.
    pub fn finish(mut self) -> io::Result<u64> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        std::fs::rename(&self.part, &self.path)?;
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
            // What cannot be removed either is named in no second message.
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_name_has_the_old_file_or_the_whole_new_one() {
        let folder = std::env::temp_dir().join(format!("ocelli-part-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("x.gguf");
        std::fs::write(&path, "old").unwrap();
        let mut part = Part::create(&path).unwrap();
        part.write(b"half").unwrap();
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
        drop(part);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        let mut part = Part::create(&path).unwrap();
        part.write(b"the ").unwrap();
        part.write(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(part.finish().unwrap(), 7);
        assert!(Part::create(&folder).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"the new");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
