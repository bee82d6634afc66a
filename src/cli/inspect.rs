//! `ocelli inspect`: what is in a file, and what will run it.

use super::args::{Outcome, read_file};
use crate::Error;
use anyhow::Context;
use clap::Args;
use ocelli_gguf::{Gguf, TensorType, Value};
use ocelli_kernels::cpu::{self, ISAS};
use ocelli_kernels::formats::Format;
use ocelli_models::{DECODERS, ENCODERS};
use std::collections::BTreeMap;
use std::path::PathBuf;

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
        let bytes = read_file(&self.file)?;
        let name = self.file.display().to_string();
        let file = Gguf::parse(&bytes).map_err(|error| Error::File { name, error })?;
        println!("GGUF version {}, {} bytes", file.version(), bytes.len());
        println!("\nMetadata");
        for (key, value) in file.metadata() {
            println!("  {key:<44} {}", self.show(&value));
        }
        println!("\nTensors: {}", file.tensors().len());
        if self.tensors {
            for tensor in file.tensors() {
                let dims: Vec<String> = tensor.dims().iter().map(ToString::to_string).collect();
                println!("  {:<44} {:<8} [{}]", tensor.name, tensor.kind.name(), dims.join(", "));
            }
        }
        self.formats(&file);
        self.engine(&file)
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

    fn formats(&self, file: &Gguf<'_>) {
        let mut sums: BTreeMap<u32, (TensorType, usize, u64, u64)> = BTreeMap::new();
        for tensor in file.tensors() {
            let sum = sums.entry(tensor.kind.id()).or_insert((tensor.kind, 0, 0, 0));
            *sum = (sum.0, sum.1 + 1, sum.2 + tensor.elements() as u64, sum.3 + tensor.data.len() as u64);
        }
        for (kind, tensors, values, bytes) in sums.values() {
            let known = if Format::from_id(kind.id()).is_some() { "" } else { "   cannot be computed with" };
            println!(
                "  {:<8} {tensors:>5} tensors {values:>12} values {bytes:>12} bytes{known}",
                kind.name()
            );
        }
    }

    fn engine(&self, file: &Gguf<'_>) -> Outcome {
        let text = |key: &str| file.optional::<&str>(key).ok().flatten();
        let architecture = text("general.architecture").unwrap_or("none");
        println!("\nEngine");
        if architecture == "clip" {
            let projector = text("clip.projector_type").unwrap_or("none");
            match ENCODERS.iter().find(|e| e.name == projector) {
                Some(entry) => println!("  vision tower '{projector}': {}", entry.models),
                None => {
                    let known: Vec<&str> = ENCODERS.iter().map(|e| e.name).collect();
                    println!(
                        "  vision tower '{projector}' is not supported; supported are {}",
                        known.join(", ")
                    );
                }
            }
        } else if DECODERS.iter().any(|d| d.name == architecture) {
            println!("  language model '{architecture}'");
        } else {
            let known: Vec<&str> = DECODERS.iter().map(|d| d.name).collect();
            println!("  '{architecture}' is not supported; supported are {}", known.join(", "));
        }
        let isa = std::env::var("OCELLI_ISA").ok().filter(|n| !n.is_empty());
        let kernels = cpu::choose(isa.as_deref()).map_err(Error::Isa).context("OCELLI_ISA")?;
        let known: Vec<&str> = ISAS.iter().map(|e| e.name).collect();
        println!("  kernels: {} (of {})", kernels.name(), known.join(", "));
        Ok(())
    }
}
