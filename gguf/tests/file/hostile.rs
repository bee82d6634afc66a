//! Malformed files, each made to break one rule, and the error each must give.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::raw;

use std::collections::BTreeSet;

use ocelli_gguf::{Error, Gguf, List, Outline, Shards, TensorType, Text, Writer, limits};
use raw::{array, entry, file, sample, string, tensor, with_data};

/// The names of all variants; the match makes a forgotten one a compile error.
macro_rules! variants {
    ($($variant:ident)*) => {
        const VARIANTS: &[&str] = &[$(stringify!($variant)),*];

        fn variant(error: &Error) -> &'static str {
            match error {
                $(Error::$variant { .. } => stringify!($variant),)*
            }
        }
    };
}

variants! {
    NotGguf VersionOne BigEndian UnknownVersion Truncated HeaderTooLarge TooManyTensors TooManyKeys StringTooLong
    EmptyKey KeyTooLong KeyNotUtf8 DuplicateKey UnknownValueType BadBool NestedArray ArrayTooLong BadAlignment
    EmptyTensorName TensorNameTooLong TensorNameNotUtf8 DuplicateTensor TooManyDimensions ZeroExtent TooManyElements
    UnknownTensorType RemovedTensorType PartialBlock WrongOffset OutsideFile
    MissingKey WrongType DoesNotFit ValueNotUtf8 NotUtf8 MissingTensor
    NoFiles SplitCount SplitNumber SplitTensors SplitDuplicate TooLittleData TooMuchData
}

struct Case {
    name: &'static str,
    error: Error,
    expected: bool,
}

/// A case: what it is, the error it gave, the pattern it must match.
macro_rules! case {
    ($name:literal, $result:expr, $pattern:pat $(if $guard:expr)?) => {{
        let error = $result.map(|_| ()).expect_err($name);
        Case { name: $name, expected: matches!(&error, $pattern $(if $guard)?), error }
    }};
}

fn version(version: u32) -> Vec<u8> {
    let mut bytes = file(0, 0, &[]);
    bytes[4..8].copy_from_slice(&version.to_le_bytes());
    bytes
}

/// A file with one metadata entry of the key `k`, whose type begins at byte 33.
fn value(kind: u32, value: &[u8]) -> Vec<u8> {
    file(0, 1, &[entry("k", kind, value)])
}

fn alignment(kind: u32, value: &[u8]) -> Vec<u8> {
    with_data(file(1, 1, &[entry("general.alignment", kind, value), tensor("t", &[8], 0, 0)]), 32, 32)
}

/// A file with one tensor `t` of the given extents and type, and some data.
fn one(dims: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    with_data(file(1, 0, &[tensor("t", dims, kind, offset)]), 32, 4096)
}

fn headers() -> Vec<Case> {
    let all_zeros = vec![0; 64];
    vec![
        case!("empty file", Gguf::parse(&[]), Error::Truncated { at: 0, wanted: 4, left: 0, .. }),
        case!("three bytes", Gguf::parse(b"GGU"), Error::Truncated { at: 0, left: 3, .. }),
        case!("magic only", Gguf::parse(b"GGUF"), Error::Truncated { at: 4, .. }),
        case!(
            "another format",
            Gguf::parse(b"PK\x03\x04 and so on"),
            Error::NotGguf { found: [b'P', b'K', 3, 4] }
        ),
        case!("zeros", Gguf::parse(&all_zeros), Error::NotGguf { .. }),
        case!("lower case magic", Gguf::parse(b"gguf\x03\0\0\0"), Error::NotGguf { .. }),
        case!("version 0", Gguf::parse(&version(0)), Error::UnknownVersion { version: 0 }),
        case!("version 1", Gguf::parse(&version(1)), Error::VersionOne),
        case!("version 4", Gguf::parse(&version(4)), Error::UnknownVersion { version: 4 }),
        case!("version u32::MAX", Gguf::parse(&version(u32::MAX)), Error::UnknownVersion { .. }),
        case!("big-endian", Gguf::parse(&version(3u32.swap_bytes())), Error::BigEndian { version: 3 }),
        case!("no counts", Gguf::parse(&file(0, 0, &[])[..8]), Error::Truncated { at: 8, .. }),
        case!("tensor count -1", Gguf::parse(&file(u64::MAX, 0, &[])), Error::TooManyTensors { at: 8, .. }),
        case!(
            "tensor count over the cap",
            Gguf::parse(&file(limits::TENSOR_COUNT + 1, 0, &[])),
            Error::TooManyTensors { count: 65_537, .. }
        ),
        case!("entry count -1", Gguf::parse(&file(0, u64::MAX, &[])), Error::TooManyKeys { at: 16, .. }),
        case!("entry count over the cap", Gguf::parse(&file(0, 65_537, &[])), Error::TooManyKeys { .. }),
        case!(
            "entries promised and absent",
            Gguf::parse(&file(0, 65_536, &[])),
            Error::Truncated { at: 24, .. }
        ),
        case!(
            "tensors promised and absent",
            Gguf::parse(&file(65_536, 0, &[])),
            Error::Truncated { at: 24, .. }
        ),
    ]
}

fn keys() -> Vec<Case> {
    let long = "k".repeat(limits::KEY_BYTES + 1);
    let huge = |len: u64| file(0, 1, &[len.to_le_bytes().into()]);
    let twice = file(0, 3, &[entry("b", 0, &[1]), entry("a", 0, &[2]), entry("b", 0, &[3])]);
    let not_utf8 = [string(b"ab\xC0"), vec![0; 5]].concat();
    vec![
        case!("empty key", Gguf::parse(&file(0, 1, &[entry("", 0, &[1])])), Error::EmptyKey { at: 32 }),
        case!(
            "key too long",
            Gguf::parse(&file(0, 1, &[entry(&long, 0, &[1])])),
            Error::KeyTooLong { at: 32, .. }
        ),
        case!("key not UTF-8", Gguf::parse(&file(0, 1, &[not_utf8])), Error::KeyNotUtf8 { at: 32, bad: 34 }),
        case!(
            "key twice",
            Gguf::parse(&twice),
            Error::DuplicateKey { key, first: 33, at: 61 } if key == "b"
        ),
        case!("key length u64::MAX", Gguf::parse(&huge(u64::MAX)), Error::StringTooLong { at: 24, .. }),
        case!("key length 2^63", Gguf::parse(&huge(1 << 63)), Error::StringTooLong { .. }),
        case!("key length over 1 GiB", Gguf::parse(&huge((1 << 30) + 1)), Error::StringTooLong { .. }),
        case!("key length 1 GiB", Gguf::parse(&huge(1 << 30)), Error::Truncated { at: 32, left: 0, .. }),
    ]
}

fn values() -> Vec<Case> {
    let over_a_gib = ((1u64 << 30) + 1).to_le_bytes();
    let strings_cut = array(8, 3, &[string(b"one"), string(b"two")].concat());
    let string_past_end = array(8, 1, &1000u64.to_le_bytes());
    vec![
        case!(
            "value type 13",
            Gguf::parse(&value(13, &[0; 8])),
            Error::UnknownValueType { at: 33, id: 13, .. }
        ),
        case!("value type -1", Gguf::parse(&value(u32::MAX, &[0; 8])), Error::UnknownValueType { .. }),
        case!(
            "value cut",
            Gguf::parse(&value(10, &[0; 7])),
            Error::Truncated { at: 37, wanted: 8, left: 7, .. }
        ),
        case!(
            "type cut",
            Gguf::parse(&value(10, &[])[..35]),
            Error::Truncated { at: 33, wanted: 4, left: 2, .. }
        ),
        case!("bool 2", Gguf::parse(&value(7, &[2])), Error::BadBool { at: 37, byte: 2, .. }),
        case!(
            "bool 255 in an array",
            Gguf::parse(&value(9, &array(7, 3, &[1, 0, 255]))),
            Error::BadBool { at: 51, byte: 255, .. }
        ),
        case!(
            "string of 1 GiB + 1",
            Gguf::parse(&value(8, &over_a_gib)),
            Error::StringTooLong { at: 37, .. }
        ),
        case!(
            "string past the end",
            Gguf::parse(&value(8, &[9, 0, 0, 0, 0, 0, 0, 0])),
            Error::Truncated { .. }
        ),
        case!(
            "array of arrays",
            Gguf::parse(&value(9, &array(9, 1, &[0; 32]))),
            Error::NestedArray { at: 37, .. }
        ),
        case!(
            "array of type 13",
            Gguf::parse(&value(9, &array(13, 1, &[0; 8]))),
            Error::UnknownValueType { at: 37, .. }
        ),
        case!(
            "array count u64::MAX",
            Gguf::parse(&value(9, &array(10, u64::MAX, &[]))),
            Error::ArrayTooLong { at: 41, .. }
        ),
        case!(
            "array count 2^61 (x 8 wraps)",
            Gguf::parse(&value(9, &array(10, 1 << 61, &[]))),
            Error::ArrayTooLong { .. }
        ),
        case!(
            "array count 2^30 + 1",
            Gguf::parse(&value(9, &array(0, (1 << 30) + 1, &[]))),
            Error::ArrayTooLong { .. }
        ),
        case!(
            "array count 2^30",
            Gguf::parse(&value(9, &array(12, 1 << 30, &[]))),
            Error::Truncated { at: 49, .. }
        ),
        case!(
            "2^30 strings",
            Gguf::parse(&value(9, &array(8, 1 << 30, &[]))),
            Error::Truncated { at: 49, .. }
        ),
        case!(
            "array cut",
            Gguf::parse(&value(9, &array(4, 2, &[0; 7]))),
            Error::Truncated { wanted: 8, left: 7, .. }
        ),
        case!("array of strings cut", Gguf::parse(&value(9, &strings_cut)), Error::Truncated { .. }),
        case!(
            "a string of an array past the end",
            Gguf::parse(&value(9, &string_past_end)),
            Error::Truncated { .. }
        ),
        case!("metadata over the cap", Gguf::parse(&large_metadata()), Error::HeaderTooLarge { at: 49, .. }),
    ]
}

/// An array of bytes that is there, and larger than metadata may be.
fn large_metadata() -> Vec<u8> {
    let mut bytes = vec![0; limits::HEADER_BYTES + 4096];
    let start = value(9, &array(0, limits::HEADER_BYTES as u64, &[]));
    bytes[..start.len()].copy_from_slice(&start);
    bytes
}

fn alignments() -> Vec<Case> {
    let u32_of = |x: u32| alignment(4, &x.to_le_bytes());
    vec![
        case!("alignment 0", Gguf::parse(&u32_of(0)), Error::BadAlignment { at: 49, alignment: 0 }),
        case!("alignment 3", Gguf::parse(&u32_of(3)), Error::BadAlignment { alignment: 3, .. }),
        case!("alignment u32::MAX", Gguf::parse(&u32_of(u32::MAX)), Error::BadAlignment { .. }),
        case!("alignment 2^31", Gguf::parse(&u32_of(1 << 31)), Error::OutsideFile { start: 0x8000_0000, .. }),
        case!(
            "alignment is i32",
            Gguf::parse(&alignment(5, &[32, 0, 0, 0])),
            Error::WrongType { found: "i32", .. }
        ),
        case!(
            "alignment is u64",
            Gguf::parse(&alignment(10, &[32, 0, 0, 0, 0, 0, 0, 0])),
            Error::WrongType { .. }
        ),
        case!("alignment is f32", Gguf::parse(&alignment(6, &32f32.to_le_bytes())), Error::WrongType { .. }),
        case!("alignment is text", Gguf::parse(&alignment(8, &string(b"32"))), Error::WrongType { .. }),
        case!(
            "alignment is an array",
            Gguf::parse(&alignment(9, &array(4, 0, &[]))),
            Error::WrongType { .. }
        ),
    ]
}

fn names() -> Vec<Case> {
    let long = "n".repeat(64);
    let not_utf8 = [string(b"\xFFab"), vec![0; 40]].concat();
    let twice = file(2, 0, &[tensor("t", &[8], 0, 0), tensor("t", &[8], 0, 32)]);
    let named = |name: &str| with_data(file(1, 0, &[tensor(name, &[8], 0, 0)]), 32, 32);
    vec![
        case!("tensor without name", Gguf::parse(&named("")), Error::EmptyTensorName { at: 32 }),
        case!(
            "tensor name of 64 bytes",
            Gguf::parse(&named(&long)),
            Error::TensorNameTooLong { at: 32, len: 64 }
        ),
        case!(
            "tensor name not UTF-8",
            Gguf::parse(&file(1, 0, &[not_utf8])),
            Error::TensorNameNotUtf8 { bad: 32, .. }
        ),
        case!(
            "tensor twice",
            Gguf::parse(&with_data(twice, 32, 64)),
            Error::DuplicateTensor { first: 24, at: 57, .. }
        ),
    ]
}

fn extents() -> Vec<Case> {
    let many = |n_dims: u32| {
        let mut bytes = one(&[1, 1, 1, 1], 0, 0);
        bytes[33..37].copy_from_slice(&n_dims.to_le_bytes());
        bytes
    };
    let two_halves = file(2, 0, &[tensor("a", &[1 << 39], 0, 0), tensor("b", &[(1 << 39) + 1], 0, 1 << 41)]);
    vec![
        case!(
            "5 dimensions",
            Gguf::parse(&one(&[1; 5], 0, 0)),
            Error::TooManyDimensions { at: 33, n_dims: 5, .. }
        ),
        case!("u32::MAX dimensions", Gguf::parse(&many(u32::MAX)), Error::TooManyDimensions { .. }),
        case!("first extent 0", Gguf::parse(&one(&[0], 0, 0)), Error::ZeroExtent { at: 37, axis: 0, .. }),
        case!("last extent 0", Gguf::parse(&one(&[32, 2, 2, 0], 0, 0)), Error::ZeroExtent { axis: 3, .. }),
        case!(
            "0 after a huge extent",
            Gguf::parse(&one(&[1 << 62, 0], 0, 0)),
            Error::ZeroExtent { axis: 1, .. }
        ),
        case!("extent -1", Gguf::parse(&one(&[u64::MAX], 0, 0)), Error::TooManyElements { at: 24, .. }),
        case!(
            "extents whose product wraps to 0",
            Gguf::parse(&one(&[1 << 32, 1 << 32], 0, 0)),
            Error::TooManyElements { .. }
        ),
        case!(
            "product wraps to a small one",
            Gguf::parse(&one(&[(1 << 63) + 1, 2], 0, 0)),
            Error::TooManyElements { .. }
        ),
        case!("bytes that would wrap", Gguf::parse(&one(&[1 << 62], 0, 0)), Error::TooManyElements { .. }),
        case!("2^40 + 1 values", Gguf::parse(&one(&[(1 << 40) + 1], 24, 0)), Error::TooManyElements { .. }),
        // A 32-bit machine stops at the first.
        case!(
            "2^40 + 1 values in two tensors",
            Gguf::parse(&two_halves),
            Error::TooManyElements { name, .. } if name == "b" || usize::BITS == 32
        ),
        case!(
            "2^31 values that are not there",
            Gguf::parse(&one(&[1 << 31], 28, 0)),
            Error::OutsideFile { len: 0x4_0000_0000, .. }
        ),
        // Allowed, and absent; a 32-bit machine cannot count them.
        case!(
            "2^40 values that are not there",
            Gguf::parse(&one(&[1 << 40], 0, 0)),
            error if matches!(error, Error::OutsideFile { .. }) == (usize::BITS > 40)
        ),
    ]
}

fn types_and_places() -> Vec<Case> {
    let overlap = file(2, 0, &[tensor("a", &[32], 0, 0), tensor("b", &[32], 0, 0)]);
    let gap = file(2, 0, &[tensor("a", &[32], 0, 0), tensor("b", &[32], 0, 160)]);
    let swapped = file(2, 0, &[tensor("a", &[32], 0, 128), tensor("b", &[32], 0, 0)]);
    let short = with_data(file(1, 0, &[tensor("t", &[32], 0, 0)]), 32, 127);
    let no_data = file(1, 0, &[tensor("t", &[32], 0, 0)]);
    vec![
        case!(
            "tensor type 43",
            Gguf::parse(&one(&[32], 43, 0)),
            Error::UnknownTensorType { at: 45, id: 43, .. }
        ),
        case!("tensor type -1", Gguf::parse(&one(&[32], u32::MAX, 0)), Error::UnknownTensorType { .. }),
        case!(
            "withdrawn type 4",
            Gguf::parse(&one(&[32], 4, 0)),
            Error::RemovedTensorType { was: "Q4_2", .. }
        ),
        case!(
            "withdrawn type 33",
            Gguf::parse(&one(&[32], 33, 0)),
            Error::RemovedTensorType { was: "Q4_0_8_8", .. }
        ),
        case!("withdrawn type 38", Gguf::parse(&one(&[32], 38, 0)), Error::RemovedTensorType { .. }),
        case!("31 values of Q8_0", Gguf::parse(&one(&[31], 8, 0)), Error::PartialBlock { row: 31, .. }),
        case!(
            "row of 128, 256 values of Q4_K",
            Gguf::parse(&one(&[128, 2], 12, 0)),
            Error::PartialBlock { row: 128, .. }
        ),
        case!(
            "first offset not 0",
            Gguf::parse(&one(&[32], 0, 32)),
            Error::WrongOffset { expected: 0, found: 32, .. }
        ),
        case!("offset u64::MAX", Gguf::parse(&one(&[32], 0, u64::MAX)), Error::WrongOffset { at: 49, .. }),
        case!("offset near the top", Gguf::parse(&one(&[32], 0, u64::MAX - 31)), Error::WrongOffset { .. }),
        case!("unaligned offset", Gguf::parse(&one(&[32], 0, 1)), Error::WrongOffset { .. }),
        case!(
            "tensors overlap",
            Gguf::parse(&with_data(overlap, 32, 256)),
            Error::WrongOffset { expected: 128, found: 0, .. }
        ),
        case!(
            "gap between tensors",
            Gguf::parse(&with_data(gap, 32, 512)),
            Error::WrongOffset { found: 160, .. }
        ),
        case!("tensors out of order", Gguf::parse(&with_data(swapped, 32, 256)), Error::WrongOffset { .. }),
        case!(
            "one byte short",
            Gguf::parse(&short),
            Error::OutsideFile { start: 64, len: 128, file_len: 191, .. }
        ),
        case!("no data section", Gguf::parse(&no_data), Error::OutsideFile { file_len: 57, .. }),
        case!("description cut", Gguf::parse(&no_data[..50]), Error::Truncated { at: 49, left: 1, .. }),
    ]
}

fn questions() -> Vec<Case> {
    let bytes = sample(3);
    let file = Gguf::parse(&bytes).unwrap();
    let text: Text<'_> = file.require("not utf8").unwrap();
    vec![
        case!("absent key", file.require::<u32>("absent"), Error::MissingKey { .. }),
        case!(
            "number for text",
            file.require::<&str>("u8"),
            Error::WrongType { wanted: "string", found: "u8", .. }
        ),
        case!("negative for u32", file.require::<u32>("i32"), Error::DoesNotFit { .. }),
        case!("optional does not forgive", file.optional::<f32>("u32"), Error::WrongType { .. }),
        case!("list of another type", file.require::<List<'_, &str>>("i32s"), Error::WrongType { .. }),
        case!(
            "list with one that does not fit",
            file.require::<List<'_, u64>>("i32s"),
            Error::DoesNotFit { .. }
        ),
        case!("text not UTF-8", file.require::<&str>("not utf8"), Error::ValueNotUtf8 { .. }),
        case!("text asked later", text.to_str(), Error::NotUtf8 { .. }),
        case!("absent tensor", file.require_tensor("absent"), Error::MissingTensor { .. }),
    ]
}

fn shard(number: u16, count: u16, total: i32, name: &str) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.metadata("split.no", number).metadata("split.count", count).metadata("split.tensors.count", total);
    writer.tensor(name, TensorType::I8, &[4], &[1, 2, 3, 4]);
    writer.finish().unwrap()
}

fn join(files: &[Vec<u8>]) -> Result<Shards<'_>, Error> {
    Shards::new(files.iter().map(|bytes| Gguf::parse(bytes).unwrap()))
}

fn splits() -> Vec<Case> {
    let (a, b) = (shard(0, 2, 2, "a"), shard(1, 2, 2, "b"));
    vec![
        case!("no files", join(&[]), Error::NoFiles),
        case!(
            "one of two files",
            join(std::slice::from_ref(&a)),
            Error::SplitCount { files: 1, count: 2, .. }
        ),
        case!(
            "counts differ",
            join(&[a.clone(), shard(1, 3, 2, "b")]),
            Error::SplitCount { file: 1, count: 3, .. }
        ),
        case!("wrong order", join(&[b.clone(), a.clone()]), Error::SplitNumber { file: 0, number: 1 }),
        case!("the same twice", join(&[a.clone(), a.clone()]), Error::SplitNumber { file: 1, number: 0 }),
        case!(
            "total too large",
            join(&[a.clone(), shard(1, 2, 3, "b")]),
            Error::SplitTensors { promised: 3, .. }
        ),
        case!("negative total", join(&[a.clone(), shard(1, 2, -1, "b")]), Error::DoesNotFit { .. }),
        case!("a tensor in both", join(&[a.clone(), shard(1, 2, 2, "a")]), Error::SplitDuplicate { .. }),
        case!("no split keys", join(&[a.clone(), sample(3)]), Error::MissingKey { key, .. } if key == "split.count"),
        case!("split of 0", join(&[shard(0, 0, 1, "a")]), Error::SplitCount { count: 0, .. }),
    ]
}

fn writing() -> Vec<Case> {
    let write = |data: &[u8]| {
        let mut writer = Writer::new();
        writer.tensor("t", TensorType::F16, &[4], data);
        writer.finish()
    };
    let mut twice = Writer::new();
    twice.metadata("k", 1u8).metadata("k", 2u8);
    let mut block = Writer::new();
    block.tensor("t", TensorType::Q4_0, &[33], &[]);
    let mut alignment = Outline::new();
    alignment.metadata("general.alignment", 0u32);
    let begun = alignment.begin(|_: &[u8]| Ok::<(), Error>(()));
    vec![
        case!("too few bytes", write(&[0; 7]), Error::TooLittleData { wanted: 8, found: 7, .. }),
        case!("too many bytes", write(&[0; 9]), Error::TooMuchData { wanted: 8, found: 9, .. }),
        case!("writing a key twice", twice.finish(), Error::DuplicateKey { .. }),
        case!("writing half a block", block.finish(), Error::PartialBlock { .. }),
        case!(
            "writing alignment 0",
            begun.map_err(|e| match e {
                ocelli_gguf::WriteError::Content(e) | ocelli_gguf::WriteError::Sink(e) => e,
            }),
            Error::BadAlignment { .. }
        ),
    ]
}

#[test]
fn each_file_gives_its_error() {
    let groups = [
        headers(),
        keys(),
        values(),
        alignments(),
        names(),
        extents(),
        types_and_places(),
        questions(),
        splits(),
        writing(),
    ];
    let cases: Vec<Case> = groups.into_iter().flatten().collect();
    let mut seen = BTreeSet::new();
    for Case { name, error, expected } in &cases {
        assert!(expected, "{name}: {error:?}");
        println!("{name}: {error}");
        seen.insert(variant(error));
    }
    let unseen: Vec<_> = VARIANTS.iter().filter(|name| !seen.contains(*name)).collect();
    assert!(unseen.is_empty(), "no case gives {unseen:?}");
    println!("{} cases, {} errors", cases.len(), seen.len());
}
