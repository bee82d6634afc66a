//! `ocelli quantize`: a model file or a vision tower made small.

use super::args::{Outcome, forced_isa};
use super::escape::shown;
use super::terminal::{self, Bar, say};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use ocelli_gguf::TensorType;
use ocelli_quantize::{Means, Pattern, RECIPES, Recipe, Request};
use ocelli_tools::atomic_file;
use ocelli_tools::quantize_file::{Listener, Made, importance, quantize};
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `quantize`.
#[derive(Args)]
pub struct Quantize {
    /// The file to read, F32, F16 or BF16 at best: a language model (any part of a split one) or an mmproj file.
    input: PathBuf,
    /// The file to write.
    output: PathBuf,
    /// How weights are stored. Names with S, M or L are mixes; Q3_K, Q4_K and Q5_K mean their M.
    #[arg(long = "type", value_name = "TYPE", ignore_case = true, value_parser = recipe())]
    recipe: &'static Recipe,
    /// Store every matrix in the one format, without the exceptions of a mix.
    #[arg(long)]
    pure: bool,
    /// Store tensors of this name as this type, whatever the mix says; `*` stands for anything: blk.*.attn_v.weight=Q8_0.
    #[arg(long = "tensor", value_name = "NAME=TYPE", value_parser = chosen)]
    tensors: Vec<(Pattern, TensorType)>,
    /// Keep tensors of this name as they are; `*` stands for anything.
    #[arg(long, value_name = "NAME", value_parser = |name: &str| Ok::<_, String>(Pattern::new(name)))]
    keep: Vec<Pattern>,
    /// Pad rows that fit no block with zeros (4304 to 4320) instead of storing them in 16 bits: all of a tower in 4 or 8 bits.
    /// Nothing but Ocelli reads such a file.
    #[arg(long)]
    pad: bool,
    /// How much each column counts, a file of `ocelli calibrate` or of llama.cpp's llama-imatrix (GGUF): matrices are
    /// stored so that little is lost of what the model computes, not of their numbers.
    #[arg(long, value_name = "FILE")]
    importance: Option<PathBuf>,
    /// Threads. Default: as many as the machine runs at once. They change no byte.
    #[arg(short, long, value_name = "N")]
    threads: Option<usize>,
    /// Replace a file of that name.
    #[arg(long)]
    force: bool,
}

/// Names that stand for a mix.
const SHORT: [(&str, &str); 3] = [("Q3_K", "Q3_K_M"), ("Q4_K", "Q4_K_M"), ("Q5_K", "Q5_K_M")];

/// Parses the name of a recipe.
pub(super) fn recipe() -> impl TypedValueParser<Value = &'static Recipe> {
    let names = RECIPES.iter().map(|recipe| recipe.name).chain(SHORT.map(|(short, _)| short));
    PossibleValuesParser::new(names).try_map(|name| {
        let long = SHORT.iter().find(|(short, _)| short.eq_ignore_ascii_case(&name));
        Recipe::named(long.map_or(&name, |(_, long)| long)).ok_or("no such type")
    })
}

fn chosen(text: &str) -> Result<(Pattern, TensorType), String> {
    let (name, kind) = text.rsplit_once('=').ok_or("expected NAME=TYPE")?;
    let named = |known: &&TensorType| known.name().eq_ignore_ascii_case(kind);
    let kind = TensorType::all().iter().find(named).ok_or(format!("no such type: {kind}"))?;
    Ok((Pattern::new(name), *kind))
}

impl Quantize {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        atomic_file::apart(&self.output, &self.importance)?;
        let Quantize { recipe, pure, pad, .. } = self;
        let importance = self.importance.as_deref().map(importance).transpose()?;
        let (overrides, keep) = (self.tensors, self.keep);
        let request = Request { recipe, pure, overrides, keep, pad, importance };
        let isa = forced_isa();
        let most = || std::thread::available_parallelism().map_or(1, usize::from);
        let means = Means { threads: self.threads.unwrap_or_else(most).max(1), isa: isa.as_deref() };
        let (start, mut watcher) = (Instant::now(), Watcher(Bar::new(false)));
        let made = quantize(&self.input, (&self.output, self.force), &request, means, &mut watcher);
        watcher.0.clear();
        let made = made?;
        let mut out = terminal::out();
        describe(&mut out, &shown(self.output.display()), &made, start.elapsed().as_secs_f64())?;
        Ok(())
    }
}

/// Tensors that are named when something is said of many.
const NAMED: usize = 6;

/// The bar.
struct Watcher(Bar);

impl Listener for Watcher {
    fn requantized(&mut self, tensors: usize) {
        say(format_args!(
            "ocelli: {tensors} tensors are quantized already and lose a second time; an F16 or BF16 file is a better source"
        ));
    }

    fn without_importance(&mut self, tensors: &[&str]) {
        let (named, more) = tensors.split_at(tensors.len().min(NAMED));
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        let (count, names) = (tensors.len(), shown(named.join(", ")));
        say(format_args!("ocelli: no importance of {count} tensors, stored without: {names}{more}"));
    }

    fn progress(&mut self, done: u64, of: u64) {
        self.0.draw("weights", done / 1_000_000, of / 1_000_000, "M");
    }
}

/// Says what is in a file that was made, and what it took.
pub(super) fn describe(out: &mut dyn Write, name: &str, made: &Made, seconds: f64) -> std::io::Result<()> {
    let tensors: usize = made.kinds.values().sum();
    let kinds: Vec<String> = made.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    writeln!(out, "{name}: {} bytes, {tensors} tensors: {}", made.bytes, kinds.join(", "))?;
    for ((wanted, row, kind), count) in &made.fallbacks {
        let (len, verb) = (wanted.block_len(), if *count == 1 { "is" } else { "are" });
        writeln!(
            out,
            "  {count} {verb} {kind} and not {wanted}: rows of {row} are no whole blocks of {len}"
        )?;
    }
    for ((row, stored, kind), count) in &made.padded {
        writeln!(
            out,
            "  {count} of {kind} padded: rows of {row} are stored as {stored}, which Ocelli alone reads"
        )?;
    }
    let part = 100.0 * made.bytes as f64 / made.before.max(1) as f64;
    writeln!(out, "{part:.1} % of {} bytes of weights, in {seconds:.1} s", made.before)
}
