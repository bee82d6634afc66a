//! Where a checkpoint lies: a folder, or anything that can pass for one.

use crate::error::Error;
use std::io;

/// A folder of files. Nothing here opens files itself: what is resident is what was asked for, and a file that is cut
/// short meanwhile is an error and not the end of the process.
pub trait Folder: Sync {
    /// What the folder is called.
    fn name(&self) -> String;

    /// The names of the files in it.
    ///
    /// # Errors
    /// It cannot be listed.
    fn files(&self) -> io::Result<Vec<String>>;

    /// The names of the files in a folder of it; none where there is no such folder.
    ///
    /// # Errors
    /// It cannot be listed.
    fn files_in(&self, folder: &str) -> io::Result<Vec<String>> {
        let _ = folder;
        Ok(Vec::new())
    }

    /// The size of a file.
    ///
    /// # Errors
    /// There is none of that name.
    fn size(&self, file: &str) -> io::Result<u64>;

    /// Fills `out` with the bytes of a file from `offset` on.
    ///
    /// # Errors
    /// They cannot be read.
    fn read(&self, file: &str, offset: u64, out: &mut [u8]) -> io::Result<()>;
}

/// The largest file that is read whole: the tokenizers of today have 30 MB.
const WHOLE: u64 = 1 << 28;

/// Reads a file whole; `None` when it is not there.
pub(crate) fn whole(folder: &dyn Folder, file: &str) -> Result<Option<Vec<u8>>, Error> {
    let at = |error| Error::Io { file: file.into(), error };
    let len = match folder.size(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        len => len.map_err(at)?,
    };
    if len > WHOLE {
        let found = format!("{len} bytes");
        return Err(Error::Unsupported { what: "a file of more than 256 MiB beside the weights", found });
    }
    let mut bytes = vec![0; len as usize];
    folder.read(file, 0, &mut bytes).map_err(at)?;
    Ok(Some(bytes))
}

/// Reads a text whole, as Python's `open` does: every end of a line is a line feed. `None` when it is not there.
pub(crate) fn text(folder: &dyn Folder, file: &str) -> Result<Option<String>, Error> {
    let Some(bytes) = whole(folder, file)? else { return Ok(None) };
    let wrong = |error: std::string::FromUtf8Error| Error::Utf8 {
        file: file.into(),
        at: error.utf8_error().valid_up_to(),
    };
    let text = String::from_utf8(bytes).map_err(wrong)?;
    Ok(Some(if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text }))
}
