//! Writes the manual pages of the command line, and completions for bash, zsh and fish, out of its definition.
//!
//!     cargo run -p ocelli-cli --features pages --example pages -- FOLDER

use clap_complete::aot::{Shell, generate_to};
use std::io::{Error, Result};
use std::path::PathBuf;

fn main() -> Result<()> {
    let usage = || Error::other("usage: pages FOLDER");
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or_else(usage)?);
    let mut command = ocelli_cli::command();
    // Each in the folder and under the name that Debian wants it in.
    let man = folder.join("man/man1");
    std::fs::create_dir_all(&man)?;
    clap_mangen::generate_to(command.clone(), &man)?;
    for (shell, place, name) in [
        (Shell::Bash, "bash-completion/completions", "ocelli"),
        (Shell::Zsh, "zsh/vendor-completions", "_ocelli"),
        (Shell::Fish, "fish/vendor_completions.d", "ocelli.fish"),
    ] {
        let place = folder.join(place);
        std::fs::create_dir_all(&place)?;
        let written = generate_to(shell, &mut command, "ocelli", &place)?;
        std::fs::rename(written, place.join(name))?;
    }
    Ok(())
}
