//! Importance: `calibrate` sums what Hugging Face's classes give their linear maps, and `quantize` takes what it writes.

use super::{fresh_folder, golden, ocelli, refused};
use ocelli_gguf::{Gguf, TensorInfo};
use std::path::Path;

fn expected(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/importance").join(name))
        .unwrap()
}

fn text() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/perplexity/text.txt");
    file.display().to_string()
}

fn floats(tensor: &TensorInfo<'_>) -> Vec<f32> {
    tensor.data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Every tensor of the golden is in the file, equal but for rounding; gives how many.
fn same(found: &[u8], golden: &[u8]) -> usize {
    let (found, golden) = (Gguf::parse(found).unwrap(), Gguf::parse(golden).unwrap());
    for expected in golden.tensors() {
        let tensor = found.tensor(expected.name).unwrap_or_else(|| panic!("{} is missing", expected.name));
        let (x, y) = (floats(tensor), floats(expected));
        assert_eq!(x.len(), y.len(), "{}", expected.name);
        for (column, (x, y)) in x.iter().zip(&y).enumerate() {
            assert!((x - y).abs() <= 1e-4 * y.abs(), "{} {column}: {x} {y}", expected.name);
        }
    }
    golden.tensors().len()
}

fn calibrate(args: &[&str]) -> super::Ran {
    ocelli(&[&["calibrate"], args].concat())
}

#[test]
fn sums_are_those_of_hugging_face() {
    let folder = fresh_folder("calibrate");
    let at = |name: &str| folder.join(name).display().to_string();
    let model = golden("llama-tied.gguf");
    for threads in ["1", "3"] {
        let out = at(&format!("text-{threads}.gguf"));
        let ran = calibrate(&[&model, "--text", &text(), "--context", "96", "-t", threads, "-o", &out]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert!(ran.out.contains("15 linear maps"), "{}", ran.out);
    }
    let found = std::fs::read(at("text-1.gguf")).unwrap();
    assert!(found == std::fs::read(at("text-3.gguf")).unwrap());
    assert_eq!(same(&found, &expected("text.gguf")), 30);
    let file = Gguf::parse(&found).unwrap();
    assert_eq!(file.require::<&str>("general.type").unwrap(), "imatrix");
    assert_eq!(file.require::<u32>("imatrix.chunk_size").unwrap(), 96);

    // Quantize takes it, and nothing lacks importance.
    let ran = ocelli(&[
        "quantize",
        &model,
        &at("small.gguf"),
        "--type",
        "Q4_0",
        "--importance",
        &at("text-1.gguf"),
    ]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn pictures_go_through_both_towers() {
    let folder = fresh_folder("calibrate-images");
    let at = |name: &str| folder.join(name).display().to_string();
    let (model, tower) = (golden("smolvlm.gguf"), golden("mmproj-smolvlm-x2.gguf"));
    let (out, photo) = (at("image.gguf"), golden("photo.png"));
    let seen = [&model, "--mmproj", &tower, "--images", &photo, "--question", "What is the number?"];
    let ran = calibrate(&[&seen[..], &["-n", "0", "-o", &out]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let found = std::fs::read(&out).unwrap();
    assert_eq!(same(&found, &expected("image.gguf")), 2 * (14 + 12 + 1));

    // Both towers are made small with it.
    for (file, small) in [(&model, "small.gguf"), (&tower, "eyes.gguf")] {
        let ran = ocelli(&["quantize", file, &at(small), "--type", "Q4_0", "--pure", "--importance", &out]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    }
    // An answer gives rows more.
    let ran = calibrate(&[&seen[..], &["-n", "5", "-o", &at("more.gguf")]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let rows =
        |bytes: &[u8]| floats(Gguf::parse(bytes).unwrap().tensor("blk.0.attn_q.weight.counts").unwrap())[0];
    assert!(rows(&std::fs::read(at("more.gguf")).unwrap()) > rows(&found));
    let _ = std::fs::remove_dir_all(folder);
}

/// What a file says of its chunks, how many and of how many tokens, and the rows of every matrix.
fn chunks(path: &str) -> ([u32; 2], Vec<u32>) {
    let bytes = std::fs::read(path).unwrap();
    let file = Gguf::parse(&bytes).unwrap();
    let said = ["imatrix.chunk_count", "imatrix.chunk_size"].map(|key| file.require(key).unwrap());
    let counts = file.tensors().iter().filter(|tensor| tensor.name.ends_with(".counts"));
    (said, counts.map(|tensor| floats(tensor)[0] as u32).collect())
}

#[test]
fn a_chunk_is_what_was_read_at_once() {
    let folder = fresh_folder("calibrate-chunks");
    let at = |name: &str| folder.join(name).display().to_string();
    let (model, out) = (golden("llama-tied.gguf"), at("out.gguf"));
    // A text shorter than the window that was asked for.
    std::fs::write(at("short.txt"), "The red lamp on the panel is lit.").unwrap();
    let ran = calibrate(&[&model, "--text", &at("short.txt"), "-o", &out]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let ([count, size], rows) = chunks(&out);
    assert!(count == 1 && (2..64).contains(&size), "{count} {size}");
    assert!(rows.iter().all(|rows| *rows == size), "{size} {rows:?}");
    // A longer one: whole windows of what was asked for.
    let ran = calibrate(&[&model, "--text", &text(), "--context", "96", "--force", "-o", &out]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let ([count, size], rows) = chunks(&out);
    assert!(count > 1 && size == 96 && rows.iter().all(|rows| *rows == count * size), "{count} {rows:?}");
    // An image without a text.
    let (model, tower, photo) =
        (golden("smolvlm.gguf"), golden("mmproj-smolvlm-x2.gguf"), golden("photo.png"));
    let seen = [&model, "--mmproj", &tower, "--images", &photo, "-n", "0", "--force", "-o", &out];
    let ran = calibrate(&seen);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let ([count, size], rows) = chunks(&out);
    assert_eq!((count, Some(&size)), (1, rows.iter().max()));
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn padded_rows_have_the_importance_of_their_columns() {
    let folder = fresh_folder("calibrate-padded");
    let at = |name: &str| folder.join(name).display().to_string();
    let (model, name) = (golden("llama-tied.gguf"), "blk.0.attn_q.weight");
    let made = ["--type", "F32", "--pad", "--tensor", "blk.0.attn_q.weight=Q4_K"];
    let ran = ocelli(&[&["quantize", &model, &at("padded.gguf")], &made[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let bytes = std::fs::read(at("padded.gguf")).unwrap();
    let padded = Gguf::parse(&bytes).unwrap();
    assert_eq!((padded.tensor(name).unwrap().row_len(), padded.unpadded(name).unwrap()), (256, Some(64)));

    for (model, out) in [(&model, "plain-importance.gguf"), (&at("padded.gguf"), "importance.gguf")] {
        let ran = calibrate(&[model, "--text", &text(), "--context", "96", "-o", &at(out)]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    }
    let (plain, found) = (at("plain-importance.gguf"), at("importance.gguf"));
    let (plain, found) = (std::fs::read(plain).unwrap(), std::fs::read(found).unwrap());
    let (plain, found) = (Gguf::parse(&plain).unwrap(), Gguf::parse(&found).unwrap());
    assert_eq!(plain.tensors().len(), found.tensors().len());
    for tensor in plain.tensors() {
        assert_eq!(found.tensor(tensor.name).unwrap().dims(), tensor.dims(), "{}", tensor.name);
    }
    // Nothing before these weights is stored otherwise, so they are given the same.
    for part in ["in_sum2", "counts"] {
        let tensor = |file: &Gguf<'_>| file.tensor(&format!("{name}.{part}")).unwrap().data.to_vec();
        assert_eq!(tensor(&found), tensor(&plain), "{part}");
    }

    // It serves to quantize either file.
    for from in [&model, &at("padded.gguf")] {
        let args = ["--importance", &at("importance.gguf"), "--force"];
        let ran = ocelli(&[&["quantize", from, &at("small.gguf")], &made[..], &args].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn what_cannot_be_calibrated_is_refused() {
    let folder = fresh_folder("uncalibrated");
    let at = |name: &str| folder.join(name).display().to_string();
    let (model, out) = (golden("llama-tied.gguf"), at("out.gguf"));
    refused(&calibrate(&[&model, "-o", &out]), 2, &["--text"]);
    refused(&calibrate(&[&model, "--text", &at("none.txt"), "-o", &out]), 2, &["none.txt"]);
    std::fs::write(at("empty.txt"), "").unwrap();
    refused(&calibrate(&[&model, "--text", &at("empty.txt"), "-o", &out]), 2, &["tokens"]);
    refused(&calibrate(&[&at("none.gguf"), "--text", &text(), "-o", &out]), 3, &["none.gguf"]);
    refused(&calibrate(&[&model, "--text", &text(), "-o", &at("no/out.gguf")]), 1, &["out.gguf"]);
    std::fs::write(&out, "mine").unwrap();
    refused(&calibrate(&[&model, "--text", &text(), "-o", &out]), 2, &["exists", "--force"]);
    assert_eq!(std::fs::read(&out).unwrap(), b"mine");
    let _ = std::fs::remove_dir_all(folder);
}
