//! The command line. See `ocelli --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ocelli_cli::main()
}
