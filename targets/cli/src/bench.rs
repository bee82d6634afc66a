//! `ocelli bench`: how fast models are here, and how far that is from what the machine can do.
//!
//! ```text
//! bench/limits.rs    the machine's own limits, measured first, in the same run
//! bench/measure.rs   a model on an instruction set and number of threads
//! bench/figure.rs    a figure: its spread over the runs, and its share of a limit
//! bench/table.rs     figures as table, JSON, CSV
//! ```

mod figure;
mod limits;
mod measure;
mod table;

use super::Failure;
use super::args::{Outcome, bytes, kernels};
use super::profile::{self, Detail};
use super::terminal;
use super::work::Limits;
use clap::{Args, ValueEnum};
use figure::{Figure, Subject};
use measure::{Amounts, Case, measure};
use ocelli_kernels::cpu;
use ocelli_kernels::ops::Kernels;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `bench`.
#[derive(Args)]
pub struct Bench {
    /// A language model, a GGUF file; may be given several times.
    #[arg(short, long, value_name = "FILE", required = true)]
    model: Vec<PathBuf>,
    /// The vision towers, one for each model in their order. Default: the file beside each model that fits it.
    #[arg(long, value_name = "FILE", requires = "image")]
    mmproj: Vec<PathBuf>,
    /// An image, to measure seeing and a question about it.
    #[arg(short, long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Most visual tokens the image may become.
    #[arg(long, value_name = "N")]
    image_tokens: Option<u32>,
    /// Compute with a float vision tower as with one of Q8_0, made in memory.
    #[arg(long, requires = "image")]
    tower_int8: bool,
    /// Numbers of threads, separated by commas. Default: as many as the machine runs at once.
    #[arg(short, long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Vec<u16>,
    /// Keep the models' threads to a processor each (Linux). The machine's own limits are measured without.
    #[arg(long)]
    pin: bool,
    /// Instruction sets, separated by commas. Default: the fastest the CPU has, or that of OCELLI_ISA.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    isa: Vec<String>,
    /// Lengths of prompts, separated by commas.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "512", value_parser = count())]
    prompt: Vec<u32>,
    /// Positions in the cache before decoding begins, separated by commas.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "0,512", value_parser = clap::value_parser!(u32).range(..=MOST))]
    depth: Vec<u32>,
    /// Tokens that are decoded.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = count())]
    generate: u32,
    /// How often everything is measured, after once without.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runs: u32,
    /// How the figures are printed.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Bytes that the read bandwidth is measured over. Default: four times the largest cache, at least 256M.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    buffer: Option<u64>,
    /// Refuse an image of more pixels.
    #[arg(long, value_name = "N", default_value_t = 1 << 27)]
    max_pixels: u64,
    /// Also print the time of every kind of operation and of every step to standard error.
    #[arg(long, value_enum, value_name = "DETAIL", num_args = 0..=1, require_equals = true, default_missing_value = "steps")]
    profile: Option<Detail>,
}

/// Positions of the largest context there is.
const MOST: i64 = 1 << 23;

fn count() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=MOST)
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Columns for people.
    Table,
    /// One object.
    Json,
    /// Fields separated by commas, under a line of names.
    Csv,
}

/// An instruction set on a number of threads.
struct Machine {
    kernels: &'static dyn Kernels,
    threads: usize,
    limits: Limits,
}

impl Bench {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        if !self.mmproj.is_empty() && self.mmproj.len() != self.model.len() {
            let (towers, models) = (self.mmproj.len(), self.model.len());
            return Err(Failure::Usage(format!("{towers} --mmproj for {models} --model")).into());
        }
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
        let mut figures = Vec::new();
        let (machines, buffer) = self.machines(processors, &mut figures)?;
        for (number, model) in self.model.iter().enumerate() {
            let mmproj = self.mmproj.get(number).map(PathBuf::as_path);
            let case = Case { model, mmproj, image: self.image.as_deref() };
            for machine in &machines {
                figures.extend(self.measure(&case, machine)?);
            }
        }
        let head = table::Head { cpu: limits::cpu_name(), processors, buffer };
        let out: &mut dyn Write = &mut terminal::out();
        Ok(match self.format {
            Format::Table => table::table(&head, &figures, out),
            Format::Json => table::json(&head, &figures, out),
            Format::Csv => table::csv(&figures, out),
        }?)
    }

    /// The machines to measure on, and their limits.
    fn machines(
        &self,
        processors: usize,
        figures: &mut Vec<Figure>,
    ) -> anyhow::Result<(Vec<Machine>, usize)> {
        let isas: Vec<&'static dyn Kernels> = match self.isa.as_slice() {
            [] => vec![kernels()?],
            names => names
                .iter()
                .map(|name| cpu::choose(Some(name)).map_err(ocelli::Error::Isa))
                .collect::<Result<_, _>>()?,
        };
        let threads: Vec<usize> = match self.threads.as_slice() {
            [] => vec![processors.min(256)],
            given => given.iter().map(|n| usize::from(*n)).collect(),
        };
        let runs = self.runs as usize;
        ::log::info!("measuring the machine");
        let bandwidth = limits::Bandwidth::new(self.buffer.unwrap_or_else(limits::buffer_bytes))?;
        let mut machines = Vec::new();
        for threads in threads {
            let read = bandwidth.measure(threads, runs);
            for kernels in &isas {
                let peaks = limits::peaks(*kernels, threads, runs);
                machines.push(Machine { kernels: *kernels, threads, limits: limits::limits(&read, &peaks) });
                figures.extend(peaks);
            }
            figures.push(read);
        }
        Ok((machines, bandwidth.bytes()))
    }

    fn measure(&self, case: &Case<'_>, machine: &Machine) -> anyhow::Result<Vec<Figure>> {
        let lengths = |given: &[u32]| given.iter().map(|n| *n as usize).collect();
        let amounts = Amounts {
            prompt: lengths(&self.prompt),
            depth: lengths(&self.depth),
            generate: self.generate as usize,
            runs: self.runs as usize,
            max_pixels: self.max_pixels,
            image_tokens: self.image_tokens,
            tower_int8: self.tower_int8,
            pin: self.pin,
        };
        let (isa, threads) = (machine.kernels.name(), machine.threads);
        let model = file_name(case.model);
        ::log::info!("measuring {model}: {isa}, {threads} threads");
        let title = format!("{model}, {isa}, {threads} threads");
        let subject = Subject { model: Some(model), isa: Some(isa), threads };
        let clock = self.profile.map(|_| profile::CLOCK);
        measure(case, &amounts, subject, machine.limits, clock, &mut |session| {
            profile::show(session, &title, self.profile.unwrap_or_default())
        })
        .map_err(|error| match error.downcast_ref() {
            Some(ocelli::Error::NoVision) => error.context(case.model.display().to_string()),
            Some(ocelli::Error::Image(_)) if case.image.is_some() => {
                error.context(case.image.map_or_else(String::new, |path| path.display().to_string()))
            }
            _ => error,
        })
    }
}

/// What a table has room for of a path.
fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
