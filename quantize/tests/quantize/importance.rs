//! Importance of columns: what is read, which tensors get it, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ocelli_gguf::{Gguf, Shards, TensorType, Writer};
use ocelli_kernels::formats::Format;
use ocelli_quantize::encode::{encode, encode_weighted};
use ocelli_quantize::{Error, Importance, Means, Pattern, Plan, Recipe, Request, Source};
use std::io;

struct Memory<'a>(&'a [u8]);

impl Source for Memory<'_> {
    fn read(&self, _: usize, offset: u64, out: &mut [u8]) -> io::Result<()> {
        out.copy_from_slice(&self.0[offset as usize..][..out.len()]);
        Ok(())
    }
}

fn numbers(seed: u32, len: usize) -> Vec<f32> {
    (0..len as u32).map(|i| ((i ^ seed << 20).wrapping_mul(2_654_435_761) >> 8) as f32 / 8e6 - 1.0).collect()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Rows of 768 so that a piece of whole rows is none of 65 536 numbers, and three experts.
const TENSORS: [(&str, &[usize]); 5] = [
    ("token_embd.weight", &[256, 64]),
    ("blk.0.attn_q.weight", &[768, 200]),
    ("blk.0.attn_norm.weight", &[256]),
    ("blk.0.ffn_down.weight", &[256, 32]),
    ("blk.0.ffn_up_exps.weight", &[512, 70, 3]),
];

fn model() -> Vec<u8> {
    let data: Vec<Vec<u8>> =
        TENSORS.iter().zip(0..).map(|((_, dims), i)| bytes(&numbers(i, dims.iter().product()))).collect();
    let mut writer = Writer::new();
    writer.metadata("general.architecture", "llama").metadata("llama.block_count", 8u32);
    writer.metadata("quantize.imatrix.file", "of another time");
    for ((name, dims), data) in TENSORS.iter().zip(&data) {
        writer.tensor(name, TensorType::F32, dims, data);
    }
    writer.finish().unwrap()
}

/// Sums, counts and the importance that they are.
type Statistics = (&'static str, Vec<f32>, Vec<f32>, Vec<f32>);

fn statistics() -> Vec<Statistics> {
    let squares = |seed: u32, len: usize| -> Vec<f32> {
        numbers(seed, len).iter().map(|x| x * x * 50.0 + 1e-3).collect()
    };
    let divided = |sums: &[f32], count: f32| -> Vec<f32> { sums.iter().map(|sum| sum / count).collect() };
    let (queries, experts) = (squares(31, 768), squares(32, 1536));
    // No row went to the second expert.
    let of_experts =
        [divided(&experts[..512], 9.0), vec![1.0; 512], divided(&experts[1024..], 40.0)].concat();
    vec![
        ("blk.0.attn_q.weight", queries.clone(), vec![37.0], divided(&queries, 37.0)),
        ("blk.0.ffn_up_exps.weight", experts, vec![9.0, 0.0, 40.0], of_experts),
    ]
}

/// A tensor's name, extents and bytes.
type Tensor = (String, Vec<usize>, Vec<u8>);

/// A tensor that is written as it is: name, type, extents, bytes.
type Raw<'a> = (&'a str, TensorType, &'a [usize], &'a [u8]);

fn file(statistics: &[Statistics], more: &[Raw<'_>]) -> Vec<u8> {
    let stored: Vec<[Tensor; 2]> = statistics
        .iter()
        .map(|(name, sums, counts, _)| {
            let extents = vec![sums.len() / counts.len().max(1), counts.len()];
            let of = |suffix: &str, extents, values| (format!("{name}{suffix}"), extents, bytes(values));
            [of(".in_sum2", extents, sums), of(".counts", vec![1, counts.len()], counts)]
        })
        .collect();
    let mut writer = Writer::new();
    writer.metadata("general.type", "imatrix").metadata("imatrix.datasets", &["lines.txt"]);
    writer.metadata("imatrix.chunk_count", 4u32).metadata("imatrix.chunk_size", 512u32);
    for (name, dims, data) in stored.iter().flatten() {
        writer.tensor(name, TensorType::F32, dims, data);
    }
    for (name, kind, dims, data) in more {
        writer.tensor(name, *kind, dims, data);
    }
    writer.finish().unwrap()
}

fn read(file: &[u8]) -> Result<Importance, Error> {
    Importance::read(&Gguf::parse(file).unwrap(), "some.gguf")
}

fn request(recipe: &str, importance: Option<Importance>) -> Request {
    let recipe = Recipe::named(recipe).unwrap();
    Request { recipe, pure: true, overrides: Vec::new(), keep: Vec::new(), pad: false, importance }
}

fn made(model: &[u8], request: &Request, threads: usize) -> Result<Vec<u8>, Error> {
    let shards = Shards::new([Gguf::parse(model).unwrap()]).unwrap();
    let (mut out, means) = (Vec::new(), Means { threads, isa: None });
    Plan::new(&shards, request)?.write(&Memory(model), means, &mut |_, _| true, &mut |bytes| {
        out.extend_from_slice(bytes);
        Ok(())
    })?;
    Ok(out)
}

/// What pads a row counts for nothing, in the row and among the columns.
#[test]
fn padded_rows_keep_the_importance_of_their_columns() {
    let (name, rows, row) = ("v.blk.0.ffn_down.weight", 40, 84);
    let values = numbers(5, rows * row);
    let sums: Vec<f32> = numbers(33, row).iter().map(|x| x * x * 50.0 + 1e-3).collect();
    let mut writer = Writer::new();
    writer.metadata("general.architecture", "clip");
    let data = bytes(&values);
    writer.tensor(name, TensorType::F32, &[row, rows], &data);
    let model = writer.finish().unwrap();
    let importance = read(&file(&[(name, sums.clone(), vec![10.0], Vec::new())], &[])).unwrap();
    let columns: Vec<f32> = sums.iter().map(|sum| sum / 10.0).chain([0.0; 12]).collect();
    let padded: Vec<f32> = values.chunks(row).flat_map(|row| row.iter().copied().chain([0.0; 12])).collect();
    for recipe in ["Q4_0", "Q5_1", "Q8_0"] {
        let request = Request { pad: true, ..request(recipe, Some(importance.clone())) };
        let out = made(&model, &request, 2).unwrap();
        let tensor = *Gguf::parse(&out).unwrap().tensor(name).unwrap();
        assert_eq!(tensor.dims(), [96, rows]);
        let format = Format::from_id(tensor.kind.id()).unwrap();
        let mut expected = vec![0; tensor.data.len()];
        encode_weighted(None, format, &padded, &columns, &mut expected).unwrap();
        assert!(tensor.data == expected, "{recipe}");
    }
}

#[test]
fn each_matrix_is_stored_with_the_importance_of_its_columns() {
    let (model, statistics) = (model(), statistics());
    let importance = read(&file(&statistics, &[])).unwrap();
    assert_eq!((importance.entries(), importance.chunks), (2, 4));
    for recipe in ["Q4_0", "Q4_K_S", "IQ4_NL"] {
        let out = made(&model, &request(recipe, Some(importance.clone())), 1).unwrap();
        assert!(out == made(&model, &request(recipe, Some(importance.clone())), 3).unwrap(), "{recipe}");
        let file = Gguf::parse(&out).unwrap();
        for (tensor, i) in file.tensors().iter().zip(0..).filter(|(tensor, _)| tensor.rows() > 1) {
            let format = Format::from_id(tensor.kind.id()).unwrap();
            let values = numbers(i, tensor.elements());
            let mut want = vec![0; tensor.data.len()];
            match statistics.iter().find(|(name, ..)| *name == tensor.name) {
                Some((.., importance)) => {
                    let experts = importance.len() / tensor.row_len();
                    let (len, size) = (values.len() / experts, want.len() / experts);
                    let all = importance.chunks(tensor.row_len()).zip(values.chunks(len));
                    for ((importance, values), out) in all.zip(want.chunks_mut(size)) {
                        encode_weighted(None, format, values, importance, out).unwrap();
                    }
                }
                None => encode(None, format, &values, &mut want).unwrap(),
            }
            assert!(tensor.data == want, "{recipe} {}", tensor.name);
        }
        let text = |key: &str| file.require::<&str>(key).unwrap();
        assert_eq!(text("quantize.imatrix.file"), "some.gguf");
        assert_eq!(text("quantize.imatrix.dataset"), "lines.txt");
        assert_eq!(file.require::<u32>("quantize.imatrix.entries_count").unwrap(), 2);
        assert_eq!(file.require::<u32>("quantize.imatrix.chunks_count").unwrap(), 4);
    }
}

#[test]
fn what_lacks_it_is_known_and_mixes_change() {
    let model = model();
    let importance = read(&file(&statistics(), &[])).unwrap();
    let shards = Shards::new([Gguf::parse(&model).unwrap()]).unwrap();
    let lacking = |recipe: &str, keep: &[&str]| -> Vec<String> {
        let mut request = request(recipe, Some(importance.clone()));
        request.keep = keep.iter().map(|name| Pattern::new(name)).collect();
        let plan = Plan::new(&shards, &request).unwrap();
        let all = plan.changes().iter().filter(|change| change.lacks_importance());
        all.map(|change| change.name.to_string()).collect()
    };
    assert_eq!(lacking("Q4_0", &[]), ["token_embd.weight", "blk.0.ffn_down.weight"]);
    assert_eq!(lacking("Q4_0", &["*ffn_down*"]), ["token_embd.weight"]);
    assert_eq!(lacking("Q8_0", &[]), [""; 0]);
    let down = |recipe: &str, importance: Option<Importance>| {
        let request = Request { pure: false, ..request(recipe, importance) };
        Plan::new(&shards, &request).unwrap().changes()[3].to
    };
    use TensorType::{IQ4_XS, Q4_0, Q4_1, Q5_0, Q5_1, Q5_K};
    for (recipe, without, with) in [("Q4_0", Q4_0, Q4_1), ("Q5_0", Q5_0, Q5_1), ("IQ4_XS", Q5_K, IQ4_XS)] {
        assert_eq!(down(recipe, None), without, "{recipe}");
        assert_eq!(down(recipe, Some(importance.clone())), with, "{recipe}");
    }
}

#[test]
fn what_is_no_importance_is_refused_with_the_tensor_s_name() {
    let model = model();
    let message = |file: &[u8]| match read(file) {
        Ok(importance) => made(&model, &request("Q4_0", Some(importance)), 1).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    assert!(message(&model).contains("no file of importance"));
    assert!(message(&file(&[], &[])).contains("no file of importance"));
    let mut narrow = statistics();
    narrow[0].1.truncate(512);
    let found = message(&file(&narrow, &[]));
    assert_eq!(
        found,
        "tensor \"blk.0.attn_q.weight\": importance is of 1 x 512 columns, the tensor has 1 x 768"
    );
    let mut few = statistics();
    few[1].1.truncate(1024);
    few[1].2.truncate(2);
    assert!(message(&file(&few, &[])).contains("ffn_up_exps.weight\": importance is of 2 x 512"));
    for value in [f32::NAN, f32::INFINITY, -1.0] {
        let mut spoilt = statistics();
        spoilt[1].1[1030] = value;
        let found = message(&file(&spoilt, &[]));
        assert!(found.contains("blk.0.ffn_up_exps.weight\": the importance of column 6 is"), "{found}");
    }
    let lonely = [0; 4];
    for name in ["blk.0.attn_v.weight.in_sum2", "blk.0.attn_v.weight.counts"] {
        let found = message(&file(&statistics(), &[(name, TensorType::F32, &[1], &lonely)]));
        assert_eq!(found, format!("importance: {name:?} has no sums and counts that belong together"));
    }
    let (sums, five) = (bytes(&statistics()[0].1), [0; 20]);
    for (kind, len, says) in [
        (TensorType::F32, 768, "\"a.in_sum2\" has no sums and counts"),
        (TensorType::F16, 1536, "\"a.in_sum2\": F16"),
    ] {
        let tensors: [Raw<'_>; 2] =
            [("a.in_sum2", kind, &[len], &sums), ("a.counts", TensorType::F32, &[1, 5], &five)];
        let found = message(&file(&[], &tensors));
        assert!(found.contains(says), "{found}");
    }
    // A table is looked up: what an older file has under its name is passed over.
    let table = ("token_embd.weight", vec![1.0; 32], vec![1.0], Vec::new());
    assert!(made(&model, &request("Q4_0", Some(read(&file(&[table], &[])).unwrap())), 1).is_ok());
}
