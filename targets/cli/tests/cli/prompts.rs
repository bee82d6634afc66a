//! Where a prompt comes from, where its images stand, and whose control tokens count.

use super::{
    asked, case, case_numbers, golden, numbers, ocelli, ocelli_reads, one_line, refused, smolvlm, with,
};

const QUESTION: &str = "What is the number?";

/// The generated ids of an answer are the golden case's.
fn is_golden(answer: &serde_json::Value, name: &str) {
    assert_eq!(numbers(&answer["ids"]), case_numbers(name, "greedy"), "{name}");
    assert_eq!(answer["prompt_tokens"], case_numbers(name, "ids").len(), "{name}");
}

#[test]
fn a_prompt_comes_from_the_argument_or_standard_input() {
    let photo = golden("photo.png");
    let model = smolvlm();
    let args = with(&model, &["--image", &photo, "-n", "12"]);
    is_golden(&asked(&[&args[..], &[QUESTION]].concat()), "smolvlm-first");
    let base = [&["run", "--json"], &args[..]].concat();
    let line = format!("{QUESTION}\n");
    is_golden(&one_line(&ocelli_reads(&base, &line)), "smolvlm-first");
    is_golden(&one_line(&ocelli_reads(&[&base[..], &["-"]].concat(), &line)), "smolvlm-first");
    is_golden(&one_line(&ocelli_reads(&[&base[..], &["-"]].concat(), QUESTION)), "smolvlm-first");
}

#[test]
fn marks_place_images_and_the_others_come_first() {
    let (photo, tall) = (golden("photo.png"), golden("tall.png"));
    let model = smolvlm();
    let ask = |images: &[&str], prompt: &str| {
        let images: Vec<&str> = images.iter().flat_map(|path| ["--image", path]).collect();
        asked(&[&with(&model, &["-n", "12"])[..], &images, &[prompt]].concat())
    };
    let same = |a: &serde_json::Value, b: &serde_json::Value| {
        assert_eq!((&a["ids"], &a["prompt_tokens"]), (&b["ids"], &b["prompt_tokens"]));
    };
    is_golden(&ask(&[&photo], "<image>What is the number?"), "smolvlm-first");
    let both = ask(&[&photo, &tall], "Is it so?");
    same(&both, &ask(&[&photo, &tall], "<image><image>Is it so?"));
    // The first mark is the first image's.
    same(&ask(&[&photo, &tall], "Is <image> so?"), &ask(&[&tall, &photo], "<image>Is <image> so?"));
    let swapped = ask(&[&tall, &photo], "Is it so?");
    assert_ne!(both["ids"], swapped["ids"], "the order of images is theirs");
    assert_ne!(ask(&[&photo], "It is <image>")["ids"], ask(&[&photo], "It is ")["ids"]);

    let too_many = ocelli(&with(&["run".into()], &with(&model, &["--image", &photo, "<image> or <image>?"])));
    refused(&too_many, 2, &["2 `<image>`", "1 images"]);
}

#[test]
fn a_raw_prompt_is_the_references_tokens() {
    for name in ["llama-tied-raw", "qwen2-raw", "vicuna-raw"] {
        let model = golden(&case(name, "model"));
        let args = ["--model", &model, "--no-mmproj", "--raw", "-n", "12", &case(name, "prompt")];
        is_golden(&asked(&args), name);
    }
    for name in ["llava-first", "llava-last", "llava-two", "llava-bare", "smolvlm-first", "smolvlm-last"] {
        let text = std::fs::read_to_string(golden(name) + ".txt").unwrap();
        let images = text.lines().filter_map(|line| line.strip_prefix("image ")?.split(' ').next());
        let images: Vec<String> = images.flat_map(|file| ["--image".into(), golden(file)]).collect();
        let (model, mmproj) = (golden(&case(name, "model")), golden(&case(name, "mmproj")));
        let prompt = case(name, "prompt");
        let args = ["--model", &model, "--mmproj", &mmproj, "--raw", "-n", "12", &prompt];
        let answer = asked(&with(&images, &args));
        is_golden(&answer, name);
    }
}

#[test]
fn image_tokens_are_counted_and_bounded() {
    let photo = golden("photo.png");
    let model = smolvlm();
    let ask = |rest: &[&str]| {
        asked(&[&with(&model, &["--image", &photo, "-n", "12"])[..], rest, &[QUESTION]].concat())
    };
    assert_eq!(ask(&[])["image_tokens"], 20);
    for tokens in ["4", "7", "19"] {
        assert_eq!(ask(&["--image-tokens", tokens])["image_tokens"], 4, "--image-tokens {tokens}");
    }
    let args = with(&model, &["--image", &photo, "--image-tokens", "4", "-n", "12"]);
    let turn = case("smolvlm-one-view", "part text");
    let mark = asked(&[&args[..], &[turn.as_str()]].concat());
    is_golden(&mark, "smolvlm-one-view");
    let few = ocelli(&with(&["run".into()], &with(&model, &["--image", &photo, "--image-tokens", "1", "?"])));
    refused(&few, 4, &[]);
}

#[test]
fn the_two_ways_of_llava_make_a_square() {
    let (model, mmproj) = (golden("vicuna.gguf"), golden("mmproj-llava-modern.gguf"));
    let ask = |name: &str, way: &[&str]| {
        let image = golden(case(name, "image").split(' ').next().unwrap());
        let prompt = case(name, "prompt");
        let args = ["--model", &model, "--mmproj", &mmproj, "--image", &image, "--raw", "-n", "12"];
        asked(&[&args[..], way, &[&prompt]].concat())
    };
    is_golden(&ask("llava-crop", &["--preprocess", "crop"]), "llava-crop");
    is_golden(&ask("llava-first", &["--preprocess", "pad"]), "llava-first");
    assert_ne!(ask("llava-crop", &[])["ids"], ask("llava-crop", &["--preprocess", "crop"])["ids"]);
}

#[test]
fn a_users_text_never_becomes_a_control_token() {
    let model = golden("smolvlm.gguf");
    let length = |raw: bool, prompt: &str| -> u64 {
        let raw: &[&str] = if raw { &["--raw"] } else { &[] };
        let args = ["--model", &model, "--no-mmproj", "-n", "1"];
        asked(&[&args[..], raw, &[prompt]].concat())["prompt_tokens"].as_u64().unwrap()
    };
    let raw = length(true, "so; so");
    for control in ["<end_of_utterance>", "<|im_start|>", "<fake_token_around_image>", "<global-img>"] {
        let prompt = format!("so;{control} so");
        assert_eq!(length(true, &prompt), raw + 1, "{control} in a raw prompt");
        let grown = length(false, &prompt) - length(false, "so; so");
        assert!(grown as usize > control.len() / 4, "{control} in a user's text took {grown} tokens");
    }
    let system = asked(&["--model", &model, "--no-mmproj", "-n", "1", "--system", "Be brief.", "so; so"]);
    assert!(system["prompt_tokens"].as_u64().unwrap() > length(false, "so; so"));
}

#[test]
fn a_prompt_that_does_not_fit_is_refused() {
    let model = golden("smolvlm.gguf");
    let long = ocelli(&["run", "--model", &model, "--no-mmproj", "--context", "8", QUESTION]);
    refused(&long, 1, &["positions", "context has 8"]);
    let empty = ocelli(&["run", "--model", &golden("llama-tied.gguf"), "--no-mmproj", "--raw", ""]);
    refused(&empty, 1, &["the prompt is empty"]);
    for bad in [["--context", "0"], ["--threads", "0"], ["--temperature", "-1"], ["--top-p", "7"]] {
        let ran = ocelli(&[&["run", "--model", &model, "--no-mmproj"], &bad[..], &["?"]].concat());
        assert_eq!(ran.code, Some(2), "{bad:?}: {}", ran.err);
    }
    assert_eq!(ocelli(&["run", "--no-such-option"]).code, Some(2));
    assert_eq!(ocelli(&["run", "--model", &model, "--raw", "--system", "x", "?"]).code, Some(2));
}
