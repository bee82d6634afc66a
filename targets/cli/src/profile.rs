//! `--profile`: where the time of a model goes, on standard error.
//!
//! Per stage two tables: one line for each kind of operation, and one for each step. Steps of different layers that do the
//! same are one line (`blk.*.attn_q.weight`) unless every layer is asked for. GOP/s counts what the tape says a step does;
//! GB/s are weights, keys and values, and rows, wherever they come from.

use super::escape::shown;
use super::terminal::say;
use clap::ValueEnum;
use ocelli::Session;
use ocelli::profile::{Clock, NamedStep, Profile, Rows, Spent};
use std::sync::OnceLock;
use std::time::Instant;

/// How finely steps are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Detail {
    /// Layers added up.
    #[default]
    Steps,
    /// Every step of every layer.
    Layers,
}

/// Nanoseconds since it was first asked.
pub const CLOCK: Clock = || {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
};

/// Prints what a session has measured, if it has.
pub fn show(session: &mut Session<'_>, title: &str, detail: Detail) -> anyhow::Result<()> {
    let Some(profiles) = session.take_profile() else { return Ok(()) };
    let (vision, text) = session.steps()?;
    let stages = [
        ("encode", profiles.encode.as_ref(), &vision),
        ("prefill", Some(&profiles.prefill), &text),
        ("generate", Some(&profiles.generate), &text),
    ];
    for (stage, profile, steps) in stages {
        let Some(profile) = profile.filter(|profile| profile.runs() > 0) else { continue };
        let (runs, total) = (profile.runs(), ms(profile.nanoseconds()));
        say(format_args!("\nprofile of {}: {stage}, {runs} runs, {total:.3} ms", shown(title)));
        let mut kinds = gather(profile, steps, |_, named| named.step.op.to_string());
        kinds.sort_by_key(|(_, spent)| std::cmp::Reverse(spent.nanoseconds));
        lines("kind", &kinds, profile);
        let name = |number: usize, named: &NamedStep| match detail {
            Detail::Steps => step(named, true),
            Detail::Layers => format!("%{number} {}", step(named, false)),
        };
        lines("step", &gather(profile, steps, name), profile);
    }
    Ok(())
}

/// What was spent under each name, in the order in which the names first come.
fn gather(
    profile: &Profile,
    steps: &[NamedStep],
    name: impl Fn(usize, &NamedStep) -> String,
) -> Vec<(String, Spent)> {
    let mut all: Vec<(String, Spent)> = Vec::new();
    for (number, (named, spent)) in steps.iter().zip(profile.steps()).enumerate() {
        let name = name(number, named);
        let at = all.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            all.push((name, Spent::default()));
            all.len() - 1
        });
        if let Some((_, sum)) = all.get_mut(at) {
            sum.calls += spent.calls;
            sum.nanoseconds += spent.nanoseconds;
            sum.work += spent.work;
        }
    }
    all
}

/// What a step is: the tensor or the operation, its shape, its format and its rows.
fn step(named: &NamedStep, fold: bool) -> String {
    let step = &named.step;
    let rows = match step.rows {
        Rows { fixed: 0, per_item: 1 } => String::new(),
        Rows { fixed: 0, per_item } => format!(", {per_item} rows a unit"),
        Rows { fixed, per_item: 0 } => format!(", {fixed} rows"),
        Rows { fixed, per_item } => format!(", {per_item} rows a unit and {fixed}"),
    };
    match (&named.tensor, &step.weight) {
        (Some(tensor), Some(weight)) => {
            let tensor = shown(if fold { folded(tensor) } else { tensor.clone() });
            let (height, width, format) = (weight.height, weight.width, weight.format.name());
            format!("{} {tensor} {height}x{width} {format}{rows}", step.op)
        }
        _ => format!("{} {}x{}{rows}", step.op, step.width, step.inputs),
    }
}

/// A tensor's name without the number of its layer: what comes after `blk`.
fn folded(tensor: &str) -> String {
    let mut layer = false;
    let part = |part: &str| {
        let number = std::mem::replace(&mut layer, part == "blk");
        if number { "*".into() } else { part.to_string() }
    };
    tensor.split('.').map(part).collect::<Vec<String>>().join(".")
}

fn lines(what: &str, all: &[(String, Spent)], profile: &Profile) {
    let width = all.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(what.len());
    say(format_args!(
        "{what:width$} {:>9} {:>11} {:>7} {:>8} {:>8}",
        "calls", "ms", "share", "GOP/s", "GB/s"
    ));
    for (name, spent) in all.iter().filter(|(_, spent)| spent.calls > 0) {
        let share = 100.0 * spent.nanoseconds as f64 / (profile.nanoseconds() as f64).max(1.0);
        let rate = |n: u64| match n {
            0 => String::new(),
            n => format!("{:.2}", n as f64 / (spent.nanoseconds as f64).max(1.0)),
        };
        let (ops, bytes, ms) = (rate(spent.work.ops()), rate(spent.work.bytes()), ms(spent.nanoseconds));
        say(format_args!("{name:width$} {:>9} {ms:>11.3} {share:>6.2}% {ops:>8} {bytes:>8}", spent.calls));
    }
}

fn ms(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_fold_and_other_numbers_stay() {
        assert_eq!(folded("blk.17.attn_q.weight"), "blk.*.attn_q.weight");
        assert_eq!(folded("v.blk.3.ln1.weight"), "v.blk.*.ln1.weight");
        assert_eq!(folded("mm.2.weight"), "mm.2.weight");
    }
}
