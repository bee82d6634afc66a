//! The figures for people and for programs: a table, one object of JSON, or CSV with the same fields.

use super::figure::{FIELDS, Figure};
use crate::escape::{json as escaped, shown};
use serde_json::{Map, Value, json};
use std::io::Write;

/// What is said once of the whole run.
pub struct Head {
    /// What the CPU calls itself.
    pub cpu: Option<String>,
    /// Threads the machine runs at once.
    pub processors: usize,
    /// Bytes that the read bandwidth was measured over.
    pub buffer: usize,
}

/// One object: the head, and the figures as `rows`.
pub fn json(head: &Head, figures: &[Figure], out: &mut dyn Write) -> std::io::Result<()> {
    let row = |figure: &Figure| -> Value {
        let fields = FIELDS.iter().map(|name| (*name).to_string()).zip(figure.values());
        Value::Object(fields.collect::<Map<_, _>>())
    };
    let rows: Vec<Value> = figures.iter().map(row).collect();
    let all = json!({
        "version": env!("CARGO_PKG_VERSION"), "cpu": head.cpu, "processors": head.processors,
        "buffer_bytes": head.buffer, "rows": rows,
    });
    writeln!(out, "{}", escaped(all))
}

/// A line of names, and one for each figure.
pub fn csv(figures: &[Figure], out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{}", FIELDS.join(","))?;
    for figure in figures {
        writeln!(out, "{}", figure.values().each_ref().map(field).join(","))?;
    }
    Ok(())
}

/// A field of RFC 4180: in quotes where it needs them.
fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.contains([',', '"', '\n', '\r']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Columns under a line for each model.
pub fn table(head: &Head, figures: &[Figure], out: &mut dyn Write) -> std::io::Result<()> {
    let cpu = head.cpu.as_deref().unwrap_or("this machine");
    writeln!(out, "{cpu}, {} processors; bandwidth over {} MiB", head.processors, head.buffer >> 20)?;
    let mut model: Option<&Option<String>> = None;
    for figure in figures {
        if model != Some(&figure.subject.model) {
            model = Some(&figure.subject.model);
            writeln!(out)?;
            writeln!(
                out,
                "{:<24}{:>6} {:<12}{:>3} {:>10}  {:<21}{:<9}{:>8}{:>8}{:>8}",
                figure.subject.model.as_deref().map_or("limits", |_| "figure"),
                "at",
                "isa",
                "n",
                "median",
                "min .. max",
                "unit",
                "GOP/s",
                "GB/s",
                "%"
            )?;
            if let Some(model) = &figure.subject.model {
                writeln!(out, "{}", shown(model))?;
            }
        }
        writeln!(out, "{}", line(figure))?;
    }
    Ok(())
}

fn line(figure: &Figure) -> String {
    let spread = &figure.spread;
    let number = |value: f64| match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    };
    let optional = |value: Option<f64>| value.map_or(String::new(), number);
    let line = format!(
        "{:<24}{:>6} {:<12}{:>3} {:>10}  {:<21}{:<9}{:>8}{:>8}{:>8} {}",
        figure.name,
        figure.at.map_or(String::new(), |at| at.to_string()),
        figure.subject.isa.unwrap_or(""),
        figure.subject.threads,
        number(spread.median),
        format!("{} .. {}", number(spread.min), number(spread.max)),
        figure.unit,
        optional(figure.gops),
        optional(figure.gbs),
        optional(figure.roofline.map(|(percent, _)| percent)),
        figure.bound(),
    );
    line.trim_end().to_string()
}
