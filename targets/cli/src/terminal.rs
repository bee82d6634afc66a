//! What a person at a terminal sees: an answer as it comes, and while waiting a bar for an image being encoded and a
//! long prompt being read. The bar is not written when standard error is not a terminal.
//!
//! What a terminal would obey is escaped here (`escape.rs`), in everything that is printed. An answer keeps it where it goes
//! to a file or a pipe, or with `--raw-output`.

use super::escape;
use ocelli::Progress;
use std::io::{self, IsTerminal, StdoutLock, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether a bar is on the terminal's last line.
static BAR: AtomicBool = AtomicBool::new(false);

/// Writes a line to standard error. One that has been closed is no reason to fail.
pub fn say(line: std::fmt::Arguments<'_>) {
    let text = format!("{line}\n");
    let _ = io::stderr().write_all(escape::lines(&text).as_bytes());
}

/// Says why the process ends in the middle of its work.
pub fn last(line: &str) {
    if BAR.swap(false, Relaxed) {
        let _ = write!(io::stderr(), "{WIPE}");
    }
    say(format_args!("{line}"));
}

/// Standard output.
pub struct Out(StdoutLock<'static>);

/// Standard output, for lines and tables.
pub fn out() -> Out {
    Out(io::stdout().lock())
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Formatting hands whole characters over.
        let text = String::from_utf8_lossy(bytes);
        self.0.write_all(escape::lines(&text).as_bytes()).map_err(named)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(named)
    }
}

/// An error of standard output, which says so.
fn named(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("standard output: {error}"))
}

/// Standard output while an answer streams to it.
pub struct Page<W = StdoutLock<'static>> {
    out: W,
    /// Whether white space may be printed: not before the first word of a chat's answer. Where a template ends in
    /// `Assistant:` a model goes on with ` DOOR`, whose space belongs to the template.
    space: bool,
    /// Whether what a terminal would obey is printed as it is.
    raw: bool,
}

impl Page {
    /// A page for the answer of a chat. `raw`: as it is, even at a terminal.
    pub fn of_a_chat(raw: bool) -> Page {
        Page::new(false, raw)
    }

    /// A page for text that continues the prompt as it stands.
    pub fn as_it_is(raw: bool) -> Page {
        Page::new(true, raw)
    }

    fn new(space: bool, raw: bool) -> Page {
        Page { out: io::stdout().lock(), space, raw: raw || !io::stdout().is_terminal() }
    }
}

impl<W: Write> Page<W> {
    /// Prints the next piece at once: whole characters, so that none is obeyed that comes in two pieces.
    pub fn print(&mut self, piece: &str) -> io::Result<()> {
        let piece = if self.space { piece } else { piece.trim_start() };
        self.space |= !piece.is_empty();
        let text = if self.raw { piece.into() } else { escape::lines(piece) };
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).map_err(named)
    }

    /// Ends the answer's last line.
    pub fn end(&mut self) -> io::Result<()> {
        writeln!(self.out).map_err(named)
    }
}

/// Puts the cursor at the beginning of the line and wipes it.
const WIPE: &str = "\r\x1b[K";

/// Prompts shorter than this show no bar.
const LONG: usize = 128;
const WIDTH: usize = 30;

/// A line on standard error that is drawn over itself.
pub struct Bar {
    active: bool,
}

impl Bar {
    /// A bar, which stays invisible when `quiet` or when nobody watches.
    pub fn new(quiet: bool) -> Bar {
        Bar { active: !quiet && io::stderr().is_terminal() }
    }

    /// Draws how far reading has come.
    pub fn show(&mut self, progress: Progress) {
        if !self.active {
            return;
        }
        let (what, done, of) = match progress {
            Progress::Encode { done, of } => ("seeing", done as usize, of as usize),
            Progress::Prefill { done, of } if of >= LONG => ("reading", done, of),
            Progress::Prefill { .. } => return,
        };
        self.draw(what, done as u64, of as u64, "");
    }

    /// Draws how much of something is done, in some unit.
    pub fn draw(&mut self, what: &str, done: u64, of: u64, unit: &str) {
        if !self.active {
            return;
        }
        let filled = (WIDTH as u64 * done / of.max(1)).min(WIDTH as u64) as usize;
        let bar = format!("{}{}", "#".repeat(filled), ".".repeat(WIDTH - filled));
        BAR.store(true, Relaxed);
        let _ = write!(io::stderr(), "\r{what:8} [{bar}] {done}/{of}{unit}\x1b[K");
    }

    /// Wipes the line.
    pub fn clear(&mut self) {
        if self.active && BAR.swap(false, Relaxed) {
            let _ = write!(io::stderr(), "{WIPE}");
        }
    }

    /// Says something, if somebody watches or asked for it with `-v`.
    pub fn tell(&mut self, text: &str) {
        if ::log::log_enabled!(::log::Level::Info) {
            self.clear();
            ::log::info!("{text}");
        } else {
            self.note(text);
        }
    }

    /// Says something, if somebody watches.
    pub fn note(&mut self, text: &str) {
        self.clear();
        if self.active {
            say(format_args!("{text}"));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// What these pieces become.
    fn printed(pieces: &[&str], space: bool, raw: bool) -> String {
        let mut page = Page { out: Vec::new(), space, raw };
        pieces.iter().for_each(|piece| page.print(piece).unwrap());
        String::from_utf8(page.out).unwrap()
    }

    #[test]
    fn an_answer_cannot_command_a_terminal() {
        // An escape sequence in one piece, in two, in as many as it has characters.
        for pieces in [&["a\x1b[31mb"][..], &["a\x1b", "[31mb"], &["a", "\x1b", "[", "3", "1", "m", "b"]] {
            assert_eq!(printed(pieces, true, false), "a\\u{1b}[31mb");
            assert_eq!(printed(pieces, true, true), "a\x1b[31mb");
        }
        assert_eq!(
            printed(&["one\n\ttwo", "\u{9b}2J\x08\r\u{202e}"], true, false),
            "one\n\ttwo\\u{9b}2J\\u{8}\\r\\u{202e}"
        );
    }

    #[test]
    fn the_space_before_a_chats_first_word_is_the_templates() {
        assert_eq!(printed(&[" ", "\n", " DOOR", " 5"], false, true), "DOOR 5");
        assert_eq!(printed(&[" ", "DOOR"], true, true), " DOOR");
    }
}
