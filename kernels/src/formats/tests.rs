//! Every format on every instruction set against golden blocks, which another implementation decoded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate std;

use super::*;
use crate::cpu::{Scalar, Task, each_isa};
use alloc::vec;
use alloc::vec::Vec;

/// Blocks of each format that are looked at. Miri takes a minute for some hundred.
const BLOCKS: usize = if cfg!(miri) { 1 } else { usize::MAX };

fn golden(format: Format, extension: &str) -> Vec<u8> {
    let name = format.name().to_lowercase();
    let path = std::format!("{}/../tests/golden/formats/{name}.{extension}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Equal bits, or both zero: the sign of a zero depends on how a reference writes down the minimum.
fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a == 0.0 && b == 0.0)
}

/// Decodes on one instruction set; with `exactly`, compares bit by bit with that.
#[derive(Clone)]
struct Decode<'a> {
    format: Format,
    bytes: &'a [u8],
    exactly: Option<&'a [f32]>,
    golden: &'a [f32],
}

impl Task for Decode<'_> {
    type Out = Vec<f32>;
    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Vec<f32> {
        let mut out = vec![f32::NAN; self.golden.len()];
        decode(isa, self.format, self.bytes, &mut out);
        for (k, (y, want)) in out.iter().zip(self.golden).enumerate() {
            assert!(
                same(*y, *want),
                "{} on {}: value {k} is {y:e}, not {want:e}",
                self.format.name(),
                I::NAME
            );
        }
        for (k, (y, scalar)) in out.iter().zip(self.exactly.unwrap_or(&[])).enumerate() {
            assert_eq!(y.to_bits(), scalar.to_bits(), "{} on {}: value {k}", self.format.name(), I::NAME);
        }
        out
    }
}

#[test]
fn decodes_as_the_reference_does() {
    for &format in Format::ALL.iter().filter(|f| **f != Format::F32) {
        let bytes = golden(format, "bin");
        let golden: Vec<f32> =
            golden(format, "f32").as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        assert_eq!(format.row_bytes(golden.len()), Some(bytes.len()), "{}", format.name());
        // As many as 256 values of the longest blocks.
        let golden = &golden[..golden.len().min(BLOCKS.saturating_mul(256))];
        let bytes = &bytes[..format.row_bytes(golden.len()).unwrap()];
        let task = Decode { format, bytes, exactly: None, golden };
        let scalar = Scalar.enter(task.clone());
        each_isa(Decode { exactly: Some(&scalar), ..task });
    }
}

#[test]
fn float32_is_read_as_it_is() {
    let values = [0.0, -0.0, f32::MIN_POSITIVE, f32::from_bits(1), f32::MAX, f32::NEG_INFINITY, 1.5];
    let bytes: Vec<u8> = values.iter().flat_map(|x: &f32| x.to_le_bytes()).collect();
    each_isa(Decode { format: Format::F32, bytes: &bytes, exactly: Some(&values), golden: &values });
}

/// What comes out of a block keeps what [`Quantized`] says about it, and a block cut short is none.
#[derive(Clone)]
struct Promises<'a>(&'a [u8]);

impl Visitor for Promises<'_> {
    type Out = ();
    fn quantized<F: Quantized>(self) {
        assert!(!F::WIDE || F::OFFSET == 0);
        assert!(F::FACTORS || F::GROUP == F::BLOCK);
        for block in blocks::<F>(self.0).iter().take(BLOCKS) {
            for part in 0..F::BLOCK / PART {
                let [codes, beside] = F::codes([block; 2], Scalar, part);
                assert_eq!(codes, beside, "one row beside another");
                let codes = codes.map(|code| code as i8);
                assert!(codes.iter().all(|c| *c <= F::LARGEST && (F::WIDE || *c >= 0)));
            }
        }
        let whole = self.0.len() / F::BYTES;
        assert_eq!(blocks::<F>(self.0).len(), whole);
        for short in (1..F::BYTES).step_by(if cfg!(miri) { 31 } else { 1 }) {
            assert_eq!(blocks::<F>(&self.0[..self.0.len() - short]).len(), whole - 1);
        }
        assert!(blocks::<F>(&[]).is_empty());
    }
    fn float<F: Float>(self) {}
}

#[test]
fn blocks_keep_their_promises() {
    for format in Format::ALL.iter().filter(|f| !f.is_float()) {
        visit(*format, Promises(&golden(*format, "bin")));
    }
}

/// Blocks begin at any address, odd ones too, and are read where they are, one by one and a span at a time.
struct Anywhere<'a>(&'a [u8]);

impl Visitor for Anywhere<'_> {
    type Out = ();
    fn quantized<F: Quantized>(self) {
        let bytes = &self.0[..size_of::<F::Span>()];
        let codes = |of: &[F]| -> Vec<[i8; PART]> {
            let part = |block: &F| {
                let mut to = [0; PART];
                Scalar.keep(F::codes([block; 2], Scalar, 0), [&mut to, &mut [0; PART]]);
                to
            };
            of.iter().map(part).collect()
        };
        let (expected, mut room) = (codes(blocks(bytes)), vec![0; bytes.len() + 4]);
        for shift in if cfg!(miri) { 1..2 } else { 1..4 } {
            let moved = &mut room[shift..shift + bytes.len()];
            moved.copy_from_slice(bytes);
            let found = blocks::<F>(moved);
            assert_eq!(codes(found), expected, "{shift} bytes further");
            let spans: &[F::Span] = bytemuck::try_cast_slice(found).unwrap();
            assert_eq!((spans.len(), spans[0].as_ref().len()), (1, found.len()), "{shift} bytes further");
            assert_eq!(bytemuck::bytes_of(&spans[0]), bytes, "{shift} bytes further");
        }
    }
    fn float<F: Float>(self) {}
}

#[test]
fn blocks_lie_anywhere() {
    for format in Format::ALL.iter().filter(|f| !f.is_float()) {
        visit(*format, Anywhere(&golden(*format, "bin")));
    }
}

/// A row may end anywhere for the float formats, also inside the sixteen values that are converted at once.
#[test]
fn short_rows_of_halves() {
    let bytes = golden(Format::F16, "bin");
    let mut all = [0.0; 64];
    decode(Scalar, Format::F16, &bytes, &mut all);
    for width in 0..64 {
        let mut row = [0.0; 64];
        decode(Scalar, Format::F16, &bytes, &mut row[..width]);
        assert_eq!(row[..width], all[..width]);
        assert!(row[width..].iter().all(|y| *y == 0.0));
    }
}

#[test]
fn ids_and_names() {
    for format in Format::ALL {
        assert_eq!(Format::from_id(*format as u32), Some(*format));
    }
    assert!(Format::ALL.is_sorted_by_key(|f| *f as u32));
    assert_eq!(Format::from_id(4), None);
    assert_eq!(Format::IQ4_XS.name(), "IQ4_XS");
    assert_eq!(Format::Q6_K.row_bytes(512), Some(420));
    assert_eq!(Format::Q6_K.row_bytes(500), None);
    assert_eq!(Format::F32.row_bytes(usize::MAX), None);
}
