//! `bench` and `--profile`: every figure is there, in every format, and is a number. No test asserts a speed.

use super::{Ran, golden, ocelli, refused, smolvlm, with};
use ocelli::profile::{Clock, Profile};
use ocelli::{ImageSizes, Load, Mmproj, Model, Options, Photo, Segment};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

/// A run of few and small measurements.
fn bench(rest: &[&str]) -> Ran {
    let small = ["--runs", "1", "--prompt", "5", "--depth", "0,3", "--generate", "2", "--buffer", "1M"];
    ocelli(&[&["bench"], &small[..], rest].concat())
}

fn fields(line: &str) -> Vec<&str> {
    line.split(',').collect()
}

#[test]
fn every_figure_is_there_and_a_number() {
    let (photo, model) = (golden("photo.png"), smolvlm());
    let ran =
        bench(&with(&model, &["--image", &photo, "--threads", "1,2", "--isa", "scalar", "--format", "json"]));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let all: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(all["buffer_bytes"], 1 << 20);
    let rows = all["rows"].as_array().unwrap();
    for threads in [1, 2] {
        let of = |row: &&Value| row["threads"] == threads;
        let names: Vec<&str> = rows.iter().filter(of).map(|row| row["figure"].as_str().unwrap()).collect();
        let mut expected = vec![
            "int8 peak, 4-bit codes",
            "int8 peak, 8-bit codes",
            "f32 peak",
            "read bandwidth",
            "load to ready",
            "image decode",
            "image preprocess",
            "image encode, a view",
            "image encode",
            "image encode, tower",
            "image encode, projector",
            "image, whole",
            "question to first token",
            "question to last token",
            "prefill",
            "decode",
            "decode",
        ];
        if cfg!(target_os = "linux") {
            expected.push("peak memory");
        }
        assert_eq!(names, expected);
    }
    for row in rows {
        for key in ["median", "min", "max"] {
            assert!(row[key].as_f64().is_some_and(|n| n.is_finite() && n > 0.0), "{key}: {row}");
        }
        assert!(
            row["min"].as_f64() <= row["median"].as_f64() && row["median"].as_f64() <= row["max"].as_f64()
        );
        // Of nothing else is it known what could be.
        let free = row["model"].is_null()
            || ["load to ready", "image decode"].contains(&row["figure"].as_str().unwrap());
        assert_eq!(row["percent"].as_f64().is_some_and(|n| n.is_finite() && n > 0.0), !free, "{row}");
        assert_eq!(row["bound"].is_string(), !free, "{row}");
    }
    let depths: Vec<&Value> =
        rows.iter().filter(|row| row["figure"] == "decode").map(|row| &row["at"]).collect();
    assert_eq!(depths, [0, 3, 0, 3]);
}

#[test]
fn the_formats_say_the_same() {
    let model = golden("qwen2.gguf");
    let json = bench(&["--model", &model, "--model", &golden("llama-tied.gguf"), "--format", "json"]);
    let all: Value = serde_json::from_str(&json.out).unwrap();
    let rows = all["rows"].as_array().unwrap();
    let models: BTreeSet<&str> = rows.iter().filter_map(|row| row["model"].as_str()).collect();
    assert_eq!(models, BTreeSet::from(["llama-tied.gguf", "qwen2.gguf"]));

    let csv = bench(&["--model", &model, "--format", "csv"]);
    assert_eq!(csv.code, Some(0), "{}", csv.err);
    let mut lines = csv.out.lines();
    let names = fields(lines.next().unwrap());
    let keys: BTreeSet<&str> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names.iter().copied().collect::<BTreeSet<&str>>(), keys);
    let mut figures = 0;
    for line in lines {
        // One kind of name has a comma, and is in quotes.
        let line = line.replace("\"int8 peak, 4-bit codes\"", "a").replace("\"int8 peak, 8-bit codes\"", "b");
        assert_eq!(fields(&line).len(), names.len(), "{line}");
        figures += 1;
    }
    assert_eq!(figures, rows.iter().filter(|row| row["model"] != "llama-tied.gguf").count());

    let table = bench(&["--model", &model]);
    for words in ["limits", "read bandwidth", "f32 peak", "qwen2.gguf", "prefill", "decode", "bandwidth"] {
        assert!(table.out.contains(words), "{words}: {}", table.out);
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let model = golden("qwen2.gguf");
    refused(&bench(&["--model", &model, "--isa", "sse9"]), 2, &["scalar"]);
    refused(&ocelli(&["bench"]), 2, &["--model"]);
    refused(&ocelli(&["bench", "--model", &model, "--runs", "0"]), 2, &["--runs"]);
    refused(&ocelli(&["bench", "--model", &model, "--threads", "0"]), 2, &["--threads"]);
    refused(&ocelli(&["bench", "--model", &model, "--prompt", "0"]), 2, &["--prompt"]);
    refused(&bench(&["--model", &golden("photo.png")]), 3, &["photo.png"]);
    let photo = golden("photo.png");
    refused(&bench(&["--model", &model, "--image", &photo]), 3, &["several vision towers"]);
}

/// Milliseconds of the lines under each heading `what`, and what the heading's stage took.
fn profiled(err: &str, what: &str) -> Vec<(f64, f64)> {
    let mut found = Vec::new();
    let (mut total, mut inside) = (0.0, false);
    for line in err.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if line.starts_with("profile of") {
            total = words[words.len() - 2].parse().unwrap();
            inside = false;
        } else if ["kind", "step"].contains(words.first().unwrap_or(&"")) {
            inside = words[0] == what;
            found.extend(inside.then_some((0.0, total)));
        } else if inside && let Some(at) = words.iter().position(|word| word.ends_with('%')) {
            found.last_mut().unwrap().0 += words[at - 1].parse::<f64>().unwrap();
        }
    }
    found
}

#[test]
fn a_profile_adds_up() {
    let (photo, model) = (golden("photo.png"), smolvlm());
    let ask = ["--image", &photo, "-n", "4", "What is the number?"];
    let plain = ocelli(&with(&["run".into()], &with(&model, &ask)));
    let ran = ocelli(&with(&["run".into(), "--profile".into()], &with(&model, &ask)));
    assert_eq!((ran.code, &ran.out), (Some(0), &plain.out), "{}", ran.err);
    for what in ["kind", "step"] {
        let stages = profiled(&ran.err, what);
        assert_eq!(stages.len(), 3, "encode, prefill, generate: {}", ran.err);
        for (sum, total) in stages {
            // Every line is rounded to a thousandth.
            assert!(sum > 0.0 && sum <= total + 0.05, "{sum} of {total}: {}", ran.err);
        }
    }
    for words in ["linear", "attention", "blk.*.attn_q.weight", "v.blk.*.ffn_up.weight", "mm.model.fc.weight"]
    {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    let layers = ocelli(&with(&["run".into(), "--profile=layers".into()], &with(&model, &ask)));
    assert!(layers.err.contains("blk.1.attn_q.weight") && !layers.err.contains('*'), "{}", layers.err);
    let read = bench(&["--model", &golden("qwen2.gguf"), "--profile"]);
    assert_eq!(profiled(&read.err, "kind").len(), 2, "prefill, generate: {}", read.err);
}

#[test]
fn a_profile_counts_every_step_of_every_run() {
    const CLOCK: Clock = || {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    };
    let tower = golden("mmproj-smolvlm-x2.gguf");
    let model =
        Model::open(Path::new(&golden("smolvlm.gguf")), Mmproj::File(Path::new(&tower)), Load::Map).unwrap();
    let mut options = Options::default();
    (options.context, options.images, options.batch) = (Some(128), ImageSizes::UpTo(64, 64), 16);
    let mut session = model.session(&options).unwrap();
    session.start_profile(CLOCK);
    let photo = Photo { width: 40, height: 30, rgb: &[90; 40 * 30 * 3] };
    let reading = session.read(&[Segment::Image(photo), Segment::Text("What is it?")], &mut |_| ()).unwrap();
    let profiles = session.take_profile().unwrap();
    assert!(session.take_profile().is_none());
    let (vision, text) = session.steps().unwrap();
    let views: u64 = reading.images.iter().map(|image| u64::from(image.views)).sum();
    let check = |profile: &Profile, runs: u64, steps: usize| {
        assert_eq!((profile.runs(), profile.steps().len()), (runs, steps));
        assert!(profile.steps().iter().all(|step| step.calls == runs));
        let sum: u64 = profile.steps().iter().map(|step| step.nanoseconds).sum();
        assert!(sum <= profile.nanoseconds(), "{sum} of {}", profile.nanoseconds());
    };
    check(profiles.encode.as_ref().unwrap(), views, vision.len());
    check(&profiles.prefill, profiles.prefill.runs(), text.len());
    assert!(profiles.prefill.runs() >= (reading.prompt_tokens as u64).div_ceil(16));
    check(&profiles.generate, 0, text.len());
    let known = |steps: &[ocelli::profile::NamedStep]| {
        steps.iter().filter(|s| s.step.weight.is_some()).all(|s| s.tensor.is_some())
    };
    assert!(known(&vision) && known(&text), "every weight has a name");
}
