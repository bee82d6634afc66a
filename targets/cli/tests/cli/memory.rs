//! The memory contract, from outside: the bill is the sum of its parts and of the files, a limit is kept, refused or
//! fitted into, and the most memory the process ever has is what was announced.

use super::{asked, fresh_folder, golden, ocelli, one_line, program, refused, smolvlm, with};
use serde_json::Value;
use std::io::Write;
use std::path::Path;

const QUESTION: &str = "What is the number?";

fn plan(args: &[&str]) -> Value {
    one_line(&ocelli(&[&["plan", "--json"], args].concat()))
}

fn sizes(names: &[&str]) -> u64 {
    names.iter().map(|name| std::fs::metadata(golden(name)).unwrap().len()).sum()
}

#[test]
fn the_bill_is_the_sum_of_its_parts() {
    let model = smolvlm();
    let bill = plan(&with(&model, &[]));
    let part = |key: &str| bill[key].as_u64().unwrap();
    let weights = |key: &str| bill["weights"][key].as_u64().unwrap();
    assert_eq!(weights("text"), sizes(&["smolvlm.gguf"]));
    assert_eq!(weights("vision"), sizes(&["mmproj-smolvlm-x2.gguf"]));
    let sum = weights("text")
        + weights("vision")
        + part("tables")
        + part("arena")
        + part("kv")
        + part("io")
        + part("prompt");
    assert_eq!(part("total"), sum);
    assert_eq!((&bill["context"], &bill["kv_type"]), (&2048.into(), &"f32".into()));
    // 2 layers of keys and values, 2048 positions, 2 heads of 16 values of 4 bytes.
    assert_eq!(part("kv"), 2 * 2 * 2048 * 2 * 16 * 4);

    let table = ocelli(&with(&["plan".into()], &with(&model, &[])));
    let listed = |name: &str| -> u64 {
        let line = table.out.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().next().unwrap().parse().unwrap()
    };
    for (row, expected) in
        [("arena", "arena"), ("kv cache", "kv"), ("io", "io"), ("prompt", "prompt"), ("total", "total")]
    {
        assert_eq!(listed(row), part(expected), "{row}");
    }
    let rows = ["text weights", "vision weights", "tables", "arena", "kv cache", "io", "prompt"];
    assert_eq!(rows.map(listed).iter().sum::<u64>(), listed("total"));
    assert!(!table.out.contains("int8"), "{}", table.out);
}

#[test]
fn a_tower_in_int8_is_billed_and_answers() {
    let (photo, model) = (golden("photo.png"), smolvlm());
    let bill = plan(&with(&model, &["--tower-int8", "--largest-image", "61x43"]));
    let copy = bill["vision_int8"].as_u64().unwrap();
    assert!(copy > 0);
    let table = ocelli(&with(&["plan".into()], &with(&model, &["--tower-int8"])));
    let row = table.out.lines().find(|line| line.starts_with("vision in int8")).unwrap();
    assert_eq!(row.split_whitespace().nth(3), Some(copy.to_string().as_str()));
    // The same tower quantized in its file is read without a copy, and gives the same answer.
    let folder = fresh_folder("int8");
    let file = folder.join("mmproj.gguf").display().to_string();
    assert_eq!(ocelli(&["quantize", &model[3], &file, "--type", "Q8_0"]).code, Some(0));
    let total = bill["total"].to_string();
    let rest = ["--image", &photo, "-n", "8", "--logprobs", "4", QUESTION];
    let limit = ["--tower-int8", "--memory-limit", &total];
    let made = asked(&with(&model, &[&limit[..], &rest].concat()));
    let read = asked(&[&["--model", &model[1], "--mmproj", &file][..], &rest].concat());
    let float = asked(&with(&model, &rest));
    assert_eq!((&made["ids"], &made["logprobs"]), (&read["ids"], &read["logprobs"]));
    assert_ne!(made["logprobs"], float["logprobs"]);
    let copies = [&made, &read, &float].map(|answer| answer["bytes"]["vision_int8"].as_u64());
    assert_eq!(copies, [Some(copy), None, None]);
    let said =
        ocelli(&with(&["run".into(), "-v".into()], &with(&model, &[&limit[..], &rest[..4]].concat()))).err;
    assert!(said.contains("13 matrices of the vision tower"), "{said}");
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn the_bill_grows_with_what_is_asked() {
    let model = smolvlm();
    let part = |args: &[&str], key: &str| plan(&with(&model, args))[key].as_u64().unwrap();
    assert_eq!(part(&["--context", "4096"], "kv"), 2 * part(&["--context", "2048"], "kv"));
    assert_eq!(part(&["--kv", "f16"], "kv") * 2, part(&["--kv", "f32"], "kv"));
    assert!(part(&["--threads", "4"], "arena") > part(&["--threads", "1"], "arena"));
    assert!(part(&["--largest-image", "100x100"], "io") < part(&["--largest-image", "4000x3000"], "io"));
    assert_eq!(ocelli(&with(&["plan".into()], &with(&model, &["--largest-image", "9"]))).code, Some(2));
    // Heads of 16 values are no whole blocks of q8_0; heads of 64 are.
    refused(&ocelli(&with(&["plan".into()], &with(&model, &["--kv", "q8_0"]))), 2, &["16", "q8_0", "f16"]);
    let run = ["run", "--model", &model[1], "--no-mmproj", "--kv", "q8_0", "x"];
    refused(&ocelli(&run), 2, &["16", "q8_0"]);
    let wide = golden("every-format-llama.gguf");
    let kv = |stored: &str| plan(&["--model", &wide, "--no-mmproj", "--kv", stored])["kv"].as_u64().unwrap();
    assert_eq!(plan(&["--model", &wide, "--no-mmproj"])["kv_type"], "f16", "weights that are not F32");
    // 32 values of one byte and their scale of four.
    assert_eq!((kv("f32"), kv("q8_0") * 64), (2 * kv("f16"), kv("f16") * 36));
}

#[test]
fn caches_of_every_kind_answer() {
    let wide = golden("every-format-llama.gguf");
    let first = |stored: &str| {
        let args = ["--model", &wide, "--no-mmproj", "--raw", "-n", "4", "--kv", stored, "--logprobs", "2"];
        let answer = asked(&[&args[..], &["The lamp is lit and the panel reads"]].concat());
        answer["logprobs"][0][0]["logprob"].as_f64().unwrap()
    };
    let exact = first("f32");
    for (stored, within) in [("f16", 0.01), ("q8_0", 0.2)] {
        assert!((first(stored) - exact).abs() < within, "{stored}: {} and {exact}", first(stored));
    }
}

#[test]
fn what_was_planned_is_enough_to_run() {
    let (photo, model) = (golden("photo.png"), smolvlm());
    let common = ["--threads", "2", "--context", "300"];
    let bill = plan(&with(&model, &[&common[..], &["--largest-image", "61x43"]].concat()));
    let total = bill["total"].to_string();
    let args = [&common[..], &["--image", &photo, "-n", "1", "--memory-limit", &total, QUESTION]].concat();
    let bytes = asked(&with(&model, &args))["bytes"].clone();
    for part in ["arena", "kv"] {
        assert_eq!(bytes[part], bill[part], "{part}");
    }
    assert!(bytes["io"].as_u64().unwrap() <= bill["io"].as_u64().unwrap());
}

#[test]
fn a_limit_is_kept_refused_or_fitted_into() {
    let (photo, model) = (golden("photo.png"), smolvlm());
    let look = ["--image", &photo, "-n", "1", "--threads", "2"];
    let bytes = asked(&with(&model, &[&look[..], &[QUESTION]].concat()))["bytes"].clone();
    let sum: u64 =
        ["weights", "arena", "kv", "io", "prompt"].iter().map(|key| bytes[key].as_u64().unwrap()).sum();
    let limited = |limit: &str, rest: &[&str]| {
        let args = [&look[..], &["--memory-limit", limit], rest, &["--json", QUESTION]].concat();
        ocelli(&with(&["run".into()], &with(&model, &args)))
    };
    // The tables of the two models come on top.
    assert_eq!(limited(&(sum + (1 << 16)).to_string(), &[]).code, Some(0));
    let less = (sum - 100).to_string();
    refused(&limited(&less, &[]), 5, &[&less, "bytes", "kv"]);
    refused(&limited("1M", &[]), 5, &["1048576"]);
    refused(&limited("1M", &["--fit"]), 5, &["1048576"]);
    assert_eq!(limited("3 apples", &[]).code, Some(2));
    assert_eq!(ocelli(&with(&["run".into()], &with(&model, &["--fit", "x"]))).code, Some(2));

    // A large image takes more than the smallest tiling of it: with just that much, fitting helps.
    let planned = |rest: &[&str]| {
        plan(&with(&model, &[&["--largest-image", "61x43", "--threads", "2"], rest].concat()))
    };
    let tables = planned(&[])["tables"].as_u64().unwrap();
    let small =
        asked(&with(&model, &[&look[..], &["--image-tokens", "4", QUESTION]].concat()))["bytes"].clone();
    let small: u64 =
        ["weights", "arena", "kv", "io", "prompt"].iter().map(|key| small[key].as_u64().unwrap()).sum();
    let limit = (tables + small).to_string();
    refused(&limited(&limit, &[]), 5, &[]);
    let fitted = limited(&limit, &["--fit"]);
    assert!(fitted.err.contains("4 tokens"), "{}", fitted.err);
    assert_eq!(one_line(&fitted)["image_tokens"], 4);
    let limit = planned(&["--image-tokens", "4"])["total"].to_string();
    let args = with(&model, &["--largest-image", "61x43", "--threads", "2", "--memory-limit", &limit]);
    assert_eq!(ocelli(&with(&["plan".into()], &args)).code, Some(5));
    assert_eq!(plan(&[&args[..], &["--fit"]].concat())["image_tokens"], 4);
}

/// Runs it with the prompt on standard input, and measures the process before it gets one: the program with its
/// models open and nothing done. Gives that and the answer.
fn measured(args: &[&str]) -> Option<(u64, Value)> {
    if std::env::var_os("OCELLI_EMULATOR").is_some() {
        return None; // the emulator's memory would be measured
    }
    let mut child =
        program(&[&["run", "--json"], args].concat()).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let peak = || -> Option<u64> {
        let text = std::fs::read_to_string(&status).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
    };
    // It waits for the prompt: what it has does not grow any more.
    let (mut before, mut still) = (peak(), 0);
    while still < 10 {
        std::thread::sleep(std::time::Duration::from_millis(10));
        let now = peak();
        still = if now == before { still + 1 } else { 0 };
        before = now;
    }
    child.stdin.take().unwrap().write_all(QUESTION.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some((before?, serde_json::from_slice(&output.stdout).unwrap()))
}

/// A picture that is large when decoded and small as a file.
fn large_picture(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    let shade = |x: u32, y: u32| [(x / 16) as u8, (y / 12) as u8, ((x ^ y) / 64) as u8, 255];
    let picture = image::RgbaImage::from_fn(4000, 3000, |x, y| image::Rgba(shade(x, y)));
    let picture = image::DynamicImage::from(picture);
    let saved = if name.starts_with("alpha") { picture } else { picture.to_rgb8().into() };
    saved.save(&path).unwrap();
    path.display().to_string()
}

#[test]
fn the_peak_is_the_bill_and_the_program() {
    let folder = fresh_folder("peak");
    let model = smolvlm();
    let images =
        ["large.png", "large.jpg", "alpha.png", "alpha.bmp"].map(|name| large_picture(&folder, name));
    let cases = [
        with(&model, &["-n", "4"]),
        with(&model, &["-n", "4", "--context", "131072"]),
        with(&model, &["-n", "4", "--image", &images[0]]),
        with(&model, &["-n", "4", "--image", &images[1]]),
        with(&model, &["-n", "4", "--image", &images[2]]),
        with(&model, &["-n", "4", "--image", &images[3]]),
        with(&model, &["-n", "4", "--image", &images[0], "--image", &images[1], "--threads", "3"]),
    ];
    for args in cases {
        let Some((program, answer)) = measured(&args) else {
            println!(
                "skipped: this system does not say what a process has had, or an emulator is in between"
            );
            return;
        };
        let bytes = |key: &str| answer["bytes"][key].as_u64().unwrap();
        let bill = ["weights", "arena", "kv", "io", "prompt"].map(bytes).iter().sum::<u64>();
        let (peak, allowed) = (bytes("peak"), (bill / 20).max(4 << 20));
        println!("peak {peak}, bill {bill}, program {program}: {args:?}");
        assert!(peak <= bill + program + allowed, "peak {peak}, bill {bill}, program {program}: {args:?}");
        let idle = bytes("kv") > 8 * bytes("arena");
        assert!(
            !idle || peak < bill / 2,
            "a context that is not filled takes no memory: {peak} of {bill}, {args:?}"
        );
    }
    let _ = std::fs::remove_dir_all(folder);
}
