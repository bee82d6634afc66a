//! The command line, as scripts and people use it: the built program is run on the golden models, and what it prints,
//! where, and with which exit code is compared with the references and with itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod answers;
mod bench;
mod calibrate;
mod chat;
mod checkpoint;
mod compare;
mod convert;
mod devices;
mod escapes;
mod faults;
mod files;
mod inputs;
mod inspect;
mod memory;
mod odd;
#[cfg(unix)]
mod outputs;
mod pin;
mod prompts;
mod quantize;
mod synthesize;
mod templates;
mod verify;

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run of the program came to.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// A file among the golden models.
fn golden(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/models");
    folder.join(name).display().to_string()
}

/// What starts the program: its path, behind the emulator of a machine that is not this one (`.ci/aarch64`).
fn start() -> Vec<String> {
    let emulator = std::env::var("OCELLI_EMULATOR").unwrap_or_default();
    emulator.split_whitespace().chain([env!("CARGO_BIN_EXE_ocelli")]).map(str::to_owned).collect()
}

fn program(args: &[&str]) -> Command {
    let start = start();
    let mut command = Command::new(&start[0]);
    command.args(&start[1..]).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Two processors are enough for models this small, and the tests run side by side.
    command.env_remove("OCELLI_ISA");
    command
}

fn collect(mut command: Command, input: &str) -> Ran {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // A program that ends before it has read everything closes the pipe: no failure of the test's.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("whole characters only");
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn ocelli(args: &[&str]) -> Ran {
    collect(program(args), "")
}

/// Runs it with a text on standard input.
fn ocelli_reads(args: &[&str], input: &str) -> Ran {
    collect(program(args), input)
}

/// `run` with a model of the golden ones, in few threads; its one line of JSON.
fn asked(args: &[&str]) -> Value {
    one_line(&ocelli(&[&["run", "--json"], args].concat()))
}

fn one_line(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    assert!(ran.out.ends_with('\n'));
    serde_json::from_str(&ran.out).unwrap()
}

/// Asserts how it failed: the code, nothing on standard output, one line that says all of this.
fn refused(ran: &Ran, code: i32, says: &[&str]) {
    assert_eq!(ran.code, Some(code), "out: {} err: {}", ran.out, ran.err);
    assert_eq!(ran.out, "");
    for words in says {
        assert!(ran.err.contains(words), "{words:?} is not in {:?}", ran.err);
    }
}

fn numbers(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
}

/// A line of a golden case: `ids`, `greedy`.
fn case(name: &str, key: &str) -> String {
    let text = std::fs::read_to_string(golden(name) + ".txt").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    line.unwrap().replace("\\n", "\n")
}

fn case_numbers(name: &str, key: &str) -> Vec<u64> {
    case(name, key).split(' ').map(|n| n.parse().unwrap()).collect()
}

/// An empty folder for one test.
fn fresh_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn copy(name: &str, to: &Path) -> String {
    std::fs::copy(golden(name), to).unwrap();
    to.display().to_string()
}

/// SmolVLM's model and tower as arguments.
fn smolvlm() -> [String; 4] {
    ["--model".into(), golden("smolvlm.gguf"), "--mmproj".into(), golden("mmproj-smolvlm-x2.gguf")]
}

/// Arguments after those that name a model.
fn with<'a>(model: &'a [String], rest: &[&'a str]) -> Vec<&'a str> {
    model.iter().map(String::as_str).chain(rest.iter().copied()).collect()
}
