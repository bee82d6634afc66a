//! `ocelli verify`: is a model file the model that it was made from?

use super::args::{Outcome, forced_isa};
use super::escape::json as escaped;
use super::terminal;
use anyhow::bail;
use clap::Args;
use ocelli::low_level::ModelParts;
use ocelli::{Load, Mmproj, Model, Options, Preprocess};
use ocelli_kernels::formats::Format;
use ocelli_tools::verify::{Difference, Dump, Failure, Stage, verify};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::PathBuf;

/// Arguments of `verify`.
#[derive(Args)]
#[command(after_help = MEANING)]
pub struct Verify {
    /// The language model, a GGUF file; any part of a split one.
    model: PathBuf,
    /// What the reference computes, as convert/dump.py wrote it.
    #[arg(long, value_name = "FILE")]
    reference: PathBuf,
    /// The vision tower. Default: the file beside the model with `mmproj` in its name that fits it.
    #[arg(long, value_name = "FILE")]
    mmproj: Option<PathBuf>,
    /// How far a stage may be off. Default: 0.001 where all weights are F32, 0.02 where they have 16 bits, 0.2 where they are
    /// quantized.
    #[arg(long, value_name = "RELATIVE")]
    tolerance: Option<f64>,
    /// Most visual tokens an image may become, as the reference was told.
    #[arg(long, value_name = "N")]
    image_tokens: Option<u32>,
    /// How an image becomes a square, for models that know both (LLaVA). Default: the model's way.
    #[arg(long, value_enum, value_name = "WAY")]
    preprocess: Option<super::args::Way>,
    /// Threads. Default: as many as the machine runs at once. They change no figure.
    #[arg(short, long, value_name = "N")]
    threads: Option<usize>,
    /// Print one line of JSON instead of a table.
    #[arg(long)]
    json: bool,
}

const MEANING: &str = "\
The reference is a checkpoint in Hugging Face's transformers, in float32:
  python convert/dump.py CHECKPOINT dump.safetensors --image photo.jpg --prompt \"What is it?\"
  ocelli convert CHECKPOINT -o model.gguf
  ocelli verify model.gguf --mmproj mmproj-model.gguf --reference dump.safetensors
Compared are the image's pixels byte by byte, the tower's embedding, blocks and rows, the decoder's embedding, layers and
logits, each by its relative root mean square. The tower is given the reference's pixels and the decoder its rows of the
image, so that a fault is seen where it is. The dump is safetensors and not npz: transformers always has a library for it, and
what reads checkpoints reads it too, where an npz is a zip archive of files with headers of their own.

Exit codes: 0 every stage is the reference's, 1 one differs, 2 the dump cannot be used, 3 the model cannot be used.";

/// Sums in another order are a hundred times nearer (5e-7 in the golden models).
const FLOAT: f64 = 1e-3;
/// Weights of F32 that were rounded to BF16 (2⁻⁹ each) are within this.
const HALF: f64 = 2e-2;
/// Four bits lose a tenth of random weights, two bits more than this.
const QUANTIZED: f64 = 0.2;

impl Verify {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        let dump = Dump::read(&self.reference).map_err(|error| match error {
            error @ Failure::File(_) => error.into(),
            error => anyhow::Error::from(error).context(self.reference.display().to_string()),
        })?;
        let beside = if dump.get("pixels").is_some() { Mmproj::Beside } else { Mmproj::None };
        let model = Model::open(&self.model, self.mmproj.as_deref().map_or(beside, Mmproj::File), Load::Map)?;
        let mut options = Options::default();
        options.threads = self.threads;
        options.isa = forced_isa();
        options.image_tokens = self.image_tokens;
        options.preprocess = self.preprocess.map(Preprocess::from);
        let stages = verify(&model, &dump, &options).map_err(|error| match error {
            // The engine's errors name the model.
            error @ Failure::Engine(_) => error.into(),
            error => anyhow::Error::from(error).context(self.reference.display().to_string()),
        })?;
        let allowed = self.tolerance.map_or_else(|| usual(&model), Ok)?;
        let differs = |stage: &&Stage| stage.exceeds(allowed);
        let first = stages.iter().find(differs);
        let mut out = terminal::out();
        if self.json {
            json(&stages, first, allowed, &mut out)?
        } else {
            table(&stages, allowed, &mut out)?
        }
        match first {
            None => Ok(()),
            Some(stage) => bail!("{} is the first stage that differs: {}", stage.name, words(&stage.found)),
        }
    }
}

/// What the stored weights allow.
fn usual(model: &Model<'_>) -> Result<f64, ocelli::Error> {
    let (decoder, encoder) = (model.decoder_tape(1)?, model.encoder_tape()?);
    let all = decoder.weights().chain(encoder.iter().flat_map(|tape| tape.weights()));
    Ok(all.fold(FLOAT, |allowed, (format, _)| match format {
        Format::F32 => allowed,
        format if format.is_float() => allowed.max(HALF),
        _ => QUANTIZED,
    }))
}

fn words(difference: &Difference) -> String {
    match difference {
        Difference::Numbers { relative, largest, .. } => format!("by {relative:.3e}, at most {largest:.3e}"),
        Difference::Shape { expected, found } => format!("expected {expected}, found {found}"),
    }
}

fn table(stages: &[Stage], allowed: f64, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:<14}{:>10}{:>12}{:>12}", "stage", "values", "relative", "largest")?;
    for stage in stages {
        let mark = if stage.exceeds(allowed) { "  differs" } else { "" };
        match &stage.found {
            Difference::Numbers { values, relative, largest } => {
                writeln!(out, "{:<14}{values:>10}{relative:>12.3e}{largest:>12.3e}{mark}", stage.name)?;
            }
            shape @ Difference::Shape { .. } => writeln!(out, "{:<14}{}{mark}", stage.name, words(shape))?,
        }
    }
    Ok(())
}

fn json(stages: &[Stage], first: Option<&Stage>, allowed: f64, out: &mut dyn Write) -> io::Result<()> {
    let one = |stage: &Stage| -> Value {
        let differs = stage.exceeds(allowed);
        match &stage.found {
            Difference::Numbers { values, relative, largest } => json!({
                "stage": stage.name, "values": values, "relative": relative, "largest": largest, "differs": differs,
            }),
            Difference::Shape { expected, found } => json!({
                "stage": stage.name, "expected": expected, "found": found, "differs": differs,
            }),
        }
    };
    let all: Vec<Value> = stages.iter().map(one).collect();
    let first = first.map(|stage| &stage.name);
    writeln!(out, "{}", escaped(json!({ "tolerance": allowed, "first": first, "stages": all })))
}
