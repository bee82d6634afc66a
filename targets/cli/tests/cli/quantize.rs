//! Model files made small: they answer, they have the same bytes for any number of threads, and are never half there.

use super::{asked, fresh_folder, golden, numbers, ocelli, refused};
use ocelli_gguf::{Gguf, TensorType, Writer};

/// `quantize` of these arguments.
fn quantize(args: &[&str]) -> super::Ran {
    ocelli(&[&["quantize"], args].concat())
}

#[test]
fn a_model_and_its_tower_are_made_small_and_answer() {
    let folder = fresh_folder("small");
    let at = |name: &str| folder.join(name).display().to_string();
    let ran = ocelli(&["synthesize", "tiny", "--type", "F16", "--mmproj-type", "F16", "-o", &at("")]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let (text, tower) = (at("tiny-F16.gguf"), at("mmproj-tiny-F16.gguf"));
    let (small, eyes, photo) = (at("small.gguf"), at("eyes.gguf"), golden("photo.png"));
    for kind in ["q4_k_m", "Q3_K", "IQ4_XS"] {
        let ran = quantize(&[&text, &small, "--type", kind, "--threads", "3", "--force"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{kind}");
        assert!(ran.out.contains("small.gguf: ") && ran.out.contains(" of weights, in "), "{}", ran.out);
        let bytes = std::fs::read(&small).unwrap();
        assert_eq!(quantize(&[&text, &at("one.gguf"), "--type", kind, "-t", "1", "--force"]).code, Some(0));
        assert!(bytes == std::fs::read(at("one.gguf")).unwrap(), "{kind}");
        assert_eq!(quantize(&[&tower, &eyes, "--type", kind, "--force"]).code, Some(0));
        let answer =
            asked(&["--model", &small, "--mmproj", &eyes, "--image", &photo, "-n", "2", "What is this?"]);
        assert_eq!(numbers(&answer["ids"]).len(), 2, "{kind}");
    }
    // Nothing but the three pairs is there: no file that is half written.
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 5);

    let ran = quantize(&[&small, &at("again.gguf"), "--type", "Q2_K", "--pure", "--keep", "output.weight"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("quantized already"), "{}", ran.err);
    let ran = quantize(&[&text, &small, "--type", "Q8_0", "--tensor", "blk.*.ffn_up.weight=q5_1", "--force"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let bytes = std::fs::read(&small).unwrap();
    let file = Gguf::parse(&bytes).unwrap();
    assert_eq!(file.tensor("blk.0.ffn_up.weight").unwrap().kind, TensorType::Q5_1);
    assert_eq!(file.tensor("blk.0.attn_q.weight").unwrap().kind, TensorType::Q8_0);
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn what_cannot_be_done_is_said_and_leaves_nothing() {
    let folder = fresh_folder("unmade");
    let at = |name: &str| folder.join(name).display().to_string();
    let (model, out) = (golden("qwen2.gguf"), at("out.gguf"));
    refused(&quantize(&[&model, &out, "--type", "Q9_0"]), 2, &["Q9_0", "Q4_K_M"]);
    refused(&quantize(&[&model, &out, "--type", "Q8_0", "--keep", "nothing"]), 2, &["\"nothing\""]);
    refused(&quantize(&[&model, &out, "--type", "Q8_0", "--tensor", "a=Q99"]), 2, &["Q99"]);
    refused(&quantize(&[&at("none.gguf"), &out, "--type", "Q8_0"]), 3, &["none.gguf"]);
    refused(&quantize(&[&golden("photo.png"), &out, "--type", "Q8_0"]), 3, &["photo.png"]);
    let cut = std::fs::read(&model).unwrap();
    std::fs::write(at("cut.gguf"), &cut[..cut.len() - 1000]).unwrap();
    refused(&quantize(&[&at("cut.gguf"), &out, "--type", "Q8_0"]), 3, &["cut.gguf", "byte"]);
    std::fs::remove_file(at("cut.gguf")).unwrap();
    refused(&quantize(&[&model, &at("no/out.gguf"), "--type", "Q8_0"]), 1, &["out.gguf"]);
    std::fs::write(&out, "mine").unwrap();
    refused(&quantize(&[&model, &out, "--type", "Q8_0"]), 2, &["exists", "--force"]);

    // A number that is none: the tensor is named, the file that was there is there still.
    let mut bytes = std::fs::read(&model).unwrap();
    let place = Gguf::parse(&bytes).unwrap().tensor("blk.0.attn_q.weight").unwrap().range();
    bytes[place.start..place.start + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(at("bad.gguf"), &bytes).unwrap();
    let ran = quantize(&[&at("bad.gguf"), &out, "--type", "Q8_0", "--force"]);
    refused(&ran, 3, &["bad.gguf", "\"blk.0.attn_q.weight\": value 0 is NaN"]);
    assert_eq!(std::fs::read(&out).unwrap(), b"mine");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
    let _ = std::fs::remove_dir_all(folder);
}

/// A file of importance for these tensors, as wide as the first matrices of the layers are.
fn importance(tensors: &[(String, usize)]) -> Vec<u8> {
    let numbers = |count: usize| -> Vec<u8> {
        (0..count as u32)
            .flat_map(|i| (1.0 + (i.wrapping_mul(2_654_435_761) >> 20) as f32).to_le_bytes())
            .collect()
    };
    let stored: Vec<(String, Vec<u8>)> = tensors
        .iter()
        .flat_map(|(name, width)| {
            [(format!("{name}.in_sum2"), numbers(*width)), (format!("{name}.counts"), numbers(1))]
        })
        .collect();
    let mut writer = Writer::new();
    writer.metadata("general.type", "imatrix").metadata("imatrix.datasets", &["lines.txt"]);
    writer.metadata("imatrix.chunk_count", 3u32).metadata("imatrix.chunk_size", 512u32);
    for (name, data) in &stored {
        writer.tensor(name, TensorType::F32, &[data.len() / 4], data);
    }
    writer.finish().unwrap()
}

#[test]
fn importance_is_used_and_what_lacks_it_is_named() {
    let folder = fresh_folder("importance");
    let at = |name: &str| folder.join(name).display().to_string();
    let model = golden("qwen2.gguf");
    let bytes = std::fs::read(&model).unwrap();
    let file = Gguf::parse(&bytes).unwrap();
    let layers = file.tensors().iter().filter(|t| t.name.starts_with("blk.") && t.rows() > 1);
    let all: Vec<(String, usize)> = layers.map(|t| (t.name.to_string(), t.row_len())).collect();
    std::fs::write(at("all.gguf"), importance(&all)).unwrap();
    let small = |out: &str, more: &[&str]| {
        let ran = quantize(&[&[&model, &at(out), "--type", "Q4_0", "--pure"], more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran
    };
    assert_eq!(small("without.gguf", &[]).err, "");
    let ran = small("with.gguf", &["--importance", &at("all.gguf")]);
    assert!(
        ran.err.contains("no importance of 1 tensors") && ran.err.contains("token_embd.weight"),
        "{}",
        ran.err
    );
    let (without, with) =
        (std::fs::read(at("without.gguf")).unwrap(), std::fs::read(at("with.gguf")).unwrap());
    let (without, with) = (Gguf::parse(&without).unwrap(), Gguf::parse(&with).unwrap());
    assert_eq!(with.require::<&str>("quantize.imatrix.file").unwrap(), "all.gguf");
    for (a, b) in without.tensors().iter().zip(with.tensors()) {
        let minded = all.iter().any(|(name, _)| name == a.name);
        assert_eq!((a.name, a.kind, a.data == b.data), (b.name, b.kind, !minded));
    }

    // Of another model, of none, and none at all.
    let mut other = all.clone();
    other[1].1 += 32;
    std::fs::write(at("other.gguf"), importance(&other)).unwrap();
    let refuse = |file: &str, says: &[&str]| {
        refused(&quantize(&[&model, &at("x.gguf"), "--type", "Q4_0", "--importance", file]), 3, says);
    };
    refuse(&at("other.gguf"), &[&format!("{:?}", other[1].0), "importance is of 1 x 96 columns"]);
    refuse(&model, &["qwen2.gguf", "no file of importance"]);
    refuse(&at("none.gguf"), &["none.gguf"]);
    refuse(&golden("photo.png"), &["photo.png"]);
    assert!(!folder.join("x.gguf").exists());
    let _ = std::fs::remove_dir_all(folder);
}
