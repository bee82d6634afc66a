//! The exit code of what ended a command. The table is in `ocelli --help`; what it means for the engine and for tools is
//! [`ocelli_tools::exit_code`].

use super::Failure;
pub use ocelli_tools::exit_code::USAGE;
use ocelli_tools::exit_code::{ExitCode, IMAGE, OTHER, exit_code};

/// The exit code of what ended a command: the engine's, the command line's, or that of the outermost failure of a tool.
pub fn code(error: &anyhow::Error) -> u8 {
    let engine = error.downcast_ref::<ocelli::Error>().map(ExitCode::exit_code);
    let own = error.downcast_ref::<Failure>().map(|failure| match failure {
        Failure::Usage(_) => USAGE,
        Failure::Photo { .. } | Failure::Large { .. } => IMAGE,
    });
    engine.or(own).or_else(|| error.chain().find_map(exit_code)).unwrap_or(OTHER)
}
