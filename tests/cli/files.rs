//! Files that are found, and files that are refused with a word about which and why.

use super::{asked, case_numbers, copy, fresh_folder, golden, numbers, ocelli, refused, smolvlm, with};
use ocelli_gguf::{Gguf, Value, Writer};
use std::path::{Path, PathBuf};

const QUESTION: &str = "What is the number?";

/// The case `smolvlm-first` with these model arguments.
fn sees(model: &[&str]) {
    let photo = golden("photo.png");
    let answer = asked(&[model, &["--image", &photo, "-n", "12", QUESTION]].concat());
    assert_eq!(numbers(&answer["ids"]), case_numbers("smolvlm-first", "greedy"), "{model:?}");
}

#[test]
fn the_tower_beside_the_model_is_found() {
    let folder = fresh_folder("beside");
    let model = copy("smolvlm.gguf", &folder.join("model.gguf"));
    let photo = golden("photo.png");
    let run = ["run", "--model", &model, "--image", &photo, QUESTION];
    refused(&ocelli(&run), 4, &["mmproj"]);
    let text = asked(&["--model", &model, "-n", "1", QUESTION]);
    assert_eq!(text["image_tokens"], 0, "a text model works without a tower");

    copy("mmproj-smolvlm-x2.gguf", &folder.join("Model-MMPROJ-f16.gguf"));
    // Neither a tower that is too wide for this model, nor files that are none.
    write_wide_tower(&folder.join("mmproj-wide.gguf"));
    std::fs::write(folder.join("mmproj-notes.gguf"), "not a model").unwrap();
    std::fs::write(folder.join("mmproj.txt"), "nor is this").unwrap();
    sees(&["--model", &model]);
    // A name without a folder: the working folder is looked in.
    let mut here =
        super::program(&["run", "--json", "--model", "model.gguf", "--image", &photo, "-n", "12", QUESTION]);
    here.current_dir(&folder);
    let answer = super::one_line(&super::collect(here, ""));
    assert_eq!(numbers(&answer["ids"]), case_numbers("smolvlm-first", "greedy"));
    refused(&ocelli(&[&run[..], &["--no-mmproj"]].concat()), 4, &["mmproj"]);

    let second = copy("mmproj-smolvlm-x3.gguf", &folder.join("mmproj-second.gguf"));
    refused(&ocelli(&run), 3, &["several", "Model-MMPROJ-f16.gguf", "mmproj-second.gguf"]);
    // A question without an image needs none of them.
    assert_eq!(ocelli(&["run", "--model", &model, "-n", "1", QUESTION]).code, Some(0));
    let named = asked(&["--model", &model, "--mmproj", &second, "--image", &photo, "-n", "1", QUESTION]);
    assert!(named["image_tokens"].as_u64().unwrap() > 0);
    let wide = folder.join("mmproj-wide.gguf").display().to_string();
    let ran = ocelli(&["run", "--model", &model, "--mmproj", &wide, QUESTION]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    let _ = std::fs::remove_dir_all(folder);
}

/// SmolVLM's tower with twice the rows in its last matrix.
fn write_wide_tower(path: &Path) {
    let bytes = std::fs::read(golden("mmproj-smolvlm-x2.gguf")).unwrap();
    let file = Gguf::parse(&bytes).unwrap();
    let twice: Vec<u8> = file.tensor("mm.model.fc.weight").unwrap().data.repeat(2);
    let mut writer = Writer::new();
    for (key, value) in file.metadata() {
        add(&mut writer, key, &value);
    }
    for tensor in file.tensors() {
        if tensor.name == "mm.model.fc.weight" {
            writer.tensor(tensor.name, tensor.kind, &[tensor.dims()[0], tensor.dims()[1] * 2], &twice);
        } else {
            writer.tensor(tensor.name, tensor.kind, tensor.dims(), tensor.data);
        }
    }
    std::fs::write(path, writer.finish().unwrap()).unwrap();
}

fn add(writer: &mut Writer<'_>, key: &str, value: &Value<'_>) {
    writer.metadata(key, *value);
}

/// A model as three files, the way it is published: the metadata in the first.
fn split(name: &str, folder: &Path) -> Vec<PathBuf> {
    let bytes = std::fs::read(golden(name)).unwrap();
    let file = Gguf::parse(&bytes).unwrap();
    let tensors: Vec<_> = file.tensors().iter().collect();
    let (count, part) = (3, tensors.len().div_ceil(3));
    (0..count)
        .map(|number| {
            let mut writer = Writer::new();
            writer.metadata("split.no", number as u16).metadata("split.count", count as u16);
            writer.metadata("split.tensors.count", tensors.len() as i32);
            for (key, value) in file.metadata().filter(|_| number == 0) {
                add(&mut writer, key, &value);
            }
            for tensor in tensors.iter().skip(number * part).take(part) {
                writer.tensor(tensor.name, tensor.kind, tensor.dims(), tensor.data);
            }
            let path = folder.join(format!("model-{:05}-of-{count:05}.gguf", number + 1));
            std::fs::write(&path, writer.finish().unwrap()).unwrap();
            path
        })
        .collect()
}

#[test]
fn a_split_model_is_loaded_by_any_of_its_files() {
    let folder = fresh_folder("split");
    let parts = split("smolvlm.gguf", &folder);
    copy("mmproj-smolvlm-x2.gguf", &folder.join("mmproj.gguf"));
    for part in &parts {
        sees(&["--model", &part.display().to_string()]);
        sees(&["--no-mmap", "--model", &part.display().to_string()]);
    }
    let first = parts[0].display().to_string();
    std::fs::remove_file(&parts[1]).unwrap();
    refused(&ocelli(&["run", "--model", &first, "x"]), 3, &["model-00002-of-00003.gguf"]);
    std::fs::copy(&parts[2], &parts[1]).unwrap();
    refused(&ocelli(&["run", "--model", &first, "x"]), 3, &["model-0000"]);
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn what_is_no_model_is_named() {
    let folder = fresh_folder("refused");
    let at = |name: &str| folder.join(name).display().to_string();
    let whole = std::fs::read(golden("smolvlm.gguf")).unwrap();
    std::fs::write(at("empty.gguf"), "").unwrap();
    std::fs::write(at("words.gguf"), "These are words and no model.".repeat(9)).unwrap();
    std::fs::write(at("head.gguf"), &whole[..1000]).unwrap();
    std::fs::write(at("cut.gguf"), &whole[..whole.len() - 64]).unwrap();
    std::fs::create_dir(at("folder.gguf")).unwrap();
    for name in ["empty.gguf", "words.gguf", "head.gguf", "cut.gguf", "folder.gguf", "missing.gguf"] {
        for load in [&[][..], &["--no-mmap"]] {
            let run = ocelli(&[&["run", "--model", &at(name)], load, &["x"]].concat());
            refused(&run, 3, &[&at(name)]);
        }
        for command in ["chat", "plan"] {
            refused(&ocelli(&[command, "--model", &at(name)]), 3, &[&at(name)]);
        }
        let ran = ocelli(&["inspect", &at(name)]);
        assert_eq!(ran.code, Some(3), "{name}: {}", ran.out);
        assert!(ran.err.contains(&at(name)), "{}", ran.err);
        let tower = ["run", "--model", &golden("smolvlm.gguf"), "--mmproj", &at(name), "x"];
        refused(&ocelli(&tower), 3, &[&at(name)]);
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn the_wrong_file_is_said_to_be_wrong() {
    let (model, tower) = (golden("smolvlm.gguf"), golden("mmproj-smolvlm-x2.gguf"));
    refused(&ocelli(&["run", "--model", &tower, "x"]), 3, &["mmproj-smolvlm-x2.gguf", "vision tower"]);
    refused(&ocelli(&["run", "--model", &tower, "--no-mmproj", "x"]), 3, &["mmproj-smolvlm-x2.gguf"]);
    refused(&ocelli(&["run", "--model", &model, "--mmproj", &model, "x"]), 3, &["smolvlm.gguf"]);
    assert_eq!(ocelli(&["run", "--mmproj", &tower, "x"]).code, Some(2), "a tower without a model");

    let folder = fresh_folder("unknown");
    let path = folder.join("unknown.gguf").display().to_string();
    let mut writer = Writer::new();
    writer.metadata("general.architecture", "mamba-of-tomorrow");
    std::fs::write(&path, writer.finish().unwrap()).unwrap();
    refused(&ocelli(&["run", "--model", &path, "x"]), 3, &["mamba-of-tomorrow", "llama", "qwen2"]);
    let shown = ocelli(&["inspect", &path]);
    assert_eq!(shown.code, Some(0));
    assert!(shown.out.contains("'mamba-of-tomorrow' is not supported") && shown.out.contains("qwen2"));
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn images_that_cannot_be_used_are_named() {
    let folder = fresh_folder("images");
    let at = |name: &str| folder.join(name).display().to_string();
    let photo = golden("photo.png");
    let whole = std::fs::read(&photo).unwrap();
    std::fs::write(at("empty.png"), "").unwrap();
    std::fs::write(at("words.png"), "words").unwrap();
    std::fs::write(at("cut.png"), &whole[..whole.len() / 2]).unwrap();
    let model = smolvlm();
    let look = |image: &str, rest: &[&str]| {
        ocelli(&[&["run"], &with(&model, &["--image", image, "-n", "1"])[..], rest, &["x"]].concat())
    };
    for name in ["empty.png", "words.png", "cut.png", "missing.png"] {
        refused(&look(&at(name), &[]), 4, &[name]);
    }
    refused(&look(&photo, &["--max-pixels", "2622"]), 4, &["photo.png"]);
    assert_eq!(look(&photo, &["--max-pixels", "2623"]).code, Some(0), "61 by 43");
    let _ = std::fs::remove_dir_all(folder);
}
