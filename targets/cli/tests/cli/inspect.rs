//! `inspect`, and the help that a newcomer reads.

use super::{fresh_folder, golden, ocelli, refused};
use ocelli_gguf::{Gguf, TensorType, Writer};

#[test]
fn inspect_shows_what_is_in_a_file_and_what_runs_it() {
    for (name, engine) in [
        ("smolvlm.gguf", "language model 'llama'"),
        ("qwen2.gguf", "language model 'qwen2'"),
        ("mmproj-smolvlm-x2.gguf", "vision tower 'idefics3'"),
        ("mmproj-llava-legacy.gguf", "vision tower 'mlp'"),
    ] {
        let ran = ocelli(&["inspect", &golden(name)]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{name}");
        let size = std::fs::metadata(golden(name)).unwrap().len().to_string();
        for words in [engine, "general.architecture", "F32", &size, "kernels: ", "scalar"] {
            assert!(ran.out.contains(words), "{name}: {words:?} is not in {}", ran.out);
        }
        assert!(!ran.out.contains("  blk.0.attn_q.weight") && !ran.out.contains("  v.blk.0.attn_q.weight"));
    }
}

#[test]
fn inspect_lists_tensors_and_whole_values_when_asked() {
    let quantized = ocelli(&["inspect", "--tensors", &golden("every-format-llama.gguf")]).out;
    let line = quantized.lines().find(|line| line.contains("blk.0.attn_q.weight")).unwrap();
    assert!(line.contains("Q4_K") && line.contains("[256, 256]"), "{line}");
    for format in ["Q4_0", "Q5_1", "IQ4_NL", "IQ4_XS", "Q2_K", "BF16"] {
        assert!(quantized.contains(format), "{format}");
    }
    assert!(!quantized.contains("cannot be computed with"));
    let name = golden("smolvlm.gguf");
    let (short, full) = (ocelli(&["inspect", &name]).out, ocelli(&["inspect", "--full", &name]).out);
    let template = |out: &str| {
        let line = out.lines().find(|line| line.contains("tokenizer.chat_template")).unwrap();
        line.to_string()
    };
    assert!(template(&short).ends_with('…') && template(&short).chars().count() < 140);
    assert!(template(&full).contains("add_generation_prompt"));
}

/// A golden file with more in it.
fn more(name: &str, to: &str, keys: &[(&str, u32)], tensors: &[&str]) -> String {
    let bytes = std::fs::read(golden(name)).unwrap();
    let file = Gguf::parse(&bytes).unwrap();
    let mut writer = Writer::new();
    file.metadata().for_each(|(key, value)| {
        writer.metadata(key, value);
    });
    keys.iter().for_each(|(key, value)| {
        writer.metadata(key, *value);
    });
    for tensor in file.tensors() {
        writer.tensor(tensor.name, tensor.kind, tensor.dims(), tensor.data);
    }
    tensors.iter().for_each(|name| {
        writer.tensor(name, TensorType::F32, &[4], &[0; 16]);
    });
    let path = fresh_folder("left").join(to);
    std::fs::write(&path, writer.finish().unwrap()).unwrap();
    path.display().to_string()
}

#[test]
fn inspect_lists_all_that_nobody_reads_and_running_is_refused_for_the_first() {
    let keys =
        [("llama.attention.sliding_window", 64), ("tokenizer.ggml.mystery", 7), ("general.mystery", 1)];
    let file = more("llama-tied.gguf", "left.gguf", &keys, &["blk.0.attn_q_norm.weight"]);
    let ran = ocelli(&["inspect", &file]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let (_, left) = ran.out.split_once("Not read").unwrap();
    for line in
        ["llama.attention.sliding_window = 64", "tokenizer.ggml.mystery = 7", "blk.0.attn_q_norm.weight"]
    {
        assert!(left.contains(line), "{line}: {left}");
    }
    assert!(!left.contains("general.mystery"));
    let says = ["left.gguf", "llama.attention.sliding_window (64)"];
    refused(&ocelli(&["run", "-m", &file, "--raw", "-n", "1", "x"]), 3, &says);

    let file = more("mmproj-llava-modern.gguf", "mmproj-next.gguf", &[], &["model.image_newline"]);
    let says = "LLaVA-1.6 (LLaVA-NeXT) is not supported: it has model.image_newline";
    let ran = ocelli(&["inspect", &file]);
    assert!(ran.out.contains(says) && !ran.out.contains("LLaVA-1.5"), "{}", ran.out);
    let args = ["run", "-m", &golden("vicuna.gguf"), "--mmproj", &file, "--image", &golden("photo.png"), "x"];
    refused(&ocelli(&args), 3, &["mmproj-next.gguf", says]);
}

#[test]
fn help_is_for_newcomers() {
    let help = ocelli(&["--help"]);
    assert_eq!(help.code, Some(0));
    for words in ["Examples:", "ocelli run --model", "ocelli chat", "ocelli plan", "Exit codes:", "--model"] {
        assert!(help.out.contains(words), "{words}");
    }
    let run = ocelli(&["run", "--help"]).out;
    for option in [
        "model",
        "mmproj",
        "image",
        "system",
        "temperature",
        "top-k",
        "top-p",
        "min-p",
        "seed",
        "max-tokens",
        "threads",
        "context",
        "raw",
        "stop",
        "repetition-penalty",
        "memory-limit",
        "fit",
        "deadline",
        "no-mmap",
        "json",
        "logprobs",
        "kv",
        "image-tokens",
        "preprocess",
        "max-pixels",
    ] {
        assert!(run.contains(&format!("--{option}")), "--{option}");
    }
    assert_eq!(ocelli(&["--version"]).out, format!("ocelli {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(ocelli(&[]).code, Some(2), "no command is an error, with help");
}
