//! `inspect`, and the help that a newcomer reads.

use super::{golden, ocelli};

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
