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
    let asked_for = "model-00001-of-00003.gguf is part 1 of 3 by its split.no and split.count";
    for command in ["run", "plan"] {
        let ran = ocelli(&[command, "--model", &first]);
        refused(&ran, 3, &["model-00002-of-00003.gguf: is missing", asked_for]);
    }
    let small = folder.join("small.gguf").display().to_string();
    let ran = ocelli(&["quantize", &first, &small, "--type", "q8_0"]);
    refused(&ran, 3, &["model-00002-of-00003.gguf: is missing", asked_for]);
    std::fs::copy(&parts[2], &parts[1]).unwrap();
    refused(&ocelli(&["run", "--model", &first, "x"]), 3, &["model-0000"]);
    let _ = std::fs::remove_dir_all(folder);
}

/// What a file is part of, it says itself: a name that looks like a part's asks for nothing.
#[test]
fn a_file_is_a_part_by_its_own_word_and_not_by_its_name() {
    let folder = fresh_folder("part-names");
    let at = |name: &str| folder.join(name).display().to_string();
    copy("mmproj-smolvlm-x2.gguf", &folder.join("mmproj-00003-of-00004.gguf"));
    let whole = copy("smolvlm.gguf", &folder.join("model-00001-of-00002.gguf"));
    sees(&["--model", &whole]);
    sees(&["--no-mmap", "--model", &whole]);
    let small = at("model-00007-of-00009.gguf");
    let ran = ocelli(&["quantize", &whole, &small, "--type", "q8_0"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ocelli(&["plan", "--model", &small, "--no-mmproj"]).code, Some(0));
    // One part of one, with the keys of a split model.
    let bytes = std::fs::read(golden("smolvlm.gguf")).unwrap();
    let file = Gguf::parse(&bytes).unwrap();
    let mut writer = Writer::new();
    writer.metadata("split.no", 0u16).metadata("split.count", 1u16);
    writer.metadata("split.tensors.count", file.tensors().len() as i32);
    file.metadata().for_each(|(key, value)| add(&mut writer, key, &value));
    for tensor in file.tensors() {
        writer.tensor(tensor.name, tensor.kind, tensor.dims(), tensor.data);
    }
    let one = writer.finish().unwrap();
    for name in ["one-00001-of-00001.gguf", "one.gguf", "one-00002-of-00003.gguf"] {
        std::fs::write(at(name), &one).unwrap();
        sees(&["--model", &at(name)]);
    }
    // A part under the name of another, and under one that is no part's.
    let parts = split("smolvlm.gguf", &folder);
    let (second, other) = (parts[1].display().to_string(), at("other-00001-of-00003.gguf"));
    std::fs::rename(&second, &other).unwrap();
    let ran = ocelli(&["run", "--model", &other, "x"]);
    refused(&ran, 3, &["other-00001-of-00003.gguf", "part 2 of 3 by its split.no and split.count"]);
    std::fs::rename(&other, at("other.gguf")).unwrap();
    let ran = ocelli(&["run", "--model", &at("other.gguf"), "x"]);
    refused(&ran, 3, &["other.gguf", "one of 3 of a split model by its split.count", "-00001-of-00003.gguf"]);
    let _ = std::fs::remove_dir_all(folder);
}

/// The oldest towers of LLaVA-1.5 name no projector; with their language model, which has no template, they are asked as
/// the same tower that names it.
#[test]
fn a_tower_is_asked_as_what_its_file_is_wherever_that_stands() {
    let folder = fresh_folder("projectors");
    let at = |name: &str| folder.join(name).display().to_string();
    let written = |golden: &str, name: &str, without: &[&str], keys: &[(&str, &str)]| {
        let bytes = std::fs::read(super::golden(golden)).unwrap();
        let file = Gguf::parse(&bytes).unwrap();
        let mut writer = Writer::new();
        file.metadata()
            .filter(|(key, _)| !without.contains(key))
            .for_each(|(key, value)| add(&mut writer, key, &value));
        for (key, value) in keys {
            match value.parse::<bool>() {
                Ok(flag) => writer.metadata(key, flag),
                Err(_) => writer.metadata(key, *value),
            };
        }
        for tensor in file.tensors() {
            writer.tensor(tensor.name, tensor.kind, tensor.dims(), tensor.data);
        }
        std::fs::write(at(name), writer.finish().unwrap()).unwrap();
        at(name)
    };
    let tower = |name: &str, keys: &[(&str, &str)]| {
        let without = ["clip.projector_type", "clip.has_llava_projector", "clip.has_vision_encoder"];
        written("mmproj-llava-legacy.gguf", name, &without, keys)
    };
    // Nothing in its name tells what it speaks, as in the published files.
    let model = written("vicuna.gguf", "model.gguf", &["general.name"], &[("general.name", "LLaMA v2")]);
    let photo = golden("photo.png");
    let ask = |tower: &str| {
        let model = ["run", "--json", "--model", &model, "--mmproj", tower];
        ocelli(&[&model[..], &["--image", &photo, "-n", "3", QUESTION]].concat())
    };
    let alone = ocelli(&["run", "--model", &model, "--no-mmproj", "x"]);
    assert!(alone.code != Some(0) && alone.err.contains("no chat template"), "{}", alone.err);
    const NAME: &str = "clip.projector_type";
    const VISION: &str = "clip.vision.projector_type";
    const LLAVA: &str = "clip.has_llava_projector";
    const SEES: &str = "clip.has_vision_encoder";
    let wanted = super::one_line(&ask(&tower("named.gguf", &[(SEES, "true"), (NAME, "mlp")])));
    assert!(wanted["image_tokens"].as_u64().unwrap() > 0);
    for (name, keys) in [
        ("old.gguf", &[(SEES, "true"), (LLAVA, "true")][..]),
        ("older.gguf", &[(LLAVA, "true")]),
        ("vision.gguf", &[(SEES, "true"), (VISION, "mlp")]),
        ("both.gguf", &[(NAME, "mlp"), (VISION, "mlp")]),
        ("empty.gguf", &[(NAME, ""), (VISION, "mlp")]),
    ] {
        let path = tower(name, keys);
        let found = super::one_line(&ask(&path));
        for key in ["ids", "prompt_tokens", "text"] {
            assert_eq!(found[key], wanted[key], "{name}");
        }
        assert!(ocelli(&["inspect", &path]).out.contains("vision tower 'mlp': LLaVA-1.5"), "{name}");
    }
    for (name, keys, words) in [
        ("none.gguf", &[(SEES, "true")][..], &[NAME][..]),
        ("not.gguf", &[(SEES, "true"), (LLAVA, "false")], &[NAME]),
        ("blind.gguf", &[(SEES, "false"), (NAME, "mlp")], &[SEES]),
        ("two.gguf", &[(NAME, "mlp"), (VISION, "idefics3")], &[NAME, VISION, "mlp", "idefics3"]),
    ] {
        let path = tower(name, keys);
        refused(&ask(&path), 3, &[&[name][..], words].concat());
        let shown = ocelli(&["inspect", &path]);
        assert!(words.iter().all(|word| shown.out.contains(word)), "{name}: {}", shown.out);
    }
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
