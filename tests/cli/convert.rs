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
