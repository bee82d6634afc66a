//! Two models beside each other: what `compare` says is what Hugging Face's classes, other commands and the library say, and
//! what cannot be compared is refused.

use super::{fresh_folder, golden, ocelli, one_line, refused};
use ocelli::image::{DecodeOptions, Frame, decode};
use ocelli::{Load, Mmproj, Model, Options};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// `compare` of these arguments; its one line of JSON.
fn compared(args: &[&str]) -> Value {
    one_line(&ocelli(&[&["compare", "--json", "-t", "2"], args].concat()))
}

fn perplexity(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/perplexity");
    folder.join(name).display().to_string()
}

fn quantize(from: &str, to: &str, kind: &str) {
    let ran = ocelli(&["quantize", from, to, "--type", kind]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
}

fn number(value: &Value, path: &str) -> f64 {
    value.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} in {value}"))
}

fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance * expected.abs(), "{what}: {found} {expected}");
}

#[test]
fn a_text_is_measured_as_hugging_face_measures_it() {
    let folder = fresh_folder("compare-golden");
    for case in ["llama-tied", "vicuna"] {
        let text = std::fs::read_to_string(perplexity(&format!("{case}.txt"))).unwrap();
        let golden_case: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        let expected = |key: &str| golden_case[key].parse::<f64>().unwrap();
        let (a, b) = (golden(golden_case["model"]), folder.join(case).display().to_string());
        quantize(&a, &b, "BF16");
        let found =
            compared(&[&a, &b, "--text", &perplexity("text.txt"), "--context", golden_case["window"]]);
        assert_eq!(number(&found, "/text/tokens"), expected("tokens"), "{case}");
        assert_eq!(number(&found, "/text/logits/positions"), expected("positions"), "{case}");
        // The reference computes logits in float32; a divergence is the small difference of large numbers.
        for (key, tolerance) in [
            ("perplexity_a", 1e-5),
            ("perplexity_b", 1e-5),
            ("kl_mean", 2e-4),
            ("kl_99", 1e-3),
            ("kl_max", 1e-3),
        ] {
            near(
                number(&found, &format!("/text/logits/{key}")),
                expected(key),
                tolerance,
                &format!("{case} {key}"),
            );
        }
        near(number(&found, "/text/logits/top_1"), expected("top_1"), 1e-12, case);
    }
}

/// Logarithms of the probabilities of every token after a prompt, as `run` gives them.
fn logprobs(model: &str, prompt: &str) -> HashMap<u64, f64> {
    let ran = ocelli(&[
        "run",
        "--model",
        model,
        "--raw",
        "--json",
        "--kv",
        "f32",
        "-n",
        "1",
        "--logprobs",
        "100000",
        prompt,
    ]);
    let line = one_line(&ran);
    let step = line["logprobs"][0].as_array().unwrap().clone();
    step.iter().map(|best| (best["id"].as_u64().unwrap(), best["logprob"].as_f64().unwrap())).collect()
}

#[test]
fn a_quantized_model_is_measured_as_its_own_answers_say() {
    let folder = fresh_folder("compare-run");
    let (a, b) = (golden("llama-tied.gguf"), folder.join("b.gguf").display().to_string());
    quantize(&a, &b, "Q4_0");
    // Digits are tokens of their own, so the beginning of the text has the beginning of its tokens.
    let digits = "3141592653589793";
    let text = folder.join("digits.txt").display().to_string();
    std::fs::write(&text, digits).unwrap();
    let found = compared(&[&a, &b, "--text", &text, "--kv", "f32"]);
    let (mut kl, mut nll, mut same) = (Vec::new(), [Vec::new(), Vec::new()], 0);
    for read in digits.len() / 2 + 1..digits.len() {
        let (p, q) = (logprobs(&a, &digits[..read]), logprobs(&b, &digits[..read]));
        let best = |of: &HashMap<u64, f64>| *of.iter().max_by(|x, y| x.1.total_cmp(y.1)).unwrap().0;
        kl.push(p.iter().map(|(id, p)| p.exp() * (p - q[id])).sum::<f64>());
        // The digits 0 to 9 stand one after the other in the vocabulary.
        let next = u64::from(digits.as_bytes()[read] - b'0') + 18;
        for (nll, of) in nll.iter_mut().zip([&p, &q]) {
            nll.push(-of[&next]);
        }
        same += usize::from(best(&p) == best(&q));
    }
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    assert_eq!(number(&found, "/text/tokens"), digits.len() as f64);
    assert_eq!(number(&found, "/text/logits/positions"), kl.len() as f64);
    let at = |key: &str| number(&found, &format!("/text/logits/{key}"));
    assert!(mean(&kl) > 1e-3 && at("kl_max") < 10.0);
    near(at("kl_mean"), mean(&kl), 1e-4, "mean");
    near(at("kl_max"), kl.iter().copied().fold(0.0, f64::max), 1e-4, "largest");
    near(at("perplexity_a"), mean(&nll[0]).exp(), 1e-4, "A");
    near(at("perplexity_b"), mean(&nll[1]).exp(), 1e-4, "B");
    assert_eq!(at("top_1"), same as f64 / kl.len() as f64);
}

#[test]
fn a_model_is_at_no_distance_from_itself() {
    let (model, tower) = (golden("smolvlm.gguf"), golden("mmproj-smolvlm-x2.gguf"));
    let (text, photo) = (perplexity("text.txt"), golden("photo.png"));
    let args =
        [&*model, &model, "--mmproj", &tower, "--text", &text, "--images", &photo, "-n", "5", "-c", "128"];
    let found = compared(&args);
    for (path, expected) in [
        ("/text/logits/kl_mean", 0.0),
        ("/text/logits/kl_max", 0.0),
        ("/text/logits/top_1", 1.0),
        ("/text/logits/perplexity_ratio", 1.0),
        ("/images/cosine_min", 1.0),
        ("/images/rows", 20.0),
        ("/images/relative_error_max", 0.0),
        ("/answers/equal_tokens", 1.0),
        ("/answers/identical", 1.0),
        ("/answers/logits/positions", 5.0),
        ("/answers/logits/kl_max", 0.0),
    ] {
        assert_eq!(number(&found, path), expected, "{path}");
    }
    // People are told the same.
    let ran = ocelli(&[&["compare"], &args[..]].concat());
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    for words in ["perplexity of A", "KL divergence, 99 %", "cosine, smallest", "identical answers"] {
        assert!(ran.out.contains(words), "{words} in {}", ran.out);
    }
    // The number of threads changes nothing.
    let one = one_line(&ocelli(&[&["compare", "--json", "-t", "1"], &args[..]].concat()));
    assert_eq!(one, found);
}

#[test]
fn a_quantized_tower_is_measured_row_by_row() {
    let folder = fresh_folder("compare-tower");
    let (model, a) = (golden("smolvlm.gguf"), golden("mmproj-smolvlm-x2.gguf"));
    let b = folder.join("mmproj-b.gguf").display().to_string();
    quantize(&a, &b, "Q8_0");
    for image in ["photo.png", "tall.png"] {
        std::fs::copy(golden(image), folder.join(image)).unwrap();
    }
    let images = folder.display().to_string();
    let found = compared(&[&model, &model, "--mmproj", &a, "--mmproj-b", &b, "--images", &images, "-n", "4"]);
    assert!(found["text"].is_null() && number(&found, "/images/images") == 2.0);
    let rows = |tower: &str, image: &str| -> Vec<Vec<f32>> {
        let model = Model::open(Path::new(&model), Mmproj::File(Path::new(tower)), Load::Map).unwrap();
        let mut session = model.session(&Options::default()).unwrap();
        let image = decode(&std::fs::read(golden(image)).unwrap(), &DecodeOptions::default()).unwrap();
        let frame = Frame::rgb(&image.data, image.width, image.height).unwrap();
        let seen = session.embed(frame, &mut |_| ()).unwrap();
        seen.rows.chunks(seen.width).map(<[f32]>::to_vec).collect()
    };
    let (mut cosines, mut relatives) = (Vec::new(), Vec::new());
    for image in ["photo.png", "tall.png"] {
        for (x, y) in rows(&a, image).iter().zip(rows(&b, image)) {
            let dot = |x: &[f32], y: &[f32]| {
                x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>()
            };
            let apart: Vec<f32> = x.iter().zip(&y).map(|(x, y)| y - x).collect();
            cosines.push(dot(x, &y) / (dot(x, x) * dot(&y, &y)).sqrt());
            relatives.push((dot(&apart, &apart) / dot(x, x)).sqrt());
        }
    }
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    assert_eq!(number(&found, "/images/rows"), cosines.len() as f64);
    near(number(&found, "/images/cosine"), mean(&cosines), 1e-9, "cosine");
    near(number(&found, "/images/relative_error"), mean(&relatives), 1e-6, "relative");
    near(
        number(&found, "/images/relative_error_max"),
        relatives.iter().copied().fold(0.0, f64::max),
        1e-6,
        "largest",
    );
    assert!(number(&found, "/images/cosine_min") < 1.0 && number(&found, "/images/cosine_min") > 0.9);
    // Made in memory it is the same tower.
    let made = compared(&[&model, &model, "--mmproj", &a, "--tower-int8-b", "--images", &images, "-n", "4"]);
    assert_eq!(made["images"], found["images"]);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let folder = fresh_folder("compare-refused");
    let at = |name: &str| folder.join(name).display().to_string();
    let (model, other, text) = (golden("llama-tied.gguf"), golden("qwen2.gguf"), perplexity("text.txt"));
    std::fs::write(at("empty.txt"), "").unwrap();
    std::fs::write(at("bytes.txt"), [0xff, 0xfe]).unwrap();
    std::fs::write(at("broken.png"), "not a picture").unwrap();
    let refuses =
        |args: &[&str], code, says: &[&str]| refused(&ocelli(&[&["compare"], args].concat()), code, says);
    refuses(&[&model, &model], 2, &["--text"]);
    refuses(&[&model, &model, "--text", &at("none.txt")], 2, &["none.txt"]);
    refuses(&[&model, &model, "--text", &at("bytes.txt")], 2, &["bytes.txt", "UTF-8"]);
    refuses(&[&model, &model, "--text", &at("empty.txt")], 2, &["empty.txt", "0 tokens are too few"]);
    refuses(&[&model, &model, "--text", &text, "--context", "2"], 2, &["the context must be at least 3"]);
    refuses(&[&model, &other, "--text", &text], 3, &["the vocabularies differ", "token"]);
    refuses(&[&model, &golden("smolvlm.gguf"), "--text", &text], 3, &["the vocabularies differ", "300"]);
    refuses(&[&model, &at("none.gguf"), "--text", &text], 3, &["none.gguf"]);
    let (vlm, tower) = (golden("smolvlm.gguf"), golden("mmproj-smolvlm-x2.gguf"));
    let seeing = [&*vlm, &*vlm, "--mmproj", &tower, "--images"];
    refuses(&[&seeing[..], &[&at("broken.png")]].concat(), 4, &["broken.png"]);
    refuses(&[&seeing[..], &[&at("none.png")]].concat(), 4, &["none.png"]);
    std::fs::create_dir(at("nothing")).unwrap();
    refuses(&[&seeing[..], &[&at("nothing")]].concat(), 2, &["no image"]);
    let wide = golden("mmproj-llava-modern.gguf");
    refuses(
        &[&seeing[..], &[&golden("photo.png"), "--mmproj-b", &wide]].concat(),
        3,
        &["A makes", "cannot be compared"],
    );
    // A weight that is no number: the output norm's first.
    let mut bytes = std::fs::read(&model).unwrap();
    let start = {
        let file = ocelli_gguf::Gguf::parse(&bytes).unwrap();
        file.tensor("output_norm.weight").unwrap().data.as_ptr() as usize - bytes.as_ptr() as usize
    };
    bytes[start..start + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(at("damaged.gguf"), &bytes).unwrap();
    refuses(&[&model, &at("damaged.gguf"), "--text", &text], 3, &["B computes", "no numbers", "window 1"]);
}
