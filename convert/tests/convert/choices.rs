//! What a checkpoint says in several places: the one that counts is the one that transformers takes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use super::made;

use made::checkpoint::{safetensors, tensors};
use made::{Memory, ONE, made};
use ocelli_convert::Error;
use ocelli_gguf::{Gguf, List, Value};

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const OURS: &str = "tokenizer_config.json";
const WEIGHTS: &str = "model.safetensors";
const JINJA: &str = "chat_template.jinja";

fn llama() -> Memory {
    Memory::golden("llama-tied")
}

/// The file of the language model.
fn text(folder: &Memory) -> Vec<u8> {
    made(folder, "F32", "x", ONE).unwrap().swap_remove(0)
}

fn failure(folder: &Memory) -> Error {
    made(folder, "F32", "x", ONE).map(|_| ()).expect_err("this is no checkpoint")
}

/// A text of the file's metadata.
fn string(file: &[u8], key: &str) -> Option<String> {
    Gguf::parse(file).unwrap().optional::<&str>(key).unwrap().map(String::from)
}

fn template(folder: &Memory) -> Option<String> {
    string(&text(folder), "tokenizer.chat_template")
}

/// An entry put in front of the others of a JSON file.
fn saying(folder: Memory, file: &str, entry: &str) -> Memory {
    folder.replaced(file, "{", &format!("{{{entry},"))
}

#[test]
fn the_template_is_the_one_that_transformers_takes() {
    const OLD: &str = "\"chat_template\":\"OLD\"";
    const LIST: &str = "\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"T\"},{\"name\":\"default\",\"template\":\"D\"}]";
    let more =
        |folder: Memory, name: &str| folder.with(&format!("additional_chat_templates/{name}.jinja"), name);
    let bare = || llama().without(JINJA);
    for (folder, wanted, name) in [
        (saying(llama(), OURS, OLD).with(JINJA, "NEW"), "NEW", "a file before an entry"),
        (saying(llama(), OURS, LIST).with(JINJA, "NEW"), "NEW", "a file before a list"),
        (saying(bare(), OURS, OLD), "OLD", "an entry"),
        (saying(bare(), OURS, LIST), "D", "a list"),
        (saying(bare(), OURS, "\"chat_template\":{\"default\":\"O\"}"), "O", "an object"),
        (more(llama().with(JINJA, "NEW"), "rag"), "NEW", "a file and more of them"),
        (more(more(saying(bare(), OURS, OLD), "default"), "rag"), "default", "more files before an entry"),
        (more(llama().with(JINJA, "NEW"), "default"), "default", "a tokenizer's file of that name"),
        (llama().with(JINJA, ""), "", "an empty file"),
        (llama().with(JINJA, "a\r\nb\rc\n\r\n\r"), "a\nb\nc\n\n\n", "ends of lines"),
        (llama().with(JINJA, "\u{feff}a"), "\u{feff}a", "a mark that is read as text"),
        (saying(bare(), OURS, "\"chat_template\":\"a\\r\\nb\""), "a\r\nb", "a string of JSON as it is"),
    ] {
        assert_eq!(template(&folder).as_deref(), Some(wanted), "{name}");
    }
    let file =
        text(&more(llama().with(JINJA, "NEW\r\n"), "rag").with("additional_chat_templates/notes.txt", "x"));
    assert_eq!(string(&file, "tokenizer.chat_template.rag").as_deref(), Some("rag"));
    let names: Vec<String> = Gguf::parse(&file)
        .unwrap()
        .require::<List<'_, &str>>("tokenizer.chat_templates")
        .unwrap()
        .iter()
        .map(String::from)
        .collect();
    assert_eq!(names, ["rag"]);
    let stale = text(&saying(llama(), OURS, LIST).with(JINJA, "NEW"));
    assert_eq!(string(&stale, "tokenizer.chat_template.tool_use"), None, "the list does not count");
    // A tokenizer does not look there.
    assert_eq!(template(&bare().with("chat_template.json", "{\"chat_template\":\"J\"}")), None);
    assert_eq!(template(&bare()), None);
    for folder in [more(bare(), "rag"), saying(bare(), OURS, "\"chat_template\":{\"rag\":\"R\"}")] {
        let error = failure(&folder);
        assert!(matches!(error, Error::Unsupported { .. }) && error.to_string().contains("rag"), "{error}");
    }
    let wrong = failure(&saying(bare(), OURS, "\"chat_template\":7"));
    assert!(wrong.to_string().contains("chat_template should be a template and is 7"), "{wrong}");
}

#[test]
fn the_template_of_a_model_that_sees_is_its_processors() {
    const OLD: &str = "\"chat_template\":\"OLD\"";
    let bare = || saying(Memory::golden("smolvlm-2").without(JINJA), OURS, OLD);
    let json = |folder: Memory| folder.with("chat_template.json", "{\"chat_template\":\"JSON\"}");
    let processor =
        |folder: Memory| folder.with("processor_config.json", "{\"chat_template\":\"PROCESSOR\"}");
    let more = |folder: Memory| folder.with("additional_chat_templates/default.jinja", "MORE");
    for (folder, wanted) in [
        (bare(), "OLD"),
        (bare().with(JINJA, "NEW"), "NEW"),
        (json(bare()), "JSON"),
        (json(bare().with(JINJA, "NEW")), "JSON"),
        (processor(json(bare().with(JINJA, "NEW"))), "PROCESSOR"),
        (more(bare()), "MORE"),
        (more(bare().with(JINJA, "NEW")), "NEW"),
    ] {
        assert_eq!(template(&folder).as_deref(), Some(wanted));
    }
    let both = failure(&more(json(bare())));
    assert!(both.to_string().contains("chat_template.json"), "{both}");
    let empty = failure(&bare().with("chat_template.json", "{}"));
    assert!(empty.to_string().contains("chat_template.json: chat_template"), "{empty}");
}

/// Whether the file has an output matrix of its own.
fn has_output(folder: &Memory) -> bool {
    Gguf::parse(&text(folder)).unwrap().tensor("output.weight").is_some()
}

#[test]
fn ties_are_as_the_configuration_says() {
    const TIED: &str = "\"tie_word_embeddings\":true";
    assert!(!has_output(&llama()));
    for said in ["\"tie_word_embeddings\":false", "\"tie_word_embeddings\":null", "\"x\":0"] {
        let error = failure(&llama().replaced(CONFIG, TIED, said));
        assert!(matches!(error, Error::Untied { .. }), "{error:?}");
        let said = error.to_string();
        assert!(
            said.contains("\"lm_head.weight\" is missing") && said.contains("tie_word_embeddings"),
            "{said}"
        );
    }
    let odd = failure(&llama().replaced(CONFIG, TIED, "\"tie_word_embeddings\":\"yes\""));
    assert!(odd.to_string().contains("tie_word_embeddings should be true or false"), "{odd}");
    // What a language model alone does not look at.
    let nested = llama().replaced(CONFIG, TIED, "\"text_config\":{\"tie_word_embeddings\":true}");
    assert!(matches!(failure(&nested), Error::Untied { .. }));

    // Both are there: another matrix is another matrix, whatever the configuration says.
    let mut list = tensors("llama-tied");
    let mut output = list.iter().find(|tensor| tensor.name.ends_with("embed_tokens.weight")).unwrap().clone();
    output.name = "lm_head.weight".into();
    output.data[..4].copy_from_slice(&7.5f32.to_le_bytes());
    list.push(output.clone());
    let both = llama().with(WEIGHTS, safetensors(&list));
    for folder in [both.clone(), both.replaced(CONFIG, TIED, "\"tie_word_embeddings\":false")] {
        let file = text(&folder);
        let file = Gguf::parse(&file).unwrap();
        assert_eq!(file.require_tensor("output.weight").unwrap().data, output.data);
        assert_ne!(file.require_tensor("token_embd.weight").unwrap().data, output.data);
    }
    // Of two that are tied the one that is there counts.
    list.retain(|tensor| !tensor.name.ends_with("embed_tokens.weight"));
    let file = text(&llama().with(WEIGHTS, safetensors(&list)));
    let file = Gguf::parse(&file).unwrap();
    assert_eq!(file.require_tensor("token_embd.weight").unwrap().data, output.data);
    assert!(file.tensor("output.weight").is_none());

    // LLaVA may say it in the part of its language model, SmolVLM may not.
    for (case, refused) in [("llava", false), ("smolvlm-2", true)] {
        let golden = Memory::golden(case);
        let config = golden.text(CONFIG).replace("\"tie_word_embeddings\":false", "\"x\":0");
        let config = config.replacen("\"text_config\":{", &format!("\"text_config\":{{{TIED},"), 1);
        let mut list = tensors(case);
        list.retain(|tensor| !tensor.name.ends_with("lm_head.weight"));
        let folder = golden.with(CONFIG, config).with(WEIGHTS, safetensors(&list));
        match made(&folder, "F32", "x", ONE) {
            Err(error) => assert!(refused && matches!(error, Error::Untied { .. }), "{case}: {error}"),
            Ok(_) => assert!(!refused, "{case}"),
        }
    }
}

#[test]
fn json_is_read_as_python_reads_it() {
    let plain = text(&llama());
    for entry in ["\"x\":NaN", "\"x\":[-Infinity,Infinity]", "\"x\":{\"y\":\"a \\\"NaN\\\\\"},\"z\":NaN"] {
        assert!(text(&saying(llama(), CONFIG, entry)) == plain, "{entry}");
    }
    for (from, to) in [
        ("\"rms_norm_eps\":1e-05", "\"rms_norm_eps\":NaN"),
        ("\"hidden_size\":64", "\"hidden_size\":Infinity"),
    ] {
        let error = failure(&llama().replaced(CONFIG, from, to));
        assert!(matches!(error, Error::Entry { .. }), "{error:?}");
        let key = from.split('"').nth(1).unwrap();
        assert!(error.to_string().contains(key) && error.to_string().contains(CONFIG), "{error}");
    }
    for file in [CONFIG, TOKENIZER, OURS] {
        let marked = format!("\u{feff}{}", llama().text(file));
        let error = failure(&llama().with(file, marked));
        assert!(matches!(error, Error::ByteOrderMark { .. }) && error.to_string().contains(file), "{error}");
    }
    assert!(matches!(failure(&llama().with(CONFIG, "{\"a\":NaN")), Error::Json { .. }));
}

/// Whether a text begins with BOS, and the ids that end an answer.
fn ends(file: &[u8]) -> (bool, Vec<u64>) {
    let file = Gguf::parse(file).unwrap();
    let id = |key: &str| file.get(&format!("tokenizer.ggml.{key}_token_id")).and_then(|v| v.as_integer());
    let ids = ["eos", "eot", "eom"].iter().filter_map(|key| id(key)).map(|id| id as u64).collect();
    (file.require("tokenizer.ggml.add_bos_token").unwrap(), ids)
}

#[test]
fn special_tokens_are_those_of_the_tokenizer() {
    const GENERATION: &str = "generation_config.json";
    assert_eq!(ends(&text(&llama())), (false, vec![2]));
    // Beside a tokenizer.json this entry is not read; the post-processor says it.
    assert!(!ends(&text(&saying(llama(), OURS, "\"add_bos_token\":true"))).0);
    let put = "[{\"SpecialToken\":{\"id\":\"<|im_start|>\",\"type_id\":0}},{\"Sequence\"";
    let with_bos = llama().replaced(TOKENIZER, "\"single\":[{\"Sequence\"", &format!("\"single\":{put}"));
    assert!(ends(&text(&with_bos)).0);
    // Without one it is, and false where it is left out.
    assert!(ends(&text(&Memory::golden("vicuna"))).0);
    let vicuna = || Memory::golden("vicuna").replaced(OURS, "\"add_bos_token\":true,", "");
    assert!(!ends(&text(&vicuna())).0);
    // A token of the vocabulary that was not added, before an id of config.json.
    let named = |folder: Memory| folder.replaced(OURS, "\"eos_token\":\"<|im_end|>\"", "\"eos_token\":\"!\"");
    let end = ends(&text(&named(llama()))).1;
    assert_eq!((end[0], end.len()), (3, 1), "<|im_end|> is known by its text");
    // The older file with the same entries.
    let map = "{\"eos_token\":{\"content\":\"!\"}}";
    assert_eq!(ends(&text(&llama().with("special_tokens_map.json", map))).1[0], 3);
    let newer = saying(
        llama(),
        OURS,
        "\"added_tokens_decoder\":{\"0\":{\"content\":\"<|endoftext|>\",\"special\":true}}",
    );
    assert_eq!(ends(&text(&newer.clone().with("special_tokens_map.json", map))).1[0], 2);
    let beyond = "{\"<stale>\":300}";
    assert!(matches!(failure(&llama().with("added_tokens.json", beyond)), Error::Token { id: 300, .. }));
    assert!(made(&newer.with("added_tokens.json", beyond), "F32", "x", ONE).is_ok());
    // Several ends.
    let says = |ids: &str| llama().with(GENERATION, format!("{{\"eos_token_id\":{ids}}}"));
    assert_eq!(ends(&text(&says("[2]"))).1, [2]);
    assert_eq!(ends(&text(&says("[2,7,9,7]"))).1, [2, 7, 9]);
    assert_eq!(ends(&text(&says("[0,2,7,9]"))).1, [2, 7, 9], "<|endoftext|> is known by its text");
    for (ids, word) in
        [("[3,4,5,6]", "[3, 4, 5, 6]"), ("[300]", "300"), ("[-1]", "-1"), ("\"x\"", "eos_token_id")]
    {
        let error = failure(&says(ids));
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn the_pre_tokenizer_has_the_name_of_its_rule() {
    const DIGITS: &str =
        "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},";
    let pattern = |digits: &str| {
        format!(
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{{L}}\\\\p{{N}}]?\\\\p{{L}}+|\\\\p{{N}}{digits}| ?[^\\\\s\\\\p{{L}}\\\\p{{N}}]+\
             [\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
        )
    };
    let split = |digits: &str, how: &str| {
        let step = format!("{{\"type\":\"Split\",\"pattern\":{{\"Regex\":\"{}\"}},{how}}},", pattern(digits));
        let steps = DIGITS.replace("{\"type\":\"Digits\",\"individual_digits\":true},", &step);
        llama().replaced(TOKENIZER, DIGITS, &steps).replaced(
            TOKENIZER,
            "\"use_regex\":true",
            "\"use_regex\":false",
        )
    };
    let whole = |folder: Memory, flag: &str| {
        let vocab = folder.text(TOKENIZER).replacen("\"ignore_merges\":false", "\"x\":0", 1);
        folder.with(TOKENIZER, vocab).replaced(
            TOKENIZER,
            "\"vocab\":",
            &format!("\"ignore_merges\":{flag},\"vocab\":"),
        )
    };
    let pre = |folder: &Memory| string(&text(folder), "tokenizer.ggml.pre").unwrap();
    const ISOLATED: &str = "\"behavior\":\"Isolated\",\"invert\":false";
    const REMOVED: &str = "\"behavior\":\"Removed\",\"invert\":true";
    for how in [ISOLATED, REMOVED] {
        assert_eq!(pre(&whole(split("{1,3}", how), "true")), "llama-bpe", "{how}");
        assert_eq!(pre(&whole(split("{1,3}", how), "false")), "smaug-bpe", "{how}");
    }
    assert_eq!(pre(&llama()), "smollm");
    let refused = [
        whole(llama(), "true"),
        split("{1,3}", "\"behavior\":\"Removed\",\"invert\":false"),
        split("{1,2}", ISOLATED),
    ];
    for folder in refused {
        assert!(matches!(failure(&folder), Error::Unsupported { .. }));
    }
}

/// Numbers of a key under `llama.rope`, and the tensor of factors.
fn rope(folder: &Memory, key: &str) -> (Option<f64>, Option<Vec<u8>>) {
    let file = text(folder);
    let file = Gguf::parse(&file).unwrap();
    let value = match file.get(&format!("llama.rope.{key}")) {
        Some(Value::F32(number)) => Some(f64::from(number)),
        Some(other) => other.as_integer().map(|number| number as f64),
        None => None,
    };
    (value, file.tensor("rope_freqs.weight").map(|tensor| tensor.data.to_vec()))
}

#[test]
fn rotary_positions_are_said_in_many_places() {
    let old = |entries: &str| {
        let config = llama().text(CONFIG);
        let start = config.find("\"rope_parameters\"").unwrap();
        let end = start + config[start..].find('}').unwrap() + 1;
        let config = format!("{}\"x\":0{}", &config[..start], &config[end..]);
        saying(llama().with(CONFIG, config), CONFIG, entries)
    };
    let base = |folder: &Memory| rope(folder, "freq_base").0;
    assert_eq!(base(&old("\"rope_theta\":5000.0")), Some(5000.0));
    assert_eq!(base(&old("\"rope_theta\":5000.0,\"rope_scaling\":{\"rope_theta\":6000.0}")), Some(6000.0));
    assert_eq!(base(&old("\"rope_scaling\":null")), Some(10000.0));
    let both = "\"rope_parameters\":{\"rope_type\":\"linear\",\"factor\":2.0},\"rope_scaling\":";
    let factor = |folder: &Memory| rope(folder, "scaling.factor").0;
    let linear = "{\"type\":\"linear\",\"factor\":4.0}";
    assert_eq!(factor(&old(&format!("{both}{linear}"))), Some(4.0), "rope_scaling counts");
    assert_eq!(factor(&old(&format!("{both}{{}}"))), Some(2.0), "but an empty one");
    assert_eq!(factor(&old(&format!("{both}null"))), Some(2.0));
    let trained = |folder: &Memory| rope(folder, "scaling.original_context_length").0;
    let yarn = |more: &str| format!("\"rope_scaling\":{{\"rope_type\":\"yarn\",\"factor\":4.0{more}}}");
    const OWN: &str = ",\"original_max_position_embeddings\":32";
    assert_eq!(trained(&old(&yarn(OWN))), Some(32.0));
    let root = |folder: Memory| saying(folder, CONFIG, "\"original_max_position_embeddings\":16");
    assert_eq!(trained(&root(old(&yarn(OWN)))), Some(16.0), "beside them it counts");
    let longest = llama().text(CONFIG);
    let longest: f64 = longest
        .split("\"max_position_embeddings\":")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(trained(&old(&yarn(""))), Some(longest));
    for more in [",\"truncate\":false", ",\"mscale\":1.0,\"mscale_all_dim\":0.5"] {
        assert!(matches!(failure(&old(&yarn(more))), Error::Unsupported { .. }), "{more}");
    }
    let three = |more: &str| {
        format!("\"rope_scaling\":{{\"rope_type\":\"llama3\",\"factor\":8.0,\"high_freq_factor\":4.0{more}}}")
    };
    let low = ",\"low_freq_factor\":1.0";
    let factors = rope(&old(&three(&format!("{low}{OWN}"))), "freq_base").1.unwrap();
    assert_eq!(factors.len(), 8 * 4, "one for each pair of a head of 16");
    assert_eq!(factors[..4], 1f32.to_le_bytes(), "the fastest stays");
    assert_eq!(factors[28..], 8f32.to_le_bytes(), "the slowest is divided by all of it");
    assert_ne!(rope(&root(old(&three(&format!("{low}{OWN}")))), "freq_base").1.unwrap(), factors);
    for more in ["", ",\"low_freq_factor\":4.0", ",\"low_freq_factor\":0"] {
        let error = failure(&old(&three(more)));
        assert!(error.to_string().contains("low_freq_factor"), "{error}");
    }
    for kind in ["dynamic", "longrope", "su", "mrope"] {
        let error = failure(&old(&format!("\"rope_scaling\":{{\"type\":\"{kind}\",\"factor\":2.0}}")));
        assert!(matches!(error, Error::Unsupported { .. }) && error.to_string().contains(kind), "{error}");
    }
}

#[test]
fn images_are_prepared_for_this_tower() {
    const OWN: &str = "preprocessor_config.json";
    for (case, right, wrong) in [
        (
            "llava",
            &[
                "\"size\":32",
                "\"size\":{\"shortest_edge\":32}",
                "\"crop_size\":{\"height\":32,\"width\":32}",
                "\"resample\":3",
            ][..],
            &[
                ("\"size\":{\"shortest_edge\":64}", "shortest_edge"),
                ("\"size\":64", "size"),
                ("\"crop_size\":{\"height\":32,\"width\":64}", "crop_size.width"),
                ("\"resample\":2", "resample"),
            ][..],
        ),
        (
            "smolvlm-2",
            &["\"max_image_size\":{\"longest_edge\":32}", "\"resample\":1", "\"do_image_splitting\":true"],
            &[
                ("\"max_image_size\":{\"longest_edge\":64}", "longest_edge"),
                ("\"resample\":3", "resample"),
                ("\"do_image_splitting\":false", "do_image_splitting"),
            ],
        ),
    ] {
        let golden = || Memory::golden(case);
        for entry in right.iter().chain(&["\"rescale_factor\":0.003921568627450981", "\"do_rescale\":true"]) {
            let folder = saying(golden(), OWN, entry);
            assert!(made(&folder, "F32", "x", ONE).is_ok(), "{case}: {entry}");
        }
        let always = [
            ("\"rescale_factor\":0.0078", "rescale_factor"),
            ("\"do_normalize\":false", "do_normalize"),
            ("\"do_resize\":false", "do_resize"),
        ];
        for (entry, word) in wrong.iter().chain(&always) {
            let error = failure(&saying(golden(), OWN, entry));
            assert!(error.to_string().contains(word), "{case} {entry}: {error}");
        }
        // A number that 32 bits cannot hold would be infinite.
        let mean = golden().text(OWN);
        let mean = mean.replacen("\"image_mean\":[0.", "\"image_mean\":[1e308,0,0],\"x\":[0.", 1);
        let error = failure(&golden().with(OWN, mean));
        assert!(error.to_string().contains("image_mean") && error.to_string().contains(OWN), "{error}");
        // A processor's own part counts, if it is none that says nothing.
        let own = golden().text(OWN);
        let nested =
            |inner: &str| golden().with("processor_config.json", format!("{{\"image_processor\":{inner}}}"));
        assert!(made(&nested(&own).with(OWN, "{}"), "F32", "x", ONE).is_ok());
        assert!(made(&nested("null"), "F32", "x", ONE).is_ok());
        assert!(failure(&nested("{}")).to_string().contains("image_mean"));
    }
}

/// A tokenizer.model beside a tokenizer.json has its scores where the two say the same; where they do not, the latter counts.
#[test]
fn of_two_tokenizers_the_newer_counts() {
    let vicuna = Memory::golden("vicuna");
    let alone = text(&vicuna);
    let file = Gguf::parse(&alone).unwrap();
    let tokens: Vec<String> =
        file.require::<List<'_, &str>>("tokenizer.ggml.tokens").unwrap().iter().map(String::from).collect();
    let scores: Vec<f32> = file.require::<List<'_, f32>>("tokenizer.ggml.scores").unwrap().iter().collect();
    let pieces = 350;
    // Every way to make a piece of two, best first, as transformers writes them.
    let mut merges: Vec<(usize, String, String)> = Vec::new();
    for (id, token) in tokens.iter().enumerate().take(pieces) {
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            let has = |part: &str| tokens[..pieces].iter().any(|token| token == part);
            if has(left) && has(right) && !token.starts_with("<0x") {
                merges.push((id, left.into(), right.into()));
            }
        }
    }
    merges.sort_by(|a, b| scores[b.0].total_cmp(&scores[a.0]));
    assert!(merges.len() > 20, "{}", merges.len());
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let json = |first: &str| {
        let vocab: Vec<String> = (0..pieces)
            .map(|id| format!("{}:{id}", quoted(if id == 300 { first } else { &tokens[id] })))
            .collect();
        let pairs: Vec<String> =
            merges.iter().map(|(_, left, right)| format!("[{},{}]", quoted(left), quoted(right))).collect();
        format!(
            "{{\"added_tokens\":[{{\"id\":1,\"content\":\"<s>\",\"special\":true}}],\"post_processor\":{{\"type\":\
             \"TemplateProcessing\",\"single\":[{{\"SpecialToken\":{{\"id\":\"<s>\"}}}},{{\"Sequence\":{{\"id\":\"A\"}}}}]}},\
             \"pre_tokenizer\":{{\"type\":\"Metaspace\",\"prepend_scheme\":\"first\"}},\"model\":{{\"type\":\"BPE\",\
             \"byte_fallback\":true,\"vocab\":{{{}}},\"merges\":[{}]}}}}",
            vocab.join(","),
            pairs.join(",")
        )
    };
    let both = |first: &str| vicuna.clone().with(TOKENIZER, json(first));
    assert!(text(&both(&tokens[300])) == alone, "they say the same");
    // Another piece: its id is that of the newer file, and scores follow its merges.
    let other = text(&both("another"));
    let found = Gguf::parse(&other).unwrap();
    let of = |key: &str| found.require::<List<'_, &str>>(key).unwrap().get(300).map(String::from);
    assert_eq!(of("tokenizer.ggml.tokens").as_deref(), Some("another"));
    let order: Vec<f32> = found.require::<List<'_, f32>>("tokenizer.ggml.scores").unwrap().iter().collect();
    assert_ne!(order, scores);
    // One that is no SentencePiece model is none of its files.
    assert!(made(&both("another").with("tokenizer.model", "tiktoken"), "F32", "x", ONE).is_ok());
}
