//! What is measured: a figure, its spread over the runs, and how far it is from what the machine can do.

use crate::work::Limits;
use ocelli_tape::Work;
use serde_json::{Value, json};

/// Middle and ends of several measurements of the same thing.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// How many.
    pub runs: usize,
}

impl Spread {
    /// Of at least one sample; of none all is zero.
    pub fn of(samples: &[f64]) -> Spread {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |i: usize| sorted.get(i).copied().unwrap_or(0.0);
        let runs = sorted.len();
        let median = (at(runs.saturating_sub(1) / 2) + at(runs / 2)) / 2.0;
        Spread { median, min: at(0), max: at(runs.saturating_sub(1)), runs }
    }

    /// `count` per sample, a rate from a time: what was smallest becomes largest.
    pub fn rate(self, count: f64) -> Spread {
        let per = |seconds: f64| count / seconds.max(1e-9);
        Spread { median: per(self.median), min: per(self.max), max: per(self.min), runs: self.runs }
    }

    /// In another unit.
    pub fn times(self, factor: f64) -> Spread {
        Spread { median: self.median * factor, min: self.min * factor, max: self.max * factor, ..self }
    }
}

/// What a figure is held against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// Bytes over the measured read bandwidth.
    Bandwidth,
    /// Operations over the measured peak of their kind.
    Compute,
    /// The sum of the bounds of its stages.
    Stages,
    /// The memory bill.
    Bill,
}

impl Bound {
    fn name(self) -> &'static str {
        match self {
            Bound::Bandwidth => "bandwidth",
            Bound::Compute => "compute",
            Bound::Stages => "stages",
            Bound::Bill => "bill",
        }
    }
}

/// On what it was measured.
#[derive(Clone, Default)]
pub struct Subject {
    /// The model's file; none for the machine itself.
    pub model: Option<String>,
    /// The instruction set, where it matters.
    pub isa: Option<&'static str>,
    /// Threads.
    pub threads: usize,
}

/// One line of the result.
pub struct Figure {
    /// On what.
    pub subject: Subject,
    /// What was measured.
    pub name: &'static str,
    /// Its length, depth or count, where it has one.
    pub at: Option<usize>,
    /// The unit of the spread.
    pub unit: &'static str,
    /// The measurements.
    pub spread: Spread,
    /// 10⁹ operations per second at the median.
    pub gops: Option<f64>,
    /// 10⁹ bytes per second at the median.
    pub gbs: Option<f64>,
    /// Percent of what is possible, and what that is.
    pub roofline: Option<(f64, Bound)>,
}

/// The fields of a line, as JSON and CSV name them.
pub const FIELDS: [&str; 14] = [
    "model", "isa", "threads", "figure", "at", "unit", "median", "min", "max", "runs", "gops", "gbs",
    "percent", "bound",
];

impl Figure {
    /// A figure without anything to hold it against.
    pub fn new(subject: &Subject, name: &'static str, unit: &'static str, spread: Spread) -> Figure {
        let subject = subject.clone();
        Figure { subject, name, at: None, unit, spread, gops: None, gbs: None, roofline: None }
    }

    /// Milliseconds.
    pub fn time(subject: &Subject, name: &'static str, seconds: Spread) -> Figure {
        Figure::new(subject, name, "ms", seconds.times(1e3))
    }

    /// With a length, a depth or a count.
    pub fn at(self, at: usize) -> Figure {
        Figure { at: Some(at), ..self }
    }

    /// With operations or bytes per second, and the share of what the machine could do: `seconds` is the median.
    pub fn against(self, work: &Work, bound: Bound, limits: &Limits, seconds: f64) -> Figure {
        let seconds = seconds.max(1e-9);
        let per_second = |n: u64| (n > 0).then(|| n as f64 / seconds / 1e9);
        let (gops, gbs, ideal) = match bound {
            Bound::Bandwidth => (None, per_second(work.memory_bytes()), limits.memory_seconds(work)),
            _ => (per_second(work.ops()), None, limits.compute_seconds(work)),
        };
        Figure { gops, gbs, ..self }.ideal(ideal, bound, seconds)
    }

    /// With the share of a time that could not be undercut.
    pub fn ideal(self, ideal: f64, bound: Bound, seconds: f64) -> Figure {
        Figure { roofline: Some((100.0 * ideal / seconds.max(1e-9), bound)), ..self }
    }

    /// The values of [`FIELDS`].
    pub fn values(&self) -> [Value; FIELDS.len()] {
        let Subject { model, isa, threads } = &self.subject;
        let Spread { median, min, max, runs } = self.spread;
        let (percent, bound) = self.roofline.unzip();
        [
            json!(model),
            json!(isa),
            json!(threads),
            json!(self.name),
            json!(self.at),
            json!(self.unit),
            json!(median),
            json!(min),
            json!(max),
            json!(runs),
            json!(self.gops),
            json!(self.gbs),
            json!(percent),
            json!(bound.map(Bound::name)),
        ]
    }

    /// What the percentage is of, for people.
    pub fn bound(&self) -> &'static str {
        self.roofline.map_or("", |(_, bound)| bound.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_few_samples() {
        let spread = |samples: &[f64]| {
            let Spread { median, min, max, runs } = Spread::of(samples);
            (median, min, max, runs)
        };
        assert_eq!(spread(&[3.0, 1.0, 2.0]), (2.0, 1.0, 3.0, 3));
        assert_eq!(spread(&[4.0, 1.0]), (2.5, 1.0, 4.0, 2));
        assert_eq!(spread(&[7.0]), (7.0, 7.0, 7.0, 1));
        let rate = Spread::of(&[0.5, 0.25]).rate(1.0);
        assert_eq!((rate.min, rate.max), (2.0, 4.0), "the longest time is the lowest rate");
    }
}
