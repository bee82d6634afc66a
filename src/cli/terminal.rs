//! What a person at a terminal sees: an answer as it comes, and while waiting a bar for an image being encoded and a
//! long prompt being read. The bar is not written when standard error is not a terminal.

use crate::Progress;
use std::io::{IsTerminal, StdoutLock, Write};

/// Writes a line to standard error. One that has been closed is no reason to fail.
pub fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Standard output while an answer streams to it.
pub struct Page {
    out: StdoutLock<'static>,
    /// Whether white space may be printed: not before the first word of a chat's answer. Where a template ends in
    /// `Assistant:` a model goes on with ` DOOR`, whose space belongs to the template.
    space: bool,
}

impl Page {
    /// A page for the answer of a chat.
    pub fn of_a_chat() -> Page {
        Page { out: std::io::stdout().lock(), space: false }
    }

    /// A page for text that continues the prompt as it stands.
    pub fn as_it_is() -> Page {
        Page { out: std::io::stdout().lock(), space: true }
    }

    /// Prints the next piece at once.
    pub fn print(&mut self, piece: &str) -> std::io::Result<()> {
        let piece = if self.space { piece } else { piece.trim_start() };
        self.space |= !piece.is_empty();
        self.out.write_all(piece.as_bytes())?;
        self.out.flush()
    }

    /// Ends the answer's last line.
    pub fn end(&mut self) -> std::io::Result<()> {
        writeln!(self.out)
    }
}

/// Prompts shorter than this show no bar.
const LONG: usize = 128;
const WIDTH: usize = 30;

/// A line on standard error that is drawn over itself.
pub struct Bar {
    shown: bool,
    active: bool,
}

impl Bar {
    /// A bar, which stays invisible when `quiet` or when nobody watches.
    pub fn new(quiet: bool) -> Bar {
        Bar { shown: false, active: !quiet && std::io::stderr().is_terminal() }
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
        let _ = write!(std::io::stderr(), "\r{what:8} [{bar}] {done}/{of}{unit}\x1b[K");
        self.shown = true;
    }

    /// Wipes the line.
    pub fn clear(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
            self.shown = false;
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
