//! `ocelli inspect`: what is in a file, and what will run it.

use super::args::{Outcome, kernels};
use super::escape::shown;
use super::terminal;
use clap::Args;
use ocelli::low_level::files;
use ocelli::tokenizer::{Tokenizer, TokenizerError};
use ocelli::{Error, Load};
use ocelli_gguf::{Gguf, TensorType, Value};
use ocelli_kernels::cpu::ISAS;
use ocelli_kernels::formats::Format;
use ocelli_models::account::{self, Left};
use ocelli_models::{DECODERS, ENCODERS, Source};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `inspect`.
#[derive(Args)]
pub struct Inspect {
    /// A GGUF file.
    file: PathBuf,
    /// List every tensor.
    #[arg(long)]
    tensors: bool,
    /// Print values whole.
    #[arg(long)]
    full: bool,
}

/// Longest value that is printed without `--full`.
const WIDTH: usize = 72;

impl Inspect {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        let bytes = files::bytes(&self.file, Load::Map)?;
        let bytes = bytes.get();
        let mut out = terminal::out();
        let name = self.file.display().to_string();
        let file = Gguf::parse(bytes).map_err(|error| Error::File { name, error })?;
        writeln!(out, "GGUF version {}, {} bytes", file.version(), bytes.len())?;
        writeln!(out, "\nMetadata")?;
        for (key, value) in file.metadata() {
            writeln!(out, "  {:<44} {}", shown(key), self.show(&value))?;
        }
        writeln!(out, "\nTensors: {}", file.tensors().len())?;
        if self.tensors {
            for tensor in file.tensors() {
                let dims: Vec<String> = tensor.dims().iter().map(ToString::to_string).collect();
                let (name, kind) = (shown(tensor.name), tensor.kind.name());
                writeln!(out, "  {name:<44} {kind:<8} [{}]", dims.join(", "))?;
            }
        }
        self.formats(&mut out, &file)?;
        self.engine(&mut out, &file)
    }

    fn show(&self, value: &Value<'_>) -> String {
        let text = match value {
            Value::Array(array) => {
                let first: Vec<String> = array.iter().take(4).map(|v| self.show(&v)).collect();
                let more = if array.len() > 4 { ", …" } else { "" };
                format!("{} of them: [{}{more}]", array.len(), first.join(", "))
            }
            Value::String(text) => format!("{:?}", String::from_utf8_lossy(text.as_bytes())),
            Value::F32(x) => x.to_string(),
            Value::F64(x) => x.to_string(),
            Value::Bool(x) => x.to_string(),
            other => other.as_integer().map(|n| n.to_string()).unwrap_or_default(),
        };
        if self.full || text.chars().count() <= WIDTH {
            return text;
        }
        text.chars().take(WIDTH - 1).chain(['…']).collect()
    }

    fn formats(&self, out: &mut dyn Write, file: &Gguf<'_>) -> std::io::Result<()> {
        let mut sums: BTreeMap<u32, (TensorType, usize, u64, u64)> = BTreeMap::new();
        for tensor in file.tensors() {
            let sum = sums.entry(tensor.kind.id()).or_insert((tensor.kind, 0, 0, 0));
            *sum = (sum.0, sum.1 + 1, sum.2 + tensor.elements() as u64, sum.3 + tensor.data.len() as u64);
        }
        for (kind, tensors, values, bytes) in sums.values() {
            let known = if Format::from_id(kind.id()).is_some() { "" } else { "   cannot be computed with" };
            let name = kind.name();
            writeln!(out, "  {name:<8} {tensors:>5} tensors {values:>12} values {bytes:>12} bytes{known}")?;
        }
        Ok(())
    }

    fn engine(&self, out: &mut dyn Write, file: &Gguf<'_>) -> Outcome {
        let text = |key: &str| file.optional::<&str>(key).ok().flatten();
        let architecture = text("general.architecture").unwrap_or("none");
        writeln!(out, "\nEngine")?;
        let mut left = Vec::new();
        if architecture == "clip" {
            match ocelli_models::projector(file) {
                Err(error) => writeln!(out, "  {}", shown(error))?,
                Ok(projector) => match ENCODERS.iter().find(|e| e.name == projector) {
                    Some(entry) => {
                        left = self.read(out, &format!("vision tower '{projector}': {}", entry.models))?;
                    }
                    None => unsupported(out, "vision tower ", projector, ENCODERS.iter().map(|e| e.name))?,
                },
            }
        } else if DECODERS.iter().any(|d| d.name == architecture) {
            left = self.read(out, &format!("language model '{architecture}'"))?;
        } else {
            unsupported(out, "", architecture, DECODERS.iter().map(|d| d.name))?;
        }
        let known: Vec<&str> = ISAS.iter().map(|e| e.name).collect();
        writeln!(out, "  kernels: {} (of {})", kernels()?.name(), known.join(", "))?;
        if !left.is_empty() {
            writeln!(
                out,
                "\nNot read: the file is refused, for each of these would change what is computed"
            )?;
        }
        for left in left {
            match left {
                Left::Key { name, value } => writeln!(out, "  key    {} = {}", shown(name), shown(value))?,
                Left::Tensor { name } => writeln!(out, "  tensor {}", shown(name))?,
            }
        }
        Ok(())
    }

    /// What the file is, and what of it nobody reads: all that a model would be refused for. The files of a split model are
    /// looked at together.
    fn read(&self, out: &mut dyn Write, what: &str) -> std::io::Result<Vec<Left>> {
        let (what, left) = match left(&self.file) {
            Ok(left) => (what.into(), left),
            Err(error) => (format!("cannot be run: {}", shown(error)), Vec::new()),
        };
        writeln!(out, "  {what}")?;
        Ok(left)
    }
}

/// All that nobody reads of a model's files.
fn left(path: &Path) -> Result<Vec<Left>, Error> {
    let files = files::open(path, Load::Map)?;
    let shards = files.shards()?;
    let source = Source::new(&shards, 0);
    let tower = shards.first().optional::<&str>("general.architecture").ok().flatten() == Some("clip");
    let model =
        if tower { ocelli_models::encoder(&source).err() } else { ocelli_models::decoder(&source).err() };
    match model {
        None | Some(ocelli_models::Error::Left(_)) => {}
        Some(error) => return Err(Error::Model { name: files.name.clone(), error }),
    }
    let mut left: Vec<Left> = account::model(&source).collect();
    if !tower {
        match Tokenizer::from_gguf(shards.first()) {
            Ok(_) | Err(TokenizerError::Left(_)) => left.extend(account::tokenizer(shards.first())),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(left)
}

fn unsupported<'a>(
    out: &mut dyn Write,
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> std::io::Result<()> {
    let known: Vec<&str> = known.collect();
    writeln!(out, "  {what}'{}' is not supported; supported are {}", shown(name), known.join(", "))
}
