//! `ocelli calibrate`: which columns of a model's matrices count.

use super::args::Outcome;
use super::escape::shown;
use super::material::{Asking, Material, Work};
use super::terminal::{self, Bar};
use clap::Args;
use ocelli::low_level::{ModelParts, files};
use ocelli::{Load, Model, Segment};
use ocelli_tools::atomic_file::{self, Part as NewFile};
use ocelli_tools::calibrate::{Failure as Uncalibrated, Sums, Unwritten, ask, session, text};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Arguments of `calibrate`.
#[derive(Args)]
#[command(after_help = MEANING)]
#[command(mut_arg("text", |arg| arg.help("A text, UTF-8, like those that the model will read")))]
#[command(mut_arg("images", |arg| arg.help("A folder of images, or one image, like those that it will see")))]
#[command(mut_arg("max_tokens", |arg| arg.help("End an answer after so many tokens; 0 only asks")))]
#[command(mut_arg("threads", |arg| arg.help(THREADS)))]
pub struct Calibrate {
    /// The model, F32, F16 or BF16 at best: a GGUF file (any part of a split one).
    model: PathBuf,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    material: Material,
    /// The vision tower. Default: the file beside the model with `mmproj` in its name that fits it.
    #[arg(long, value_name = "FILE", requires = "images")]
    mmproj: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
    #[command(flatten)]
    work: Work,
    /// Replace a file of that name.
    #[arg(long)]
    force: bool,
}

const THREADS: &str = "Threads. Default: as many as the machine runs at once. They change no byte";

const MEANING: &str = "\
For every linear map the file has the sum of the squares of each of its inputs and the number of rows, of the language
model and of the vision tower, in the layout of llama.cpp's importance matrices: for `ocelli quantize --importance` with
either file, and for llama-quantize --imatrix with the language model's.";

impl Calibrate {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        self.asking.at_least(2, "at least 2")?;
        let corpus = self.material.corpus(|path, error| Uncalibrated::Text { path, error })?;
        let images = self.material.pictures()?.unwrap_or_default();
        let tower = self.material.tower(self.mmproj.as_deref());
        let model = Model::open(&self.model, tower, Load::Map)?;
        let read = model
            .towers()
            .into_iter()
            .flat_map(|tower| files::paths(Path::new(&tower.name)).unwrap_or_default());
        atomic_file::apart(
            &self.output,
            read.chain(self.material.text.clone()).chain(images.iter().cloned()),
        )?;
        atomic_file::check(&self.output, self.force)?;
        let mut sums = Sums::new(&model)?;
        let mut bar = Bar::new(false);
        let result = self.gather(&model, corpus.as_deref(), &images, &mut sums, &mut bar);
        bar.clear();
        let bytes = self.write(&sums, result?)?;
        writeln!(
            terminal::out(),
            "{}: {bytes} bytes, {} linear maps",
            shown(self.output.display()),
            sums.count()
        )?;
        Ok(())
    }

    /// Reads and looks at everything; gives in how many pieces that was, and how many tokens each had.
    fn gather(
        &self,
        model: &Model<'_>,
        corpus: Option<&str>,
        images: &[PathBuf],
        sums: &mut Sums,
        bar: &mut Bar,
    ) -> anyhow::Result<(usize, usize)> {
        let options = self.work.options(images)?;
        let (mut chunks, mut size) = (0, None);
        if let (Some(corpus), Some(path)) = (corpus, &self.material.text) {
            let mut progress = |done, of| bar.draw("reading", done as u64, of as u64, " windows");
            let read = text(model, &options, (path, corpus, self.asking.context), sums, &mut progress)?;
            (chunks, size) = (read.windows, Some(read.tokens));
        }
        if !images.is_empty() {
            let shared = Arc::new(Mutex::new(std::mem::take(sums)));
            let session = session(model, &options, &shared);
            let mut session =
                session.map_err(|error| self.work.blame(error, images, &[(model, &options)]))?;
            let prompt = self.asking.prompt(model)?;
            for (number, path) in images.iter().enumerate() {
                bar.draw("seeing", number as u64, images.len() as u64, " images");
                let image = [self.work.pixels(path)?];
                let segments: Vec<Segment<'_>> = prompt.iter().map(|part| part.segment(&image)).collect();
                ask(&mut session, &segments, self.asking.max_tokens)?;
            }
            *sums = std::mem::take(&mut *shared.lock().unwrap_or_else(PoisonError::into_inner));
        }
        chunks += images.len();
        Ok((chunks, size.unwrap_or_else(|| sums.most_rows().div_ceil(chunks.max(1)))))
    }

    fn write(&self, sums: &Sums, (chunks, size): (usize, usize)) -> Result<u64, Uncalibrated> {
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let datasets: Vec<String> =
            self.material.text.iter().chain(&self.material.images).map(name).collect();
        let mut file = NewFile::create(&self.output, self.force).map_err(Uncalibrated::Write)?;
        let u32_of = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let size = (u32_of(chunks), u32_of(size));
        sums.write(&datasets, size, &mut |bytes| file.write(bytes)).map_err(|error| match error {
            Unwritten::NotFinite(tensor) => Uncalibrated::NotFinite { path: self.model.clone(), tensor },
            Unwritten::Sink(error) => {
                Uncalibrated::Write(atomic_file::Failure::Write(self.output.clone(), error))
            }
        })?;
        file.finish().map_err(Uncalibrated::Write)
    }
}
