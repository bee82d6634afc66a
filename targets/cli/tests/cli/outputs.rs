//! Files that are written: what has the name is never replaced by surprise, and what is not whole never stays.

use super::{Ran, checkpoint, copy, fresh_folder, golden, ocelli, program, refused};
use std::io::BufRead;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What each command that writes is given, and the file of those that it makes which is looked at.
struct Writer {
    args: Vec<String>,
    out: PathBuf,
}

const WRITERS: [&str; 4] = ["quantize", "calibrate", "convert", "synthesize"];

/// Arguments of a command that makes a file in `folder`, from what is in `inputs`.
fn writer(command: &str, inputs: &Path, folder: &Path) -> Writer {
    let words = |args: &[&str]| args.iter().map(|arg| arg.to_string()).collect::<Vec<String>>();
    let model = inputs.join("model.gguf").display().to_string();
    let out = folder.join("out.gguf");
    let name = out.display().to_string();
    match command {
        "quantize" => Writer { args: words(&["quantize", &model, &name, "--type", "Q8_0"]), out },
        "calibrate" => {
            let text = inputs.join("text.txt").display().to_string();
            Writer { args: words(&["calibrate", &model, "--text", &text, "-c", "64", "-o", &name]), out }
        }
        "convert" => {
            let checkpoint = inputs.join("checkpoint").display().to_string();
            Writer { args: words(&["convert", &checkpoint, "-o", &name]), out }
        }
        _ => {
            let folder_name = folder.display().to_string();
            let args = ["synthesize", "tiny", "--type", "Q8_0", "--mmproj-type", "none", "-o", &folder_name];
            Writer { args: words(&args), out: folder.join("tiny-Q8_0.gguf") }
        }
    }
}

/// A model, a text and a checkpoint.
fn inputs(folder: &Path) -> PathBuf {
    let inputs = folder.join("inputs");
    std::fs::create_dir_all(inputs.join("checkpoint")).unwrap();
    copy("llama-tied.gguf", &inputs.join("model.gguf"));
    std::fs::write(inputs.join("text.txt"), "The red lamp on the panel is lit. ".repeat(200)).unwrap();
    for (file, bytes) in checkpoint::files("llama-tied") {
        std::fs::write(inputs.join("checkpoint").join(file), bytes).unwrap();
    }
    inputs
}

fn run(writer: &Writer, more: &[&str]) -> Ran {
    let args: Vec<&str> = writer.args.iter().map(String::as_str).chain(more.iter().copied()).collect();
    ocelli(&args)
}

fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let folder = fresh_folder("outputs");
    let inputs = inputs(&folder);
    let outs = folder.join("outs");
    std::fs::create_dir(&outs).unwrap();
    std::fs::write(folder.join("target"), "theirs").unwrap();
    let pipes = Command::new("mkfifo").arg(folder.join("pipe")).status().is_ok_and(|status| status.success());
    let socket = std::os::unix::net::UnixListener::bind(folder.join("socket")).is_ok();
    for command in WRITERS {
        let Writer { out, .. } = writer(command, &inputs, &outs);
        let file = out.file_name().unwrap().to_str().unwrap();
        for (target, says) in [
            ("../target", "is a link"),
            ("nowhere", "is a link"),
            (file, "is a link"),
            ("/dev/null", "is a link"),
            ("../inputs", "is a link"),
        ] {
            symlink(target, &out).unwrap();
            for force in [&[][..], &["--force"]] {
                // A link to a folder is a folder to `convert`, which makes files of other names in it.
                if (command, target) == ("convert", "../inputs") {
                    continue;
                }
                refused(&run(&writer(command, &inputs, &outs), force), 1, &[file, says]);
                assert_eq!(std::fs::read_link(&out).unwrap(), Path::new(target), "{command}");
            }
            std::fs::remove_file(&out).unwrap();
        }
        for (special, there) in [("pipe", pipes), ("socket", socket)] {
            if there {
                std::fs::hard_link(folder.join(special), &out).unwrap();
                refused(&run(&writer(command, &inputs, &outs), &["--force"]), 1, &[file, "not a file"]);
                let kind = std::fs::symlink_metadata(&out).unwrap().file_type();
                assert!(kind.is_fifo() || kind.is_socket());
                std::fs::remove_file(&out).unwrap();
            }
        }
        if command != "convert" {
            std::fs::create_dir(&out).unwrap();
            refused(&run(&writer(command, &inputs, &outs), &["--force"]), 1, &[file, "folder"]);
            std::fs::remove_dir(&out).unwrap();
        }
        std::fs::write(&out, "theirs").unwrap();
        refused(&run(&writer(command, &inputs, &outs), &[]), 2, &[file, "exists already (--force"]);
        assert_eq!(std::fs::read(&out).unwrap(), b"theirs");
        assert_eq!(names(&outs), [file]);
        let ran = run(&writer(command, &inputs, &outs), &["--force"]);
        assert_eq!(ran.code, Some(0), "{command}: {}", ran.err);
        assert!(std::fs::read(&out).unwrap().starts_with(b"GGUF"));
        assert_eq!(names(&outs), [file]);
        std::fs::remove_file(&out).unwrap();
    }
    assert_eq!(std::fs::read(folder.join("target")).unwrap(), b"theirs");
    assert_eq!(names(&inputs).len(), 3);
    let _ = std::fs::remove_dir_all(folder);
}

/// Standard output, by the names that it has on Linux: links, of which none may be replaced.
#[test]
fn devices_are_not_replaced() {
    let folder = fresh_folder("stdout");
    let inputs = inputs(&folder);
    let model = inputs.join("model.gguf").display().to_string();
    for name in ["/dev/null", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/full"] {
        let Ok(before) = std::fs::symlink_metadata(name) else { continue };
        let mut command = program(&["quantize", &model, name, "--type", "Q8_0", "--force"]);
        let file = folder.join("out.bin");
        let output = command.stdout(std::fs::File::create(&file).unwrap()).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {err}");
        assert!(err.contains(name) && err.contains("not replaced"), "{err}");
        let after = std::fs::symlink_metadata(name).unwrap();
        assert_eq!(before.file_type(), after.file_type(), "{name}");
        assert_eq!(std::fs::read(&file).unwrap(), b"");
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn what_is_read_is_not_written() {
    let folder = fresh_folder("same");
    let inputs = inputs(&folder);
    let at = |name: &str| inputs.join(name).display().to_string();
    let (model, text, other) = (at("model.gguf"), at("text.txt"), at("other.gguf"));
    std::fs::hard_link(&model, &other).unwrap();
    let before = std::fs::read(&model).unwrap();
    for force in [&[][..], &["--force"]] {
        for out in [&model, &other] {
            let args = ["quantize", &model, out, "--type", "Q8_0"];
            refused(&ocelli(&[&args, force].concat()), 2, &[out, "is a file that is read"]);
        }
        for out in [&model, &other, &text] {
            let args = ["calibrate", &model, "--text", &text, "-c", "64", "-o", out];
            refused(&ocelli(&[&args, force].concat()), 2, &[out, "is a file that is read"]);
        }
        for out in ["config.json", "model.safetensors", "tokenizer.json"] {
            let out = at("checkpoint/") + out;
            let ran = ocelli(&[&["convert", &at("checkpoint"), "-o", &out], force].concat());
            refused(&ran, 2, &[&out, "is a file that is read"]);
        }
    }
    assert_eq!(std::fs::read(&model).unwrap(), before);
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn a_name_for_what_is_not_whole_that_is_taken_is_left_alone() {
    let folder = fresh_folder("part");
    let inputs = inputs(&folder);
    std::fs::write(folder.join("secret"), "secret").unwrap();
    for command in WRITERS {
        let outs = folder.join(command);
        std::fs::create_dir(&outs).unwrap();
        let Writer { args, out } = writer(command, &inputs, &outs);
        // The shell becomes the program, and has its number before.
        let script = r#"ln -s ../secret "$1.$$.part"; shift; exec "$@""#;
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", script, "sh"]).arg(&out).args(super::start()).args(args).output();
        let output = output.unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{command}: {err}");
        assert!(out.symlink_metadata().unwrap().is_file());
        let link = outs.read_dir().unwrap().map(|entry| entry.unwrap().path()).find(|path| *path != out);
        assert_eq!(std::fs::read_link(link.unwrap()).unwrap(), Path::new("../secret"));
        assert_eq!(names(&outs).len(), 2);
    }
    assert_eq!(std::fs::read(folder.join("secret")).unwrap(), b"secret");
    let _ = std::fs::remove_dir_all(folder);
}

/// Sends a signal; false where that cannot be done.
fn send(signal: &str, child: &std::process::Child) -> bool {
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
    sent.is_ok_and(|status| status.success())
}

/// Signals and exit codes. Who starts the tests by `nohup` has them, and so the program, ignore SIGHUP.
fn signals() -> Vec<(&'static str, i32)> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let mut signals = vec![("INT", 130), ("TERM", 143)];
    if ignored & 1 == 0 {
        signals.push(("HUP", 129));
    } else {
        println!("skipped: SIGHUP is ignored here");
    }
    signals
}

#[test]
fn a_signal_leaves_nothing_that_is_not_whole() {
    let folder = fresh_folder("signals");
    let inputs = inputs(&folder);
    let outs = folder.join("outs");
    std::fs::create_dir(&outs).unwrap();
    // A file of some hundred megabytes is not whole before the signal comes.
    let signals = signals();
    for (signal, code) in &signals {
        let out = outs.display().to_string();
        let args = ["synthesize", "smolvlm-256m", "--type", "F32", "--mmproj-type", "none", "-o", &out];
        let mut child = program(&args).spawn().unwrap();
        let start = Instant::now();
        while names(&outs).is_empty() {
            assert!(start.elapsed() < Duration::from_secs(60), "it never begins");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(names(&outs)[0].ends_with(".part"));
        if !send(signal, &child) {
            child.kill().unwrap();
            child.wait().unwrap();
            return println!("skipped: no `kill` here");
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(*code), "{signal}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "ocelli: stopped\n");
        assert_eq!(names(&outs), [""; 0], "{signal}");
    }
    // At any moment of the others: before a file is begun, while it grows, while it gets its name, after.
    let mut stopped = 0;
    for (command, number) in WRITERS.iter().zip(0..) {
        for step in 0..9 {
            let (signal, code) = signals[(step + number) % signals.len()];
            let Writer { args, out } = writer(command, &inputs, &outs);
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let child = program(&args).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(step as u64 * 4));
            send(signal, &child);
            let output = child.wait_with_output().unwrap();
            let err = String::from_utf8(output.stderr).unwrap();
            match output.status.code() {
                Some(0) => {}
                Some(found) => {
                    assert_eq!((found, err.as_str()), (code, "ocelli: stopped\n"), "{command}");
                    stopped += 1;
                }
                // Before it waits for signals there is no file.
                None => assert_eq!(names(&outs), [""; 0], "{command}"),
            }
            for name in names(&outs) {
                assert!(!name.ends_with(".part"), "{command} after {step}: {name}");
                std::fs::remove_file(outs.join(name)).unwrap();
            }
            assert!(!out.exists());
        }
    }
    println!("{stopped} of 36 were stopped in the middle");
    let _ = std::fs::remove_dir_all(folder);
}

/// `nohup` and the like.
#[test]
fn a_hangup_that_is_ignored_stays_ignored() {
    let folder = fresh_folder("nohup");
    let script = r#"trap "" HUP; echo ready; exec "$@""#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).args(super::start());
    shell.args(["synthesize", "tiny", "--type", "F32", "-o"]).arg(&folder);
    let mut child = shell.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    while child.try_wait().unwrap().is_none() {
        send("HUP", &child);
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(lines.count() > 0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(names(&folder), ["mmproj-tiny-F32.gguf", "tiny-F32.gguf"]);
    let _ = std::fs::remove_dir_all(folder);
}

/// The shell's limit on the size of files sends a signal that ends programs.
#[test]
fn a_limit_on_the_size_of_files_is_a_full_disk() {
    let folder = fresh_folder("limit");
    let inputs = inputs(&folder);
    for command in WRITERS {
        let outs = folder.join(command);
        std::fs::create_dir(&outs).unwrap();
        let Writer { args, out } = writer(command, &inputs, &outs);
        let limit = if command == "calibrate" { "1" } else { "20" };
        let script = format!(r#"ulimit -f {limit}; exec "$@""#);
        let output = Command::new("sh").args(["-c", &script, "sh"]).args(super::start()).args(args).output();
        let output = output.unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}: {err}");
        assert!(err.contains(out.to_str().unwrap()) && err.contains("removed"), "{command}: {err}");
        assert_eq!(names(&outs), [""; 0]);
    }
    let _ = std::fs::remove_dir_all(folder);
}

/// What cannot be printed is an error of standard output's, also where a file was made.
#[test]
fn standard_output_that_takes_nothing_is_named() {
    if !Path::new("/dev/full").exists() {
        return println!("skipped: no /dev/full here");
    }
    let folder = fresh_folder("unprinted");
    let (inputs, model) = (inputs(&folder), golden("llama-tied.gguf"));
    let mut commands: Vec<Vec<String>> = WRITERS.map(|name| writer(name, &inputs, &folder).args).into();
    for args in [
        &["plan", "--no-mmproj", "-m", &model][..],
        &["inspect", &model],
        &["--help"],
        &["run", "--no-mmproj", "-m", &model, "Hi"],
    ] {
        commands.push(args.iter().map(|arg| arg.to_string()).collect());
    }
    for args in commands {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = program(&[&args[..], &["--force"][..usize::from(WRITERS.contains(&args[0]))]].concat())
            .stdout(std::fs::File::create("/dev/full").unwrap())
            .output()
            .unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {err}");
        assert!(err.contains("standard output: "), "{args:?}: {err}");
    }
    let _ = std::fs::remove_dir_all(folder);
}
