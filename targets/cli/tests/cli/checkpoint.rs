//! A golden checkpoint, put together again: `tests/golden/checkpoints` has what lies beside the weights and where in the golden
//! model files their numbers are.

use ocelli_gguf::Gguf;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A tensor of a safetensors file.
#[derive(Clone)]
pub struct Tensor {
    pub name: String,
    pub dtype: &'static str,
    pub shape: Vec<u64>,
    pub data: Vec<u8>,
}

/// A folder of the goldens, seen from any crate of the workspace.
pub fn goldens() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|folder| folder.join("tests/golden")).find(|folder| folder.is_dir()).unwrap()
}

/// The tensors of a checkpoint, in F32.
pub fn tensors(case: &str) -> Vec<Tensor> {
    let list = std::fs::read_to_string(goldens().join("checkpoints").join(case).join("tensors.txt")).unwrap();
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    list.lines()
        .map(|line| {
            let parts: Vec<&str> = line.split(' ').collect();
            let [name, extents, file, from, heads] = parts[..] else { panic!("{line}") };
            let shape: Vec<u64> = extents.split(',').map(|n| n.parse().unwrap()).collect();
            let data = if file == "-" {
                // What nothing reads: numbers that are easy to recognise where they should not be.
                vec![0x7f; shape.iter().product::<u64>() as usize * 4]
            } else {
                let path = goldens().join("models").join(file);
                let bytes = files.entry(file.into()).or_insert_with(|| std::fs::read(path).unwrap());
                let gguf = Gguf::parse(bytes).unwrap();
                let tensor = gguf.tensor(from).unwrap();
                halves(tensor.data, heads.parse().unwrap(), shape[0] as usize)
            };
            Tensor { name: name.into(), dtype: "F32", shape, data }
        })
        .collect()
}

/// The rows of rotary pairs as the halves of their heads: row `2i + b` of a head becomes row `b · d/2 + i`.
fn halves(data: &[u8], heads: usize, rows: usize) -> Vec<u8> {
    if heads == 0 {
        return data.to_vec();
    }
    let (row, head) = (data.len() / rows, rows / heads);
    let mut out = vec![0; data.len()];
    for (i, from) in data.chunks(row).enumerate() {
        let (start, pair, half) = (i / head * head, i % head / 2, i % 2);
        let to = start + half * (head / 2) + pair;
        out[to * row..(to + 1) * row].copy_from_slice(from);
    }
    out
}

/// A safetensors file.
pub fn safetensors(tensors: &[Tensor]) -> Vec<u8> {
    let (mut header, mut data) = (String::from("{\"__metadata__\":{\"format\":\"pt\"}"), Vec::new());
    for Tensor { name, dtype, shape, data: bytes } in tensors {
        let (begin, end) = (data.len(), data.len() + bytes.len());
        header += &format!(
            ",\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{begin},{end}]}}"
        );
        data.extend_from_slice(bytes);
    }
    header.push('}');
    with_header(&header, &data)
}

/// A safetensors file with this header.
pub fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// Every file of a checkpoint by name.
pub fn files(case: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = goldens().join("checkpoints").join(case);
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name != "tensors.txt" {
            files.insert(name.into(), std::fs::read(&path).unwrap());
        }
    }
    files.insert("model.safetensors".into(), safetensors(&tensors(case)));
    files
}
