//! What nobody means to give: devices, pipes, nothing at all, bytes that are no text. Said and survived, at once.

use super::{fresh_folder, golden, ocelli, ocelli_reads, program, refused, smolvlm, with};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

fn run(rest: &[&str]) -> super::Ran {
    ocelli(&with(&["run".into()], &with(&smolvlm(), &[&["-n", "2"], rest].concat())))
}

/// A program that is given these bytes.
fn reads(args: &[&str], bytes: &[u8]) -> std::process::Output {
    let mut child = program(args).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn no_question_is_no_question() {
    let base = with(&["run".into()], &with(&smolvlm(), &["-n", "2"])).join("\n");
    let base: Vec<&str> = base.split('\n').collect();
    refused(&run(&[""]), 2, &["the prompt is empty"]);
    refused(&run(&["  \n"]), 2, &["the prompt is empty"]);
    refused(&ocelli_reads(&base, ""), 2, &["the prompt is empty"]);
    assert_eq!(run(&["--image", &golden("photo.png"), ""]).code, Some(0), "an image alone is enough");
    let output = reads(&base, b"What\xFF\n");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("standard input: invalid utf-8"), "{err}");
}

#[test]
fn a_line_that_is_no_text_does_not_end_a_chat() {
    let base = with(&["chat".into()], &with(&smolvlm(), &["-n", "2"])).join("\n");
    let base: Vec<&str> = base.split('\n').collect();
    let output = reads(&base, b"What\xFF\n/nonsense\n");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(err.contains("not UTF-8") && err.contains("unknown command /nonsense"), "{err}");
}

#[test]
fn numbers_below_nothing_are_numbers() {
    refused(&run(&["--temperature", "-1", "Hi"]), 2, &["temperature is -1; it must be 0 or more"]);
    refused(&run(&["--top-p", "-0.5", "Hi"]), 2, &["top-p is -0.5"]);
    refused(&run(&["--min-p", "-1", "Hi"]), 2, &["min-p is -1"]);
    refused(&run(&["--repetition-penalty", "-1", "Hi"]), 2, &["the repetition penalty is -1"]);
    refused(&run(&["--deadline", "-1", "Hi"]), 2, &["'-1'", "--deadline"]);
}

#[test]
fn devices_and_pipes_are_not_waited_for() {
    let zero = "/dev/zero";
    if Path::new(zero).exists() {
        refused(&run(&["--image", zero, "Hi"]), 4, &["/dev/zero: is not a file"]);
        refused(&ocelli(&["inspect", zero]), 3, &["/dev/zero: is not a file"]);
    }
    let folder = fresh_folder("odd");
    let pipe = folder.join("mmproj-pipe.gguf");
    match Command::new("mkfifo").arg(&pipe).status() {
        Ok(status) if status.success() => {}
        other => return println!("skipped: no `mkfifo` here ({other:?})"),
    }
    let name = pipe.display().to_string();
    for args in [
        &["inspect", name.as_str()][..],
        &["run", "--model", &name, "Hi"],
        &["quantize", &name, "out.gguf", "--type", "Q8_0"],
    ] {
        refused(&ocelli(args), 3, &["is not a file"]);
    }
    // Beside a model it is no tower.
    let model = super::copy("smolvlm.gguf", &folder.join("model.gguf"));
    assert_eq!(ocelli(&["run", "--model", &model, "-n", "2", "Hi"]).code, Some(0));
    // A file does not take its place.
    let ran = ocelli(&["quantize", &model, &name, "--type", "Q8_0", "--force"]);
    refused(&ran, 1, &["mmproj-pipe.gguf", "not a file"]);
    assert!(!std::fs::metadata(&pipe).unwrap().is_file());
    // A picture may come through a pipe.
    let photo = golden("photo.png");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("cat '{photo}' > '{name}'")]);
    let mut writer = shell.spawn().unwrap();
    assert_eq!(run(&["--image", &name, "Hi"]).out, run(&["--image", &photo, "Hi"]).out);
    writer.wait().unwrap();
    let _ = std::fs::remove_dir_all(folder);
}
