//! Every encoder on every instruction set against blocks that ggml's reference quantizers made, byte by byte.
//!
//! `OCELLI_GOLDEN_QUANTS` names another folder of such files (`make_quants.py --rows` makes them).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ocelli_kernels::cpu::{self, ISAS};
use ocelli_kernels::formats::Format;
use ocelli_quantize::encode::{EncodeError, encode, encode_weighted};
use std::path::PathBuf;

fn folder() -> PathBuf {
    let own = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/quants"));
    std::env::var_os("OCELLI_GOLDEN_QUANTS").map_or_else(own, PathBuf::from)
}

fn read(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn values() -> Vec<f32> {
    floats("values.f32")
}

fn floats(name: &str) -> Vec<f32> {
    read(name).as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// Encodes on one instruction set.
fn encoded(isa: &str, format: Format, values: &[f32]) -> Result<Vec<u8>, EncodeError> {
    let mut out = vec![0xaa; format.row_bytes(values.len()).unwrap()];
    encode(Some(isa), format, values, &mut out).map(|()| out)
}

#[test]
fn the_reference_s_bytes_on_every_instruction_set() {
    let values = values();
    for isa in ISAS.iter().filter(|isa| (isa.detect)().is_some()) {
        for &format in Format::ALL.iter().filter(|format| **format != Format::F32) {
            let want = read(&format!("{}.bin", format.name().to_lowercase()));
            let made = encoded(isa.name, format, &values).unwrap();
            compare(format, isa.name, &values, &made, &want);
        }
    }
}

/// Both are the same blocks.
fn compare(format: Format, isa: &str, values: &[f32], made: &[u8], want: &[u8]) {
    assert_eq!(made.len(), want.len());
    let (name, block) = (format.name(), format.bytes());
    let pairs = made.chunks(block).zip(want.chunks(block)).enumerate();
    let wrong: Vec<usize> = pairs.filter(|(_, (a, b))| a != b).map(|(i, _)| i).collect();
    if let Some(first) = wrong.first() {
        let numbers = &values[first * format.block()..][..format.block()];
        panic!(
            "{name} on {isa}: {} of {} blocks differ, the first {first}: {numbers:?}\n{:?}\nnot\n{:?}",
            wrong.len(),
            made.len() / block,
            &made[first * block..][..block],
            &want[first * block..][..block]
        );
    }
    println!("{name} on {isa}: {} blocks equal", made.len() / block);
}

/// The formats that mind importance.
fn minding() -> impl Iterator<Item = Format> {
    let all = Format::ALL.iter().copied();
    all.filter(|format| !format.is_float() && *format != Format::Q8_0)
}

/// The columns that `make_quants.py` gives importance.
const COLUMNS: usize = 768;

/// Encodes rows, each with an importance of its own.
fn weighted(isa: &str, format: Format, values: &[f32], importance: &[f32]) -> Vec<u8> {
    let mut out = vec![0xaa; format.row_bytes(values.len()).unwrap()];
    let row = format.row_bytes(COLUMNS).unwrap();
    let rows = values.chunks(COLUMNS).zip(importance.chunks(COLUMNS)).zip(out.chunks_mut(row));
    for ((values, importance), out) in rows {
        encode_weighted(Some(isa), format, values, importance, out).unwrap();
    }
    out
}

#[test]
fn the_reference_s_bytes_with_importance() {
    let (values, importance) = (values(), floats("importance.f32"));
    let values = &values[..importance.len()];
    for isa in ISAS.iter().filter(|isa| (isa.detect)().is_some()) {
        for format in minding() {
            let want = read(&format!("weighted-{}.bin", format.name().to_lowercase()));
            compare(format, isa.name, values, &weighted(isa.name, format, values, &importance), &want);
        }
    }
}

/// Rows are not alone in a call: many of them with one importance give the blocks that each gives.
#[test]
fn rows_with_importance_do_not_feel_each_other() {
    let (values, importance) = (values(), floats("importance.f32"));
    let (values, columns) = (&values[..importance.len()], &importance[..COLUMNS]);
    for &format in Format::ALL {
        let mut out = vec![0xaa; format.row_bytes(values.len()).unwrap()];
        let row = format.row_bytes(COLUMNS).unwrap();
        encode_weighted(Some("scalar"), format, values, columns, &mut out).unwrap();
        for (i, (values, made)) in values.chunks(COLUMNS).zip(out.chunks(row)).enumerate() {
            assert_eq!(made, weighted("scalar", format, values, columns), "{} {i}", format.name());
        }
        let plain = encoded("scalar", format, values).unwrap();
        assert_eq!(out == plain, format.is_float() || format == Format::Q8_0, "{}", format.name());
    }
}

#[test]
fn importance_that_cannot_be_is_refused() {
    for format in minding() {
        let encode = |values: &[f32], importance: &[f32]| {
            let mut out = vec![0; format.row_bytes(values.len()).unwrap_or_default()];
            encode_weighted(None, format, values, importance, &mut out)
        };
        for value in [f32::NAN, f32::INFINITY, -1.0, 1e13] {
            let mut importance = [1.0; 512];
            importance[300] = value;
            match encode(&[0.5; 1024], &importance).unwrap_err() {
                EncodeError::Importance { column: 300, value: found } => {
                    assert_eq!(found.to_bits(), value.to_bits());
                }
                other => panic!("{}: {other}", format.name()),
            }
        }
        assert_eq!(encode(&[0.5; 1024], &[1.0; 512]), Ok(()));
        for columns in [0, 31, 768, 1056] {
            let wrong = EncodeError::Columns { importance: columns, values: 1024 };
            assert_eq!(encode(&[0.5; 1024], &vec![1.0; columns]), Err(wrong), "{}", format.name());
        }
        let ramp: Vec<f32> = (0..512u16).map(|i| f32::from(i) * 1e7).collect();
        assert!(matches!(encode(&ramp, &[1.0; 512]), Err(EncodeError::Overflow { .. })), "{}", format.name());
        let beyond = encode(&[1e30; 512], &[1.0; 512]);
        assert!(matches!(beyond, Err(EncodeError::TooLarge { index: 0, .. })), "{}", format.name());
    }
}

/// Blocks that are searched together do not feel each other, and the last ones need not be many.
#[test]
fn any_part_gives_the_same_blocks() {
    let values = values();
    for &format in Format::ALL {
        let len = format.block();
        let whole = encoded("scalar", format, &values).unwrap();
        for count in (1..20).chain([100]).filter(|count| count * len <= values.len()) {
            let start = values.len() / len / 3 * len;
            let part = &values[start..values.len().min(start + count * len)];
            let made = encoded("scalar", format, part).unwrap();
            let from = start / len * format.bytes();
            assert_eq!(made, whole[from..][..made.len()], "{} {count}", format.name());
        }
    }
}

/// What is encoded decodes to about what it was: no format has its fields mixed up in a way the goldens share.
#[test]
fn decoding_gives_the_values_back() {
    let values: Vec<f32> =
        (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 8e6 - 1.0).collect();
    for &format in Format::ALL {
        let made = encoded("scalar", format, &values).unwrap();
        let mut back = vec![0.0; values.len()];
        cpu::choose(None).unwrap().decode(format, &made, &mut back);
        let sum = |f: &dyn Fn(f32, f32) -> f32| values.iter().zip(&back).map(|(x, y)| f(*x, *y)).sum::<f32>();
        let error = (sum(&|x, y| (x - y).powi(2)) / sum(&|x, _| x * x)).sqrt();
        let bits = 8.0 * format.bytes() as f32 / format.block() as f32;
        let bound = if format.is_float() { 2e-3 } else { 1.4 * 0.5f32.powf(bits - 1.0) };
        assert!(error < bound, "{}: {error}", format.name());
    }
}

#[test]
fn what_cannot_be_encoded_is_refused_with_its_place() {
    for &format in Format::ALL {
        let spoilt = |index: usize, value: f32| {
            let mut values = vec![0.5; 1024];
            values[index] = value;
            encoded("scalar", format, &values).map(|_| ())
        };
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for index in [0, 700, 1023] {
                match spoilt(index, value).unwrap_err() {
                    EncodeError::NotFinite { index: found, .. } => assert_eq!(found, index),
                    other => panic!("{}: {other}", format.name()),
                }
            }
        }
        let beyond = spoilt(700, 3.4e38);
        let block = 700 / format.block() * format.block();
        match format {
            Format::F32 => assert_eq!(beyond, Ok(())),
            Format::F16 => assert_eq!(beyond, Err(EncodeError::Overflow { format, index: 700 })),
            _ => assert_eq!(beyond, Err(EncodeError::TooLarge { format, index: 700, value: 3.4e38 })),
        }
        if !format.is_float() {
            assert_eq!(spoilt(700, 9e9), Err(EncodeError::Overflow { format, index: block }), "{format:?}");
            assert!(spoilt(700, 5e4).is_ok());
        }
        let wrong = EncodeError::Lengths { format, values: 1024, bytes: 3 };
        assert_eq!(encode(None, format, &[0.0; 1024], &mut [0; 3]), Err(wrong));
    }
}
