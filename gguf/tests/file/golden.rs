//! Files written by the gguf Python package (`tests/golden/make_gguf.py`), and real vocabularies where they are there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use ocelli_gguf::{Gguf, List, Shards, SplitInfo, SplitName, TensorType, Writer};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/gguf").join(name)
}

fn read(name: &str) -> Vec<u8> {
    fs::read(golden(name)).unwrap()
}

/// The content of `whole.gguf`, said again in Rust.
fn whole(f32s: &[u8], f16s: &[u8], blocks: &[u8]) -> Vec<u8> {
    let mut w = Writer::new();
    w.metadata("general.architecture", "llama").metadata("general.alignment", 64u32);
    w.metadata("u8", 200u8).metadata("i8", -1i8).metadata("u16", u16::MAX).metadata("i16", -2i16);
    w.metadata("u32", u32::MAX).metadata("i32", -3i32).metadata("f32", 0.1f32).metadata("bool", true);
    w.metadata("string", "\u{e9}\u{4e2d}\u{1f441} \0 end");
    w.metadata("u64", u64::MAX).metadata("i64", i64::MIN).metadata("f64", 0.1f64);
    w.metadata("strings", &["a", "", "\u{2581}the"]).metadata("i32s", &[1i32, -2, 3]);
    w.metadata("f32s", &[0.5f32, -1.25]).metadata("bools", &[true, false, true]);
    w.tensor("f32", TensorType::F32, &[3, 2], f32s);
    w.tensor("f16", TensorType::F16, &[5], f16s);
    w.tensor("i8", TensorType::I8, &[1, 1, 7], &[253, 254, 255, 0, 1, 2, 3]);
    w.tensor("i64", TensorType::I64, &[1, 1], &[255; 8]);
    w.tensor("q8_0", TensorType::Q8_0, &[32, 3], &blocks[..102]);
    w.tensor("q6_k", TensorType::Q6_K, &[256, 1], blocks);
    w.finish().unwrap()
}

#[test]
fn the_writer_gives_the_same_bytes_as_the_python_package() {
    let f32s = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect::<Vec<u8>>();
    let f16s = [0u16, 0x3C00, 0x4000, 0x4200, 0x4400].map(u16::to_le_bytes).concat();
    let blocks = (0..210).collect::<Vec<u8>>();
    assert_eq!(whole(&f32s, &f16s, &blocks), read("whole.gguf"));

    let mut empty = Writer::new();
    empty.metadata("general.architecture", "none");
    assert_eq!(empty.finish().unwrap(), read("empty.gguf"));
}

#[test]
fn the_reader_reads_the_python_package() {
    let bytes = read("whole.gguf");
    let file = Gguf::parse(&bytes).unwrap();
    assert_eq!((file.version(), file.alignment()), (3, 64));
    assert_eq!(file.require("string"), Ok("\u{e9}\u{4e2d}\u{1f441} \0 end"));
    assert_eq!(file.require::<List<'_, f32>>("f32s").unwrap().iter().collect::<Vec<_>>(), [0.5, -1.25]);
    let q8 = file.require_tensor("q8_0").unwrap();
    assert_eq!((q8.kind, q8.dims(), q8.data.len()), (TensorType::Q8_0, &[32, 3][..], 102));
    let dims: Vec<_> = file.tensors().iter().map(|t| t.dims().to_vec()).collect();
    assert_eq!(dims, [vec![3, 2], vec![5], vec![1, 1, 7], vec![1, 1], vec![32, 3], vec![256, 1]]);
}

#[test]
fn a_split_model_of_the_python_package() {
    let first = SplitName::parse("split-00001-of-00003.gguf").unwrap();
    let files: Vec<Vec<u8>> = first.all().map(|name| read(&name.to_string())).collect();
    let shards = Shards::new(files.iter().map(|bytes| Gguf::parse(bytes).unwrap())).unwrap();
    assert_eq!(SplitInfo::of(shards.first()), Ok(Some(SplitInfo { number: 0, count: 3, tensors: 5 })));
    assert_eq!(shards.first().require::<u32>("llama.block_count"), Ok(1));
    for i in 0..5 {
        let (file, tensor) = shards.tensor(&format!("t{i}")).unwrap();
        assert_eq!((file, tensor.dims()), (i / 2, &[i + 1][..]));
        assert!(tensor.data.chunks_exact(4).all(|x| x == (i as f32).to_le_bytes()));
    }
}

#[test]
fn block_sizes_are_those_of_the_python_package() {
    let text = fs::read_to_string(golden("sizes.txt")).unwrap();
    let mut found = 0;
    for line in text.lines() {
        let [id, name, len, bytes] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let kind = TensorType::from_id(id.parse().unwrap()).unwrap();
        assert_eq!((kind.name(), kind.block_len()), (name, len.parse().unwrap()));
        // The package still has the layout with two f32 fields, which ggml left in 2023; it is never in a file.
        let bytes = if kind == TensorType::Q8_1 { 36 } else { bytes.parse().unwrap() };
        assert_eq!(kind.block_bytes(), bytes, "{name}");
        found += 1;
    }
    // All but Q2_0, which is newer than the package.
    assert_eq!(found, TensorType::all().len() - 1);
}

#[cfg_attr(miri, ignore = "megabytes")]
#[test]
fn real_vocabularies() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/vocab");
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: no ../shared/data/vocab");
        return;
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|e| e == "gguf")).collect();
    for path in &paths {
        let bytes = fs::read(path).unwrap();
        let file = Gguf::parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let tokens: List<'_, &str> = file.require("tokenizer.ggml.tokens").unwrap();
        let types: List<'_, i32> = file.require("tokenizer.ggml.token_type").unwrap();
        assert_eq!(tokens.len(), types.len());
        // Copied through the writer, nothing is lost.
        let mut writer = Writer::new();
        for (key, value) in file.metadata() {
            writer.metadata(key, value);
        }
        let copy = writer.finish().unwrap();
        let end = bytes.len().min(copy.len());
        assert!(file.tensors().is_empty() && copy[8..end] == bytes[8..end]);
    }
    println!("{} vocabularies", paths.len());
}
