//! The command line: one file per command, and what they share.

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

mod album;
mod args;
mod bench;
mod calibrate;
mod chat;
mod compare;
mod convert;
mod device;
mod escape;
mod exit;
mod input;
mod inspect;
mod log;
mod material;
mod photos;
mod plan;
mod profile;
mod projection;
mod quantize;
mod report;
mod run;
mod signals;
mod synthesize;
mod terminal;
mod verify;
mod work;

/// Quantized vision-language models on small machines: GGUF files in, text out, offline, on the CPU.
#[derive(Parser)]
#[command(name = "ocelli", version, about, after_help = EXAMPLES, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say what happens: files, instruction set, threads, memory. Twice: more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

const EXAMPLES: &str = "\
Examples:
  ocelli run --model SmolVLM-256M-Q8_0.gguf --image photo.jpg --image-tokens 64 \"Describe this.\"
  ocelli run --model llava.gguf --image a.png --image b.png \"Is <image> older than <image>?\"
  ocelli chat --model SmolVLM-256M-Q8_0.gguf
  ocelli plan --model SmolVLM-256M-Q8_0.gguf --context 2048 --device rpi5
  ocelli inspect SmolVLM-256M-Q8_0.gguf
  ocelli bench --model SmolVLM-256M-Q8_0.gguf --image photo.jpg --threads 1,2

The vision tower (mmproj) is found beside the model.

Exit codes:
  0 done                      4 an image cannot be used
  1 something else failed     5 more memory than allowed
  2 the arguments are wrong   6 the deadline has passed
  3 a model cannot be used  130 interrupted (SIGTERM: 143, SIGHUP: 129)";

#[derive(Subcommand)]
enum Command {
    /// Answer one question.
    Run(run::Run),
    /// Talk, turn by turn.
    Chat(chat::Chat),
    /// Show what is in a model file and what will run it.
    Inspect(inspect::Inspect),
    /// Print the memory a session takes, before anything is allocated.
    Plan(plan::PlanCommand),
    /// Make a model with random weights in a published layout: to measure speed, or to try things out.
    Synthesize(synthesize::Synthesize),
    /// Make model files from a checkpoint: safetensors, configuration and tokenizer.
    Convert(convert::Convert),
    /// Make a model file or a vision tower small.
    Quantize(quantize::Quantize),
    /// Record which columns of a model's matrices count, for `quantize --importance`.
    Calibrate(calibrate::Calibrate),
    /// Say what a smaller model costs: its logits, images' rows and answers beside those of another.
    Compare(compare::Compare),
    /// Find the first stage of a model that is not what a reference computes.
    Verify(verify::Verify),
    /// Measure speed, beside what the machine can do.
    Bench(bench::Bench),
}

/// What goes wrong in the command line itself.
#[derive(Debug)]
enum Failure {
    /// Arguments that do not fit each other.
    Usage(String),
    /// A file that should be an image cannot be read.
    Photo {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// An image takes more memory than there is for it.
    Large {
        /// The file.
        path: PathBuf,
        /// Bytes it takes, where that is known.
        bytes: Option<u64>,
        /// Bytes there are.
        most: u64,
        /// The option that says so.
        option: &'static str,
    },
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Usage(what) => f.write_str(what),
            Failure::Photo { path, error } => write!(f, "{}: {error}", path.display()),
            Failure::Large { path, bytes, most, option } => {
                write!(f, "{}: the image takes ", path.display())?;
                match bytes {
                    Some(bytes) => write!(f, "{bytes} bytes, and {most} were planned for ({option})"),
                    None => write!(f, "more than the {most} bytes that were planned for ({option})"),
                }
            }
        }
    }
}

impl std::error::Error for Failure {}

/// The whole command line, for what describes it: manual pages, completions.
pub fn command() -> clap::Command {
    Cli::command()
}

impl Command {
    /// Whether it makes files.
    fn writes(&self) -> bool {
        matches!(
            self,
            Command::Synthesize(_) | Command::Convert(_) | Command::Quantize(_) | Command::Calibrate(_)
        )
    }

    fn run(self) -> args::Outcome {
        if self.writes() {
            signals::end_cleanly().context("waiting for signals")?;
        }
        match self {
            Command::Run(run) => run.run(),
            Command::Chat(chat) => chat.run(),
            Command::Inspect(inspect) => inspect.run(),
            Command::Plan(plan) => plan.run(),
            Command::Synthesize(synthesize) => synthesize.run(),
            Command::Convert(convert) => convert.run(),
            Command::Quantize(quantize) => quantize.run(),
            Command::Calibrate(calibrate) => calibrate.run(),
            Command::Compare(compare) => compare.run(),
            Command::Verify(verify) => verify.run(),
            Command::Bench(bench) => bench.run(),
        }
    }
}

/// Runs the command of the process's arguments.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    log::start(cli.verbose);
    let Err(error) = cli.command.run() else { return ExitCode::SUCCESS };
    if is_broken_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    terminal::say(format_args!("ocelli: {}", escape::shown(format_args!("{error:#}"))));
    ExitCode::from(exit::code(&error))
}

/// Prints what was asked for instead of a command (help, the version), or why there is none.
fn unparsed(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    if error.use_stderr() {
        terminal::say(format_args!("{}", text.trim_end()));
        return ExitCode::from(exit::USAGE);
    }
    match terminal::out().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            terminal::say(format_args!("ocelli: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// A reader that has gone away (`ocelli … | head`) is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::BrokenPipe)
}
