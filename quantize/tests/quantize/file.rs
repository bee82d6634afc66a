//! Whole files: what becomes of each tensor, that the bytes do not depend on how the work is done, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ocelli_gguf::{Gguf, Shards, TensorType, Writer};
use ocelli_kernels::cpu::{self, ISAS};
use ocelli_kernels::formats::Format;
use ocelli_quantize::encode::encode;
use ocelli_quantize::{Error, Means, Pattern, Plan, Recipe, Request, Source};
use std::io;

/// Files in memory.
struct Memory<'a>(&'a [Vec<u8>]);

impl Source for Memory<'_> {
    fn read(&self, file: usize, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let from = self.0[file].get(offset as usize..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

fn request(recipe: &str) -> Request {
    let recipe = Recipe::named(recipe).unwrap();
    Request { recipe, pure: false, overrides: Vec::new(), keep: Vec::new(), importance: None, pad: false }
}

fn made(files: &[Vec<u8>], request: &Request, means: Means<'_>) -> Result<Vec<u8>, Error> {
    let shards = Shards::new(files.iter().map(|file| Gguf::parse(file).unwrap())).unwrap();
    let (mut out, mut heard) = (Vec::new(), 0);
    let mut progress = |done: u64, of: u64| {
        assert!(done >= heard && done <= of);
        heard = done;
        true
    };
    Plan::new(&shards, request)?.write(&Memory(files), means, &mut progress, &mut |bytes| {
        out.extend_from_slice(bytes);
        Ok(())
    })?;
    Ok(out)
}

const ONE: Means<'_> = Means { threads: 1, isa: Some("scalar") };

/// Numbers that no two tensors share.
fn numbers(seed: u32, len: usize) -> Vec<f32> {
    (0..len as u32).map(|i| ((i ^ seed << 20).wrapping_mul(2_654_435_761) >> 8) as f32 / 8e6 - 1.0).collect()
}

fn stored(kind: TensorType, values: &[f32]) -> Vec<u8> {
    let format = Format::from_id(kind.id()).unwrap();
    let mut out = vec![0; format.row_bytes(values.len()).unwrap()];
    encode(Some("scalar"), format, values, &mut out).unwrap();
    out
}

/// A small model: name, type, extents.
const TENSORS: [(&str, TensorType, &[usize]); 8] = [
    ("token_embd.weight", TensorType::F32, &[256, 1024]),
    ("blk.0.attn_norm.weight", TensorType::F32, &[256]),
    ("blk.0.attn_q.weight", TensorType::F16, &[256, 256]),
    ("blk.0.attn_v.weight", TensorType::BF16, &[256, 64]),
    ("blk.0.ffn_up.weight", TensorType::BF16, &[48, 8]),
    ("blk.0.ffn_gate.weight", TensorType::F32, &[48, 8]),
    ("blk.0.ffn_down.weight", TensorType::F32, &[96, 8]),
    ("output.weight", TensorType::F32, &[256, 300]),
];

fn model(spoil: impl Fn(&str, &mut Vec<f32>)) -> Vec<u8> {
    let data: Vec<Vec<u8>> = TENSORS
        .iter()
        .enumerate()
        .map(|(i, (name, kind, dims))| {
            let mut values = numbers(i as u32, dims.iter().product());
            spoil(name, &mut values);
            match kind {
                TensorType::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
                kind => stored(*kind, &values),
            }
        })
        .collect();
    let mut writer = Writer::new();
    writer.metadata("general.architecture", "llama").metadata("general.file_type", 1u32);
    writer.metadata("llama.block_count", 1u32).metadata("tokenizer.ggml.tokens", &["a", "b"]);
    for ((name, kind, dims), data) in TENSORS.iter().zip(&data) {
        writer.tensor(name, *kind, dims, data);
    }
    writer.finish().unwrap()
}

fn whole() -> Vec<Vec<u8>> {
    vec![model(|_, _| {})]
}

fn kinds(file: &[u8]) -> Vec<TensorType> {
    Gguf::parse(file).unwrap().tensors().iter().map(|tensor| tensor.kind).collect()
}

#[test]
fn every_tensor_gets_its_type_and_its_numbers() {
    use TensorType::{BF16, F16, F32, Q4_K, Q5_0, Q6_K};
    let out = made(&whole(), &request("Q4_K_M"), ONE).unwrap();
    // The values of a one-layer model get more bits; rows of 48 fit nothing; rows of 96 fall back.
    assert_eq!(kinds(&out), [Q4_K, F32, Q4_K, Q6_K, BF16, F16, TensorType::Q8_0, Q6_K]);
    assert_eq!(Q5_0.block_len(), 32);
    let file = Gguf::parse(&out).unwrap();
    for (i, (tensor, (name, ..))) in file.tensors().iter().zip(TENSORS).enumerate() {
        let mut values = numbers(i as u32, tensor.elements());
        if let (2 | 3, F16 | BF16) = (i, TENSORS[i].1) {
            let format = Format::from_id(TENSORS[i].1.id()).unwrap();
            let half = stored(TENSORS[i].1, &values);
            cpu::choose(Some("scalar")).unwrap().decode(format, &half, &mut values);
        }
        assert_eq!(tensor.name, name);
        assert!(tensor.data == stored(tensor.kind, &values), "{name}");
    }
}

#[test]
fn rows_that_fit_nowhere_are_padded_where_it_is_asked_for() {
    use TensorType::{F16, F32, Q4_K, Q5_0, Q6_K, Q8_0};
    let pad = |recipe| Request { pad: true, ..request(recipe) };
    let out = made(&whole(), &pad("Q4_K_M"), ONE).unwrap();
    // Rows of 48 as two blocks of 32; rows of 96 are whole blocks of something.
    assert_eq!(kinds(&out), [Q4_K, F32, Q4_K, Q6_K, Q5_0, Q5_0, Q8_0, Q6_K]);
    let (name, values) = ("blk.0.ffn_gate.weight", numbers(5, 48 * 8));
    let rows: Vec<Vec<f32>> = values.chunks(48).map(|row| [row, &[0.0; 16]].concat()).collect();
    let expected = |kind| rows.iter().flat_map(|row| stored(kind, row)).collect::<Vec<u8>>();
    let file = Gguf::parse(&out).unwrap();
    let tensor = file.tensor(name).unwrap();
    assert_eq!((tensor.dims(), file.unpadded(name).unwrap()), (&[64, 8][..], Some(48)));
    assert!(tensor.data == expected(Q5_0));
    assert_eq!(file.unpadded("blk.0.ffn_down.weight").unwrap(), None);
    for threads in [1, 3] {
        assert!(made(&whole(), &pad("Q4_K_M"), Means { threads, isa: None }).unwrap() == out, "{threads}");
    }

    // From padded rows to padded rows of another format, and back to rows that are not.
    let eight = made(&whole(), &pad("Q8_0"), ONE).unwrap();
    assert!(Gguf::parse(&eight).unwrap().tensor(name).unwrap().data == expected(Q8_0));
    let again = made(std::slice::from_ref(&eight), &pad("Q5_0"), ONE).unwrap();
    let again = Gguf::parse(&again).unwrap();
    assert_eq!((again.tensor(name).unwrap().dims(), again.unpadded(name).unwrap()), (&[64, 8][..], Some(48)));
    let plain = made(&[eight], &request("Q5_0"), ONE).unwrap();
    let plain = Gguf::parse(&plain).unwrap();
    let tensor = plain.tensor(name).unwrap();
    assert_eq!((tensor.kind, tensor.dims(), plain.unpadded(name).unwrap()), (F16, &[48, 8][..], None));
    assert!(
        plain.get(ocelli_gguf::PADDED_NAMES).is_none() && plain.get(ocelli_gguf::PADDED_LENGTHS).is_none()
    );
    let mut decoded = vec![0.0; 64 * 8];
    cpu::choose(Some("scalar")).unwrap().decode(Format::Q8_0, &expected(Q8_0), &mut decoded);
    let decoded: Vec<f32> = decoded.chunks(64).flat_map(|row| row[..48].to_vec()).collect();
    assert!(tensor.data == stored(F16, &decoded));
}

/// What is looked up and not multiplied: a table of tokens, a table of positions.
#[test]
fn rows_of_tables_are_not_padded() {
    let (tokens, places) = ("token_embd.weight", "v.position_embd.weight");
    let data: Vec<u8> = numbers(1, 48 * 4).iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut writer = Writer::new();
    writer.metadata("general.architecture", "llama");
    for name in [tokens, places, "blk.0.ffn_up.weight"] {
        writer.tensor(name, TensorType::F32, &[48, 4], &data);
    }
    let files = [writer.finish().unwrap()];
    let pad = Request { pad: true, ..request("Q8_0") };
    let out = made(&files, &pad, ONE).unwrap();
    assert_eq!(kinds(&out), [TensorType::F16, TensorType::F32, TensorType::Q8_0]);
    for name in [tokens, places] {
        let overrides = vec![(Pattern::new(name), TensorType::Q8_0)];
        let error = made(&files, &Request { overrides, ..pad.clone() }, ONE).unwrap_err();
        assert!(matches!(error, Error::DoesNotFit { row: 48, .. }), "{error}");
    }
}

#[test]
fn a_number_in_a_padded_row_is_named_where_it_was() {
    let spoilt = model(|name, values| {
        if name == "blk.0.ffn_gate.weight" {
            values[3 * 48 + 5] = f32::NAN;
        }
    });
    let error = made(&[spoilt], &Request { pad: true, ..request("Q8_0") }, ONE).unwrap_err();
    assert!(error.to_string().contains("\"blk.0.ffn_gate.weight\": value 149 is NaN"), "{error}");
}

#[test]
fn lengths_that_are_not_those_of_the_rows() {
    for (length, says) in [(47, "47"), (33, "33"), (65, "65"), (u32::MAX, "4294967295"), (64, "")] {
        let mut writer = Writer::new();
        writer.metadata("general.architecture", "clip");
        writer.metadata(ocelli_gguf::PADDED_NAMES, &["v.blk.0.ffn_down.weight"]);
        writer.metadata(ocelli_gguf::PADDED_LENGTHS, &[length]);
        let data = stored(TensorType::Q8_0, &numbers(1, 64 * 4));
        writer.tensor("v.blk.0.ffn_down.weight", TensorType::Q8_0, &[64, 4], &data);
        let file = writer.finish().unwrap();
        let made = made(&[file], &request("Q8_0"), ONE);
        match (length, made) {
            (33 | 47 | 64, made) => drop(made.unwrap()),
            (_, Err(error @ Error::Padding { .. })) => assert!(error.to_string().contains(says), "{error}"),
            (_, other) => panic!("{length}: {other:?}"),
        }
    }
}

#[test]
fn keys_are_kept_but_for_the_type() {
    let out = made(&whole(), &request("Q5_K_S"), ONE).unwrap();
    let file = Gguf::parse(&out).unwrap();
    let keys: Vec<&str> = file.metadata().map(|(key, _)| key).collect();
    let order = ["general.architecture", "general.file_type", "llama.block_count", "tokenizer.ggml.tokens"];
    assert_eq!(keys[..4], order);
    assert_eq!(keys[4..], ["general.quantization_version"]);
    assert_eq!(file.require::<u32>("general.file_type").unwrap(), 16);
    assert_eq!(file.require::<u32>("general.quantization_version").unwrap(), 2);
}

#[test]
fn threads_and_instruction_sets_change_no_byte() {
    let files = whole();
    for recipe in ["Q4_K_M", "Q3_K_L", "Q2_K", "IQ4_XS", "Q8_0", "BF16"] {
        let one = made(&files, &request(recipe), ONE).unwrap();
        for threads in [2, 3, 7] {
            for isa in ISAS.iter().filter(|isa| (isa.detect)().is_some()) {
                let means = Means { threads, isa: Some(isa.name) };
                assert!(
                    made(&files, &request(recipe), means).unwrap() == one,
                    "{recipe} {threads} {}",
                    isa.name
                );
            }
        }
        // The same request again has nothing to do.
        let again = made(std::slice::from_ref(&one), &request(recipe), ONE).unwrap();
        assert!(again == one, "{recipe}");
    }
}

#[test]
fn a_split_model_becomes_one_file() {
    let all = whole();
    let file = Gguf::parse(&all[0]).unwrap();
    let part = |number: u32, range: std::ops::Range<usize>| {
        let mut writer = Writer::new();
        if number == 0 {
            for (key, value) in file.metadata() {
                writer.metadata(key, value);
            }
        }
        writer.metadata("split.no", number as u16).metadata("split.count", 2u16);
        writer.metadata("split.tensors.count", TENSORS.len() as i32);
        for tensor in &file.tensors()[range] {
            writer.tensor(tensor.name, tensor.kind, tensor.dims(), tensor.data);
        }
        writer.finish().unwrap()
    };
    let parts = vec![part(0, 0..3), part(1, 3..8)];
    let means = Means { threads: 2, isa: None };
    assert!(made(&parts, &request("Q4_0"), means).unwrap() == made(&all, &request("Q4_0"), ONE).unwrap());
}

#[test]
fn names_can_be_given_a_type_or_kept() {
    use TensorType::{BF16, F16, F32, Q4_0, Q5_1, Q6_K, Q8_0};
    let mut asked = request("Q4_0");
    asked.overrides = vec![(Pattern::new("blk.*.attn_*.weight"), Q8_0), (Pattern::new("*.attn_v.*"), Q5_1)];
    asked.overrides.push((Pattern::new("*ffn_up*"), F16));
    asked.keep =
        vec![Pattern::new("blk.0.attn_q.weight"), Pattern::new("*norm*"), Pattern::new("output.weight")];
    let out = made(&whole(), &asked, ONE).unwrap();
    assert_eq!(kinds(&out), [Q4_0, F32, F16, Q8_0, F16, F16, Q4_0, F32]);
    asked = request("Q4_0");
    asked.pure = true;
    assert_eq!(kinds(&made(&whole(), &asked, ONE).unwrap()), [Q4_0, F32, Q4_0, Q4_0, BF16, F16, Q4_0, Q4_0]);
    assert_eq!(kinds(&made(&whole(), &request("Q4_0"), ONE).unwrap())[7], Q6_K);
}

#[test]
fn what_cannot_be_done_is_said_with_the_tensor_s_name() {
    let spoilt = |tensor: &'static str, index: usize, value: f32| {
        vec![model(move |name, values| {
            if name == tensor {
                values[index] = value;
            }
        })]
    };
    let message = |files: &[Vec<u8>], request: &Request| made(files, request, ONE).unwrap_err().to_string();
    let not_a_number = spoilt("output.weight", 70_000, f32::NAN);
    for recipe in ["Q4_K_M", "Q8_0", "F16"] {
        let found = message(&not_a_number, &request(recipe));
        assert_eq!(found, "tensor \"output.weight\": value 70000 is NaN, not a finite number");
    }
    let huge = spoilt("token_embd.weight", 5, 1e20);
    assert!(message(&huge, &request("Q4_0")).contains("\"token_embd.weight\": value 5 is 1e20"));
    assert!(message(&huge, &request("F16")).contains("\"token_embd.weight\": the values from 5 on"));
    let mut asked = request("Q4_0");
    asked.keep = vec![Pattern::new("blk.1.*")];
    assert_eq!(message(&whole(), &asked), "no tensor is called \"blk.1.*\"");
    asked = request("Q4_0");
    asked.overrides = vec![(Pattern::new("*ffn_up*"), TensorType::Q8_0)];
    assert!(message(&whole(), &asked).contains("blk.0.ffn_up.weight\" cannot be Q8_0: rows of 48"));
    asked.overrides = vec![(Pattern::new("*norm*"), TensorType::Q8_0)];
    assert!(message(&whole(), &asked).contains("only matrices"));
    asked.overrides = vec![(Pattern::new("output.weight"), TensorType::IQ2_S)];
    assert!(message(&whole(), &asked).contains("\"output.weight\": IQ2_S is no type"));
}

#[test]
fn reading_writing_and_stopping_can_fail() {
    let files = whole();
    let shards = || Shards::new(files.iter().map(|file| Gguf::parse(file).unwrap())).unwrap();
    let plan = || Plan::new(&shards(), &request("Q8_0")).unwrap();
    let cut = [files[0][..files[0].len() - 1000].to_vec()];
    let error = plan().write(&Memory(&cut), ONE, &mut |_, _| true, &mut |_| Ok(())).unwrap_err();
    assert!(matches!(error, Error::Read { tensor, .. } if tensor == "output.weight"));
    let full = &mut |_: &[u8]| Err(io::ErrorKind::StorageFull.into());
    let error = plan().write(&Memory(&files), ONE, &mut |_, _| true, full).unwrap_err();
    assert!(matches!(error, Error::Write(error) if error.kind() == io::ErrorKind::StorageFull));
    let error = plan().write(&Memory(&files), ONE, &mut |_, _| false, &mut |_| Ok(())).unwrap_err();
    assert!(matches!(error, Error::Stopped));
    let means = Means { threads: 1, isa: Some("none") };
    let error = plan().write(&Memory(&files), means, &mut |_, _| true, &mut |_| Ok(())).unwrap_err();
    assert!(matches!(error, Error::Isa(_)));
}
