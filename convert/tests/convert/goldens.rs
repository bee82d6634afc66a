//! The golden checkpoints become the golden model files, which llama.cpp's converter made of the same: every tensor, every key.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use super::made;

use made::checkpoint::{Tensor, goldens, safetensors, tensors};
use made::{Memory, ONE, made};
use ocelli_convert::Checkpoint;
use ocelli_gguf::{Gguf, TensorType};
use ocelli_kernels::cpu::{self, ISAS};
use ocelli_kernels::formats::Format;
use ocelli_quantize::Means;
use ocelli_quantize::encode::encode;

/// A checkpoint and the files that it becomes.
const CASES: [(&str, &[&str]); 4] = [
    ("llama-tied", &["llama-tied.gguf"]),
    ("qwen2", &["qwen2.gguf"]),
    ("vicuna", &["vicuna.gguf"]),
    ("smolvlm-2", &["smolvlm.gguf", "mmproj-smolvlm-x2.gguf"]),
];

/// Keys that only the peer writes: what it guesses from names.
const THEIRS: [&str; 4] = ["general.size_label", "general.basename", "general.finetune", "general.version"];

fn golden(file: &str) -> Vec<u8> {
    std::fs::read(goldens().join("models").join(file)).unwrap()
}

/// Asserts that the tensors are the same, bytes and all.
fn same_tensors(found: &Gguf<'_>, wanted: &Gguf<'_>, case: &str) {
    for tensor in wanted.tensors() {
        let other = found.tensor(tensor.name).unwrap_or_else(|| panic!("{case}: no {}", tensor.name));
        assert_eq!((other.kind, other.dims()), (tensor.kind, tensor.dims()), "{case}: {}", tensor.name);
        assert!(other.data == tensor.data, "{case}: the bytes of {}", tensor.name);
    }
    assert_eq!(found.tensors().len(), wanted.tensors().len(), "{case}");
}

#[test]
fn every_tensor_and_every_key_is_the_peers() {
    for (case, files) in CASES {
        let folder = Memory::golden(case);
        for (i, file) in files.iter().enumerate() {
            let bytes = golden(file);
            let wanted = Gguf::parse(&bytes).unwrap();
            let name: &str = wanted.require("general.name").unwrap();
            let out = made(&folder, "F32", name, ONE).unwrap();
            assert_eq!(out.len(), files.len(), "{case}");
            let found = Gguf::parse(&out[i]).unwrap();
            same_tensors(&found, &wanted, file);
            let mut compared = 0;
            for (key, value) in wanted.metadata() {
                match found.get(key) {
                    Some(other) => assert_eq!(other, value, "{file}: {key}"),
                    None => assert!(THEIRS.contains(&key), "{file}: no {key}"),
                }
                compared += 1;
            }
            assert!(compared >= 15, "{file}: {compared} keys");
        }
    }
}

/// A LLaMA under Mistral's name: no window, one of 4096, and a configuration that says nothing of it.
#[test]
fn mistral_is_a_llama_that_slides_over_no_window() {
    let said = |window: &str| {
        Memory::golden("llama-tied")
            .replaced("config.json", "LlamaForCausalLM", "MistralForCausalLM")
            .replaced(
                "config.json",
                "\"model_type\":\"llama\"",
                &format!("{window}\"model_type\":\"mistral\""),
            )
    };
    let whole = made(&said("\"sliding_window\":null,"), "F32", "x", ONE).unwrap();
    assert!(whole == made(&Memory::golden("llama-tied"), "F32", "x", ONE).unwrap());
    for (window, found) in [("\"sliding_window\":4096,", "4096"), ("", "left out")] {
        let error = made(&said(window), "F32", "x", ONE).unwrap_err().to_string();
        assert!(error.contains("slides") && error.contains(&format!("sliding_window is {found}")), "{error}");
    }
}

#[test]
fn llavas_tower_is_the_checkpoints() {
    let folder = Memory::golden("llava");
    let out = made(&folder, "F32", "llava", ONE).unwrap();
    let [text, tower] = &out[..] else { panic!("{}", out.len()) };
    for (found, wanted) in [(text, "vicuna.gguf"), (tower, "mmproj-llava-modern.gguf")] {
        let bytes = golden(wanted);
        same_tensors(&Gguf::parse(found).unwrap(), &Gguf::parse(&bytes).unwrap(), wanted);
    }
    let tower = Gguf::parse(tower).unwrap();
    let number = |key: &str| tower.require::<u32>(key).unwrap();
    assert_eq!(number("clip.vision.block_count"), 2, "the third is not read");
    assert_eq!(tower.require::<&str>("clip.projector_type").unwrap(), "mlp");
    assert_eq!(tower.require::<&str>("clip.vision.activation").unwrap(), "gelu_quick");
    assert!(!tower.require::<bool>("clip.use_gelu").unwrap());
}

/// The numbers of a golden tensor in another type.
fn stored(data: &[u8], kind: TensorType) -> Vec<u8> {
    let values: Vec<f32> = data.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    let format = Format::from_id(kind.id()).unwrap();
    let mut out = vec![0; format.row_bytes(values.len()).unwrap()];
    encode(Some("scalar"), format, &values, &mut out).unwrap();
    out
}

#[test]
fn matrices_are_stored_as_asked_and_the_rest_is_not_touched() {
    let (text, tower) = (golden("smolvlm.gguf"), golden("mmproj-smolvlm-x2.gguf"));
    for (recipe, kind) in [("F16", TensorType::F16), ("BF16", TensorType::BF16), ("Q8_0", TensorType::Q8_0)] {
        let out = made(&Memory::golden("smolvlm-2"), recipe, "x", ONE).unwrap();
        for (found, wanted) in out.iter().zip([&text, &tower]) {
            let (found, wanted) = (Gguf::parse(found).unwrap(), Gguf::parse(wanted).unwrap());
            for tensor in wanted.tensors() {
                let other = found.tensor(tensor.name).unwrap();
                let kept = tensor.dims().len() == 1
                    || tensor.name.contains("_embd.") && tensor.name.starts_with('v');
                let kind = if kept { TensorType::F32 } else { kind };
                assert_eq!(other.kind, kind, "{recipe} {}", tensor.name);
                assert!(other.data == stored(tensor.data, kind), "{recipe} {}", tensor.name);
            }
        }
    }
}

#[test]
fn a_mix_is_that_of_quantize() {
    let out = made(&Memory::golden("llama-tied"), "Q4_K_M", "x", ONE).unwrap();
    let file = Gguf::parse(&out[0]).unwrap();
    let kind = |name: &str| file.tensor(name).unwrap().kind;
    // Rows of 64 fit blocks of 32 only.
    assert_eq!(kind("token_embd.weight"), TensorType::Q8_0, "the output too, so six bits, and then eight");
    assert_eq!(kind("blk.0.attn_q.weight"), TensorType::Q5_0);
    assert_eq!(kind("blk.1.attn_norm.weight"), TensorType::F32);
    assert_eq!(file.require::<u32>("general.file_type").unwrap(), 15);
}

#[test]
fn the_bytes_do_not_depend_on_how_the_work_is_done() {
    let folder = Memory::golden("smolvlm-2");
    let first = made(&folder, "Q8_0", "x", ONE).unwrap();
    for entry in ISAS.iter().filter(|entry| cpu::choose(Some(entry.name)).is_ok()) {
        for threads in [1, 3, 8] {
            let means = Means { threads, isa: Some(entry.name) };
            assert!(made(&folder, "Q8_0", "x", means).unwrap() == first, "{} {threads}", entry.name);
        }
    }
}

/// The weights in two files and an index.
fn in_shards(case: &str) -> Memory {
    let (mut shards, mut map) = ([Vec::new(), Vec::new()], Vec::new());
    for (i, tensor) in tensors(case).into_iter().enumerate() {
        map.push(format!("\"{}\":\"part-{}.safetensors\"", tensor.name, i % 2));
        shards[i % 2].push(tensor);
    }
    let index = format!("{{\"metadata\":{{}},\"weight_map\":{{{}}}}}", map.join(","));
    let folder =
        Memory::golden(case).without("model.safetensors").with("model.safetensors.index.json", index);
    let [first, second] = shards.map(|tensors| safetensors(&tensors));
    folder.with("part-0.safetensors", first).with("part-1.safetensors", second)
}

#[test]
fn shards_are_one_checkpoint() {
    let whole = made(&Memory::golden("qwen2"), "F16", "x", ONE).unwrap();
    assert!(made(&in_shards("qwen2"), "F16", "x", ONE).unwrap() == whole);
}

#[test]
fn sixteen_bits_stay_as_they_are() {
    for (dtype, kind) in [("BF16", TensorType::BF16), ("F16", TensorType::F16)] {
        let half = |tensor: Tensor| Tensor { dtype, data: stored(&tensor.data, kind), ..tensor };
        let halves: Vec<Tensor> = tensors("llama-tied").into_iter().map(half).collect();
        let folder = Memory::golden("llama-tied").with("model.safetensors", safetensors(&halves));
        assert_eq!(Checkpoint::open(&folder).unwrap().kind(), kind);
        let out = made(&folder, dtype, "x", ONE).unwrap();
        let (out, wanted) = (Gguf::parse(&out[0]).unwrap(), golden("llama-tied.gguf"));
        for tensor in Gguf::parse(&wanted).unwrap().tensors() {
            let found = out.tensor(tensor.name).unwrap();
            let bits = stored(tensor.data, kind);
            if tensor.dims().len() > 1 {
                assert!(found.kind == kind && found.data == bits, "{dtype} {}", tensor.name);
            } else {
                assert!(found.kind == TensorType::F32 && stored(found.data, kind) == bits, "{}", tensor.name);
            }
        }
    }
}
