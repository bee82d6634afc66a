//! `ocelli convert`: checkpoints become models that answer as the references do.

use super::{asked, case_numbers, checkpoint, fresh_folder, golden, numbers, ocelli, refused};
use std::path::{Path, PathBuf};

/// A golden checkpoint on the disk.
fn laid_out(case: &str, name: &str) -> PathBuf {
    let folder = fresh_folder(name).join("Some-Model-v1");
    std::fs::create_dir_all(&folder).unwrap();
    for (file, bytes) in checkpoint::files(case) {
        std::fs::write(folder.join(file), bytes).unwrap();
    }
    folder
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn checkpoints_answer_as_their_references() {
    let question = "What is the number?";
    for (case, prompt, golden_case, more) in [
        (
            "llama-tied",
            "The red lamp on the panel is lit, and it's 12345 o'clock.",
            "llama-tied-raw",
            &["--raw"][..],
        ),
        ("qwen2", "The red lamp on the panel is lit, and it's 12345 o'clock.", "qwen2-raw", &["--raw"]),
        ("smolvlm-2", question, "smolvlm-first", &["--image", "photo.png"]),
        (
            "llava",
            "USER: <image>\nWhat is the number? ASSISTANT:",
            "llava-first",
            &["--raw", "--image", "photo.png"],
        ),
    ] {
        let folder = laid_out(case, &format!("convert-{case}"));
        let out = folder.join("made.gguf");
        let ran = ocelli(&["convert", &text(&folder), "-o", &text(&out), "--type", "f32"]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let files = ran.out.lines().filter(|line| line.contains(" bytes, ")).count();
        assert_eq!(files, if more.contains(&"--image") { 2 } else { 1 }, "{}", ran.out);
        let (model, photo) = (text(&out), golden("photo.png"));
        let more: Vec<&str> =
            more.iter().map(|arg| if *arg == "photo.png" { photo.as_str() } else { arg }).collect();
        let answer = asked(&[&["--model", model.as_str(), "-n", "12"][..], &more, &[prompt]].concat());
        assert_eq!(numbers(&answer["ids"]), case_numbers(golden_case, "greedy"), "{case}");
        let _ = std::fs::remove_dir_all(folder.parent().unwrap());
    }
}

#[test]
fn names_and_refusals() {
    let folder = laid_out("smolvlm-2", "convert-names");
    let convert = |more: &[&str]| ocelli(&[&["convert", &text(&folder)], more].concat());
    let ran = convert(&["--type", "q4_k_m"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for name in ["Some-Model-v1-Q4_K_M.gguf", "mmproj-Some-Model-v1-Q8_0.gguf"] {
        assert!(folder.join(name).is_file(), "{name}");
        assert!(ran.out.contains(name), "{}", ran.out);
    }
    let shown = ocelli(&["inspect", &text(&folder.join("Some-Model-v1-Q4_K_M.gguf"))]);
    assert!(shown.out.contains("Some Model v1"), "{}", shown.out);
    refused(&convert(&["--type", "q4_k_m"]), 2, &["Some-Model-v1-Q4_K_M.gguf", "exists already", "--force"]);
    assert_eq!(convert(&["--type", "q4_k_m", "--force"]).code, Some(0));
    refused(&convert(&["--type", "q9"]), 2, &["q9"]);
    refused(&convert(&["-o", &text(&folder.join("no/such/folder/x.gguf"))]), 1, &["x.gguf"]);

    std::fs::remove_file(folder.join("model.safetensors")).unwrap();
    std::fs::write(folder.join("pytorch_model.bin"), "x").unwrap();
    refused(&convert(&["--type", "f16"]), 3, &["pytorch_model.bin", "save_pretrained"]);
    refused(&ocelli(&["convert", &text(&folder)]), 3, &["pytorch_model.bin"]);
    let nowhere = text(&folder.join("nowhere"));
    refused(&ocelli(&["convert", &nowhere]), 3, &[&format!("the folder {nowhere}: No such file")]);
    let file = text(&folder.join("config.json"));
    refused(&ocelli(&["convert", &file]), 3, &[&format!("{file} is no folder")]);
    std::fs::remove_file(folder.join("config.json")).unwrap();
    refused(&ocelli(&["convert", &text(&folder)]), 3, &["there is no config.json"]);
    let left =
        std::fs::read_dir(&folder).unwrap().flatten().filter(|entry| text(&entry.path()).ends_with(".part"));
    assert_eq!(left.count(), 0);
    let _ = std::fs::remove_dir_all(folder.parent().unwrap());
}

/// What `plan` would refuse is not written: the files are read back before a weight is.
#[test]
fn what_could_not_be_loaded_is_not_written() {
    let with = |case: &str, file: &str, from: &str, to: &str| {
        let folder = laid_out(case, &format!("convert-read-back-{case}"));
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let at = bytes.windows(from.len()).position(|part| part == from.as_bytes());
        let at = at.unwrap_or_else(|| panic!("{from} is not in {file}"));
        let changed = [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat();
        std::fs::write(folder.join(file), changed).unwrap();
        folder
    };
    let (config, model) = ("config.json", "tokenizer.model");
    for (case, file, from, to, says) in [
        (
            "vicuna",
            model,
            "<0x41>",
            "<0xZZ>",
            &["tokenizer.model: ", "is of type byte and does not read <0xHH>"][..],
        ),
        (
            "llava",
            "preprocessor_config.json",
            "0.26862954",
            "0.0",
            &["preprocessor_config.json: ", "must be finite"],
        ),
        (
            "llava",
            "preprocessor_config.json",
            "0.40821073",
            "1e308",
            &["preprocessor_config.json: image_mean"],
        ),
        (
            "llama-tied",
            config,
            "\"max_position_embeddings\":2048",
            "\"max_position_embeddings\":33554432",
            &["config.json: ", "llama.context_length", "16777216"],
        ),
    ] {
        let folder = with(case, file, from, to);
        let out = folder.join("out.gguf");
        refused(&ocelli(&["convert", &text(&folder), "-o", &text(&out)]), 3, says);
        let made = std::fs::read_dir(&folder).unwrap().flatten();
        let made: Vec<_> = made
            .map(|entry| entry.file_name())
            .filter(|name| name.to_string_lossy().contains("gguf"))
            .collect();
        assert!(made.is_empty(), "{made:?}");
        let _ = std::fs::remove_dir_all(folder.parent().unwrap());
    }
    // A file that is there already stays as it was.
    let folder = with("vicuna", model, "<0x41>", "<0xZZ>");
    let out = folder.join("out.gguf");
    std::fs::write(&out, "old").unwrap();
    refused(&ocelli(&["convert", &text(&folder), "-o", &text(&out), "--force"]), 3, &["tokenizer.model"]);
    assert_eq!(std::fs::read(&out).unwrap(), b"old");
    let _ = std::fs::remove_dir_all(folder.parent().unwrap());
    // A template that is not rendered here is the checkpoint's all the same, and that it is not is said.
    let folder = laid_out("llama-tied", "convert-odd-template");
    std::fs::write(folder.join("chat_template.jinja"), "{% nothing %}").unwrap();
    let out = folder.join("out.gguf");
    let ran = ocelli(&["convert", &text(&folder), "-o", &text(&out)]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("out.gguf: ") && ran.err.contains("--raw"), "{}", ran.err);
    let _ = std::fs::remove_dir_all(folder.parent().unwrap());
}
