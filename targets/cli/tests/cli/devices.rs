//! `plan --device`: a projection that says it is one, whose figures are the work that was counted over the profile's.

use super::{fresh_folder, golden, ocelli, one_line, refused, smolvlm, with};
use serde_json::Value;

fn plan(device: &str, rest: &[&str]) -> Value {
    let model = smolvlm();
    let args = [&["--device", device, "--json"], rest].concat();
    one_line(&ocelli(&with(&["plan".into()], &with(&model, &args))))
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key}: {value}"))
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

#[test]
fn figures_are_work_over_limits() {
    let all = plan("rpi5", &["--largest-image", "61x43"]);
    assert_eq!((&all["isa"], &all["threads"]), (&"neon-dotprod".into(), &4.into()), "not this machine's");
    let there = &all["device"];
    assert_eq!((&there["projection"], &there["fits"]), (&true.into(), &true.into()));
    let (int, float, read) = (4.0 * 2.4e9 * 64.0, 4.0 * 2.4e9 * 16.0, 13.2e9);
    let least = |stage: &Value| {
        let compute = number(stage, "int_ops") / int + number(stage, "float_ops") / float;
        compute.max(number(stage, "bytes") / read)
    };
    for stage in ["encode", "prefill"] {
        let stage = &there[stage];
        assert!(close(number(stage, "seconds_at_least"), least(stage)), "{stage}");
        assert!(number(stage, "seconds_at_least") > 0.0);
    }
    let decode = &there["decode"];
    assert!(close(number(decode, "tokens_per_second_at_most"), 1.0 / least(decode)), "{decode}");
    // Every weight of a linear map is read for a token, so not less than half of this small file and its cache.
    let weights = all["weights"]["text"].as_f64().unwrap();
    assert!((0.3 * weights..2.0 * weights).contains(&number(decode, "bytes")), "{decode} of {weights}");
}

#[test]
fn work_grows_with_what_is_seen() {
    let one = plan("rpi4", &["--largest-image", "200x200", "--image-tokens", "4"]);
    let many = plan("rpi4", &["--largest-image", "200x200"]);
    let (one, many) = (&one["device"], &many["device"]);
    let views = number(&many["encode"], "views");
    assert!(number(&one["encode"], "views") == 1.0 && views > 1.0);
    let ops = |there: &Value| number(&there["encode"], "int_ops") + number(&there["encode"], "float_ops");
    assert_eq!(ops(many), views * ops(one), "the tower runs once a view");
    let positions =
        |there: &Value| number(&there["prefill"], "positions") - number(&there["encode"], "tokens");
    assert_eq!(positions(many), positions(one), "the same question");
    let text =
        ocelli(&["plan", "--model", &golden("qwen2.gguf"), "--no-mmproj", "--device", "zero2w", "--json"]);
    assert!(one_line(&text)["device"]["encode"].is_null(), "no tower, no image");
}

#[test]
fn a_table_says_that_it_is_a_projection() {
    let model = smolvlm();
    let ran = ocelli(&with(&["plan".into()], &with(&model, &["--device", "orin-nano"])));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for words in ["Jetson Orin Nano", "a projection, not a measurement", "fits", "image encode", "≥", "≤"]
    {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    let plain = ocelli(&with(&["plan".into()], &model.each_ref().map(String::as_str)));
    assert!(!plain.out.contains("projection"));
}

#[test]
fn devices_are_listed_named_and_written_by_others() {
    let list = ocelli(&["plan", "--device", "list"]);
    assert_eq!(list.code, Some(0), "{}", list.err);
    for name in ["rpi4", "rpi5", "zero2w", "orin-nano", "laptop"] {
        assert!(list.out.lines().any(|line| line.starts_with(name)), "{name}: {}", list.out);
    }
    let model = smolvlm();
    let there = |device: &str| ocelli(&with(&["plan".into()], &with(&model, &["--device", device])));
    refused(&there("commodore64"), 2, &["commodore64", "rpi5", "zero2w"]);

    let folder = fresh_folder("devices");
    let file = folder.join("board.txt").display().to_string();
    let tiny =
        "title = A board\ncpu = A core\ncores = 2\nclock = 1e9\nisa = neon\nint8 = 16\nf32 = 8\nbus = 1e9\n";
    std::fs::write(&file, format!("{tiny}budget = 1M # not much\n")).unwrap();
    let ran = there(&file);
    assert_eq!(ran.code, Some(5), "{}", ran.err);
    assert!(ran.out.contains("A board") && ran.out.contains("on the bus"), "{}", ran.out);
    assert!(ran.err.contains("1048576"), "{}", ran.err);
    // Where memory is no bound, half of the cores take twice as long.
    std::fs::write(&file, format!("{}budget = 1G\n", tiny.replace("bus = 1e9", "bus = 1e15"))).unwrap();
    let (two, one) = (plan(&file, &[]), plan(&file, &["--threads", "1"]));
    let seconds = |there: &Value| number(&there["device"]["encode"], "seconds_at_least");
    assert_eq!(two["device"]["encode"]["bound"], "arithmetic");
    assert!(close(seconds(&one), 2.0 * seconds(&two)));
    std::fs::write(&file, tiny).unwrap();
    refused(&there(&file), 2, &["board.txt", "budget is missing"]);
    std::fs::remove_dir_all(folder).unwrap();
}
