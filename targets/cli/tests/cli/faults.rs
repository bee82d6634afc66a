//! Every command with every file that it cannot use: the exit code of the table in `ocelli --help`, and the file's name.

use super::{Ran, copy, fresh_folder, golden, ocelli, ocelli_reads};
use ocelli_gguf::{Gguf, Writer};
use std::path::Path;
use std::process::Command;

/// Files that are no model, no image, no text and no checkpoint.
fn unusable(folder: &Path) -> Vec<String> {
    let at = |name: &str| folder.join(name).display().to_string();
    let model = std::fs::read(golden("smolvlm.gguf")).unwrap();
    let photo = std::fs::read(golden("photo.png")).unwrap();
    std::fs::write(at("empty"), "").unwrap();
    std::fs::write(at("bytes"), [0xff; 64]).unwrap();
    std::fs::write(at("head.gguf"), &model[..1000]).unwrap();
    std::fs::write(at("cut.gguf"), &model[..model.len() - 64]).unwrap();
    std::fs::write(at("cut.png"), &photo[..photo.len() / 2]).unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    let mut names: Vec<String> =
        ["empty", "bytes", "head.gguf", "cut.gguf", "cut.png", "folder", "missing"].map(at).into();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
        std::os::unix::fs::symlink("loop", at("loop")).unwrap();
        names.extend([at("dangling"), at("loop")]);
        if Command::new("mkfifo").arg(at("pipe")).status().is_ok_and(|status| status.success()) {
            names.push(at("pipe"));
        }
    }
    names
}

/// Asserts the code, and that there is one line, which has the file's name.
fn names_it(ran: &Ran, code: i32, name: &str, args: &[&str]) {
    assert_eq!(ran.code, Some(code), "{args:?}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains(name), "{args:?}: {}", ran.err);
    assert_eq!(
        ran.err.lines().filter(|line| line.starts_with("ocelli: ")).count(),
        1,
        "{args:?}: {}",
        ran.err
    );
}

#[test]
fn what_cannot_be_used_is_named_by_every_command() {
    let folder = fresh_folder("faults");
    let at = |name: &str| folder.join(name).display().to_string();
    let (model, tower, photo) =
        (golden("smolvlm.gguf"), golden("mmproj-smolvlm-x2.gguf"), golden("photo.png"));
    let (text, out) = (at("text.txt"), at("out.gguf"));
    std::fs::write(&text, "The red lamp on the panel is lit. ".repeat(40)).unwrap();
    let dump = at("dump.safetensors");
    std::fs::write(&dump, [&2u64.to_le_bytes()[..], b"{}"].concat()).unwrap();
    for file in &unusable(&folder) {
        let (m, t, p) = (model.as_str(), tower.as_str(), photo.as_str());
        let models: &[&[&str]] = &[
            &["run", "-m", file, "Hi"],
            &["run", "-m", file, "--no-mmap", "Hi"],
            &["chat", "-m", file],
            &["plan", "-m", file],
            &["inspect", file],
            &["quantize", file, &out, "--type", "Q8_0"],
            &["calibrate", file, "--text", &text, "-o", &out],
            &["compare", file, m, "--text", &text],
            &["compare", m, file, "--text", &text],
            &["verify", file, "--reference", &dump],
            &["bench", "-m", file, "--runs", "1", "--buffer", "1M"],
            &["run", "-m", m, "--mmproj", file, "Hi"],
            &["run", "-m", m, "--mmproj", file, "--image", p, "Hi"],
            &["chat", "-m", m, "--mmproj", file],
            &["plan", "-m", m, "--mmproj", file],
            &["calibrate", m, "--mmproj", file, "--images", p, "-o", &out],
            &["compare", m, m, "--mmproj", file, "--images", p],
            &["compare", m, m, "--mmproj", t, "--mmproj-b", file, "--images", p],
            &["verify", m, "--mmproj", file, "--reference", &dump],
            &["bench", "-m", m, "--mmproj", file, "--image", p, "--runs", "1", "--buffer", "1M"],
            &["quantize", m, &out, "--type", "Q4_0", "--importance", file],
            &["convert", file],
        ];
        for args in models {
            names_it(&ocelli(args), 3, file, args);
        }
        let images: &[&[&str]] = &[
            &["run", "-m", m, "--mmproj", t, "--image", file, "Hi"],
            &["run", "-m", m, "--mmproj", t, "--image", p, "--image", file, "Hi"],
            &["bench", "-m", m, "--mmproj", t, "--image", file, "--runs", "1", "--buffer", "1M"],
            &["calibrate", m, "--mmproj", t, "--images", file, "-o", &out],
            &["compare", m, m, "--mmproj", t, "--images", file],
        ];
        // A pipe may be a picture, and is waited for; a folder may have pictures in it.
        for args in images.iter().filter(|_| !file.ends_with("pipe")) {
            let is_folder = file.ends_with("folder") && args.contains(&"--images");
            names_it(&ocelli(args), if is_folder { 2 } else { 4 }, file, args);
        }
        if !file.ends_with("pipe") {
            let ran = ocelli_reads(&["chat", "-m", m, "--mmproj", t], &format!("/image {file}\n"));
            names_it(&ran, 0, file, &["chat"]);
        }
        let others: &[&[&str]] = &[
            &["calibrate", m, "--text", file, "-o", &out],
            &["compare", m, m, "--text", file],
            &["verify", m, "--reference", file],
            &["plan", "-m", m, "--device", file],
        ];
        // A pipe that nobody writes to would be waited for by what reads texts.
        for args in others.iter().filter(|args| !file.ends_with("pipe") || !args.contains(&"--text")) {
            names_it(&ocelli(args), 2, file, args);
        }
        assert!(!Path::new(&out).exists(), "{file}");
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn a_tokenizer_that_cannot_be_used_is_the_models() {
    let folder = fresh_folder("tokenizers");
    let (model, text) = (golden("llama-tied.gguf"), folder.join("text.txt").display().to_string());
    std::fs::write(&text, "The red lamp on the panel is lit. ".repeat(40)).unwrap();
    let bytes = std::fs::read(&model).unwrap();
    let file = Gguf::parse(&bytes).unwrap();
    let broken = |number: usize, change: &dyn Fn(&mut Writer<'_>), key: &str| {
        let mut writer = Writer::new();
        for (name, value) in file.metadata().filter(|(name, _)| *name != key) {
            writer.metadata(name, value);
        }
        change(&mut writer);
        for tensor in file.tensors() {
            writer.tensor(tensor.name, tensor.kind, tensor.dims(), tensor.data);
        }
        let path = folder.join(format!("broken-{number}.gguf")).display().to_string();
        std::fs::write(&path, writer.finish().unwrap()).unwrap();
        path
    };
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Writer<'_>));
    let many = vec!["x"; 100_000];
    let changes: [Change<'_>; 9] = [
        ("tokenizer.ggml.tokens", &|_| ()),
        ("tokenizer.ggml.tokens", &|w| {
            w.metadata("tokenizer.ggml.tokens", 5u32);
        }),
        ("tokenizer.ggml.tokens", &|w| {
            w.metadata("tokenizer.ggml.tokens", &many[..]);
        }),
        ("tokenizer.ggml.model", &|_| ()),
        ("tokenizer.ggml.model", &|w| {
            w.metadata("tokenizer.ggml.model", 1.5f64);
        }),
        ("tokenizer.ggml.model", &|w| {
            w.metadata("tokenizer.ggml.model", "bert");
        }),
        ("tokenizer.ggml.token_type", &|w| {
            w.metadata("tokenizer.ggml.token_type", &[9i32; 4000][..]);
        }),
        ("tokenizer.ggml.bos_token_id", &|w| {
            w.metadata("tokenizer.ggml.bos_token_id", u32::MAX);
        }),
        ("tokenizer.ggml.eos_token_id", &|w| {
            w.metadata("tokenizer.ggml.eos_token_id", "no number");
        }),
    ];
    for (number, (key, change)) in changes.iter().enumerate() {
        let file = broken(number, change, key);
        let commands: &[&[&str]] = &[
            &["run", "-m", &file, "Hi"],
            &["run", "-m", &file, "--raw", "Hi"],
            &["chat", "-m", &file],
            &["plan", "-m", &file],
            &["calibrate", &file, "--text", &text, "-o", "out.gguf"],
            &["compare", &file, &model, "--text", &text],
            &["compare", &model, &file, "--text", &text],
            &["bench", "-m", &file, "--runs", "1", "--buffer", "1M"],
        ];
        for args in commands {
            names_it(&ocelli(args), 3, &file, args);
        }
    }
    let _ = std::fs::remove_dir_all(folder);
}

/// An image that the model cannot take is named, of several the one.
#[test]
fn an_image_that_a_model_cannot_take_is_named() {
    let folder = fresh_folder("images-few");
    let (model, tower) = (golden("smolvlm.gguf"), golden("mmproj-smolvlm-x2.gguf"));
    let (one, photo) = (golden("one.png"), golden("photo.png"));
    // The larger one takes more views than one, which are more tokens than are allowed.
    let out = folder.join("out").display().to_string();
    let (m, t) = (model.as_str(), tower.as_str());
    for args in [
        &["run", "-m", m, "--mmproj", t, "--image-tokens", "3", "--image", &one, "--image", &photo, "Hi"][..],
        &[
            "bench",
            "-m",
            m,
            "--mmproj",
            t,
            "--image-tokens",
            "3",
            "--image",
            &one,
            "--runs",
            "1",
            "--buffer",
            "1M",
        ],
        &["calibrate", m, "--mmproj", t, "--image-tokens", "3", "--images", &one, "-o", &out],
        &["compare", m, m, "--mmproj", t, "--image-tokens", "3", "--images", &one],
    ] {
        names_it(&ocelli(args), 4, &one, args);
    }
    // Without a tower it is the model that sees nothing.
    for args in [
        &["run", "-m", m, "--no-mmproj", "--image", &photo, "Hi"][..],
        &["run", "--raw", "-m", m, "--no-mmproj", "--image", &photo, "Hi"],
    ] {
        names_it(&ocelli(args), 4, m, args);
    }
    let _ = std::fs::remove_dir_all(folder);
}

/// Weights that compute no numbers, found while a model runs.
#[test]
fn numbers_that_are_none_are_the_models() {
    let folder = fresh_folder("nan");
    let model = copy("llama-tied.gguf", &folder.join("nan.gguf"));
    let text = folder.join("text.txt").display().to_string();
    std::fs::write(&text, "The red lamp on the panel is lit. ".repeat(40)).unwrap();
    let mut bytes = std::fs::read(&model).unwrap();
    let place = Gguf::parse(&bytes).unwrap().tensor("output_norm.weight").unwrap().range();
    bytes[place.start..place.start + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&model, &bytes).unwrap();
    let good = golden("llama-tied.gguf");
    for args in [
        &["run", "-m", &model, "--raw", "Hi"][..],
        &["compare", &good, &model, "--text", &text, "-c", "64"],
        &["compare", &model, &good, "--text", &text, "-c", "64"],
        &["calibrate", &model, "--text", &text, "-c", "64", "-o", &folder.join("out").display().to_string()],
    ] {
        names_it(&ocelli(args), 3, &model, args);
    }
    let _ = std::fs::remove_dir_all(folder);
}
