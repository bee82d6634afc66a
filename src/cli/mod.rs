//! The command line: one file per command, and what they share.

use crate::Error;
use crate::calibrate::Failure as Uncalibrated;
use crate::compare::Failure as Apart;
use crate::image::ImageError;
use crate::template::TemplateError;
use crate::verify::Failure as Unverified;
use clap::{CommandFactory, Parser, Subcommand};
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
  3 a model cannot be used  130 interrupted";

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

/// Runs the command of the process's arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start(cli.verbose);
    let result = match cli.command {
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
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    if is_broken_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    terminal::say(format_args!("ocelli: {error:#}"));
    ExitCode::from(exit_code(&error))
}

/// A reader that has gone away (`ocelli … | head`) is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::BrokenPipe)
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<ImageError>().is_some() {
        return 4;
    }
    use crate::{convert, quantize};
    if let Some(convert::Failure::NoFolder { .. } | convert::Failure::Checkpoint { .. }) =
        error.downcast_ref()
    {
        return 3;
    }
    if let Some(quantize::Failure::Open(_) | quantize::Failure::Quantize { .. }) = error.downcast_ref() {
        return 3;
    }
    match error.downcast_ref::<Failure>() {
        Some(Failure::Usage(_)) => return 2,
        Some(Failure::Photo { .. } | Failure::Large { .. }) => return 4,
        None => {}
    }
    match error.downcast_ref::<Apart>() {
        Some(Apart::Model { error, .. }) => return engine_code(error),
        Some(Apart::Text { .. } | Apart::Short { .. } | Apart::NoImages { .. }) => {
            return 2;
        }
        Some(_) => return 3,
        None => {}
    }
    match error.downcast_ref::<Unverified>() {
        Some(Unverified::Engine(error)) => return engine_code(error),
        Some(_) => return 2,
        None => {}
    }
    match error.downcast_ref::<Uncalibrated>() {
        Some(Uncalibrated::Engine(error)) => return engine_code(error),
        Some(Uncalibrated::Text { .. } | Uncalibrated::Short { .. }) => return 2,
        Some(Uncalibrated::NotFinite { .. }) => return 3,
        Some(Uncalibrated::Write { .. }) | None => {}
    }
    error.downcast_ref::<Error>().map_or(1, engine_code)
}

fn engine_code(error: &Error) -> u8 {
    match error {
        Error::Template { error: TemplateError::Empty, .. } => 2,
        Error::Io { .. }
        | Error::Path { .. }
        | Error::File { .. }
        | Error::Model { .. }
        | Error::Widths { .. }
        | Error::Vocabulary { .. }
        | Error::Tokenizer(_)
        | Error::Vocab { .. }
        | Error::Template { .. }
        | Error::Tape(_)
        | Error::Encode { .. }
        | Error::NotANumber => 3,
        Error::Option { .. } | Error::Sampling(_) | Error::Isa(_) | Error::Kv { .. } | Error::Pin(_) => 2,
        Error::Image(_) | Error::ImageMemory { .. } | Error::NoVision => 4,
        Error::Memory { .. } | Error::OutOfMemory { .. } => 5,
        Error::Deadline => 6,
        Error::Stopped => 130,
        _ => 1,
    }
}
