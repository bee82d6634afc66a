//! What will become of each tensor of a file, decided before anything is read or written.

use crate::error::Error;
use crate::pattern::Pattern;
use crate::recipe::{self, Described, Recipe, fitting};
use ocelli_gguf::{Outline, Shards, TensorInfo, TensorType};
use ocelli_kernels::formats::Format;

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
    /// The length of its rows.
    pub row: usize,
    /// How many numbers it has.
    pub elements: usize,
    /// Which file it is in, and where.
    pub(crate) place: (usize, usize),
}

impl Change<'_> {
    /// Its bytes as this type.
    pub fn bytes(&self, kind: TensorType) -> u64 {
        kind.bytes_of(self.elements).unwrap_or_default() as u64
    }

    /// Whether it was in blocks and is encoded once more, which loses twice.
    pub fn is_requantized(&self) -> bool {
        self.from != self.to && self.from.block_len() > 1
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
        let wanted = recipe::wanted(shards.first(), &described, request.recipe, request.pure)?;
        let mut outline = keys(shards, request.recipe);
        let mut changes = Vec::with_capacity(placed.len());
        for ((file, tensor), wanted) in placed.iter().zip(wanted) {
            let change = decide(*file, tensor, wanted, request)?;
            outline.tensor(tensor.name, change.to, tensor.dims());
            changes.push(change);
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

/// The metadata of the new file: that of the old one, with its type.
fn keys(shards: &Shards<'_>, recipe: &Recipe) -> Outline {
    let news = [("general.quantization_version", 2), ("general.file_type", recipe.number)];
    let mut outline = Outline::new();
    for (key, value) in shards.first().metadata() {
        match news.iter().find(|(new, _)| *new == key) {
            Some((_, number)) => outline.metadata(key, *number),
            None if key.starts_with("split.") => &mut outline,
            None => outline.metadata(key, value),
        };
    }
    for (key, number) in news {
        if shards.first().get(key).is_none() {
            outline.metadata(key, number);
        }
    }
    outline
}

fn decide<'a>(
    file: usize,
    tensor: &TensorInfo<'a>,
    wanted: Option<TensorType>,
    request: &Request,
) -> Result<Change<'a>, Error> {
    let (name, from, row) = (tensor.name, tensor.kind, tensor.row_len());
    let stay = Change {
        name,
        from,
        wanted: from,
        to: from,
        row,
        elements: tensor.elements(),
        place: (file, tensor.offset),
    };
    if request.keep.iter().any(|pattern| pattern.matches(name)) {
        return Ok(stay);
    }
    let (wanted, to) = match request.overrides.iter().find(|(pattern, _)| pattern.matches(name)) {
        Some((_, kind)) => {
            let matrix = tensor.rows() > 1;
            if !row.is_multiple_of(kind.block_len()) || (!matrix && kind.block_len() > 1) {
                return Err(Error::DoesNotFit { tensor: name.into(), kind: *kind, row, matrix });
            }
            (*kind, *kind)
        }
        None => match wanted {
            None => return Ok(stay),
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
    Ok(Change { wanted, to, ..stay })
}
