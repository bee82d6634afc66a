//! What will become of each tensor of a file, decided before anything is read or written.

use crate::error::Error;
use crate::importance::Importance;
use crate::pattern::Pattern;
use crate::recipe::{self, Described, Mixing, Recipe, fitting, fitting_padded, may_be_padded};
use ocelli_gguf::{Outline, PADDED_LENGTHS, PADDED_NAMES, Shards, TensorInfo, TensorType};
use ocelli_kernels::formats::Format;
use std::sync::Arc;

/// How a file is to be stored.
#[derive(Clone, Debug)]
pub struct Request {
    /// The type of file.
    pub recipe: &'static Recipe,
    /// Store all matrices in the recipe's one format, without the exceptions of a mix.
    pub pure: bool,
    /// What tensors of these names are stored as, whatever the recipe says. The first that matches counts.
    pub overrides: Vec<(Pattern, TensorType)>,
    /// Tensors that are kept as they are, whatever anything says.
    pub keep: Vec<Pattern>,
    /// Pad rows of linear maps that fit no block with zeros, as [`Gguf::unpadded`](ocelli_gguf::Gguf::unpadded) says, instead of storing
    /// them in 16 bits. Nothing but Ocelli reads such a file.
    pub pad: bool,
    /// How much each column counts.
    pub importance: Option<Importance>,
}

/// A tensor and what will become of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is stored as.
    pub from: TensorType,
    /// What it would be stored as if rows had any length.
    pub wanted: TensorType,
    /// What it will be stored as.
    pub to: TensorType,
    /// The length of its rows, without padding.
    pub row: usize,
    /// How many rows it has.
    pub rows: usize,
    /// Zeros after each row, in the file that is there and in the one to be made.
    pub padding: (usize, usize),
    /// How much its columns count, matrix by matrix.
    pub(crate) importance: Option<Arc<[f32]>>,
    /// Which file it is in, and where.
    pub(crate) place: (usize, usize),
}

impl Change<'_> {
    /// Its bytes in the file that is there.
    pub fn bytes(&self) -> u64 {
        self.from.bytes_of(self.stored()).unwrap_or_default() as u64
    }

    /// Its numbers in the file that is there, padding included.
    pub(crate) fn stored(&self) -> usize {
        (self.row + self.padding.0) * self.rows
    }

    /// Whether its rows are stored in another length.
    pub(crate) fn is_reshaped(&self) -> bool {
        self.padding.0 != self.padding.1
    }

    /// Whether it was in blocks and is encoded once more, which loses twice.
    pub fn is_requantized(&self) -> bool {
        self.from != self.to && self.from.block_len() > 1
    }

    /// Whether importance would count and there is none.
    pub fn lacks_importance(&self) -> bool {
        let minds = self.to.block_len() > 1 && self.to != TensorType::Q8_0;
        self.from != self.to && minds && self.importance.is_none()
    }
}

/// A file to be made from another one.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    pub(crate) outline: Outline,
    pub(crate) changes: Vec<Change<'a>>,
}

impl<'a> Plan<'a> {
    /// Decides for every tensor. Tensors keep their order, keys theirs; what says that a file is split is left out.
    ///
    /// # Errors
    /// A pattern that stands for nothing, a type that does not fit, numbers that cannot be converted.
    pub fn new(shards: &Shards<'a>, request: &Request) -> Result<Plan<'a>, Error> {
        let placed: Vec<(usize, &TensorInfo<'a>)> = shards
            .files()
            .enumerate()
            .flat_map(|(i, file)| file.tensors().iter().map(move |t| (i, t)))
            .collect();
        let tensors: Vec<&TensorInfo<'a>> = placed.iter().map(|(_, tensor)| *tensor).collect();
        check_patterns(request, &tensors)?;
        let described: Vec<Described<'_>> = tensors.iter().map(|tensor| Described::from(*tensor)).collect();
        let how = Mixing { pure: request.pure, importance: request.importance.is_some() };
        let wanted = recipe::wanted(shards.first(), &described, request.recipe, how)?;
        let mut outline = keys(shards, request);
        let mut changes = Vec::with_capacity(placed.len());
        for ((file, tensor), wanted) in placed.iter().zip(wanted) {
            let change = decide(Stored::of(shards, *file, tensor)?, wanted, request)?;
            let mut dims = tensor.dims().to_vec();
            if let Some(row) = dims.first_mut() {
                *row = change.row + change.padding.1;
            }
            outline.tensor(tensor.name, change.to, &dims);
            changes.push(change);
        }
        let padded = || changes.iter().filter(|change| change.padding.1 > 0);
        if padded().next().is_some() {
            let lengths: Vec<u32> = padded().map(|change| change.row as u32).collect();
            outline.metadata(PADDED_NAMES, &padded().map(|change| change.name).collect::<Vec<_>>());
            outline.metadata(PADDED_LENGTHS, &lengths);
        }
        Ok(Plan { outline, changes })
    }

    /// Every tensor, in the order of the file.
    pub fn changes(&self) -> &[Change<'a>] {
        &self.changes
    }
}

fn check_patterns(request: &Request, tensors: &[&TensorInfo<'_>]) -> Result<(), Error> {
    let all = request.overrides.iter().map(|(pattern, _)| pattern).chain(&request.keep);
    for pattern in all {
        if !tensors.iter().any(|tensor| pattern.matches(tensor.name)) {
            return Err(Error::NoSuchTensor { pattern: pattern.text().into() });
        }
    }
    Ok(())
}

/// The metadata of the new file: that of the old one, with its type, and what importance it was made with.
fn keys(shards: &Shards<'_>, request: &Request) -> Outline {
    let mut numbers = vec![("general.quantization_version", 2), ("general.file_type", request.recipe.number)];
    let mut texts = Vec::new();
    if let Some(importance) = &request.importance {
        texts.push(("quantize.imatrix.file", importance.name.as_str()));
        texts.extend(importance.dataset.as_deref().map(|text| ("quantize.imatrix.dataset", text)));
        numbers.push(("quantize.imatrix.entries_count", importance.entries() as u32));
        numbers.push(("quantize.imatrix.chunks_count", importance.chunks));
    }
    let mut outline = Outline::new();
    for (key, value) in shards.first().metadata() {
        let number = numbers.iter().find(|(new, _)| *new == key);
        let text = texts.iter().find(|(new, _)| *new == key);
        match (number, text) {
            (Some((_, number)), _) => outline.metadata(key, *number),
            (None, Some((_, text))) => outline.metadata(key, *text),
            _ if key.starts_with("split.") || [PADDED_NAMES, PADDED_LENGTHS].contains(&key) => &mut outline,
            _ => outline.metadata(key, value),
        };
    }
    let is_new = |key: &str| shards.first().get(key).is_none();
    for (key, text) in texts.into_iter().filter(|(key, _)| is_new(key)) {
        outline.metadata(key, text);
    }
    for (key, number) in numbers.into_iter().filter(|(key, _)| is_new(key)) {
        outline.metadata(key, number);
    }
    outline
}

/// A tensor as it is.
struct Stored<'t, 'a> {
    file: usize,
    tensor: &'t TensorInfo<'a>,
    /// The length of its rows, without padding.
    row: usize,
}

impl<'t, 'a> Stored<'t, 'a> {
    fn of(shards: &Shards<'_>, file: usize, tensor: &'t TensorInfo<'a>) -> Result<Self, Error> {
        let stored = tensor.row_len();
        let row = match shards.first().unpadded(tensor.name)? {
            Some(row) if row.checked_next_multiple_of(tensor.kind.block_len()) != Some(stored) => {
                return Err(Error::Padding { tensor: tensor.name.into(), row, stored });
            }
            Some(row) => row,
            None => stored,
        };
        Ok(Stored { file, tensor, row })
    }

    fn stay(&self) -> Change<'a> {
        let TensorInfo { name, kind, offset, .. } = *self.tensor;
        let padding = self.tensor.row_len() - self.row;
        Change {
            name,
            from: kind,
            wanted: kind,
            to: kind,
            row: self.row,
            rows: self.tensor.rows(),
            padding: (padding, padding),
            importance: None,
            place: (self.file, offset),
        }
    }
}

fn decide<'a>(
    stored: Stored<'_, 'a>,
    wanted: Option<TensorType>,
    request: &Request,
) -> Result<Change<'a>, Error> {
    let stay = stored.stay();
    let Change { name, from, row, .. } = stay;
    let pad = request.pad && may_be_padded(&Described::from(stored.tensor));
    if request.keep.iter().any(|pattern| pattern.matches(name)) {
        return Ok(stay);
    }
    let (wanted, to) = match request.overrides.iter().find(|(pattern, _)| pattern.matches(name)) {
        Some((_, kind)) => {
            let (matrix, fits) = (stay.rows > 1, row.is_multiple_of(kind.block_len()));
            if !(fits || pad) || (!matrix && kind.block_len() > 1) {
                return Err(Error::DoesNotFit { tensor: name.into(), kind: *kind, row, matrix });
            }
            (*kind, *kind)
        }
        None => match wanted {
            None => return Ok(stay),
            Some(wanted) if pad => (wanted, fitting_padded(wanted, row)),
            // Sixteen bits are as good as others: they are not changed for a row that fits nowhere.
            Some(wanted) => match fitting(wanted, row) {
                TensorType::F16 if wanted != TensorType::F16 && from == TensorType::BF16 => (wanted, from),
                to => (wanted, to),
            },
        },
    };
    for kind in [from, to] {
        if from != to && Format::from_id(kind.id()).is_none() {
            return Err(Error::Unsupported { tensor: name.into(), kind });
        }
    }
    let padding = (stay.padding.0, row.next_multiple_of(to.block_len()) - row);
    let minded = request.importance.as_ref().filter(|_| from != to);
    let importance = minded.map(|all| all.of(name, row, stored.tensor.extent(2))).transpose()?.flatten();
    Ok(Change { wanted, to, padding, importance, ..stay })
}
