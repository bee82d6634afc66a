//! Which tensor of a checkpoint goes where, checked against what the configuration says.

use crate::error::Error;
use crate::model::{COMPUTED, Dim, Family, Row, Store, Turn};
use crate::safetensors::Stored;
use crate::weights::Weights;
use ocelli_quantize::Pattern;
use std::collections::BTreeMap;

/// What the extents are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sizes(pub(crate) Vec<(Dim, usize)>);

impl Sizes {
    fn of(&self, dim: Dim) -> usize {
        self.0.iter().find(|(known, _)| *known == dim).map_or(0, |(_, size)| *size)
    }
}

/// A tensor that goes into the file.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// Its name in the file.
    pub(crate) to: String,
    /// Which file of the checkpoint it is in.
    pub(crate) file: usize,
    /// What is there.
    pub(crate) stored: Stored,
    /// What is done to its rows.
    pub(crate) turn: Turn,
    /// What it is stored as.
    pub(crate) store: Store,
}

/// The tensors of a checkpoint by the names of the tables.
pub(crate) struct Named {
    left: BTreeMap<String, (usize, Stored)>,
}

impl Named {
    /// Takes off what the names of this family begin with.
    pub(crate) fn new(weights: &Weights, family: &Family) -> Result<Named, Error> {
        let mut left: BTreeMap<String, (usize, Stored)> = BTreeMap::new();
        for (name, (file, stored)) in &weights.tensors {
            let known =
                |(prefix, short): &(&str, &str)| Some(format!("{short}{}", name.strip_prefix(prefix)?));
            let Some(short) = family.names.iter().find_map(known) else {
                return Err(no_place(weights, *file, name));
            };
            if let Some((_, before)) = left.insert(short.clone(), (*file, stored.clone())) {
                let (first, second) = (before.name, name.clone());
                return Err(Error::Twice { tensor: short, first, second });
            }
        }
        Ok(Named { left })
    }

    /// Whether there is a tensor of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    /// Lets the one of two tied tensors that is there stand for the other, as transformers does.
    pub(crate) fn stand_in(&mut self, name: &str, other: &str) {
        if !self.has(name)
            && let Some(found) = self.left.remove(other)
        {
            self.left.insert(name.into(), found);
        }
    }

    /// Takes the tensors of these rows; those of blocks from `kept` to `blocks` are left out.
    pub(crate) fn take(
        &mut self,
        rows: &[Row],
        sizes: &Sizes,
        blocks: usize,
        kept: usize,
    ) -> Result<Vec<Placed>, Error> {
        let mut placed = Vec::new();
        for group in rows.chunk_by(|a, b| a.from.contains('#') == b.from.contains('#')) {
            let repeated = group.iter().any(|row| row.from.contains('#'));
            for block in 0..if repeated { blocks } else { 1 } {
                for row in group {
                    let from = row.from.replace('#', &block.to_string());
                    let found = self.left.remove(&from);
                    if repeated && block >= kept {
                        continue;
                    }
                    match found {
                        Some((file, stored)) => placed.push(place(row, block, file, stored, sizes)?),
                        None if row.optional => {}
                        None => return Err(Error::NoTensor { tensor: from }),
                    }
                }
            }
        }
        Ok(placed)
    }

    /// Everything has been taken, but for what nothing needs.
    pub(crate) fn finish(self, weights: &Weights, family: &Family) -> Result<(), Error> {
        let unused: Vec<Pattern> =
            COMPUTED.iter().chain(family.unused).map(|name| Pattern::new(name)).collect();
        let needed = |(name, _): &(&String, _)| !unused.iter().any(|pattern| pattern.matches(name));
        match self.left.iter().find(needed) {
            Some((_, (file, stored))) => Err(no_place(weights, *file, &stored.name)),
            None => Ok(()),
        }
    }
}

fn no_place(weights: &Weights, file: usize, tensor: &str) -> Error {
    Error::NoPlace { file: weights.files.get(file).cloned().unwrap_or_default(), tensor: tensor.into() }
}

fn place(row: &Row, block: usize, file: usize, stored: Stored, sizes: &Sizes) -> Result<Placed, Error> {
    let wanted: Vec<usize> = row.shape.iter().map(|dim| sizes.of(*dim)).collect();
    if !stored.shape.iter().copied().eq(wanted.iter().map(|extent| *extent as u64)) {
        return Err(Error::Shape { tensor: stored.name, wanted, found: stored.shape });
    }
    let to = row.to.replace('#', &block.to_string());
    Ok(Placed { to, file, stored, turn: row.turn, store: row.store })
}
