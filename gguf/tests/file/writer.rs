//! What is written is what is read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::raw;

use ocelli_gguf::{Error, Gguf, List, Outline, Shards, SplitName, TensorType, Value, WriteError, Writer};

/// The hand-made sample again, copied value by value through the reader: the same bytes.
#[test]
fn a_copy_has_the_same_bytes() {
    let mut bytes = raw::sample(3);
    let file = Gguf::parse(&bytes).unwrap();
    let mut writer = Writer::new();
    for (key, value) in file.metadata() {
        writer.metadata(key, value);
    }
    for tensor in file.tensors() {
        writer.tensor(tensor.name, tensor.kind, tensor.dims(), tensor.data);
    }
    let copy = writer.finish().unwrap();
    // The writer pads the last tensor too.
    bytes.resize(copy.len(), 0);
    assert_eq!(copy, bytes);
}

#[test]
fn every_rust_type() {
    let mut writer = Writer::new();
    writer.metadata("a", 1u8).metadata("b", -1i8).metadata("c", 2u16).metadata("d", -2i16);
    writer.metadata("e", 3u32).metadata("f", -3i32).metadata("g", 0.5f32).metadata("h", true);
    writer.metadata("i", "text").metadata("j", 4u64).metadata("k", -4i64).metadata("l", 0.25f64);
    writer.metadata("m", String::from("owned")).metadata("n", &["x", "yy"]).metadata("o", &vec![1.5f32, 2.5]);
    writer.metadata("p", &[true, false][..]).metadata("q", &[] as &[i32]);
    let bytes = writer.finish().unwrap();
    let file = Gguf::parse(&bytes).unwrap();
    let types: Vec<_> = file.metadata().map(|(_, value)| value.type_name()).collect();
    assert_eq!(
        types,
        [
            "u8",
            "i8",
            "u16",
            "i16",
            "u32",
            "i32",
            "f32",
            "bool",
            "string",
            "u64",
            "i64",
            "f64",
            "string",
            "array of string",
            "array of f32",
            "array of bool",
            "array of i32"
        ]
    );
    assert_eq!(file.get("f"), Some(Value::I32(-3)));
    assert_eq!(file.require("m"), Ok("owned"));
    assert_eq!(file.require::<List<'_, &str>>("n").unwrap().iter().collect::<Vec<_>>(), ["x", "yy"]);
    assert_eq!(file.require::<List<'_, f32>>("o").unwrap().iter().collect::<Vec<_>>(), [1.5, 2.5]);
}

#[test]
fn every_type_of_tensor_at_every_alignment() {
    // Miri takes a minute for the pages.
    let alignments: &[u32] = if cfg!(miri) { &[1, 32] } else { &[1, 8, 32, 4096] };
    for &alignment in alignments {
        let data: Vec<(TensorType, Vec<u8>)> = TensorType::all()
            .iter()
            .map(|&kind| (kind, vec![kind.id() as u8; 3 * kind.block_bytes()]))
            .collect();
        let mut writer = Writer::new();
        writer.metadata("general.alignment", alignment);
        for (kind, bytes) in &data {
            writer.tensor(kind.name(), *kind, &[kind.block_len(), 3], bytes);
        }
        let bytes = writer.finish().unwrap();
        let file = Gguf::parse(&bytes).unwrap();
        assert_eq!(file.alignment(), alignment);
        for (kind, bytes) in &data {
            let tensor = file.require_tensor(kind.name()).unwrap();
            assert_eq!((tensor.kind, tensor.data), (*kind, &bytes[..]));
            assert!(tensor.offset.is_multiple_of(alignment as usize));
        }
    }
}

#[test]
fn no_dimensions_is_one_value() {
    let mut writer = Writer::new();
    writer.tensor("scalar", TensorType::F32, &[], &[0, 0, 128, 63]);
    let bytes = writer.finish().unwrap();
    let file = Gguf::parse(&bytes).unwrap();
    let scalar = file.require_tensor("scalar").unwrap();
    assert_eq!((scalar.dims(), scalar.elements(), scalar.rows()), (&[][..], 1, 1));
}

fn outline() -> Outline {
    let mut outline = Outline::new();
    outline.metadata("general.architecture", "llama");
    outline.tensor("a", TensorType::I8, &[5]).tensor("b", TensorType::I16, &[2, 3]);
    outline
}

#[test]
fn a_stream_in_pieces_equals_the_whole() {
    let mut streamed = Vec::new();
    let sink = |bytes: &[u8]| {
        streamed.extend_from_slice(bytes);
        Ok::<(), std::io::Error>(())
    };
    let mut body = outline().begin(sink).unwrap();
    body.write("a", &[1, 2]).unwrap();
    body.write("a", &[]).unwrap();
    body.write("a", &[3, 4, 5]).unwrap();
    body.write("b", &[9; 12]).unwrap();
    body.finish().unwrap();

    let mut writer = Writer::new();
    writer.metadata("general.architecture", "llama");
    writer.tensor("a", TensorType::I8, &[5], &[1, 2, 3, 4, 5]).tensor(
        "b",
        TensorType::I16,
        &[2, 3],
        &[9; 12],
    );
    assert_eq!(writer.finish().unwrap(), streamed);
}

#[test]
fn a_stream_keeps_its_order() {
    let sink = |_: &[u8]| Ok::<(), std::fmt::Error>(());
    let content = |e: WriteError<std::fmt::Error>| match e {
        WriteError::Content(error) => error,
        WriteError::Sink(error) => panic!("{error}"),
    };
    let mut body = outline().begin(sink).unwrap();
    assert!(matches!(content(body.write("b", &[0; 12]).unwrap_err()), Error::TooLittleData { found: 0, .. }));
    body.write("a", &[0; 3]).unwrap();
    assert!(matches!(content(body.write("a", &[0; 3]).unwrap_err()), Error::TooMuchData { .. }));
    assert!(matches!(content(body.write("b", &[0; 12]).unwrap_err()), Error::TooLittleData { found: 3, .. }));
    body.write("a", &[0; 2]).unwrap();
    body.write("b", &[0; 12]).unwrap();
    assert!(matches!(content(body.write("b", &[0]).unwrap_err()), Error::MissingTensor { .. }));
    assert!(body.finish().is_ok());
    let unfinished = outline().begin(sink).unwrap();
    assert!(matches!(content(unfinished.finish().unwrap_err()), Error::TooLittleData { wanted: 5, .. }));
}

#[test]
fn the_sinks_error_comes_back() {
    let mut room = 100usize;
    let sink = |bytes: &[u8]| {
        room = room.checked_sub(bytes.len()).ok_or("full")?;
        Ok(())
    };
    assert_eq!(outline().begin(sink).map(|_| ()).unwrap_err(), WriteError::Sink("full"));
}

#[test]
fn names_of_split_files() {
    let name = "models/tiny-of-1-00002-of-00003.gguf";
    let split = SplitName::parse(name).unwrap();
    assert_eq!(split, SplitName { prefix: "models/tiny-of-1", number: 1, count: 3 });
    assert_eq!(split.to_string(), name);
    let all: Vec<_> = split.all().map(|split| split.to_string()).collect();
    assert_eq!(all[0], "models/tiny-of-1-00001-of-00003.gguf");
    assert_eq!((all.len(), &all[1][..]), (3, name));
    for other in [
        "model.gguf",
        "m-00000-of-00003.gguf",
        "m-00004-of-00003.gguf",
        "m-1-of-3.gguf",
        "m-00001-of-0000x.gguf",
        "m-+0001-of-00003.gguf",
        "m-00001-of-00003.bin",
        "00001-of-00003.gguf",
        "m-00001-of-99999999999.gguf",
        "",
    ] {
        assert_eq!(SplitName::parse(other), None, "{other}");
    }
}

#[test]
fn shards_are_one_model() {
    let shard = |number: u16, name: &str| {
        let mut writer = Writer::new();
        writer
            .metadata("split.no", number)
            .metadata("split.count", 2u16)
            .metadata("split.tensors.count", 2i32);
        writer.tensor(name, TensorType::I8, &[1], &[5]);
        writer.finish().unwrap()
    };
    let files = [shard(0, "b"), shard(1, "a")];
    let shards = Shards::new(files.iter().map(|bytes| Gguf::parse(bytes).unwrap())).unwrap();
    assert_eq!(shards.tensor("a").map(|(file, tensor)| (file, tensor.data)), Some((1, &[5][..])));
    assert_eq!(shards.tensor("b").map(|(file, _)| file), Some(0));
    assert_eq!((shards.tensor("c").is_none(), shards.files().count()), (true, 2));
    assert_eq!(shards.first().require::<u32>("split.no"), Ok(0));

    let whole = raw::sample(2);
    let one = Shards::new([Gguf::parse(&whole).unwrap()]).unwrap();
    assert_eq!(one.tensor("z").map(|(file, _)| file), Some(0));
}
