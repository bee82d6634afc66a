//! What was found, for people and for programs.

use super::Found;
use crate::escape::{json as escaped, shown};
use ocelli_tools::compare::{Answers, Distribution, Mean, Rows, Text};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::PathBuf;

/// A model's file, and the bytes of its two towers.
pub type Sides<'a> = [(&'a PathBuf, (u64, u64)); 2];

/// One line of JSON; what was not asked for is null.
pub fn json(found: &Found, sides: &Sides<'_>, out: &mut dyn Write) -> io::Result<()> {
    let [a, b] = sides.map(|(path, (text, vision))| {
        json!({ "model": path.display().to_string(), "text_bytes": text, "vision_bytes": vision })
    });
    let text = found.text.as_ref().map(|text| {
        json!({
            "tokens": text.tokens, "windows": text.windows, "window": text.window,
            "logits": distribution(&text.of),
        })
    });
    let images = found.rows.as_ref().map(|rows| {
        json!({
            "images": rows.images, "rows": rows.rows, "cosine": rows.cosine(), "cosine_min": rows.cosine_min,
            "relative_error": rows.relative(), "relative_error_max": rows.relative_max,
            "relative_error_overall": rows.overall(),
        })
    });
    let answers = found.answers.as_ref().map(|answers| {
        json!({
            "images": answers.images, "equal_tokens": answers.prefix(), "identical": answers.identical(),
            "logits": Distribution::of(&answers.positions).as_ref().map(distribution),
        })
    });
    let all = json!({ "a": a, "b": b, "text": text, "images": images, "answers": answers });
    writeln!(out, "{}", escaped(all))
}

fn distribution(of: &Distribution) -> Value {
    json!({
        "positions": of.positions, "perplexity_a": of.perplexity[0], "perplexity_b": of.perplexity[1],
        "perplexity_ratio": of.ratio.mean, "perplexity_ratio_error": of.ratio.error,
        "kl_mean": of.kl.mean, "kl_mean_error": of.kl.error, "kl_99": of.kl_99, "kl_max": of.kl_max,
        "top_1": of.top_1, "delta_p_rms": of.delta_p,
    })
}

/// A block of lines for each thing that was asked for.
pub fn table(found: &Found, sides: &Sides<'_>, out: &mut dyn Write) -> io::Result<()> {
    for (name, (path, (text, vision))) in ["A", "B"].iter().zip(sides) {
        let tower = if *vision > 0 { format!(" + {vision}") } else { String::new() };
        writeln!(out, "{name}  {} ({text}{tower} bytes)", shown(path.display()))?;
    }
    if let Some(text) = &found.text {
        heading(text, out)?;
        logits(&text.of, out)?;
    }
    if let Some(rows) = &found.rows {
        embeddings(rows, out)?;
    }
    if let Some(answers) = &found.answers {
        agreement(answers, out)?;
    }
    Ok(())
}

fn heading(text: &Text, out: &mut dyn Write) -> io::Result<()> {
    let Text { tokens, windows, window, of } = text;
    let parts = if *windows == 1 { "a window".into() } else { format!("{windows} windows") };
    writeln!(out, "\ntext: {tokens} tokens, {parts} of {window}, {} positions scored", of.positions)
}

fn logits(of: &Distribution, out: &mut dyn Write) -> io::Result<()> {
    let [a, b] = of.perplexity;
    row(out, "perplexity of A", number(a))?;
    row(out, "perplexity of B", number(b))?;
    row(out, "ratio, B to A", with_error(of.ratio))?;
    row(out, "KL divergence, mean", with_error(of.kl))?;
    row(out, "KL divergence, 99 %", number(of.kl_99))?;
    row(out, "KL divergence, largest", number(of.kl_max))?;
    row(out, "same likeliest token", percent(of.top_1))?;
    row(out, "RMS of Δp", percent(of.delta_p))
}

fn embeddings(rows: &Rows, out: &mut dyn Write) -> io::Result<()> {
    let images = if rows.images == 1 { "1 image".into() } else { format!("{} images", rows.images) };
    writeln!(out, "\n{images}: {} rows", rows.rows)?;
    row(out, "cosine, mean", format!("{:.6}", rows.cosine()))?;
    row(out, "cosine, smallest", format!("{:.6}", rows.cosine_min))?;
    row(out, "relative error, mean", percent(rows.relative()))?;
    row(out, "relative error, largest", percent(rows.relative_max))?;
    row(out, "relative error, overall", percent(rows.overall()))
}

fn agreement(answers: &Answers, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\nanswers: {}", answers.images)?;
    row(out, "equal tokens", percent(answers.prefix()))?;
    row(out, "identical answers", percent(answers.identical()))?;
    let Some(of) = Distribution::of(&answers.positions) else { return Ok(()) };
    writeln!(out, "along A's answers: {} positions", of.positions)?;
    row(out, "KL divergence, mean", with_error(of.kl))?;
    row(out, "KL divergence, 99 %", number(of.kl_99))?;
    row(out, "KL divergence, largest", number(of.kl_max))?;
    row(out, "same likeliest token", percent(of.top_1))
}

fn row(out: &mut dyn Write, name: &str, value: String) -> io::Result<()> {
    writeln!(out, "  {name:<26}{value:>14}")
}

fn percent(share: f64) -> String {
    format!("{:.3} %", 100.0 * share)
}

fn with_error(value: Mean) -> String {
    let error = value.error.map_or(String::new(), |error| format!(" ± {}", number(error)));
    format!("{}{error}", number(value.mean))
}

/// Five digits that count, or so.
fn number(value: f64) -> String {
    match value.abs() {
        100_000.0.. => format!("{value:.4e}"),
        1.0.. => format!("{value:.4}"),
        0.001.. => format!("{value:.6}"),
        0.0 => "0".into(),
        _ => format!("{value:.3e}"),
    }
}
