//! What a model is called, and what it is recommended to be sampled with.

use crate::error::Error;
use crate::json::Json;
use ocelli_gguf::Outline;

/// A name for people out of that of a folder or a repository: what is behind the slash, hyphens as spaces, words of small
/// letters with a capital first, unless they are a version or begin with a digit.
pub(crate) fn title(id: &str) -> String {
    let name = id.rsplit('/').next().unwrap_or(id);
    if id.contains(' ') {
        return words(id);
    }
    words(name)
}

fn words(name: &str) -> String {
    let name = name.replace('-', " ");
    let titled: Vec<String> = name.split_whitespace().map(capital).collect();
    titled.join(" ")
}

fn capital(word: &str) -> String {
    let small = word.chars().any(char::is_lowercase) && !word.chars().any(char::is_uppercase);
    let version = word.strip_prefix('v').is_some_and(|rest| {
        let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        rest.split('.').all(number)
    });
    if !small || version || word.starts_with(|c: char| c.is_ascii_digit()) {
        return word.into();
    }
    let mut out = String::with_capacity(word.len());
    let mut inside = false;
    for c in word.chars() {
        if inside {
            out.push(c)
        } else {
            out.extend(c.to_uppercase())
        }
        inside = c.is_alphabetic();
    }
    out
}

/// Entries of `generation_config.json` and the keys they become; the first of two for one key counts.
const SAMPLING: [(&str, &str); 6] = [
    ("top_k", "top_k"),
    ("top_p", "top_p"),
    ("min_p", "min_p"),
    ("temperature", "temp"),
    ("penalty_repeat", "penalty_repeat"),
    ("repetition_penalty", "penalty_repeat"),
];

/// Writes how the model is recommended to be sampled.
pub(crate) fn sampling(generation: &Json, outline: &mut Outline) -> Result<(), Error> {
    let mut seen = Vec::new();
    for (from, to) in SAMPLING {
        let Some(number) = generation.number(from)? else { continue };
        if seen.contains(&to) {
            continue;
        }
        seen.push(to);
        let key = format!("general.sampling.{to}");
        match to {
            "top_k" => outline.metadata(&key, number as i32),
            _ => outline.metadata(&key, number as f32),
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn titles() {
        for (id, name) in [
            ("HuggingFaceTB/SmolVLM-256M-Instruct", "SmolVLM 256M Instruct"),
            ("llava-1.5-7b-hf", "Llava 1.5 7b Hf"),
            ("qwen2.5-0.5b", "Qwen2.5 0.5b"),
            ("model-v1.2", "Model v1.2"),
            ("tiny_llama", "Tiny_Llama"),
            ("u2net", "U2Net"),
            ("A model of mine", "A Model Of Mine"),
        ] {
            assert_eq!(title(id), name);
        }
    }
}
