//! Reading a file written by hand, byte for byte as the specification has it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ocelli_gguf::{Array, Error, Gguf, List, TensorType, Text, Value, ValueType};

fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text);
}

fn entry(out: &mut Vec<u8>, key: &str, kind: u32, value: &[u8]) {
    string(out, key.as_bytes());
    out.extend(kind.to_le_bytes());
    out.extend(value);
}

fn tensor(out: &mut Vec<u8>, name: &str, dims: &[u64], kind: u32, offset: u64) {
    string(out, name.as_bytes());
    out.extend((dims.len() as u32).to_le_bytes());
    dims.iter().for_each(|d| out.extend(d.to_le_bytes()));
    out.extend(kind.to_le_bytes());
    out.extend(offset.to_le_bytes());
}

fn array(kind: u32, count: u64, elements: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes(), elements].concat()
}

/// Every type of value, two tensors, alignment 64.
fn sample(version: u32) -> Vec<u8> {
    let mut strings = Vec::new();
    string(&mut strings, b"a");
    string(&mut strings, b"");
    string(&mut strings, "\u{2581}the".as_bytes());
    let mut text = Vec::new();
    string(&mut text, b"llama");
    let mut not_utf8 = Vec::new();
    string(&mut not_utf8, b"ab\xff");

    let entries: [(&str, u32, Vec<u8>); 19] = [
        ("general.architecture", 8, text),
        ("general.alignment", 4, 64u32.to_le_bytes().into()),
        ("u8", 0, vec![200]),
        ("i8", 1, vec![0xFF]),
        ("u16", 2, 65535u16.to_le_bytes().into()),
        ("i16", 3, (-2i16).to_le_bytes().into()),
        ("u32", 4, u32::MAX.to_le_bytes().into()),
        ("i32", 5, (-3i32).to_le_bytes().into()),
        ("f32", 6, 0.5f32.to_le_bytes().into()),
        ("bool", 7, vec![1]),
        ("u64", 10, u64::MAX.to_le_bytes().into()),
        ("i64", 11, (-4i64).to_le_bytes().into()),
        ("f64", 12, 0.25f64.to_le_bytes().into()),
        ("strings", 9, array(8, 3, &strings)),
        ("i32s", 9, array(5, 3, &[7i32, -8, 9].map(i32::to_le_bytes).concat())),
        ("u16s", 9, array(2, 2, &[1u16, 65535].map(u16::to_le_bytes).concat())),
        ("bools", 9, array(7, 2, &[1, 0])),
        ("empty", 9, array(6, 0, &[])),
        ("not utf8", 8, not_utf8),
    ];
    let mut out = Vec::from(*b"GGUF");
    out.extend(version.to_le_bytes());
    out.extend(2u64.to_le_bytes());
    out.extend((entries.len() as u64).to_le_bytes());
    for (key, kind, value) in entries {
        entry(&mut out, key, kind, &value);
    }
    tensor(&mut out, "z", &[3, 2], 0, 0);
    tensor(&mut out, "a.weight", &[64, 1, 2], 8, 64);
    out.resize(out.len().next_multiple_of(64), 0);
    out.extend((0..24).collect::<Vec<u8>>());
    out.resize(out.len() + 40, 0);
    out.extend((0..136).collect::<Vec<u8>>());
    out
}

#[test]
fn both_versions() {
    for version in [2, 3] {
        let bytes = sample(version);
        let file = Gguf::parse(&bytes).unwrap();
        assert_eq!((file.version(), file.alignment()), (version, 64));
    }
}

#[test]
fn every_type_of_value_in_file_order() {
    let bytes = sample(3);
    let file = Gguf::parse(&bytes).unwrap();
    let scalars: Vec<(&str, Value<'_>)> = file.metadata().skip(1).take(12).collect();
    assert_eq!(
        scalars,
        [
            ("general.alignment", Value::U32(64)),
            ("u8", Value::U8(200)),
            ("i8", Value::I8(-1)),
            ("u16", Value::U16(65535)),
            ("i16", Value::I16(-2)),
            ("u32", Value::U32(u32::MAX)),
            ("i32", Value::I32(-3)),
            ("f32", Value::F32(0.5)),
            ("bool", Value::Bool(true)),
            ("u64", Value::U64(u64::MAX)),
            ("i64", Value::I64(-4)),
            ("f64", Value::F64(0.25)),
        ]
    );
    assert_eq!(file.metadata().len(), 19);
    assert_eq!(file.get("absent"), None);
}

#[test]
fn arrays() {
    let bytes = sample(3);
    let file = Gguf::parse(&bytes).unwrap();
    let strings: List<'_, &str> = file.require("strings").unwrap();
    assert_eq!(strings.iter().collect::<Vec<_>>(), ["a", "", "\u{2581}the"]);
    assert_eq!((strings.len(), strings.get(2), strings.get(3)), (3, Some("\u{2581}the"), None));
    let numbers: List<'_, i32> = file.require("i32s").unwrap();
    assert_eq!(numbers.iter().collect::<Vec<_>>(), [7, -8, 9]);
    let widened: List<'_, u32> = file.require("u16s").unwrap();
    assert_eq!((widened.get(1), widened.get(2), widened.get(usize::MAX)), (Some(65535), None, None));
    assert_eq!(
        file.require::<List<'_, bool>>("bools").unwrap().into_iter().collect::<Vec<_>>(),
        [true, false]
    );
    assert!(file.require::<List<'_, &str>>("empty").unwrap().is_empty());
    let array: Array<'_> = file.require("u16s").unwrap();
    assert_eq!((array.element_type(), array.len()), (ValueType::U16, 2));
    assert_eq!(array.iter().len(), 2);
}

#[test]
fn integers_of_any_width_that_fit() {
    let bytes = sample(3);
    let file = Gguf::parse(&bytes).unwrap();
    assert_eq!(file.require::<u32>("u8"), Ok(200));
    assert_eq!(file.require::<i32>("i64"), Ok(-4));
    assert_eq!(file.require::<u64>("u64"), Ok(u64::MAX));
    assert_eq!(file.optional::<u32>("absent"), Ok(None));
    assert!(matches!(file.require::<u32>("i8"), Err(Error::DoesNotFit { .. })));
    assert!(matches!(file.require::<i64>("u64"), Err(Error::DoesNotFit { .. })));
    assert!(matches!(file.require::<List<'_, u32>>("i32s"), Err(Error::DoesNotFit { .. })));
}

#[test]
fn errors_name_the_key_and_both_types() {
    let bytes = sample(3);
    let file = Gguf::parse(&bytes).unwrap();
    let text = |e: Result<f32, Error>| e.unwrap_err().to_string();
    let place = file.require::<Text<'_>>("general.architecture").unwrap().offset() - 12;
    assert_eq!(
        text(file.require("general.architecture")),
        format!("metadata key 'general.architecture' at byte {place} is of type string, wanted: f32")
    );
    assert_eq!(text(file.require("absent")), "the file has no metadata key 'absent' (f32)");
    let wrong = file.require::<List<'_, f32>>("strings").unwrap_err().to_string();
    assert!(wrong.ends_with("is of type array of string, wanted: array of f32"), "{wrong}");
    assert!(matches!(file.require::<bool>("u8"), Err(Error::WrongType { .. })));
}

#[test]
fn text_is_checked_when_asked_for() {
    let bytes = sample(3);
    let file = Gguf::parse(&bytes).unwrap();
    let text: Text<'_> = file.require("not utf8").unwrap();
    assert_eq!(text.as_bytes(), b"ab\xff");
    let bad = text.offset() + 2;
    assert_eq!(bytes[bad], 0xff);
    assert_eq!(text.to_str(), Err(Error::NotUtf8 { at: text.offset(), bad }));
    assert!(matches!(file.require::<&str>("not utf8"), Err(Error::ValueNotUtf8 { bad: b, .. }) if b == bad));
    assert_eq!(file.require("general.architecture"), Ok("llama"));
}

#[test]
fn tensors() {
    let bytes = sample(3);
    let file = Gguf::parse(&bytes).unwrap();
    assert_eq!(file.tensors().iter().map(|t| t.name).collect::<Vec<_>>(), ["z", "a.weight"]);
    let z = file.require_tensor("z").unwrap();
    assert_eq!((z.kind, z.dims(), z.elements(), z.rows()), (TensorType::F32, &[3, 2][..], 6, 2));
    assert_eq!(z.data, (0..24).collect::<Vec<u8>>());
    assert_eq!(z.offset % 64, 0);
    let a = file.tensor("a.weight").unwrap();
    assert_eq!((a.kind, a.dims(), a.row_len(), a.rows()), (TensorType::Q8_0, &[64, 1, 2][..], 64, 2));
    assert_eq!((a.extent(2), a.extent(3), a.extent(9)), (2, 1, 1));
    assert_eq!(a.data, (0..136).collect::<Vec<u8>>());
    assert_eq!(&bytes[a.range()], a.data);
    assert_eq!(file.tensor("b"), None);
    assert_eq!(file.require_tensor("b").unwrap_err().to_string(), "the file has no tensor 'b'");
}

#[test]
fn numbers_of_types() {
    for id in 0..300 {
        if let Some(kind) = TensorType::from_id(id) {
            assert_eq!(kind.id(), id);
        }
        if let Some(kind) = ValueType::from_id(id) {
            assert_eq!(kind.id(), id);
        }
    }
    assert_eq!(TensorType::all().len(), 35);
    assert_eq!((0..300).filter_map(ValueType::from_id).count(), 13);
    assert_eq!(TensorType::Q4_K.bytes_of(512), Some(288));
    assert_eq!(TensorType::Q4_K.bytes_of(511), None);
    assert_eq!(TensorType::F64.bytes_of(usize::MAX), None);
}
