//! What an answer took: a line for people, or one JSON object for programs.

use ocelli::generate::Answered;
use ocelli::{Bill, Reading, Timings};
use serde_json::{Value, json};
use std::time::Duration;

/// Everything there is to say of an answer.
pub struct Report<'a> {
    /// The whole text.
    pub text: &'a str,
    /// Its tokens and their probabilities.
    pub answered: &'a Answered,
    /// What the prompt came to.
    pub reading: &'a Reading,
    /// Time to open the model.
    pub load: Duration,
    /// Time to decode the images.
    pub decode: Duration,
    /// Time of the session.
    pub timings: Timings,
    /// Memory as planned.
    pub bill: Bill,
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

impl Report<'_> {
    /// One line of JSON.
    pub fn json(&self, logprobs: bool) -> String {
        let Timings { resize, encode, prefill, generate, .. } = self.timings;
        let mut object = json!({
            "text": self.text,
            "ids": self.answered.ids,
            "prompt_tokens": self.reading.prompt_tokens,
            "image_tokens": self.reading.image_tokens,
            "ms": {
                "load": ms(self.load), "decode": ms(self.decode), "resize": ms(resize),
                "encode": ms(encode), "prefill": ms(prefill), "generate": ms(generate),
            },
            "bytes": {
                "weights": self.bill.weights(), "arena": self.bill.arena, "kv": self.bill.kv, "io": self.bill.io,
                "prompt": self.bill.prompt, "peak": peak_bytes(),
            },
        });
        if self.bill.vision_int8 > 0 {
            object["bytes"]["vision_int8"] = self.bill.vision_int8.into();
        }
        if logprobs && let Some(object) = object.as_object_mut() {
            let token = |(id, p): &(u32, f32)| json!({ "id": id, "logprob": p });
            let steps = self.answered.logprobs.iter().map(|best| best.iter().map(token).collect());
            object.insert("logprobs".into(), Value::Array(steps.collect()));
        }
        object.to_string()
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let Timings { resize, encode, prefill, generate, .. } = self.timings;
        let seconds = |t: Duration| format!("{:.2} s", t.as_secs_f64());
        let rate = |n: usize, t: Duration| n as f64 / t.as_secs_f64().max(1e-9);
        let mut parts = vec![format!("load {}", seconds(self.load))];
        if self.reading.image_tokens > 0 {
            parts.push(format!("image {}", seconds(self.decode + resize + encode)));
        }
        let read = self.reading.prompt_tokens - self.reading.reused;
        parts.push(format!("prompt {read} tokens, {:.0}/s", rate(read, prefill)));
        let made = self.answered.ids.len();
        parts.push(format!("answer {made} tokens, {:.1}/s", rate(made.saturating_sub(1), generate)));
        if let Some(peak) = peak_bytes() {
            parts.push(format!("{} MiB", peak >> 20));
        }
        parts.join(" | ")
    }
}

/// The most memory this process has had, where the system says.
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}
