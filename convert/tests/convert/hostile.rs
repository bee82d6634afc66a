//! Checkpoints that are broken, or lie: each has its own error, which names the file and the tensor, and none ends the process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use super::made;

use made::checkpoint::{safetensors, tensors, with_header};
use made::{Memory, ONE, made};
use ocelli_convert::Error;

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";

fn failure(folder: &Memory) -> Error {
    made(folder, "F16", "x", ONE).map(|_| ()).expect_err("this is no checkpoint")
}

/// Asserts which error it is, and what it says.
macro_rules! refused {
    ($folder:expr, $kind:pat, $($word:expr),+) => {
        let error = failure(&$folder);
        assert!(matches!(error, $kind), "{error:?}");
        let said = error.to_string();
        $(assert!(said.contains($word), "{:?} is not in {said:?}", $word);)+
    };
}

fn llama() -> Memory {
    Memory::golden("llama-tied")
}

/// A llama whose weights have this header before as many bytes.
fn headed(header: &str, data: usize) -> Memory {
    llama().with(WEIGHTS, with_header(header, &vec![0; data]))
}

#[test]
fn weights_that_break_off() {
    let whole = llama().0[WEIGHTS].clone();
    refused!(llama().with(WEIGHTS, b"".to_vec()), Error::NoHeader { len: 0, .. }, WEIGHTS);
    refused!(llama().with(WEIGHTS, whole[..7].to_vec()), Error::NoHeader { len: 7, .. }, "7 bytes");
    refused!(llama().with(WEIGHTS, whole[..8].to_vec()), Error::HeaderLength { most: 0, .. }, WEIGHTS);
    refused!(llama().with(WEIGHTS, whole[..100].to_vec()), Error::HeaderLength { most: 92, .. }, "92");
    refused!(llama().with(WEIGHTS, whole[..whole.len() - 1].to_vec()), Error::Offsets { .. }, "whole?");
    let longer = [&whole[..], &[0]].concat();
    refused!(llama().with(WEIGHTS, longer), Error::Hole { .. }, "no tensor");
    let mut huge = whole.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    refused!(llama().with(WEIGHTS, huge), Error::HeaderLength { header: u64::MAX, .. }, "header");
}

#[test]
fn headers_that_lie() {
    refused!(headed("[]", 0), Error::Json { .. }, WEIGHTS);
    refused!(headed("{\"a\":", 0), Error::Json { .. }, WEIGHTS);
    refused!(headed("{\"a\":3}", 0), Error::Entry { .. }, "dtype");
    let one = |dtype: &str, shape: &str, offsets: &str| {
        format!("{{\"a\":{{\"dtype\":{dtype},\"shape\":{shape},\"data_offsets\":{offsets}}}}}")
    };
    refused!(headed(&one("\"I64\"", "[1]", "[0,8]"), 8), Error::Dtype { .. }, "I64", "\"a\"", "BF16");
    refused!(headed(&one("\"F8_E4M3\"", "[1]", "[0,1]"), 1), Error::Dtype { .. }, "F8_E4M3");
    refused!(headed(&one("7", "[1]", "[0,8]"), 8), Error::Entry { .. }, "dtype");
    refused!(headed(&one("\"F32\"", "[-1]", "[0,4]"), 4), Error::Entry { .. }, "shape", "-1");
    refused!(headed(&one("\"F32\"", "[1]", "[0]"), 4), Error::Entry { .. }, "data_offsets");
    refused!(headed(&one("\"F32\"", "[1]", "[4,0]"), 4), Error::Offsets { .. }, "4..0");
    refused!(headed(&one("\"F32\"", "[2]", "[0,8]"), 4), Error::Offsets { .. }, "\"a\"");
    refused!(headed(&one("\"F32\"", "[2]", "[0,4]"), 4), Error::Bytes { .. }, "4 bytes", "[2]");
    let wraps = "[4294967296,4294967296,4294967296]";
    refused!(headed(&one("\"F32\"", wraps, "[0,0]"), 0), Error::Bytes { .. }, "\"a\"");
    let two = |first: &str, second: &str, names: [&str; 2]| {
        let [a, b] = names;
        let entry = |name: &str, offsets: &str| {
            format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":{offsets}}}")
        };
        headed(&format!("{{{},{}}}", entry(a, first), entry(b, second)), 16)
    };
    refused!(two("[0,8]", "[4,12]", ["a", "b"]), Error::Overlap { at: 4, .. }, "\"a\"", "\"b\"");
    refused!(two("[0,8]", "[0,8]", ["a", "b"]), Error::Overlap { at: 0, .. }, "\"b\"");
    refused!(two("[8,16]", "[8,16]", ["a", "b"]), Error::Hole { begin: 0, end: 8, .. }, "0..8");
    refused!(two("[0,8]", "[8,16]", ["a", "a"]), Error::Twice { .. }, "\"a\"", "twice");
}

#[test]
fn weights_that_are_not_those_of_the_configuration() {
    let with = |change: &dyn Fn(&mut Vec<made::checkpoint::Tensor>)| {
        let mut list = tensors("llama-tied");
        change(&mut list);
        llama().with(WEIGHTS, safetensors(&list))
    };
    let down = "model.layers.1.mlp.down_proj.weight";
    let without = with(&|list| list.retain(|tensor| tensor.name != down));
    refused!(without, Error::NoTensor { .. }, "layers.1.mlp.down_proj.weight");
    let turned = with(&|list| {
        list.iter_mut().filter(|tensor| tensor.name == down).for_each(|tensor| tensor.shape.reverse());
    });
    refused!(turned, Error::Shape { .. }, down, "[96, 64]", "[64, 96]");
    let more = with(&|list| {
        let mut extra = list[0].clone();
        extra.name = "model.layers.7.surprise".into();
        list.push(extra);
    });
    refused!(more, Error::NoPlace { .. }, "layers.7.surprise", WEIGHTS);
    let beside = with(&|list| {
        let mut computed = list[0].clone();
        computed.name = "model.layers.0.self_attn.rotary_emb.inv_freq".into();
        list.push(computed);
    });
    assert!(made(&beside, "F16", "x", ONE).is_ok(), "angles are computed anew");
    let named_twice = with(&|list| {
        let mut again = list[0].clone();
        again.name = again.name.strip_prefix("model.").unwrap().into();
        list.push(again);
    });
    refused!(named_twice, Error::Twice { .. }, "embed_tokens");
}

#[test]
fn configurations_that_lie() {
    let said = |from: &str, to: &str| llama().replaced(CONFIG, from, to);
    refused!(said("\"num_hidden_layers\":2", "\"num_hidden_layers\":3"), Error::NoTensor { .. }, "layers.2");
    refused!(said("\"num_hidden_layers\":2", "\"num_hidden_layers\":1"), Error::NoPlace { .. }, "layers.1");
    refused!(
        said("\"num_hidden_layers\":2", "\"num_hidden_layers\":2000000000"),
        Error::Range { .. },
        "1024"
    );
    refused!(said("\"num_hidden_layers\":2", "\"num_hidden_layers\":-2"), Error::Entry { .. }, "-2");
    refused!(said("\"num_hidden_layers\":2", "\"num_hidden_layers\":0"), Error::Range { .. }, "at least 1");
    refused!(
        said("\"hidden_size\":64", "\"hidden_size\":\"wide\""),
        Error::Entry { .. },
        "hidden_size",
        "wide"
    );
    refused!(said("\"hidden_size\":64", "\"hidden_size\":128"), Error::Shape { .. }, "embed_tokens");
    refused!(said("\"vocab_size\":300", "\"vocab_size\":301"), Error::Shape { .. }, "301");
    refused!(said("\"head_dim\":16", "\"head_dim\":15"), Error::Range { .. }, "even");
    refused!(said("\"num_key_value_heads\":2", "\"num_key_value_heads\":3"), Error::Range { .. }, "divide");
    refused!(said("\"rms_norm_eps\":1e-05", "\"rms_norm_eps\":-1"), Error::Range { .. }, "rms_norm_eps");
    refused!(said("\"silu\"", "\"gelu\""), Error::Unsupported { .. }, "hidden_act", "gelu");
    refused!(
        said("\"rope_type\":\"default\"", "\"rope_type\":\"spiral\""),
        Error::Unsupported { .. },
        "spiral"
    );
    refused!(said("\"rope_type\":\"default\"", "\"rope_type\":\"linear\""), Error::Entry { .. }, "factor");
    refused!(
        said("LlamaForCausalLM", "MambaForCausalLM"),
        Error::Architecture { .. },
        "Mamba",
        "LlamaForCausalLM"
    );
    refused!(
        said("\"model_type\":\"llama\"", "\"model_type\":\"mamba\""),
        Error::Unsupported { .. },
        "mamba"
    );
    let quantized =
        said("\"vocab_size\"", "\"quantization_config\":{\"quant_method\":\"gptq\"},\"vocab_size\"");
    refused!(quantized, Error::Unsupported { .. }, "gptq", "already");
    refused!(llama().with(CONFIG, "{"), Error::Json { .. }, CONFIG);
    refused!(llama().with(CONFIG, "[1]"), Error::Entry { .. }, CONFIG, "an object");
    refused!(llama().with(CONFIG, "[".repeat(100_000)), Error::Json { .. }, CONFIG);
    refused!(llama().without(CONFIG), Error::NoFile { .. }, CONFIG);
}

#[test]
fn towers_that_lie() {
    let smolvlm = || Memory::golden("smolvlm-2");
    let said = |from: &str, to: &str| smolvlm().replaced(CONFIG, from, to);
    refused!(said("\"scale_factor\":2", "\"scale_factor\":3"), Error::Range { .. }, "scale_factor");
    refused!(said("\"scale_factor\":2", "\"scale_factor\":0"), Error::Range { .. }, "scale_factor");
    refused!(said("\"image_size\":32", "\"image_size\":7"), Error::Range { .. }, "image_size");
    refused!(said("\"image_size\":32", "\"image_size\":64"), Error::Shape { .. }, "position_embedding");
    refused!(said("\"gelu_pytorch_tanh\"", "\"gelu_new\""), Error::Unsupported { .. }, "gelu_new");
    refused!(said("\"vision_config\"", "\"other_config\""), Error::Entry { .. }, "vision_config");
    refused!(smolvlm().without("preprocessor_config.json"), Error::NoFile { .. }, "preprocessor_config.json");
    let colors =
        smolvlm().with("preprocessor_config.json", "{\"image_mean\":[0.5],\"image_std\":[0.5,0.5,0.5]}");
    refused!(colors, Error::Entry { .. }, "image_mean", "three");
    let llava = |from: &str, to: &str| Memory::golden("llava").replaced(CONFIG, from, to);
    let layer = |to: &str| llava("\"vision_feature_layer\":-2", &format!("\"vision_feature_layer\":{to}"));
    refused!(layer("-9"), Error::Range { .. }, "vision_feature_layer", "-9");
    refused!(layer("[-2,-5]"), Error::Entry { .. }, "vision_feature_layer");
    assert!(made(&layer("-3"), "F16", "x", ONE).is_ok());
    refused!(llava("strategy\":\"default\"", "strategy\":\"full\""), Error::Unsupported { .. }, "full");
}

#[test]
fn indices_that_lie() {
    let index = |map: &str| llama().without(WEIGHTS).with(INDEX, format!("{{\"weight_map\":{map}}}"));
    refused!(index("{\"a\":\"gone.safetensors\"}"), Error::NoShard { .. }, "gone.safetensors", "\"a\"");
    refused!(index("{\"a\":\"../../secret\"}"), Error::NoShard { .. }, "secret");
    refused!(index("{\"a\":7}"), Error::Entry { .. }, "weight_map.a");
    refused!(index("[]"), Error::Entry { .. }, "weight_map");
    refused!(llama().with(INDEX, "{}"), Error::Entry { .. }, "weight_map", "missing");
    let list = tensors("llama-tied");
    let shard = |map: &[&str]| {
        let map: Vec<String> = map.iter().map(|name| format!("\"{name}\":\"s.safetensors\"")).collect();
        index(&format!("{{{}}}", map.join(","))).with("s.safetensors", safetensors(&list[..2]))
    };
    let [first, second] = [&list[0].name, &list[1].name];
    refused!(shard(&[first, second, "more"]), Error::NotInShard { .. }, "\"more\"", "s.safetensors");
    refused!(shard(&[first]), Error::NotInIndex { .. }, second.as_str());
}

#[test]
fn pickles_are_refused_with_advice() {
    let bare = || llama().without(WEIGHTS);
    let advice = "save_pretrained";
    refused!(bare().with("pytorch_model.bin", "x"), Error::Pickle { .. }, "pytorch_model.bin", advice);
    refused!(bare().with("consolidated.00.pth", "x"), Error::Pickle { .. }, "consolidated.00.pth", advice);
    refused!(bare(), Error::NoWeights, WEIGHTS);
}

#[test]
fn tokenizers_that_lie() {
    let said = |from: &str, to: &str| llama().replaced(TOKENIZER, from, to);
    refused!(said("\"!\":3", "\"!\":300"), Error::Token { id: 300, size: 300, .. }, "\"!\"");
    refused!(said("\"!\":3", "\"!\":4"), Error::TokenTwice { id: 4, .. }, "have one id");
    refused!(said("\"!\":3", "\"!\":-3"), Error::Entry { .. }, "-3");
    refused!(said("\"type\":\"BPE\"", "\"type\":\"Unigram\""), Error::Unsupported { .. }, "Unigram");
    refused!(
        said("\"individual_digits\":true", "\"individual_digits\":false"),
        Error::Unsupported { .. },
        "Digits"
    );
    refused!(
        said("\"normalizer\":null", "\"normalizer\":{\"type\":\"NFC\"}"),
        Error::Unsupported { .. },
        "NFC"
    );
    refused!(llama().without(TOKENIZER), Error::NoFile { .. }, "tokenizer.json");
    refused!(llama().with(TOKENIZER, b"\xff".to_vec()), Error::Json { .. }, TOKENIZER);
    refused!(
        llama().with("chat_template.jinja", b"a\xff".to_vec()),
        Error::Utf8 { at: 1, .. },
        "chat_template.jinja"
    );
    let vicuna = Memory::golden("vicuna");
    let model = vicuna.0["tokenizer.model"].clone();
    let cut = vicuna.clone().with("tokenizer.model", model[..model.len() / 2].to_vec());
    refused!(cut, Error::Protobuf { .. }, "tokenizer.model", "at byte");
    refused!(
        vicuna.clone().with("tokenizer.model", vec![0xff; 20]),
        Error::Protobuf { at: 0, .. },
        "64 bits"
    );
    refused!(vicuna.with("tokenizer.model", ""), Error::Unsupported { .. }, "BPE");
}

#[test]
fn numbers_that_cannot_be_stored() {
    let mut list = tensors("llama-tied");
    let query = list.iter_mut().find(|tensor| tensor.name.ends_with("0.mlp.up_proj.weight")).unwrap();
    query.data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    refused!(llama().with(WEIGHTS, safetensors(&list)), Error::Encode { .. }, "blk.0.ffn_up.weight");
}

/// A generator that needs no seed from outside: the same accidents in every run.
fn random(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

#[test]
fn accidents_end_in_an_error_or_a_file() {
    let mut state = 1;
    let (mut files, mut errors) = (0, 0);
    for case in ["llama-tied", "vicuna", "smolvlm-2", "llava"] {
        let golden = Memory::golden(case);
        for (file, bytes) in &golden.0 {
            // Of the weights only the header says anything.
            let said = if file == WEIGHTS { bytes.len().min(6000) } else { bytes.len() };
            for _ in 0..12 {
                let mut broken = bytes.clone();
                for _ in 0..=random(&mut state) % 3 {
                    let at = random(&mut state) % said;
                    match random(&mut state) % 3 {
                        0 => broken[at] = random(&mut state) as u8,
                        1 => broken[at] = b"0123456789\"{}[],-"[random(&mut state) % 17],
                        _ => broken.truncate(at + 1),
                    }
                    if broken.len() <= said {
                        break;
                    }
                }
                match made(&golden.clone().with(file, broken), "F16", "x", ONE) {
                    Ok(_) => files += 1,
                    Err(error) => {
                        assert!(!error.to_string().is_empty());
                        errors += 1;
                    }
                }
            }
        }
    }
    assert!(files > 10 && errors > 100, "{files} files, {errors} errors");
}
