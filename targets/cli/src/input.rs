//! What comes in: texts and images, from files, pipes and standard input.
//!
//! **What is read.** A file is read when its size keeps the bound, which is looked at before it is read. A pipe is read where
//! the caller takes one, up to the bound. Anything else (a folder, a device) is not a file: it may have no end.
//!
//! **How long.** Whoever opens a pipe that nobody writes to waits, and so does whoever reads one. So a thread does that, and
//! the caller looks at its [`Stopper`] meanwhile: a deadline and an interrupt hold while input is awaited.
//!
//! **What a text is.** UTF-8. A byte order mark in front is not a part of it, and CRLF ends a line as LF does ([`text`]); of a
//! prompt the last line's end is not a part either ([`prompt`]). `--raw` keeps every byte; arguments are as they were typed.

use ocelli::{Error, Stopper};
use ocelli_kernels::pool::Interrupt;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Bytes that are read at a time.
const STEP: usize = 1 << 16;
/// How often the stopper is looked at while others are waited for.
const LOOK: Duration = Duration::from_millis(10);
/// The stack of the thread that reads.
const STACK: usize = 1 << 18;

/// Why something was not read.
#[derive(Debug)]
pub enum Unread {
    /// It cannot be.
    Io(io::Error),
    /// It is longer than the bound.
    Long {
        /// Bytes it has, where that is known.
        bytes: Option<u64>,
        /// Bytes it may have.
        most: u64,
    },
    /// The deadline has passed, or somebody stopped it.
    Ended(Error),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Unread {
        Unread::Io(error)
    }
}

impl Unread {
    /// As an error of input and output, where nothing is stopped.
    pub fn plain(self) -> io::Error {
        match self {
            Unread::Io(error) => error,
            Unread::Long { bytes: Some(bytes), most } => {
                io::Error::other(format!("it has {bytes} bytes, and at most {most} are read"))
            }
            Unread::Long { bytes: None, most } => {
                io::Error::other(format!("it has more than {most} bytes, which are the most that are read"))
            }
            Unread::Ended(error) => io::Error::other(error.to_string()),
        }
    }
}

/// What may be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Files.
    File,
    /// Pipes as well, since it is read once.
    FileOrPipe,
}

/// How something is read.
pub struct Reading<'a> {
    /// What it may be.
    pub kind: Kind,
    /// Bytes it may have.
    pub most: u64,
    /// Whether what begins like this is worth reading; of what is not there is just the beginning.
    pub worth: fn(&[u8]) -> bool,
    /// Who ends it.
    pub stopper: &'a Stopper,
}

/// Bytes that [`Reading::worth`] is shown.
pub const BEGINNING: usize = 12;

/// Reads a file or a pipe.
///
/// # Errors
/// It is neither, too long, cannot be read, or nobody waits for it any more.
pub fn file(path: &Path, how: &Reading<'_>) -> Result<Vec<u8>, Unread> {
    let not_a_file = || Unread::Io(io::Error::other("is not a file"));
    let (most, worth) = (how.most, how.worth);
    // Looked at before it is opened: a pipe would keep whoever opens it waiting.
    let meta = std::fs::metadata(path)?;
    if meta.is_file() {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(not_a_file());
        }
        let bytes = meta.len();
        if bytes > most {
            return Err(Unread::Long { bytes: Some(bytes), most });
        }
        return gather(file, (bytes, most), worth, &|| how.stopper.stopped())
            .map_err(|e| ended(e, how.stopper));
    }
    if how.kind == Kind::File || !is_pipe(&meta) {
        return Err(not_a_file());
    }
    let path = path.to_path_buf();
    wait(how.stopper, move |left| gather(File::open(path)?, (0, most), worth, &|| left.load(Relaxed)))
}

/// Reads standard input to its end.
///
/// # Errors
/// It is too long, cannot be read, or nobody waits for it any more.
pub fn standard_input(most: u64, stopper: &Stopper) -> Result<Vec<u8>, Unread> {
    let known = rest_of_standard_input();
    if let Some(bytes) = known.filter(|bytes| *bytes > most) {
        return Err(Unread::Long { bytes: Some(bytes), most });
    }
    let sizes = (known.unwrap_or(0), most);
    wait(stopper, move |left| gather(io::stdin().lock(), sizes, |_| true, &|| left.load(Relaxed)))
}

/// Bytes that are left of standard input, where it is a file.
#[cfg(unix)]
fn rest_of_standard_input() -> Option<u64> {
    use std::io::Seek;
    use std::os::fd::AsFd;
    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    let meta = file.metadata().ok().filter(Metadata::is_file)?;
    meta.len().checked_sub(file.stream_position().ok()?)
}

#[cfg(not(unix))]
fn rest_of_standard_input() -> Option<u64> {
    None
}

#[cfg(unix)]
fn is_pipe(meta: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&meta.file_type())
}

#[cfg(not(unix))]
fn is_pipe(meta: &Metadata) -> bool {
    !meta.is_dir()
}

/// Why nobody waits any more.
fn reason(stopper: &Stopper) -> Error {
    if stopper.is_stopped() { Error::Stopped } else { Error::Deadline }
}

/// A reader that was told to end says so with this; whoever told it knows why.
fn ended(error: Unread, stopper: &Stopper) -> Unread {
    match error {
        Unread::Ended(_) => Unread::Ended(reason(stopper)),
        other => other,
    }
}

/// Lets another thread read, and waits for it as long as the stopper lets it. A thread that is left behind ends at its next
/// bytes, or with the process.
fn wait(
    stopper: &Stopper,
    read: impl FnOnce(&AtomicBool) -> Result<Vec<u8>, Unread> + Send + 'static,
) -> Result<Vec<u8>, Unread> {
    let (sender, receiver) = sync_channel(1);
    let left = Arc::new(AtomicBool::new(false));
    let seen = left.clone();
    let work = move || drop(sender.send(read(&seen)));
    std::thread::Builder::new().name("input".into()).stack_size(STACK).spawn(work)?;
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) if stopper.stopped() => {
                left.store(true, Relaxed);
                return Err(Unread::Ended(reason(stopper)));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("its reader has ended").into());
            }
        }
    }
}

/// Reads to the end, or to the bound. Room is taken as it is needed, half as much again at a time; of what is a file at once.
fn gather(
    mut from: impl Read,
    (known, most): (u64, u64),
    worth: fn(&[u8]) -> bool,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    // One more than a file has is room to see its end.
    grow(&mut bytes, usize::try_from(known.saturating_add(1)).unwrap_or(usize::MAX))?;
    loop {
        if stop() {
            return Err(Unread::Ended(Error::Stopped));
        }
        let before = bytes.len();
        let step = if before < BEGINNING { BEGINNING - before } else { STEP };
        // One more than the bound shows that it is passed.
        let left = usize::try_from((most - before as u64).saturating_add(1)).unwrap_or(usize::MAX);
        if bytes.capacity() == before {
            grow(&mut bytes, STEP.max(before / 2).min(left))?;
        }
        let step = step.min(left).min(bytes.capacity() - before);
        bytes.resize(before + step, 0);
        let read = match from.read(bytes.get_mut(before..).unwrap_or_default()) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                bytes.truncate(before);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        bytes.truncate(before + read);
        if bytes.len() as u64 > most {
            return Err(Unread::Long { bytes: None, most });
        }
        let begun = before < BEGINNING && bytes.len() >= BEGINNING;
        if read == 0 || (begun && !worth(&bytes)) {
            return Ok(bytes);
        }
    }
}

fn grow(bytes: &mut Vec<u8>, more: usize) -> io::Result<()> {
    let full =
        |_| io::Error::new(io::ErrorKind::OutOfMemory, format!("{more} bytes of memory cannot be had"));
    bytes.try_reserve_exact(more).map_err(full)
}

/// The text of bytes, by the rule above.
///
/// # Errors
/// They are not UTF-8.
pub fn text(bytes: Vec<u8>) -> io::Result<String> {
    let mut text = utf8(bytes)?;
    if text.starts_with(MARK) {
        text.drain(..MARK.len_utf8());
    }
    Ok(if text.contains("\r\n") { text.replace("\r\n", "\n") } else { text })
}

/// The byte order mark.
const MARK: char = '\u{feff}';

/// Bytes as they are.
fn utf8(bytes: Vec<u8>) -> io::Result<String> {
    let wide = matches!(bytes.as_slice(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    String::from_utf8(bytes).map_err(|error| {
        let hint = if wide { ": it begins as UTF-16 does, and UTF-8 is expected" } else { "" };
        io::Error::new(io::ErrorKind::InvalidData, format!("{}{hint}", error.utf8_error()))
    })
}

/// A text file of at most so many bytes.
///
/// # Errors
/// It is none, or too long.
pub fn text_file(path: &Path, most: u64) -> io::Result<String> {
    let stopper = Stopper::default();
    let how = Reading { kind: Kind::File, most, worth: |_| true, stopper: &stopper };
    text(file(path, &how).map_err(Unread::plain)?)
}

/// The prompt: the argument, or standard input.
///
/// # Errors
/// It is longer than `most` bytes, not UTF-8, or nobody waits for it any more.
pub fn prompt(argument: Option<&str>, raw: bool, most: u64, stopper: &Stopper) -> Result<String, Unread> {
    if let Some(text) = argument.filter(|text| *text != "-") {
        let bytes = text.len() as u64;
        return if bytes > most { Err(Unread::Long { bytes: Some(bytes), most }) } else { Ok(text.into()) };
    }
    let bytes = standard_input(most, stopper)?;
    if raw {
        return Ok(utf8(bytes)?);
    }
    let mut text = text(bytes)?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

/// A line of a chat.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Text, without its end.
    Text(String),
    /// It is not UTF-8.
    Unreadable,
    /// It is longer than the bound. It was read past.
    Long,
}

/// The next line; nothing after the last.
///
/// # Errors
/// It cannot be read.
pub fn line(from: &mut impl BufRead, most: u64) -> io::Result<Option<Line>> {
    let mut bytes = Vec::new();
    if from.by_ref().take(most.saturating_add(1)).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.len() as u64 > most && bytes.last() != Some(&b'\n') {
        skip_line(from)?;
        return Ok(Some(Line::Long));
    }
    Ok(Some(text(bytes).map_or(Line::Unreadable, |text| Line::Text(text.trim_end_matches('\n').into()))))
}

/// Reads past the rest of a line.
fn skip_line(from: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let (length, done) = (end.map_or(buffer.len(), |end| end + 1), end.is_some() || buffer.is_empty());
        from.consume(length);
        if done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn gathered(bytes: &[u8], most: u64) -> Result<Vec<u8>, Unread> {
        gather(bytes, (0, most), |start| start != b"not worth it", &|| false)
    }

    #[test]
    fn bytes_are_gathered_up_to_the_bound() {
        let many: Vec<u8> = (0..3 * STEP).map(|n| n as u8).collect();
        for length in [0, 1, BEGINNING - 1, BEGINNING, BEGINNING + 1, STEP, many.len()] {
            let bytes = many.get(..length).unwrap();
            assert_eq!(gathered(bytes, length as u64).unwrap(), bytes);
            assert_eq!(gathered(bytes, 1 << 40).unwrap(), bytes);
            if let Some(less) = (length as u64).checked_sub(1) {
                assert!(
                    matches!(gathered(bytes, less), Err(Unread::Long { bytes: None, most }) if most == less)
                );
            }
        }
        assert_eq!(gathered(b"not worth it, all of this", 1 << 20).unwrap(), b"not worth it");
        // What has no end ends at the bound.
        let zeros = gather(io::repeat(0), (0, 1 << 20), |_| true, &|| false);
        assert!(matches!(zeros, Err(Unread::Long { bytes: None, most: 1_048_576 })));
        let stopped = gather(io::repeat(0), (0, u64::MAX), |_| true, &|| true);
        assert!(matches!(stopped, Err(Unread::Ended(_))));
    }

    #[test]
    fn marks_and_line_ends_are_no_text() {
        let same = |bytes: &[u8]| text(bytes.to_vec()).unwrap();
        assert_eq!(same(b"\xef\xbb\xbfa\r\nb\r\n"), "a\nb\n");
        assert_eq!(same(b"a\rb\n\r"), "a\rb\n\r", "a carriage return alone ends no line");
        assert_eq!(same(b"\xef\xbb\xbf\xef\xbb\xbfa"), "\u{feff}a", "one mark");
        assert_eq!(same(b""), "");
        let wide = text(b"\xff\xfeh\0i\0".to_vec()).unwrap_err().to_string();
        assert!(wide.contains("UTF-16"), "{wide}");
    }

    #[test]
    fn lines_are_bounded_and_the_next_one_is_whole() {
        let mut lines = &b"one\r\ntoo long\n\xff\nfour\nlast"[..];
        let mut next = || line(&mut lines, 5).unwrap();
        let text = |text: &str| Some(Line::Text(text.into()));
        assert_eq!(next(), text("one"));
        assert_eq!(next(), Some(Line::Long));
        assert_eq!(next(), Some(Line::Unreadable));
        assert_eq!((next(), next(), next()), (text("four"), text("last"), None));
    }

    #[test]
    fn nobody_waits_for_ever() {
        let stopper = Stopper::default();
        stopper.set_deadline(Some(Duration::from_millis(30)));
        let never = wait(&stopper, |left| {
            while !left.load(Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(Vec::new())
        });
        assert!(matches!(never, Err(Unread::Ended(Error::Deadline))));
        stopper.stop();
        let never = wait(&stopper, |_| {
            std::thread::sleep(Duration::from_millis(300));
            Ok(Vec::new())
        });
        assert!(matches!(never, Err(Unread::Ended(Error::Stopped))));
    }
}
