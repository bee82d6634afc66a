//! A model beside what its reference computes: the golden cases agree at every stage, and a fault is found where it is.

use super::checkpoint::{Tensor, safetensors};
use super::{fresh_folder, golden, ocelli, one_line, refused};
use ocelli::image::{DecodeOptions, decode};
use ocelli_gguf::Gguf;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A golden case as a dump: the same arrays under the same names.
struct Dump {
    arrays: Vec<Tensor>,
    model: String,
    mmproj: Option<String>,
}

fn tensor(name: &str, shape: &[usize], values: impl IntoIterator<Item = f32>) -> Tensor {
    let data: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
    assert_eq!(data.len(), 4 * shape.iter().product::<usize>());
    Tensor { name: name.into(), dtype: "F32", shape: shape.iter().map(|n| *n as u64).collect(), data }
}

impl Dump {
    fn of(case: &str) -> Dump {
        let text = std::fs::read_to_string(golden(&format!("{case}.txt"))).unwrap();
        let bin = std::fs::read(golden(&format!("{case}.bin"))).unwrap();
        let mut dump = Dump { arrays: Vec::new(), model: String::new(), mmproj: None };
        let mut ids = Vec::new();
        for line in text.lines() {
            let (key, value) = line.split_once(' ').unwrap();
            let numbers = || -> Vec<f32> { value.split(' ').map(|n| n.parse().unwrap()).collect() };
            let mut flat = |name: &str, of: Vec<f32>| dump.arrays.push(tensor(name, &[of.len()], of));
            match key {
                "model" => dump.model = golden(value),
                "mmproj" => dump.mmproj = Some(golden(value)),
                "ids" => {
                    ids = numbers();
                    flat("ids", ids.clone());
                }
                "rows" => flat("rows", numbers()),
                "kept_views" => flat("views", numbers()),
                "image" => {
                    let file = std::fs::read(golden(value.split(' ').next().unwrap())).unwrap();
                    let image = decode(&file, &DecodeOptions::default()).unwrap();
                    let shape = [image.height as usize, image.width as usize, 3];
                    dump.arrays.push(tensor("image", &shape, image.data.iter().map(|byte| f32::from(*byte))));
                }
                "array" => dump.array(value, &bin),
                _ => {}
            }
        }
        if dump.mmproj.is_some() {
            let image = if dump.model.ends_with("vicuna.gguf") { 350.0 } else { 293.0 };
            let flags = ids.iter().map(|id| f32::from(u8::from(*id == image)));
            dump.arrays.push(tensor("is_image", &[ids.len()], flags));
        }
        dump
    }

    /// `name type offset extents…`.
    fn array(&mut self, line: &str, bin: &[u8]) {
        let parts: Vec<&str> = line.split(' ').collect();
        let shape: Vec<usize> = parts[3..].iter().map(|n| n.parse().unwrap()).collect();
        let (count, offset) = (shape.iter().product::<usize>(), parts[2].parse::<usize>().unwrap());
        let values: Vec<f32> = match parts[1] {
            "u8" => bin[offset..offset + count].iter().map(|byte| f32::from(*byte)).collect(),
            _ => {
                let bytes = bin[offset..offset + 4 * count].as_chunks().0;
                bytes.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
            }
        };
        self.arrays.push(tensor(parts[0], &shape, values));
    }

    fn write(&self, folder: &Path) -> String {
        let path = folder.join("dump.safetensors");
        std::fs::write(&path, safetensors(&self.arrays)).unwrap();
        path.display().to_string()
    }

    /// The array of this name.
    fn get(&mut self, name: &str) -> &mut Tensor {
        self.arrays.iter_mut().find(|array| array.name == name).unwrap()
    }

    /// `verify` with these files in place of its own.
    fn run(&self, folder: &Path, model: Option<&str>, mmproj: Option<&str>, more: &[&str]) -> super::Ran {
        let dump = self.write(folder);
        let mut args = vec!["verify", model.unwrap_or(&self.model), "--reference", &dump];
        if let Some(mmproj) = mmproj.or(self.mmproj.as_deref()) {
            args.extend(["--mmproj", mmproj]);
        }
        args.extend(more);
        ocelli(&args)
    }
}

/// Names of the stages of one line of JSON.
fn stages(found: &Value) -> Vec<&str> {
    found["stages"].as_array().unwrap().iter().map(|stage| stage["stage"].as_str().unwrap()).collect()
}

/// The first stage that differs, by a run that must have found one.
fn first(ran: &super::Ran) -> String {
    assert_eq!(ran.code, Some(1), "{} {}", ran.out, ran.err);
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    let first = found["first"].as_str().unwrap().to_string();
    assert!(ran.err.contains(&format!("{first} is the first stage that differs")), "{}", ran.err);
    first
}

/// A copy of a model file in which the values of an F32 tensor are changed.
fn damaged(folder: &Path, file: &str, name: &str, change: impl Fn(usize, f32) -> f32) -> String {
    let mut bytes = std::fs::read(file).unwrap();
    let (start, len) = {
        let gguf = Gguf::parse(&bytes).unwrap();
        let data = gguf.tensor(name).unwrap().data;
        (data.as_ptr() as usize - bytes.as_ptr() as usize, data.len())
    };
    for (i, value) in bytes[start..start + len].as_chunks_mut::<4>().0.iter_mut().enumerate() {
        *value = change(i, f32::from_le_bytes(*value)).to_le_bytes();
    }
    let path: PathBuf = folder.join("damaged.gguf");
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

#[test]
fn every_golden_case_is_the_references_at_every_stage() {
    let folder = fresh_folder("verify-cases");
    let seen = ["pixels", "v.embed", "v.block.0", "v.block.1", "v.post_ln", "image_rows"];
    let clip = ["pixels", "v.embed", "v.pre_ln", "v.block.0", "v.block.1", "image_rows"];
    let read = ["embed", "block.0", "block.1", "norm", "logits"];
    for (case, tower, more) in [
        ("llama-tied-chat", &[][..], &[][..]),
        ("qwen2-raw", &[], &[]),
        ("smolvlm-first", &seen, &[]),
        ("smolvlm-last", &seen, &[]),
        ("smolvlm-one-view", &seen, &["--image-tokens", "4"]),
        ("llava-first", &clip, &[]),
        ("llava-crop", &clip, &["--preprocess", "crop"]),
    ] {
        let dump = Dump::of(case);
        let found = one_line(&dump.run(&folder, None, None, &[more, &["--json"]].concat()));
        assert!(found["first"].is_null(), "{case}: {found}");
        assert_eq!(stages(&found), [tower, &read].concat(), "{case}");
        for stage in found["stages"].as_array().unwrap() {
            let relative = stage["relative"].as_f64().unwrap();
            let allowed = if stage["stage"] == "pixels" { 0.0 } else { 1e-5 };
            assert!(relative <= allowed && stage["values"].as_u64().unwrap() > 0, "{case}: {stage}");
        }
    }
}

#[test]
fn a_fault_is_found_where_it_is() {
    let folder = fresh_folder("verify-faults");
    let dump = Dump::of("smolvlm-first");
    let (model, tower) = (dump.model.clone(), dump.mmproj.clone().unwrap());
    let text = |name: &str, change: fn(usize, f32) -> f32| {
        let file = damaged(&folder, &model, name, change);
        first(&dump.run(&folder, Some(&file), None, &["--json"]))
    };
    // A converter that forgets to permute, one that scales, one that drops a row of the output.
    assert_eq!(text("blk.1.attn_q.weight", |i, x| if i / 64 % 2 == 0 { x } else { -x }), "block.1");
    assert_eq!(text("token_embd.weight", |_, x| x * 1.01), "embed");
    assert_eq!(text("output_norm.weight", |_, x| x + 1.0), "norm");
    assert_eq!(text("output.weight", |i, x| if i < 64 { 0.0 } else { x }), "logits");
    assert_eq!(text("blk.0.ffn_norm.weight", |_, _| f32::NAN), "block.0");
    let vision = |name: &str, change: fn(usize, f32) -> f32| {
        let file = damaged(&folder, &tower, name, change);
        let ran = dump.run(&folder, None, Some(&file), &["--json"]);
        let found: Value = serde_json::from_str(&ran.out).unwrap();
        // The decoder had the reference's rows.
        let last = found["stages"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((last["stage"].as_str(), last["differs"].as_bool()), (Some("logits"), Some(false)));
        first(&ran)
    };
    assert_eq!(vision("v.position_embd.weight", |_, x| x + 0.5), "v.embed");
    assert_eq!(vision("v.blk.1.ffn_down.bias", |_, x| x + 1.0), "v.block.1");
    assert_eq!(vision("v.post_ln.weight", |_, x| x * 1.1), "v.post_ln");
    assert_eq!(vision("mm.model.fc.weight", |_, x| x * 1.1), "image_rows");
    // People see the same.
    let file = damaged(&folder, &tower, "v.post_ln.weight", |_, x| x * 1.1);
    let ran = dump.run(&folder, None, Some(&file), &[]);
    let marked: Vec<&str> = ran.out.lines().filter(|line| line.ends_with("differs")).collect();
    assert!(ran.code == Some(1) && marked.len() == 2 && marked[0].starts_with("v.post_ln"), "{}", ran.out);
}

#[test]
fn pixels_are_compared_byte_by_byte_and_shapes_before_numbers() {
    let folder = fresh_folder("verify-pixels");
    let mut dump = Dump::of("smolvlm-first");
    let byte = dump.get("pixels").data.as_chunks_mut::<4>().0.get_mut(77).unwrap();
    *byte = (f32::from_le_bytes(*byte) + 1.0).to_le_bytes();
    let ran = dump.run(&folder, None, None, &["--json"]);
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((first(&ran).as_str(), found["stages"][0]["largest"].as_f64()), ("pixels", Some(1.0)));
    let ran = Dump::of("smolvlm-first").run(&folder, None, None, &["--json", "--image-tokens", "4"]);
    assert_eq!(first(&ran), "pixels");
    assert!(ran.err.contains("expected 5 views, found 1 views"), "{}", ran.err);
    let wide = golden("mmproj-smolvlm-x3.gguf");
    assert_eq!(first(&Dump::of("smolvlm-first").run(&folder, None, Some(&wide), &["--json"])), "pixels");
    // A stage that the model has not.
    let mut dump = Dump::of("llama-tied-raw");
    dump.get("block.1").name = "block.7".into();
    let ran = dump.run(&folder, None, None, &["--json"]);
    assert_eq!(first(&ran), "block.7");
    assert!(ran.err.contains("no such stage"), "{}", ran.err);
}

#[test]
fn quantized_weights_are_allowed_more() {
    let folder = fresh_folder("verify-quantized");
    let dump = Dump::of("llama-tied-raw");
    let small = folder.join("small.gguf").display().to_string();
    assert_eq!(ocelli(&["quantize", &dump.model, &small, "--type", "Q8_0"]).code, Some(0));
    let found = one_line(&dump.run(&folder, Some(&small), None, &["--json"]));
    assert_eq!(found["tolerance"].as_f64(), Some(0.2));
    assert_eq!(first(&dump.run(&folder, Some(&small), None, &["--json", "--tolerance", "1e-4"])), "embed");
    let half = folder.join("half.gguf").display().to_string();
    assert_eq!(ocelli(&["quantize", &dump.model, &half, "--type", "BF16"]).code, Some(0));
    let found = one_line(&dump.run(&folder, Some(&half), None, &["--json"]));
    assert_eq!(found["tolerance"].as_f64(), Some(0.02));
}

#[test]
fn a_dump_that_cannot_be_used_is_refused() {
    let folder = fresh_folder("verify-refused");
    let model = golden("llama-tied.gguf");
    let path = folder.join("dump.safetensors").display().to_string();
    let refuses = |arrays: Option<&[Tensor]>, says: &[&str]| {
        if let Some(arrays) = arrays {
            std::fs::write(&path, safetensors(arrays)).unwrap();
        }
        refused(&ocelli(&["verify", &model, "--reference", &path]), 2, says);
    };
    refuses(None, &["dump.safetensors"]);
    refuses(Some(&[tensor("logits", &[1], [0.0])]), &["no `pixels` and no `ids`"]);
    // What compares nothing must not say that all is well.
    refuses(Some(&[tensor("ids", &[0], [])]), &["no stage of them"]);
    refuses(Some(&[tensor("ids", &[1], [1.0])]), &["no stage of them"]);
    refuses(Some(&[tensor("ids", &[2], [1.0, 0.5])]), &["ids", "0.5"]);
    refuses(Some(&[tensor("ids", &[1], [65536.0])]), &["ids names number 65536 of"]);
    refuses(
        Some(&[tensor("ids", &[2], [1.0, 2.0]), tensor("rows", &[1], [2.0])]),
        &["rows", "number 2 of 2"],
    );
    let flags = tensor("is_image", &[1], [1.0]);
    refuses(Some(&[tensor("ids", &[2], [1.0, 2.0]), flags]), &["ids has 2", "is_image 1"]);
    let rows = tensor("image_rows", &[3, 64], [0.0; 192]);
    let flags = tensor("is_image", &[2], [1.0, 0.0]);
    refuses(Some(&[tensor("ids", &[2], [1.0, 2.0]), flags, rows]), &["image_rows has 3", "is_image 1"]);
    let mut half = tensor("ids", &[1], [1.0]);
    (half.dtype, half.shape) = ("F16", vec![2]);
    refuses(Some(&[half]), &["ids is F16 and must be F32"]);
    std::fs::write(&path, [0; 12]).unwrap();
    refuses(None, &["dump.safetensors"]);
}
