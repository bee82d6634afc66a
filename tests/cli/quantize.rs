//! Model files made small: they answer, they have the same bytes for any number of threads, and are never half there.

use super::{asked, fresh_folder, golden, numbers, ocelli, refused};
use ocelli_gguf::{Gguf, TensorType};

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
