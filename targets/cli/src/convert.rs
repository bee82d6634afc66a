//! `ocelli convert`: model files from a checkpoint.

use super::args::{Outcome, forced_isa};
use super::escape::shown;
use super::quantize::{describe, recipe};
use super::terminal::{self, Bar};
use clap::Args;
use ocelli_quantize::{Means, Recipe};
use ocelli_tools::convert_folder::{Request, convert};
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `convert`.
#[derive(Args)]
#[command(after_help = MEANING)]
pub struct Convert {
    /// The checkpoint's folder, as it lies on a hub: config.json, safetensors, tokenizer, preprocessor_config.json.
    folder: PathBuf,
    /// The file to write, or the folder to write to. Default: the checkpoint's folder. A vision tower goes beside it, as
    /// mmproj-<name>.
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// How weights are stored. Default: BF16 where the checkpoint is, else F16.
    #[arg(long = "type", value_name = "TYPE", ignore_case = true, value_parser = recipe())]
    recipe: Option<&'static Recipe>,
    /// How the vision tower's weights are stored. Default: as --type, and Q8_0 where that has fewer bits.
    #[arg(long = "mmproj-type", value_name = "TYPE", ignore_case = true, value_parser = recipe())]
    tower: Option<&'static Recipe>,
    /// What the model is called. Default: by the checkpoint, or its folder.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Threads. Default: as many as the machine runs at once. They change no byte.
    #[arg(short, long, value_name = "N")]
    threads: Option<usize>,
    /// Replace files of the names.
    #[arg(long)]
    force: bool,
}

const MEANING: &str = "\
Converted are LLaMA, Mistral (without a sliding window), Qwen2, LLaVA-1.5, SmolVLM and Idefics3, from safetensors in F32,
F16 or BF16. Pickled weights (.bin) are refused: to read them is to run them. Whether the files are the model that the
checkpoint is says `ocelli verify`.";

impl Convert {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        let Convert { folder, output, recipe, tower, name, threads, force } = self;
        let request = Request { output, recipe, tower, name, force };
        let isa = forced_isa();
        let most = || std::thread::available_parallelism().map_or(1, usize::from);
        let means = Means { threads: threads.unwrap_or_else(most).max(1), isa: isa.as_deref() };
        let (start, mut bar) = (Instant::now(), Bar::new(false));
        let mut progress = |done: u64, of: u64| bar.draw("weights", done / 1_000_000, of / 1_000_000, "M");
        let made = convert(&folder, &request, means, &mut progress);
        bar.clear();
        let mut out = terminal::out();
        for (path, made) in made? {
            describe(&mut out, &shown(path.display()), &made, start.elapsed().as_secs_f64())?;
        }
        Ok(())
    }
}
