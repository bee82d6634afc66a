//! What a file says is used or refused: every family with one more tensor, one more key, and those that may be left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use ocelli::Model;
use ocelli_gguf::{Gguf, TensorType, ToValue, Writer};
use std::path::Path;

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/models").join(name)).unwrap()
}

/// A value of a key.
#[derive(Clone, Copy, Debug)]
enum Is {
    Bool(bool),
    Size(u32),
    Float(f32),
    Text(&'static str),
    Sizes(&'static [i32]),
    Texts(&'static [&'static str]),
}

use Is::{Bool, Float, Size, Sizes, Text, Texts};

fn put(writer: &mut Writer<'_>, key: &str, value: Is) {
    fn to(writer: &mut Writer<'_>, key: &str, value: impl ToValue) {
        writer.metadata(key, value);
    }
    match value {
        Bool(value) => to(writer, key, value),
        Size(value) => to(writer, key, value),
        Float(value) => to(writer, key, value),
        Text(value) => to(writer, key, value),
        Sizes(value) => to(writer, key, value),
        Texts(value) => to(writer, key, value),
    }
}

/// A golden file with other keys, and with tensors of four zeros.
fn with(name: &str, keys: &[(&str, Is)], tensors: &[&str]) -> Vec<u8> {
    let bytes = golden(name);
    let file = Gguf::parse(&bytes).unwrap();
    let mut writer = Writer::new();
    for (key, value) in file.metadata().filter(|(key, _)| !keys.iter().any(|(new, _)| new == key)) {
        writer.metadata(key, value);
    }
    for (key, value) in keys {
        put(&mut writer, key, *value);
    }
    for tensor in file.tensors() {
        writer.tensor(tensor.name, tensor.kind, tensor.dims(), tensor.data);
    }
    for tensor in tensors {
        writer.tensor(tensor, TensorType::F32, &[4], &[0; 16]);
    }
    writer.finish().unwrap()
}

/// The file with the model it belongs to.
fn open(name: &str, bytes: &[u8]) -> Result<(), String> {
    let text = golden(if name.contains("llava") { "vicuna.gguf" } else { "smolvlm.gguf" });
    let model = if name.starts_with("mmproj") {
        Model::from_bytes(&text, Some(bytes)).map(|_| ())
    } else {
        Model::from_bytes(bytes, None).map(|_| ())
    };
    model.map_err(|error| error.to_string())
}

const TEXTS: [&str; 4] = ["llama-tied.gguf", "qwen2.gguf", "vicuna.gguf", "smolvlm.gguf"];
const TOWERS: [&str; 5] = [
    "mmproj-smolvlm-x2.gguf",
    "mmproj-smolvlm-x3.gguf",
    "mmproj-llava-legacy.gguf",
    "mmproj-llava-modern.gguf",
    "mmproj-llava-feature.gguf",
];

fn architecture(name: &str) -> &'static str {
    if name.starts_with("mmproj") {
        "clip.vision"
    } else if name.starts_with("qwen2") {
        "qwen2"
    } else {
        "llama"
    }
}

#[test]
fn a_tensor_that_nothing_takes_is_refused_by_its_name() {
    for name in TEXTS {
        for tensor in [
            "blk.0.attn_q_norm.weight",
            "blk.1.attn_sinks.weight",
            "blk.0.post_ffw_norm.weight",
            "blk.2.attn_norm.weight",
            "blk.0.ffn_gate_inp.weight",
            "blk.0.attn_qkv.weight",
            "blk.0.attn_q.scale",
            "output_norm_2.weight",
            "token_types.weight",
            "position_embd.weight",
            "v.patch_embd.weight",
            "mystery",
        ] {
            let error = open(name, &with(name, &[], &[tensor])).unwrap_err();
            assert!(error.contains(tensor) && error.contains("no part"), "{name}: {error}");
        }
    }
    for name in TOWERS {
        for tensor in [
            "v.blk.0.ls1.weight",
            "v.blk.1.attn_q_norm.weight",
            "v.blk.0.ffn_gate.weight",
            "v.blk.3.ln1.weight",
            "v.patch_embd.weight.1",
            "v.norm_embd.weight",
            "v.view_seperator",
            "mm.4.weight",
            "mm.input_norm.weight",
            "a.blk.0.ln1.weight",
            "t.token_embd.weight",
            "resampler.query",
        ] {
            let error = open(name, &with(name, &[], &[tensor])).unwrap_err();
            assert!(error.contains(tensor) && error.contains("no part"), "{name}: {error}");
        }
    }
}

#[test]
fn a_key_that_nothing_reads_is_refused_with_its_value() {
    for name in TEXTS.iter().chain(&TOWERS) {
        let own = architecture(name);
        for (key, value, said) in [
            ("attention.sliding_window", Size(64), "(64)"),
            ("attention.scale", Float(0.5), "(0.5)"),
            ("attention.causal", Bool(false), "(false)"),
            ("attn_logit_softcapping", Float(50.0), "(50)"),
            ("final_logit_softcapping", Float(30.0), "(30)"),
            ("logit_scale", Float(0.0625), "(0.0625)"),
            ("embedding_scale", Float(12.0), "(12)"),
            ("residual_scale", Float(0.22), "(0.22)"),
            ("rope.dimension_sections", Sizes(&[16, 24, 24, 0]), "([16, 24, 24, 0])"),
            ("rope.freq_base_swa", Float(1e4), "(10000)"),
            ("attention.key_length_swa", Size(16), "(16)"),
            ("hidden_activation", Text("gelu"), "('gelu')"),
            ("pooling_type", Size(3), "(3)"),
            ("mystery", Texts(&["a", "b"]), "(['a', 'b'])"),
        ] {
            let key = format!("{own}.{key}");
            let error = open(name, &with(name, &[(&key, value)], &[])).unwrap_err();
            assert!(error.contains(&format!("{key} {said}")), "{name}: {error}");
        }
        for key in ["rope.scale_linear", "attention.scale", "ocelli.mystery", "clip.mystery"] {
            let error = open(name, &with(name, &[(key, Float(4.0))], &[])).unwrap_err();
            assert!(error.contains(&format!("{key} (4)")), "{name}: {error}");
        }
        // Not the model's: who made the file, how, and what others add.
        let others: [(&str, Is); 5] = [
            ("general.url", Text("nowhere")),
            ("quantize.imatrix.file", Text("imatrix.dat")),
            ("quantize.imatrix.entries_count", Size(224)),
            ("somebody.quantize_version", Size(2)),
            ("general.mystery", Float(1.0)),
        ];
        open(name, &with(name, &others, &[])).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn a_key_that_would_change_what_texts_become_is_refused() {
    for name in TEXTS {
        for (key, value) in [
            ("remove_extra_whitespaces", Bool(true)),
            ("add_sep_token", Bool(true)),
            ("normalizer.lowercase", Bool(true)),
            ("normalizer.strip_accents", Bool(true)),
            ("precompiled_charsmap", Sizes(&[1, 2])),
            ("suppress_tokens", Sizes(&[7])),
            ("escape_whitespaces", Bool(false)),
            ("mystery", Size(1)),
        ] {
            let key = format!("tokenizer.ggml.{key}");
            let error = open(name, &with(name, &[(&key, value)], &[])).unwrap_err();
            assert!(error.contains(&key), "{name}: {error}");
        }
        let space = with(name, &[("tokenizer.ggml.add_space_prefix", Bool(true))], &[]);
        // What a SentencePiece vocabulary says is done; with byte-level tokens nothing adds a space.
        assert_eq!(open(name, &space).is_ok(), name == "vicuna.gguf");
    }
    let pre = with("vicuna.gguf", &[("tokenizer.ggml.pre", Text("llama-bpe"))], &[]);
    assert!(open("vicuna.gguf", &pre).unwrap_err().contains("tokenizer.ggml.pre ('llama-bpe')"));
}

/// Keys that say what is so anyway, and such as published files have.
#[test]
fn what_changes_nothing_may_be_left() {
    for name in TEXTS {
        let own = architecture(name);
        let neutral: [(&str, Is); 18] = [
            ("rope.scaling.finetuned", Bool(true)),
            ("rope.scaling.original_context_length", Size(4096)),
            ("rope.scaling.type", Text("none")),
            ("attention.layer_norm_epsilon", Float(1e-5)),
            ("attention.causal", Bool(true)),
            ("attention.sliding_window", Size(0)),
            ("attention.scale", Float(0.0)),
            ("use_parallel_residual", Bool(false)),
            ("expert_count", Size(0)),
            ("expert_used_count", Size(0)),
            ("attn_logit_softcapping", Float(0.0)),
            ("final_logit_softcapping", Float(0.0)),
            ("logit_scale", Float(1.0)),
            ("residual_scale", Float(1.0)),
            ("embedding_scale", Float(1.0)),
            ("pooling_type", Size(0)),
            ("hidden_activation", Text("silu")),
            ("attention.key_length", Size(16)),
        ];
        let named: Vec<(String, Is)> = neutral.iter().map(|(k, v)| (format!("{own}.{k}"), *v)).collect();
        let mut keys: Vec<(&str, Is)> = named.iter().map(|(k, v)| (k.as_str(), *v)).collect();
        keys.extend([
            ("tokenizer.ggml.padding_token_id", Size(0)),
            ("tokenizer.ggml.seperator_token_id", Size(0)),
            ("tokenizer.ggml.mask_token_id", Size(0)),
            ("tokenizer.ggml.cls_token_id", Size(0)),
            ("tokenizer.ggml.fim_pre_token_id", Size(0)),
            ("tokenizer.ggml.prefix_token_id", Size(0)),
            ("tokenizer.ggml.token_type_count", Size(1)),
            ("tokenizer.ggml.add_sep_token", Bool(false)),
            ("tokenizer.ggml.remove_extra_whitespaces", Bool(false)),
            ("tokenizer.ggml.add_space_prefix", Bool(false)),
            ("tokenizer.ggml.precompiled_charsmap", Sizes(&[])),
            ("tokenizer.huggingface.json", Text("{}")),
            ("tokenizer.chat_template.tool_use", Text("{{ messages }}")),
            ("tokenizer.chat_templates", Texts(&["tool_use"])),
        ]);
        if own == "qwen2" {
            keys.push(("qwen2.use_parallel_residual", Bool(true)));
            keys.retain(|(key, value)| !(key.ends_with("parallel_residual") && matches!(value, Bool(false))));
        } else {
            keys.push(("llama.tensor_data_layout", Text("Meta AI original pth")));
        }
        open(name, &with(name, &keys, &[])).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    // TinyLlama's files have merges beside the scores of their pieces.
    let merges = with("vicuna.gguf", &[("tokenizer.ggml.merges", Texts(&["a b"]))], &[]);
    open("vicuna.gguf", &merges).unwrap();
    let tower: [(&str, Is); 8] = [
        ("clip.has_text_encoder", Bool(false)),
        ("clip.has_vision_encoder", Bool(true)),
        ("clip.has_audio_encoder", Bool(false)),
        ("clip.has_llava_projector", Bool(true)),
        ("clip.vision.projection_dim", Size(768)),
        ("clip.use_silu", Bool(false)),
        ("general.description", Text("image encoder for LLaVA")),
        ("general.file_type", Size(1)),
    ];
    for name in TOWERS {
        open(name, &with(name, &tower, &[])).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    // As the scripts write them out of LLaVA-1.5's configuration.
    let llava: [(&str, Is); 3] = [
        ("clip.vision.image_aspect_ratio", Text("pad")),
        ("clip.vision.mm_patch_merge_type", Text("flat")),
        ("clip.vision.mm_projector_type", Text("mlp2x_gelu")),
    ];
    for name in &TOWERS[2..] {
        let file = with(
            name,
            &llava,
            &["v.post_ln.weight", "v.post_ln.bias"][..2 * usize::from(*name != TOWERS[4])],
        );
        open(name, &file).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// What a key says twice must be the same both times.
#[test]
fn a_key_that_says_something_again_is_held_against_it() {
    for (name, key, value) in [
        ("llama-tied.gguf", "llama.vocab_size", Size(299)),
        ("qwen2.gguf", "qwen2.vocab_size", Size(4000)),
        ("llama-tied.gguf", "llama.tensor_data_layout", Text("reference")),
        ("qwen2.gguf", "qwen2.tensor_data_layout", Text("Meta AI original pth")),
        ("llama-tied.gguf", "llama.use_parallel_residual", Bool(true)),
        ("llama-tied.gguf", "llama.expert_count", Size(8)),
        ("mmproj-smolvlm-x2.gguf", "clip.vision.attention.head_count_kv", Size(2)),
        ("mmproj-smolvlm-x2.gguf", "clip.vision.attention.head_dim", Size(8)),
        ("mmproj-smolvlm-x2.gguf", "clip.vision.activation", Text("gelu_quick")),
        ("mmproj-smolvlm-x2.gguf", "clip.preproc.mode", Text("pad_square")),
        ("mmproj-smolvlm-x2.gguf", "clip.vision.feature_layer", Sizes(&[1])),
        ("mmproj-smolvlm-x2.gguf", "clip.vision.image_min_pixels", Size(64)),
        ("mmproj-smolvlm-x2.gguf", "clip.vision.spatial_merge_size", Size(2)),
        ("mmproj-smolvlm-x2.gguf", "clip.has_audio_encoder", Bool(true)),
        ("mmproj-smolvlm-x2.gguf", "clip.has_vision_encoder", Bool(false)),
        ("mmproj-llava-modern.gguf", "clip.has_text_encoder", Bool(true)),
        ("mmproj-llava-modern.gguf", "clip.use_silu", Size(1)),
        ("mmproj-llava-modern.gguf", "clip.vision.projector.scale_factor", Size(2)),
        ("mmproj-llava-modern.gguf", "clip.vision.preproc_image_size", Size(64)),
        ("mmproj-llava-modern.gguf", "clip.vision.mm_projector_type", Text("linear")),
        ("mmproj-llava-modern.gguf", "clip.vision.image_aspect_ratio", Text("highres")),
        ("mmproj-llava-modern.gguf", "clip.minicpmv_version", Size(2)),
    ] {
        let error = open(name, &with(name, &[(key, value)], &[])).unwrap_err();
        assert!(error.contains(key), "{name} with {key}: {error}");
    }
    let ways =
        [("clip.vision.image_aspect_ratio", Text("pad")), ("clip.preproc.mode", Text("shortest_crop"))];
    let error = open(TOWERS[3], &with(TOWERS[3], &ways, &[])).unwrap_err();
    assert!(error.contains("two ways"), "{error}");
}

#[test]
fn relatives_of_llava_are_refused_by_their_names() {
    let pinpoints = ("clip.vision.image_grid_pinpoints", Sizes(&[32, 64, 64, 32]));
    for name in &TOWERS[2..] {
        for (keys, tensors) in [
            (&[pinpoints][..], &[][..]),
            (&[("clip.vision.image_aspect_ratio", Text("anyres"))], &[]),
            (&[("clip.vision.image_aspect_ratio", Text("anyres_max_9"))], &[]),
            (&[("clip.vision.mm_patch_merge_type", Text("spatial_unpad"))], &[]),
            (&[], &["model.image_newline"]),
            (&[], &["v.image_newline"]),
        ] {
            let error = open(name, &with(name, keys, tensors)).unwrap_err();
            assert!(error.contains("LLaVA-1.6 (LLaVA-NeXT) is not supported"), "{name}: {error}");
        }
        let norms = open(name, &with(name, &[], &["mm.3.weight", "mm.4.weight"])).unwrap_err();
        assert!(norms.contains("a projector with norms"), "{name}: {norms}");
    }
}

/// The same numbers in two parts, and the tensor that is too many in either.
#[test]
fn parts_of_a_split_model_are_accounted_for_together() {
    use ocelli::{Bytes, TowerFiles};
    let bytes = golden("llama-tied.gguf");
    let file = Gguf::parse(&bytes).unwrap();
    let half = file.tensors().len() / 2;
    let parts = |extra: Option<usize>, keys: &[(&str, Is)]| -> Vec<Bytes<'static>> {
        let all = file.tensors().len() + usize::from(extra.is_some());
        let part = |number: usize| {
            let mut writer = Writer::new();
            if number == 0 {
                file.metadata().for_each(|(key, value)| {
                    writer.metadata(key, value);
                });
            }
            if number == 1 {
                keys.iter().for_each(|(key, value)| put(&mut writer, key, *value));
            }
            writer.metadata("split.no", number as u16).metadata("split.count", 2u16);
            writer.metadata("split.tensors.count", all as i32);
            let tensors = if number == 0 { &file.tensors()[..half] } else { &file.tensors()[half..] };
            for tensor in tensors {
                writer.tensor(tensor.name, tensor.kind, tensor.dims(), tensor.data);
            }
            if extra == Some(number) {
                writer.tensor("blk.0.attn_k_norm.weight", TensorType::F32, &[4], &[0; 16]);
            }
            Bytes::Owned(writer.finish().unwrap())
        };
        [part(0), part(1)].into()
    };
    let open = |extra, keys: &[(&str, Is)]| {
        let files = TowerFiles { name: "split".into(), parts: parts(extra, keys) };
        Model::from_files(files, None).map(|_| ()).map_err(|error| error.to_string())
    };
    open(None, &[]).unwrap();
    for part in [0, 1] {
        assert!(open(Some(part), &[]).unwrap_err().contains("blk.0.attn_k_norm.weight"));
    }
    // Keys of the second part are not read: they may say the same as those of the first, and nothing else.
    open(None, &[("llama.block_count", Size(2)), ("general.name", Text("part"))]).unwrap();
    for key in ["llama.block_count", "llama.rope.scaling.factor"] {
        assert!(open(None, &[(key, Size(4))]).unwrap_err().contains(&format!("{key} (4)")));
    }
}
