//! `ocelli synthesize`: a model with random weights in a published layout.

use super::args::Outcome;
use super::escape::shown;
use super::terminal;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use ocelli_tools::synthesize::{Made, RECIPES, Recipe, Request, SHAPES, Shape, synthesize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `synthesize`.
#[derive(Args)]
pub struct Synthesize {
    /// The layout.
    #[arg(ignore_case = true, value_parser = shape())]
    shape: &'static Shape,
    /// How the language model's weights are stored.
    #[arg(long = "type", value_name = "TYPE", ignore_case = true, value_parser = recipe())]
    text: &'static Recipe,
    /// The folder to write into.
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// How the vision tower's are; `none` makes no tower. Default: Q8_0 beside quantized weights, else the same type.
    #[arg(long = "mmproj-type", value_name = "TYPE", ignore_case = true, value_parser = tower())]
    tower: Option<TowerType>,
    /// Where the random numbers begin: the same seed gives the same bytes on every machine.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Replace files of the same names.
    #[arg(long)]
    force: bool,
}

/// A tower's type, or none.
#[derive(Clone, Copy, Debug)]
struct TowerType(Option<&'static Recipe>);

fn shape() -> impl TypedValueParser<Value = &'static Shape> {
    let find = |name: String| SHAPES.iter().find(|shape| shape.name.eq_ignore_ascii_case(&name));
    PossibleValuesParser::new(SHAPES.iter().map(|shape| shape.name))
        .try_map(move |name| find(name).ok_or("no such shape"))
}

fn recipe() -> impl TypedValueParser<Value = &'static Recipe> {
    PossibleValuesParser::new(RECIPES.iter().map(|recipe| recipe.name))
        .try_map(|name| Recipe::named(&name).ok_or("no such type"))
}

fn tower() -> impl TypedValueParser<Value = TowerType> {
    PossibleValuesParser::new(RECIPES.iter().map(|recipe| recipe.name).chain(["none"]))
        .map(|name| TowerType(Recipe::named(&name)))
}

impl Synthesize {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        let request = Request {
            shape: self.shape,
            text: self.text,
            tower: match self.tower {
                Some(TowerType(recipe)) => recipe,
                None if self.text.is_quantized() => Recipe::named("Q8_0"),
                None => Some(self.text),
            },
            seed: self.seed,
            folder: &self.out,
            replace: self.force,
        };
        let made = synthesize(&request)?;
        let mut out = terminal::out();
        for file in &made {
            describe(&mut out, file)?;
        }
        writeln!(
            out,
            "\nThe weights are random: what the model says means nothing. Try it:\n  {}",
            trial(&made)
        )?;
        Ok(())
    }
}

fn describe(out: &mut dyn Write, file: &Made) -> std::io::Result<()> {
    let tensors: usize = file.kinds.values().sum();
    let kinds: Vec<String> = file.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    writeln!(
        out,
        "{}: {} bytes, {tensors} tensors: {}",
        shown(file.path.display()),
        file.bytes,
        kinds.join(", ")
    )?;
    for ((wanted, row, kind), count) in &file.fallbacks {
        let (len, verb) = (wanted.block_len(), if *count == 1 { "is" } else { "are" });
        writeln!(
            out,
            "  {count} {verb} {kind} and not {wanted}: rows of {row} are no whole blocks of {len}"
        )?;
    }
    Ok(())
}

/// The command that asks the model something.
fn trial(made: &[Made]) -> String {
    let quoted = |path: &Path| {
        let path = shown(path.display());
        if path.contains(' ') { format!("\"{path}\"") } else { path }
    };
    match made {
        [text, tower, ..] => format!(
            "ocelli run --model {} --mmproj {} --image PHOTO -n 16 \"What is this?\"",
            quoted(&text.path),
            quoted(&tower.path)
        ),
        [text] => format!("ocelli run --model {} -n 16 \"What is this?\"", quoted(&text.path)),
        [] => String::new(),
    }
}
