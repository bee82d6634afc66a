//! Models with random weights: whole, the same every time, readable in every type, and never half there.

use super::{asked, fresh_folder, golden, numbers, ocelli, refused};
use ocelli_gguf::Gguf;
use std::collections::BTreeSet;
use std::path::Path;

const TYPES: [&str; 17] = [
    "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
    "IQ4_NL", "IQ4_XS", "Q4_K_M", "Q5_K_M",
];

/// Makes the tiny shape and returns the paths of its two files.
fn tiny(folder: &Path, text: &str, tower: &str, rest: &[&str]) -> [String; 2] {
    let out = folder.display().to_string();
    let args = ["synthesize", "tiny", "--type", text, "--mmproj-type", tower, "-o", &out];
    let ran = ocelli(&[&args[..], rest].concat());
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{text}");
    [format!("tiny-{text}.gguf"), format!("mmproj-tiny-{tower}.gguf")].map(|name| {
        let path = folder.join(name).display().to_string();
        assert!(ran.out.contains(&path), "{}", ran.out);
        path
    })
}

/// The types of a file's tensors.
fn kinds(path: &str) -> BTreeSet<String> {
    let bytes = std::fs::read(path).unwrap();
    let file = Gguf::parse(&bytes).unwrap();
    file.tensors().iter().map(|tensor| tensor.kind.name().to_string()).collect()
}

#[test]
fn every_type_is_made_and_answers_about_a_picture() {
    let folder = fresh_folder("types");
    let photo = golden("photo.png");
    for name in TYPES {
        let [text, tower] = tiny(&folder, name, name, &[]);
        let answer =
            asked(&["--model", &text, "--mmproj", &tower, "--image", &photo, "-n", "2", "What is this?"]);
        assert_eq!(numbers(&answer["ids"]).len(), 2, "{name}");
        // Four rows for each tile and for the whole.
        assert!(answer["image_tokens"].as_u64().unwrap() >= 4, "{name}");
        let base = name.strip_suffix("_M").unwrap_or(name);
        assert!(kinds(&text).contains(base) && kinds(&tower).contains(base), "{name}");
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (one, two) = (fresh_folder("seed-one"), fresh_folder("seed-two"));
    let read = |paths: [String; 2]| paths.map(|path| std::fs::read(path).unwrap());
    let first = read(tiny(&one, "Q4_K_M", "Q8_0", &["--seed", "7"]));
    assert!(first == read(tiny(&two, "Q4_K_M", "Q8_0", &["--seed", "7"])));
    let other = read(tiny(&two, "Q4_K_M", "Q8_0", &["--seed", "8", "--force"]));
    assert_eq!(first.each_ref().map(Vec::len), other.each_ref().map(Vec::len));
    assert!(first[0] != other[0] && first[1] != other[1]);
    // A tensor is what it is whatever the others are: the norms are those of another type's file.
    let same = std::fs::read(&tiny(&two, "Q6_K", "F16", &["--seed", "7"])[0]).unwrap();
    let norm =
        |bytes: &[u8]| Gguf::parse(bytes).unwrap().tensor("blk.1.ffn_norm.weight").unwrap().data.to_vec();
    assert_eq!(norm(&first[0]), norm(&same));
    let _ = (std::fs::remove_dir_all(one), std::fs::remove_dir_all(two));
}

#[test]
fn names_may_be_in_any_case_and_a_tower_follows_its_text() {
    let folder = fresh_folder("case");
    let out = folder.display().to_string();
    for (name, tower) in [("q4_0", "Q8_0"), ("bf16", "BF16")] {
        let ran = ocelli(&["synthesize", "TINY", "--type", name, "-o", &out]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert!(folder.join(format!("mmproj-tiny-{tower}.gguf")).is_file(), "{}", ran.out);
        assert!(ran.out.contains("ocelli run --model") && ran.out.contains("--mmproj"), "{}", ran.out);
    }
    let ran = ocelli(&["synthesize", "tiny", "--type", "q5_1", "--mmproj-type", "none", "-o", &out]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(folder.join("tiny-Q5_1.gguf").is_file() && !ran.out.contains("mmproj"), "{}", ran.out);
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn what_cannot_be_made_is_said() {
    let folder = fresh_folder("cannot");
    let out = folder.display().to_string();
    let missing = folder.join("missing").display().to_string();
    let make = |shape: &str, kind: &str, out: &str| ocelli(&["synthesize", shape, "--type", kind, "-o", out]);
    refused(&make("tiny", "Q8_0", &missing), 2, &["missing", "no such folder"]);
    refused(&make("enormous", "Q8_0", &out), 2, &["enormous", "smolvlm-256m", "tinyllama-1.1b"]);
    refused(&make("tiny", "Q9_0", &out), 2, &["Q9_0", "Q4_K_M"]);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);

    assert_eq!(make("tiny", "Q8_0", &out).code, Some(0));
    let text = std::fs::read(folder.join("tiny-Q8_0.gguf")).unwrap();
    // The tower of another text type has the same name, and is not written over either.
    refused(&make("tiny", "Q4_0", &out), 2, &["mmproj-tiny-Q8_0.gguf", "exists", "--force"]);
    refused(&make("tiny", "Q8_0", &out), 2, &["tiny-Q8_0.gguf", "exists", "--force"]);
    assert!(text == std::fs::read(folder.join("tiny-Q8_0.gguf")).unwrap());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
    let _ = std::fs::remove_dir_all(folder);
}

/// A disk that is full is played by a limit on the size of files: both are an error of a write in the middle.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_takes_no_more_leaves_nothing_behind() {
    let folder = fresh_folder("full");
    let script = r#"trap "" XFSZ; ulimit -f 100; exec "$@""#;
    let output = std::process::Command::new("sh")
        .args(["-c", script, "sh"])
        .args(super::start())
        .args(["synthesize", "tiny", "--type", "F16", "-o"])
        .arg(&folder)
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{err}");
    assert!(err.contains("tiny-F16.gguf") && err.contains("removed"), "{err}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    let _ = std::fs::remove_dir_all(folder);
}
