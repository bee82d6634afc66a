//! Which columns of a model's matrices count: the mean squares of what they are multiplied with.
//!
//! For each linear map `W·x`, over all rows x that a model gave it while it read texts and looked at pictures, column c has
//!
//! ```text
//! in_sum2[c] = Σ x[c]²      counts = how many rows
//! ```
//!
//! summed in f64, of the rows as they are before they are quantized. That is the layout of llama.cpp's imatrix files, which
//! both quantizers read (`ocelli_quantize::Importance`); of both towers in one file, since their tensors' names differ.
//!
//! Texts are cut into windows as `compare.rs` does it, and the logits of every position are computed, so the output matrix
//! has seen every row too. A table of tokens that is also the output matrix is in the file under its own name. Not in it: what
//! is no matrix in the file (a patch embedding, whose kernels have more than two extents).
//!
//! `imatrix.chunk_size` is what readers divide counts by, to say how many chunks a matrix has seen: the window that texts were
//! read in, or without a text the rows of an image through the matrix that had most. It is never 0.
//!
//! Refused: a text that is too short to be read, rows that are not finite, a run that went through no linear map.

use crate::atomic_file;
use ocelli::Error;
use ocelli::Model;
use ocelli::generate::AnswerOptions;
use ocelli::low_level::{BATCH, Scorer};
use ocelli::low_level::{ModelParts, SessionSteps};
use ocelli::{Options, Segment, Session};
use ocelli_gguf::{Outline, TensorType, WriteError};
use ocelli_quantize::{COUNTS, SUMS};
use ocelli_tape::Weight;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, io};

/// Why there is no file of importance.
#[derive(Debug)]
pub enum Failure {
    /// The engine.
    Engine(Error),
    /// A text that cannot be read.
    Text {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The text has too few tokens.
    Short {
        /// The file.
        path: std::path::PathBuf,
        /// Tokens it has.
        tokens: usize,
    },
    /// A linear map was given what is no number.
    NotFinite {
        /// The model.
        path: std::path::PathBuf,
        /// Its tensor.
        tensor: String,
    },
    /// The file cannot be made.
    Write(atomic_file::Failure),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Engine(error) => error.fmt(f),
            Failure::Text { path, error } => write!(f, "{}: {error}", path.display()),
            Failure::Short { path, tokens } => {
                write!(f, "{}: {tokens} tokens of text are too few: at least 2 are needed", path.display())
            }
            Failure::NotFinite { path, tensor } => {
                write!(f, "{}: tensor {tensor:?} is given values that are no numbers: ", path.display())?;
                f.write_str("the weights before it are damaged")
            }
            Failure::Write(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Engine(error)
    }
}

/// Where a matrix is: file and offset.
type Place = (usize, usize);

/// The sums of a model's linear maps.
#[derive(Debug, Default)]
pub struct Sums {
    /// Its matrices, by place.
    matrices: BTreeMap<Place, Matrix>,
}

#[derive(Debug)]
struct Matrix {
    tensor: String,
    /// One for each column; none until rows come.
    sums: Vec<f64>,
    /// Numbers of a row in the file, padding included.
    stored: usize,
    rows: u64,
}

impl Sums {
    /// Nothing yet, of the matrices of a model's files.
    ///
    /// # Errors
    /// The files can no longer be read.
    pub fn new(model: &Model<'_>) -> Result<Sums, Error> {
        let (mut matrices, mut first) = (BTreeMap::new(), 0);
        for tower in model.towers() {
            for (number, file) in tower.shards()?.files().enumerate() {
                for tensor in file.tensors().iter().filter(|tensor| tensor.dims().len() == 2) {
                    let (name, stored) = (tensor.name.to_string(), tensor.row_len());
                    let matrix = Matrix { tensor: name, sums: Vec::new(), stored, rows: 0 };
                    matrices.insert((first + number, tensor.offset), matrix);
                }
            }
            first += tower.parts.len();
        }
        Ok(Sums { matrices })
    }

    /// Takes rows in that a linear map is given.
    pub fn add(&mut self, weight: &Weight, rows: &[f32]) {
        let Some(matrix) = self.matrices.get_mut(&(weight.file, weight.offset)) else { return };
        if matrix.stored != weight.stored() {
            return;
        }
        matrix.sums.resize(weight.width, 0.0);
        for row in rows.chunks_exact(weight.width.max(1)) {
            matrix.rows += 1;
            for (sum, x) in matrix.sums.iter_mut().zip(row) {
                *sum += f64::from(*x) * f64::from(*x);
            }
        }
    }

    /// The matrices that rows went through, by name.
    fn seen(&self) -> BTreeMap<&str, &Matrix> {
        let seen = self.matrices.values().filter(|matrix| matrix.rows > 0);
        seen.map(|matrix| (matrix.tensor.as_str(), matrix)).collect()
    }

    /// How many matrices rows went through.
    pub fn count(&self) -> usize {
        self.matrices.values().filter(|matrix| matrix.rows > 0).count()
    }

    /// The rows that went through the matrix that had most.
    pub fn most_rows(&self) -> usize {
        let most = self.matrices.values().map(|matrix| matrix.rows).max();
        most.map_or(0, |rows| usize::try_from(rows).unwrap_or(usize::MAX))
    }

    /// Writes the file. `datasets` is what was read, in `chunks` pieces of `size` tokens.
    ///
    /// # Errors
    /// A sum is not finite; the sink refuses bytes.
    pub fn write(
        &self,
        datasets: &[String],
        (chunks, size): (u32, u32),
        sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Unwritten> {
        let seen = self.seen();
        let mut outline = Outline::new();
        outline.metadata("general.type", "imatrix").metadata("imatrix.datasets", datasets);
        outline.metadata("imatrix.chunk_count", chunks).metadata("imatrix.chunk_size", size);
        for (name, matrix) in &seen {
            if !matrix.sums.iter().all(|sum| (*sum as f32).is_finite()) {
                return Err(Unwritten::NotFinite(name.to_string()));
            }
            outline.tensor(&format!("{name}{SUMS}"), TensorType::F32, &[matrix.sums.len(), 1]);
            outline.tensor(&format!("{name}{COUNTS}"), TensorType::F32, &[1, 1]);
        }
        let mut body = outline.begin(sink)?;
        for (name, matrix) in &seen {
            let sums: Vec<u8> = matrix.sums.iter().flat_map(|sum| (*sum as f32).to_le_bytes()).collect();
            body.write(&format!("{name}{SUMS}"), &sums)?;
            body.write(&format!("{name}{COUNTS}"), &(matrix.rows as f32).to_le_bytes())?;
        }
        Ok(body.finish()?)
    }
}

/// Why sums were not written.
#[derive(Debug)]
pub enum Unwritten {
    /// Those of this tensor are not finite.
    NotFinite(String),
    /// The sink.
    Sink(io::Error),
}

impl From<WriteError<io::Error>> for Unwritten {
    fn from(error: WriteError<io::Error>) -> Self {
        match error {
            WriteError::Content(error) => Unwritten::Sink(io::Error::other(error.to_string())),
            WriteError::Sink(error) => Unwritten::Sink(error),
        }
    }
}

/// What a text was read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// How many windows.
    pub windows: usize,
    /// The tokens of each: fewer than were asked for where the text has fewer.
    pub tokens: usize,
}

/// Reads a text in windows of `context` tokens.
///
/// # Errors
/// The text is too short, or the model cannot be run.
pub fn text(
    model: &Model<'_>,
    options: &Options,
    (path, text, context): (&std::path::Path, &str, usize),
    sums: &mut Sums,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Read, Failure> {
    let ids = crate::compare::tokens(model, text)?;
    let window = context.min(ids.len());
    if window < 2 {
        return Err(Failure::Short { path: path.into(), tokens: ids.len() });
    }
    let mut scorer = Scorer::new(model, options, window)?;
    let windows = ids.len() / window;
    for (number, part) in ids.chunks_exact(window).enumerate() {
        progress(number, windows);
        let mut part = part.to_vec();
        if let (Some(bos), Some(first)) = (crate::compare::bos(model), part.first_mut()) {
            *first = bos;
        }
        scorer.rewind();
        for ids in part.chunks(BATCH) {
            scorer.show(ids, &mut |weight, rows| sums.add(weight, rows))?;
        }
    }
    Ok(Read { windows, tokens: window })
}

/// A session whose linear maps add to the sums.
///
/// # Errors
/// It cannot be made.
pub fn session<'m>(
    model: &'m Model<'m>,
    options: &Options,
    sums: &Arc<Mutex<Sums>>,
) -> Result<Session<'m>, Error> {
    let (mut session, sums) = (model.session(options)?, sums.clone());
    session.show_inputs(Box::new(move |weight, rows| {
        sums.lock().unwrap_or_else(PoisonError::into_inner).add(weight, rows);
    }));
    Ok(session)
}

/// Reads a prompt with pictures and answers it with at most `most` tokens.
///
/// # Errors
/// The session cannot read it.
pub fn ask(session: &mut Session<'_>, prompt: &[Segment<'_>], most: usize) -> Result<(), Error> {
    session.reset();
    session.forget_image();
    session.read(prompt, &mut |_| ())?;
    if most > 0 {
        let mut options = AnswerOptions::default();
        options.max_tokens = most;
        let mut answer = session.answer(&options)?;
        while answer.next()?.is_some() {}
    }
    Ok(())
}
