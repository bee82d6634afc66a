//! What an answer is, how it is chosen, where it ends, and that it is the same on every machine.

use super::{
    asked, case, case_numbers, collect, golden, numbers, ocelli, one_line, program, refused, smolvlm, with,
};
use serde_json::Value;
use std::process::Stdio;

/// Arguments of a question to the small text model, which never ends an answer by itself for some time.
fn text_model(rest: &[&str]) -> Vec<String> {
    let first = ["--model".into(), golden("qwen2.gguf"), "--no-mmproj".into(), "--raw".into()];
    first.into_iter().chain(rest.iter().map(ToString::to_string)).collect()
}

fn ask(rest: &[&str]) -> Value {
    asked(&with(&text_model(rest), &["The lamp is"]))
}

fn is_number(value: &Value) -> bool {
    value.as_f64().is_some_and(|n| n.is_finite() && n >= 0.0)
}

#[test]
fn the_line_of_json_has_these_keys() {
    let photo = golden("photo.png");
    let answer = asked(&with(&smolvlm(), &["--image", &photo, "-n", "3", "What is the number?"]));
    let keys = |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let sorted = |value: &Value| {
        let mut keys = keys(value);
        keys.sort();
        keys.join(" ")
    };
    assert_eq!(sorted(&answer), "bytes ids image_tokens ms prompt_tokens text");
    assert_eq!(sorted(&answer["ms"]), "decode encode generate load prefill resize");
    assert_eq!(sorted(&answer["bytes"]), "arena io kv peak prompt weights");
    assert!(answer["text"].is_string());
    assert!(answer["ms"].as_object().unwrap().values().all(is_number));
    for stage in ["load", "decode", "encode", "prefill", "generate"] {
        assert!(answer["ms"][stage].as_f64().unwrap() > 0.0, "{stage}");
    }
    for part in ["weights", "arena", "kv", "io"] {
        assert!(answer["bytes"][part].as_u64().unwrap() > 0, "{part}");
    }
    let files = ["smolvlm.gguf", "mmproj-smolvlm-x2.gguf"];
    let sizes: u64 = files.map(|name| std::fs::metadata(golden(name)).unwrap().len()).iter().sum();
    assert_eq!(answer["bytes"]["weights"], sizes);
    assert_eq!(answer["bytes"]["peak"].is_u64(), cfg!(target_os = "linux"));
    assert_eq!(answer["ids"].as_array().unwrap().len(), 3);
}

#[test]
fn logprobs_are_the_likeliest_and_agree_with_the_choice() {
    for (k, kept) in [("1", 1), ("5", 5), ("100000", 300)] {
        let answer = ask(&["-n", "8", "--logprobs", k]);
        let (ids, steps) = (numbers(&answer["ids"]), answer["logprobs"].as_array().unwrap());
        assert_eq!(steps.len(), ids.len());
        for (id, step) in ids.iter().zip(steps) {
            let step = step.as_array().unwrap();
            let chances: Vec<f64> = step.iter().map(|one| one["logprob"].as_f64().unwrap()).collect();
            assert_eq!(step.len(), kept);
            assert_eq!(step[0]["id"], *id, "greedy takes the likeliest");
            assert!(chances.is_sorted_by(|a, b| a >= b) && chances[0] <= 0.0);
            let sum: f64 = chances.iter().map(|p| p.exp()).sum();
            assert!(sum < 1.0001 && (kept < 300 || sum > 0.9999), "{sum}");
        }
    }
    // Before penalties and temperature: the first step's are the same whatever is done with them.
    let plain = ask(&["-n", "1", "--logprobs", "3"]);
    let hot = ["-n", "1", "--logprobs", "3", "--temperature", "2", "--repetition-penalty", "1.5"];
    assert_eq!(ask(&hot)["logprobs"], plain["logprobs"]);
    assert!(ask(&["-n", "1"]).get("logprobs").is_none());
    let without = ocelli(&with(&["run".into()], &with(&text_model(&["--logprobs", "3"]), &["x"])));
    assert_eq!(without.code, Some(2), "{}", without.err);
}

#[test]
fn a_seed_is_a_promise() {
    let draw = |seed: &str| ask(&["-n", "24", "--temperature", "1", "--seed", seed])["ids"].clone();
    let first = draw("7");
    assert_eq!(first, draw("7"));
    assert!(["8", "9", "10"].iter().any(|seed| draw(seed) != first));
    // The likeliest alone is greedy, however hot.
    let greedy = ask(&["-n", "24"])["ids"].clone();
    assert_ne!(greedy, first);
    for narrow in [["--top-k", "1"], ["--top-p", "1e-6"], ["--min-p", "1"]] {
        assert_eq!(
            ask(&[&["-n", "24", "--temperature", "3"], &narrow[..]].concat())["ids"],
            greedy,
            "{narrow:?}"
        );
    }
    assert_ne!(ask(&["-n", "24", "--repetition-penalty", "2"])["ids"], greedy);
}

#[test]
fn a_stop_text_is_never_printed_nor_what_follows() {
    let whole = ask(&["-n", "40"])["text"].as_str().unwrap().to_string();
    let characters: Vec<char> = whole.chars().collect();
    assert!(characters.len() > 20, "{whole:?}");
    for at in 1..18 {
        let stop: String = characters[at..at + 3].iter().collect();
        if stop.starts_with('-') || stop.contains('\0') {
            continue;
        }
        let before = &whole[..whole.find(&stop).unwrap()];
        // An end that never comes, but begins like this one, is printed in the end.
        let half = format!("{stop}\u{1}never");
        for stops in [&["--stop", stop.as_str()][..], &["--stop", &half, "--stop", &stop]] {
            let found = ask(&[&["-n", "40"], stops].concat());
            assert_eq!(found["text"], before, "{stop:?}");
            assert!(numbers(&found["ids"]).len() < 40, "the generation ends there");
        }
        assert_eq!(ask(&["-n", "40", "--stop", &half])["text"], whole);
    }
    let stop: String = characters[6..9].iter().collect();
    let args = text_model(&["-n", "40", "--stop", &stop, "The lamp is"]);
    let shown = ocelli(&with(&["run".into()], &with(&args, &[])));
    assert_eq!(shown.out, format!("{}\n", &whole[..whole.find(&stop).unwrap()]));
    assert_eq!(shown.err, "", "nothing but the answer, where nobody watches");
    refused(&ocelli(&with(&["run".into()], &with(&text_model(&["--stop", ""]), &["x"]))), 2, &["stop"]);
}

#[test]
fn an_answer_has_as_many_tokens_as_asked() {
    let long = numbers(&ask(&["-n", "30"])["ids"]);
    for most in [0, 1, 17, 30] {
        assert_eq!(numbers(&ask(&["-n", &most.to_string()])["ids"]), long[..most]);
    }
    // A context that fills up ends it too.
    let full = ask(&["-n", "30", "--context", "20"]);
    let fits = 20 - full["prompt_tokens"].as_u64().unwrap() as usize + 1;
    assert_eq!(numbers(&full["ids"]), long[..fits]);
}

/// Everything that may not depend on the machine.
fn result(args: &[&str], isa: &str) -> [Value; 3] {
    let mut command = program(&[&["run", "--json", "--logprobs", "4", "-n", "12"], args].concat());
    command.env("OCELLI_ISA", isa);
    let answer = one_line(&collect(command, ""));
    ["text", "ids", "logprobs"].map(|key| answer[key].clone())
}

#[test]
fn the_same_bytes_on_every_machine() {
    let photo = golden("photo.png");
    let smolvlm = smolvlm();
    let quantized = ["--model".into(), golden("every-format-qwen2.gguf"), "--no-mmproj".into()];
    let llava =
        ["--model".into(), golden("vicuna.gguf"), "--mmproj".into(), golden("mmproj-llava-legacy.gguf")];
    let long = "the red lamp on the panel is lit, and it is 12345 o'clock. ".repeat(4);
    let cases = [
        with(&smolvlm, &["--image", &photo, "What is the number?"]),
        with(&quantized, &["--raw", &long]),
        with(&llava, &["--image", &photo, "--raw", "USER: <image>\nWhat? ASSISTANT:"]),
        with(&smolvlm, &["--temperature", "1.2", "--top-p", "0.9", "--seed", "3", "--kv", "f16", &long]),
    ];
    for args in &cases {
        let expected = result(&[&args[..], &["--threads", "1"]].concat(), "scalar");
        for threads in ["1", "2", "3"] {
            let found = result(&[&args[..], &["--threads", threads]].concat(), "");
            assert_eq!(found, expected, "{threads} threads, {args:?}");
        }
        let found = result(&[&args[..], &["--threads", "3", "--no-mmap"]].concat(), "scalar");
        assert_eq!(found, expected, "read instead of mapped, {args:?}");
    }
}

#[test]
fn an_unknown_instruction_set_is_refused_with_those_there_are() {
    let model = golden("qwen2.gguf");
    for command in [&["run", "--no-mmproj", "--model", &model, "x"][..], &["inspect", &model]] {
        let mut command = program(command);
        command.env("OCELLI_ISA", "nonsense");
        let ran = collect(command, "");
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        for word in ["OCELLI_ISA=nonsense", "known here", "scalar"] {
            assert!(ran.err.contains(word), "{word}: {}", ran.err);
        }
    }
    let verbose = ocelli(&["run", "-v", "--no-mmproj", "--model", &model, "-n", "1", "--raw", "x"]);
    assert!(verbose.err.contains("kernels") && verbose.err.contains("threads"), "{}", verbose.err);
}

#[test]
fn a_deadline_ends_everything() {
    let photo = golden("photo.png");
    let long = "the lamp ".repeat(400);
    let args = with(&smolvlm(), &[]).join("\n");
    let args: Vec<&str> = args.split('\n').collect();
    let late = |rest: &[&str]| ocelli(&[&["run", "--image", &photo], &args[..], rest].concat());
    for deadline in ["1ms", "0.001", "0.001s"] {
        refused(&late(&["--json", "--deadline", deadline, &long]), 6, &["deadline"]);
    }
    let relaxed = late(&["--json", "--deadline", "600s", "-n", "12", "What is the number?"]);
    assert_eq!(numbers(&one_line(&relaxed)["ids"]), case_numbers("smolvlm-first", "greedy"));
    assert_eq!(late(&["--deadline", "soon", "x"]).code, Some(2));
    assert_eq!(late(&["--deadline", "-1", "x"]).code, Some(2));
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    let model = golden("qwen2.gguf");
    let vocabulary = ["inspect", "--full", "--tensors", &model];
    let answer = ["run", "--no-mmproj", "--raw", "--model", &model, "-n", "2000", "--temperature", "2", "x"];
    let plan = ["plan", "--no-mmproj", "--model", &model];
    for args in [&vocabulary[..], &answer, &plan, &["--help"]] {
        let mut child = program(args).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*err), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn the_reference_answers_in_words_too() {
    let prompt = case("qwen2-raw", "prompt");
    let args = text_model(&["-n", "12"]);
    let shown = ocelli(&with(&["run".into()], &with(&args, &[&prompt])));
    let line = asked(&with(&args, &[&prompt]));
    assert_eq!(shown.out, format!("{}\n", line["text"].as_str().unwrap()));
    assert_eq!(numbers(&line["ids"]), case_numbers("qwen2-raw", "greedy"));
}

#[test]
#[cfg(feature = "pocket")]
fn an_answer_begins_with_its_first_word() {
    let panel = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/pocket/sample/panel.png");
    let args = ["--image", panel, "What does the display read?"];
    let (shown, line) = (ocelli(&[&["run"], &args[..]].concat()), asked(&args));
    assert_eq!((shown.code, shown.out.as_str(), shown.err.as_str()), (Some(0), "5.26\n", ""));
    assert_eq!(line["text"], " 5.26", "a script is told what the tokens say");
}
