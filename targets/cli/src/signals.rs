//! Signals, for the commands that write files and for a conversation.
//!
//! ```text
//! SIGINT (Ctrl-C), SIGTERM, SIGHUP, SIGXCPU   the files that are not whole are removed; "stopped", exit code 128 + number
//! SIGXFSZ                                     the write that is too long fails, as on a full disk
//! ```
//!
//! The other commands leave nothing behind and end as any program does. A thread waits for signals, so that what is done for
//! one is ordinary code, whatever the command is busy with. Where SIGHUP is ignored (`nohup`), it stays so.
#![cfg_attr(unix, allow(unsafe_code, reason = "a call of the system"))]

use super::terminal;
use ocelli_tools::atomic_file;

/// Ends the process: no file that is not whole stays.
fn end(code: i32) {
    // Held until the end: no file is begun and none gets its name from here on.
    let _held = atomic_file::abandon();
    terminal::last("ocelli: stopped");
    std::process::exit(code);
}

#[cfg(unix)]
mod system {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXCPU, SIGXFSZ};
    use signal_hook::iterator::Signals;
    use std::io;
    use std::mem::MaybeUninit;

    /// Ends the process with `end(code)` when a signal asks for it.
    pub fn ends(end: fn(i32)) -> io::Result<()> {
        let mut signals = vec![SIGINT, SIGTERM, SIGXCPU, SIGXFSZ];
        if !is_ignored(SIGHUP) {
            signals.push(SIGHUP);
        }
        wait(&signals, move |signal| {
            if signal != SIGXFSZ {
                end(128 + signal);
            }
        })
    }

    /// Does this at every interrupt.
    pub fn interrupts(stop: impl Fn() + Send + 'static) -> io::Result<()> {
        wait(&[SIGINT], move |_| stop())
    }

    fn wait(signals: &[i32], then: impl Fn(i32) + Send + 'static) -> io::Result<()> {
        let mut signals = Signals::new(signals)?;
        let waiting = std::thread::Builder::new().name("signals".into());
        waiting.spawn(move || signals.forever().for_each(then)).map(drop)
    }

    /// Whether a signal was ignored when the program was started.
    fn is_ignored(signal: i32) -> bool {
        let mut now = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: without a new action the call changes nothing; the pointer is to a structure of the type it writes, which
        // is valid with all its bytes zero, too.
        let now = unsafe {
            libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr());
            now.assume_init()
        };
        now.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(not(unix))]
mod system {
    use std::io;

    /// Ends the process with `end(code)` when the interrupt key is pressed.
    pub fn ends(end: fn(i32)) -> io::Result<()> {
        interrupts(move || end(130))
    }

    /// Does this at every interrupt.
    pub fn interrupts(stop: impl Fn() + Send + 'static) -> io::Result<()> {
        ctrlc::set_handler(stop).map_err(io::Error::other)
    }
}

/// From here on signals end the process without a file that is not whole.
///
/// # Errors
/// The system does not let them be waited for.
pub fn end_cleanly() -> std::io::Result<()> {
    system::ends(end)
}

/// From here on the interrupt key does this and nothing else.
///
/// # Errors
/// The system does not let it be waited for.
pub fn on_interrupt(stop: impl Fn() + Send + 'static) -> std::io::Result<()> {
    system::interrupts(stop)
}
