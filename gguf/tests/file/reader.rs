//! Reading a file written by hand, byte for byte as the specification has it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::raw;

use ocelli_gguf::{Array, Error, Gguf, List, Shards, TensorType, Text, Value, ValueType, Writer};
use raw::sample;

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

/// A file that is still to come: its beginning says what it will hold.
#[test]
fn a_beginning_of_a_file_says_what_it_will_be() {
    let whole = sample(2);
    let file = Gguf::parse(&whole).unwrap();
    let first = file.tensors().iter().map(|tensor| tensor.offset).min().unwrap();
    for end in [first, first + 1, whole.len()] {
        let early = Gguf::parse_beginning(&whole[..end], whole.len()).unwrap();
        assert_eq!(early.tensors().len(), file.tensors().len());
        for (there, tensor) in early.tensors().iter().zip(file.tensors()) {
            assert_eq!(
                (there.name, there.range(), there.dims()),
                (tensor.name, tensor.range(), tensor.dims())
            );
            let data = if tensor.range().end <= end { tensor.data } else { &[] };
            assert_eq!(there.data, data);
        }
    }
    let error = Gguf::parse_beginning(&whole[..first], first).unwrap_err();
    assert!(matches!(error, Error::OutsideFile { file_len, .. } if file_len == first));
    assert!(Gguf::parse_beginning(&whole[..first - 100], whole.len()).is_err(), "not even what it says");
}

#[test]
fn a_file_remembers_what_it_was_asked_for() {
    let mut writer = Writer::new();
    writer.metadata("a.one", 1u32).metadata("a.two", "2").metadata("a.three", true);
    writer.tensor("first", TensorType::F32, &[1], &[0; 4]).tensor("second", TensorType::F32, &[1], &[0; 4]);
    let bytes = writer.finish().unwrap();
    let file = Gguf::parse(&bytes).unwrap();
    let keys = |file: &Gguf<'_>| file.unasked_keys().map(|(key, _)| key.to_string()).collect::<Vec<_>>();
    let tensors = |file: &Gguf<'_>| file.unasked_tensors().map(|t| t.name.to_string()).collect::<Vec<_>>();
    // Listing is not asking, nor is a question for what is not there, nor whether it is.
    assert_eq!((file.metadata().count(), file.tensors().len()), (3, 2));
    assert!(file.get("a.four").is_none() && file.tensor("third").is_none() && file.has_tensor("first"));
    assert_eq!(keys(&file), ["a.one", "a.two", "a.three"]);
    assert_eq!(tensors(&file), ["first", "second"]);
    // A value of another type was asked for all the same.
    assert!(file.optional::<u32>("a.two").is_err() && file.tensor("second").is_some());
    let copy = file.clone();
    assert_eq!(file.require::<u32>("a.one"), Ok(1));
    assert_eq!((keys(&file), tensors(&file)), (vec!["a.three".to_string()], vec!["first".to_string()]));
    assert_eq!(keys(&copy), ["a.one", "a.three"]);
    // Parts of a split model are asked one after the other.
    let shards = Shards::new([copy]).unwrap();
    assert!(shards.has_tensor("first") && !shards.has_tensor("third"));
    assert_eq!(shards.first().unasked_tensors().count(), 1);
    assert!(shards.tensor("first").is_some());
    assert_eq!(shards.first().unasked_tensors().count(), 0);
}
