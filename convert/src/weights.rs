//! All tensors of a checkpoint: one file, or shards and their index.

use crate::error::Error;
use crate::folder::Folder;
use crate::json::Json;
use crate::safetensors::{self, Stored};
use std::collections::BTreeMap;

const ONE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The tensors of a checkpoint by name, and the files they are in.
#[derive(Debug)]
pub(crate) struct Weights {
    /// The files.
    pub(crate) files: Vec<String>,
    /// Each tensor and which file it is in.
    pub(crate) tensors: BTreeMap<String, (usize, Stored)>,
}

impl Weights {
    /// Reads the headers of all files.
    pub(crate) fn read(folder: &dyn Folder) -> Result<Weights, Error> {
        let listed = folder.files().map_err(|error| Error::Io { file: ".".into(), error })?;
        let index = Json::read(folder, INDEX)?;
        let map = index.as_ref().map(|index| index_of(index, &listed)).transpose()?;
        let files = match &map {
            Some(map) => {
                let mut files: Vec<String> = map.values().map(|shard| (*shard).clone()).collect();
                files.sort();
                files.dedup();
                files
            }
            None if listed.iter().any(|file| file == ONE) => vec![ONE.into()],
            None => return Err(none(&listed)),
        };
        let mut tensors = BTreeMap::new();
        for (i, file) in files.iter().enumerate() {
            for stored in safetensors::read(folder, file)? {
                let name = stored.name.clone();
                if let Some(map) = &map {
                    match map.get(&name) {
                        None => return Err(Error::NotInIndex { shard: file.clone(), tensor: name }),
                        Some(shard) if *shard != file => {
                            return Err(Error::Twice {
                                tensor: name,
                                first: (*shard).clone(),
                                second: file.clone(),
                            });
                        }
                        Some(_) => {}
                    }
                }
                tensors.insert(name, (i, stored));
            }
        }
        let lacks = map.iter().flatten().find(|(name, _)| !tensors.contains_key(*name));
        if let Some((name, shard)) = lacks {
            return Err(Error::NotInShard { shard: (*shard).clone(), tensor: name.clone() });
        }
        Ok(Weights { files, tensors })
    }
}

/// Which tensor is in which shard.
fn index_of<'j>(index: &'j Json, listed: &[String]) -> Result<BTreeMap<String, &'j String>, Error> {
    const KEY: &str = "weight_map";
    let Some(value) = index.get(KEY) else { return Err(index.missing(KEY, "an object")) };
    let Some(map) = value.as_object() else { return Err(index.entry(KEY, "an object", value)) };
    let mut of = BTreeMap::new();
    for (tensor, shard) in map {
        let serde_json::Value::String(shard) = shard else {
            return Err(index.entry(&format!("{KEY}.{tensor}"), "a file's name", shard));
        };
        // Only names that are in the folder: a path that leads out of it is none.
        if !listed.contains(shard) {
            return Err(Error::NoShard { shard: shard.clone(), tensor: tensor.clone() });
        }
        of.insert(tensor.clone(), shard);
    }
    Ok(of)
}

/// There are no safetensors: what there is instead.
fn none(listed: &[String]) -> Error {
    const ENDS: [&str; 4] = [".bin", ".pt", ".pth", ".ckpt"];
    let pickle = |file: &&String| ENDS.iter().any(|end| file.ends_with(end));
    match listed.iter().find(pickle) {
        Some(file) => Error::Pickle { file: file.clone() },
        None => Error::NoWeights,
    }
}
