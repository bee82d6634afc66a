//! A tower in int8 is the tower that `ocelli quantize` makes, and not far from the one in floats.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::image::{DecodeOptions, Frame, decode};
use crate::{ImageSizes, Options};
use ocelli_gguf::{Gguf, Shards, Writer};
use ocelli_quantize::{Means, Plan, Recipe, Request, Source};

/// Every pair of golden models; the tower of llava-legacy has matrices of F16.
const PAIRS: [(&str, &str); 4] = [
    ("smolvlm.gguf", "mmproj-smolvlm-x2.gguf"),
    ("vicuna.gguf", "mmproj-llava-legacy.gguf"),
    ("vicuna.gguf", "mmproj-llava-modern.gguf"),
    ("vicuna.gguf", "mmproj-llava-feature.gguf"),
];

fn golden(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/models");
    std::fs::read(folder.join(name)).unwrap()
}

struct Bytes<'a>(&'a [u8]);

impl Source for Bytes<'_> {
    fn read(&self, _: usize, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.0[start..start + out.len()]);
        Ok(())
    }
}

/// The file as `ocelli quantize --type Q8_0 --pad` writes it.
fn quantized(bytes: &[u8]) -> Vec<u8> {
    let request = Request {
        recipe: Recipe::named("Q8_0").unwrap(),
        pure: false,
        overrides: Vec::new(),
        keep: Vec::new(),
        importance: None,
        pad: true,
    };
    let shards = Shards::new([Gguf::parse(bytes).unwrap()]).unwrap();
    let (mut out, means) = (Vec::new(), Means { threads: 1, isa: None });
    let mut sink = |bytes: &[u8]| {
        out.extend_from_slice(bytes);
        Ok(())
    };
    let plan = Plan::new(&shards, &request).unwrap();
    plan.write(&Bytes(bytes), means, &mut |_, _| true, &mut sink).unwrap();
    out
}

/// The rows that a picture becomes.
fn rows(text: &[u8], vision: &[u8], options: &Options) -> Vec<f32> {
    let model = Model::from_bytes(text, Some(vision)).unwrap();
    let mut session = model.session(options).unwrap();
    let image = decode(&golden("photo.png"), &DecodeOptions::default()).unwrap();
    let frame = Frame::rgb(&image.data, image.width, image.height).unwrap();
    session.embed(frame, &mut |_| ()).unwrap().rows.to_vec()
}

fn options(int8: bool, threads: usize, isa: Option<&str>) -> Options {
    let images = ImageSizes::UpTo(128, 128);
    let (threads, isa) = (Some(threads), isa.map(Into::into));
    Options { tower_int8: int8, threads, isa, images, context: Some(256), ..Options::default() }
}

/// Relative root-mean-square difference, and the cosine of the angle between the two.
fn apart(a: &[f32], b: &[f32]) -> (f64, f64) {
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        a.iter().zip(b).map(|(a, b)| f(f64::from(*a), f64::from(*b))).sum()
    };
    let (aa, bb) = (sum(&|a, _| a * a), sum(&|_, b| b * b));
    ((sum(&|a, b| (a - b).powi(2)) / bb).sqrt(), sum(&|a, b| a * b) / (aa * bb).sqrt())
}

#[test]
fn rows_are_those_of_a_quantized_file() {
    for (text, vision) in PAIRS {
        let (text, float) = (golden(text), golden(vision));
        let file = quantized(&float);
        let expected = rows(&text, &file, &options(false, 1, None));
        assert!(!expected.is_empty());
        for (threads, isa) in [(1, None), (3, None), (2, Some("scalar"))] {
            let found = rows(&text, &float, &options(true, threads, isa));
            assert!(found == expected, "{vision}, {threads} threads, {isa:?}");
        }
        // What is in blocks already is left alone.
        assert!(rows(&text, &file, &options(true, 1, None)) == expected, "{vision}");
        let plan = |bytes, int8| {
            let model = Model::from_bytes(&text, Some(bytes)).unwrap();
            let plan = model.plan(&options(int8, 1, None)).unwrap();
            (plan.tower_is_float(), plan.bill().vision_int8)
        };
        assert_eq!((plan(&file, false), plan(&file, true)), ((false, 0), (false, 0)), "{vision}");
        assert_eq!(plan(&float, false), (true, 0), "{vision}");
        let (is_float, bytes) = plan(&float, true);
        assert!(!is_float && bytes > 0 && bytes < float.len() as u64 / 2, "{vision}: {bytes}");
    }
}

/// The tower with only the first `keep` neurons of every feed-forward part; or, `cut` being false, with the others silent.
fn fewer_neurons(bytes: &[u8], keep: usize, cut: bool) -> Vec<u8> {
    let file = Gguf::parse(bytes).unwrap();
    let tensors: Vec<_> = file
        .tensors()
        .iter()
        .map(|tensor| {
            let (dims, row) = (tensor.dims(), tensor.row_len());
            let values = tensor.data.as_chunks::<4>().0;
            let (outer, inner) = (tensor.name.contains("ffn_up"), tensor.name.contains("ffn_down.weight"));
            // A bias of neurons is a row of them; the matrix before it has them as rows, the one behind as columns.
            let neuron = |i: usize| match (outer, inner) {
                (true, _) if dims.len() == 1 => i,
                (true, _) => i / row,
                (_, true) => i % row,
                _ => 0,
            };
            let mut kept = Vec::new();
            for (i, value) in values.iter().enumerate() {
                match (neuron(i) < keep, cut) {
                    (true, _) => kept.extend(*value),
                    (false, true) => {}
                    (false, false) => kept.extend([0; 4]),
                }
            }
            let mut dims = dims.to_vec();
            match (outer, inner, cut) {
                (true, _, true) => *dims.last_mut().unwrap() = keep,
                (_, true, true) => dims[0] = keep,
                _ => {}
            }
            (tensor.name, tensor.kind, dims, kept)
        })
        .collect();
    let mut writer = Writer::new();
    for (key, value) in file.metadata() {
        match key {
            "clip.vision.feed_forward_length" if cut => writer.metadata(key, keep as u32),
            _ => writer.metadata(key, value),
        };
    }
    for (name, kind, dims, kept) in &tensors {
        writer.tensor(name, *kind, dims, kept);
    }
    writer.finish().unwrap()
}

/// A neuron that is not there does what one does that is always zero: the padding changes no bit.
#[test]
fn padded_rows_are_those_of_silent_neurons() {
    let (text, vision) = (golden("smolvlm.gguf"), golden("mmproj-smolvlm-x2.gguf"));
    let hidden = Gguf::parse(&vision).unwrap().tensor("v.blk.0.ffn_down.weight").unwrap().row_len();
    assert!(hidden.is_multiple_of(BLOCK), "{hidden}");
    for missing in [1, 17, 31] {
        let cut = fewer_neurons(&vision, hidden - missing, true);
        let silent = fewer_neurons(&vision, hidden - missing, false);
        let expected = rows(&text, &silent, &options(true, 1, None));
        for (threads, isa) in [(1, None), (3, None), (2, Some("scalar"))] {
            let found = rows(&text, &cut, &options(true, threads, isa));
            assert!(found == expected, "{missing} neurons, {threads} threads, {isa:?}");
        }
        assert!(
            rows(&text, &quantized(&cut), &options(false, 2, None)) == expected,
            "{missing} neurons, a file"
        );
        let float = rows(&text, &cut, &options(false, 1, None));
        let (difference, cosine) = apart(&expected, &float);
        assert!(difference > 0.0 && difference < 0.03 && cosine > 0.9995, "{difference} {cosine}");
    }
}

#[test]
fn rows_are_near_those_of_the_floats() {
    for (text, vision) in PAIRS {
        let (text, vision_bytes) = (golden(text), golden(vision));
        let float = rows(&text, &vision_bytes, &options(false, 2, None));
        let (difference, cosine) = apart(&rows(&text, &vision_bytes, &options(true, 2, None)), &float);
        println!("{vision}: relative difference {difference:.4}, cosine {cosine:.6}");
        assert!(difference > 0.0 && difference < 0.03 && cosine > 0.9995, "{vision}: {difference} {cosine}");
    }
}

#[test]
fn what_is_delicate_stays_and_rows_are_padded() {
    let mut plan = Int8::default();
    let stored = |format, height, width| Weight { file: 1, offset: 96, format, height, width, padding: 0 };
    let (f32, q4) = (Format::F32, Format::Q4_0);
    for (name, weight) in [
        ("v.blk.0.attn_q.weight", stored(q4, 4, 64)),
        ("v.blk.0.attn_q.bias", stored(f32, 1, 64)),
        ("v.position_embd.weight", stored(f32, 4, 64)),
        ("v.patch_embd.weight", stored(f32, 4, 64)),
    ] {
        assert_eq!(plan.place(2, name, weight), weight, "{name}");
    }
    assert_eq!(plan.bytes(), 0);
    let first = plan.place(2, "v.blk.0.attn_q.weight", stored(f32, 4, 64));
    let second = plan.place(2, "v.blk.0.attn_k.weight", stored(Format::BF16, 1000, 32));
    assert_eq!((first.file, first.offset, first.format, first.len()), (2, 0, Format::Q8_0, Some(4 * 68)));
    assert_eq!((second.offset, second.height, second.width), (320, 1000, 32));
    assert_eq!(plan.place(2, "v.blk.0.attn_q.weight", stored(f32, 4, 64)), first);
    let bytes = (320 + 34_000_usize).next_multiple_of(ALIGNMENT);
    assert_eq!((plan.matrices.len(), plan.bytes()), (2, bytes));
    let padded = plan.place(2, "v.blk.0.ffn_down.weight", stored(f32, 4, 48));
    assert_eq!((padded.offset, padded.width, padded.padding, padded.len()), (bytes, 48, 16, Some(4 * 68)));
}

/// Numbers that no block holds: the tensor and the first of them are named, on any number of threads.
#[test]
fn what_cannot_be_stored_is_named() {
    let (text, mut vision) = (golden("smolvlm.gguf"), golden("mmproj-smolvlm-x2.gguf"));
    let place = Gguf::parse(&vision).unwrap().tensor("mm.model.fc.weight").unwrap().range();
    for number in [PIECE + 3, 700, 40] {
        let at = place.start + 4 * number;
        vision[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        let model = Model::from_bytes(&text, Some(&vision)).unwrap();
        for threads in [1, 4] {
            let error = model.session(&options(true, threads, None)).unwrap_err();
            let expected = std::format!(
                "the mmproj: tensor \"mm.model.fc.weight\": value {number} is NaN, not a finite number"
            );
            assert_eq!(error.to_string(), expected);
        }
        assert!(model.session(&options(false, 1, None)).is_ok());
    }
}
