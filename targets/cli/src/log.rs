//! `-v`: what happens, on standard error.

use super::escape::shown;
use super::terminal::say;
use ::log::{LevelFilter, Log, Metadata, Record};

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= ::log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            say(format_args!("{}: {}", record.level().as_str().to_lowercase(), shown(record.args())));
        }
    }

    fn flush(&self) {}
}

/// Shows warnings, with `-v` information, with `-vv` everything.
pub fn start(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        _ => LevelFilter::Trace,
    };
    // Fails only if a logger was set before; then that one is as good.
    if ::log::set_logger(&Stderr).is_ok() {
        ::log::set_max_level(level);
    }
}
