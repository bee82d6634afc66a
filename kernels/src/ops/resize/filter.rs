//! The three filters and the taps of one output pixel.
//!
//! ```text
//! bilinear  support 1   1 − |x|
//! bicubic   support 2   Keys with a = −0.5:  (a+2)|x|³ − (a+3)x² + 1   and   a(|x|³ − 5x² + 8|x| − 4)
//! Lanczos   support 3   sinc(x) · sinc(x/3),  sinc(x) = sin(πx) / (πx)
//! ```
//! Evaluation orders follow Pillow's, because a weight that differs in its last bit can round to another
//! fixed-point coefficient.

use core::f64::consts::PI;

pub use ocelli_tape::image::Filter;

/// Bits after the binary point of a coefficient: 32 − 8 (pixel) − 2 (head room for overshoot).
pub(super) const PRECISION_BITS: u32 = 22;

/// Half the filter's width at scale 1, in pixels.
pub(super) const fn support(filter: Filter) -> f64 {
    match filter {
        Filter::Bilinear => 1.0,
        Filter::Bicubic => 2.0,
        Filter::Lanczos => 3.0,
    }
}

fn weight(filter: Filter, x: f64) -> f64 {
    match filter {
        Filter::Bilinear => bilinear(x),
        Filter::Bicubic => bicubic(x),
        Filter::Lanczos => lanczos(x),
    }
}

fn bilinear(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 { 1.0 - x } else { 0.0 }
}

fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn lanczos(x: f64) -> f64 {
    if (-3.0..3.0).contains(&x) { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * PI;
    sine(x) / x
}

/// Sine for |x| ≤ 3π, the range of [`sinc`]: `core` has none, and the system's would tie the bytes of a
/// resized image to a C library. The error is below 2 units in the last place, against the 2^-31 of a
/// unit that separates two fixed-point coefficients.
fn sine(x: f64) -> f64 {
    // The part of π that an f64 cannot hold; keeps the reduction exact near the zeros at ±π, ±2π.
    const PI_REST: f64 = 1.224_646_799_147_353_2e-16;
    let half = if x < 0.0 { -0.5 } else { 0.5 };
    let turns = (x / PI + half) as i32;
    let n = f64::from(turns);
    let r = (x - n * PI) - n * PI_REST;
    let s = sine_near_zero(r);
    if turns % 2 == 0 { s } else { -s }
}

/// Taylor series to x^23 on |x| ≤ π/2: the first term left out is below 1e-20.
fn sine_near_zero(x: f64) -> f64 {
    // 1 / (n·(n+1)), from the last term to the first.
    const RATIOS: [f64; 11] = [
        1.0 / 506.0,
        1.0 / 420.0,
        1.0 / 342.0,
        1.0 / 272.0,
        1.0 / 210.0,
        1.0 / 156.0,
        1.0 / 110.0,
        1.0 / 72.0,
        1.0 / 42.0,
        1.0 / 20.0,
        1.0 / 6.0,
    ];
    let square = x * x;
    let rest = RATIOS.iter().fold(0.0, |rest, ratio| square * ratio * (1.0 - rest));
    x - x * rest
}

/// One axis of a resample: from `input` to `output` pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    filter: Filter,
    input: u32,
    pub(super) output: u32,
    scale: f64,
    stretch: f64,
}

/// The taps of one output pixel: `first..first + count`, and what the weights are divided by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taps {
    pub(super) first: u32,
    pub(super) count: u32,
    centre: f64,
    sum: f64,
}

impl Axis {
    pub(super) fn new(filter: Filter, input: u32, output: u32) -> Self {
        let scale = f64::from(input) / f64::from(output);
        Self { filter, input, output, scale, stretch: scale.max(1.0) }
    }

    /// An unchanged axis is copied, not filtered.
    pub(super) const fn is_identity(&self) -> bool {
        self.input == self.output
    }

    /// The most taps that any output pixel has: `2·ceil(support) + 1`, never more than the input.
    pub(super) fn most_taps(&self) -> u32 {
        let support = support(self.filter) * self.stretch;
        let whole = support as u64;
        let ceiling = if (whole as f64) < support { whole + 1 } else { whole };
        (2 * ceiling + 1).min(u64::from(self.input)) as u32
    }

    fn unsummed(&self, output: u32) -> Taps {
        let support = support(self.filter) * self.stretch;
        let centre = (f64::from(output) + 0.5) * self.scale;
        // `as` truncates towards zero and saturates, which is Pillow's cast and its clamp at once.
        let first = (centre - support + 0.5) as u32;
        let end = ((centre + support + 0.5) as u32).min(self.input);
        let count = end.saturating_sub(first);
        Taps { first, count, centre, sum: 0.0 }
    }

    fn taps(&self, output: u32) -> Taps {
        let mut taps = self.unsummed(output);
        taps.sum = (0..taps.count).map(|tap| self.weight(&taps, tap)).sum();
        taps
    }

    /// The taps of an output pixel, and their fixed-point coefficients into `out`, four bytes each.
    pub(super) fn write(&self, output: u32, out: &mut [u8]) -> Taps {
        let mut slots = out.chunks_exact_mut(4);
        self.each(output, &mut |coefficient| {
            if let Some(slot) = slots.next() {
                slot.copy_from_slice(&coefficient.to_ne_bytes());
            }
        })
    }

    /// The first tap of an output pixel.
    pub(super) fn first(&self, output: u32) -> u32 {
        self.unsummed(output).first
    }

    /// The taps of an output pixel; `take` is given their fixed-point coefficients in turn.
    pub(super) fn each(&self, output: u32, take: &mut dyn FnMut(i32)) -> Taps {
        // Few taps are the rule, and weights are dear: these are computed once.
        let mut weights = [0.0; 64];
        let mut taps = self.unsummed(output);
        let Some(weights) = weights.get_mut(..taps.count as usize) else {
            taps = self.taps(output);
            (0..taps.count).for_each(|tap| take(fixed(self.weight(&taps, tap), taps.sum)));
            return taps;
        };
        for (tap, weight) in (0..taps.count).zip(weights.iter_mut()) {
            *weight = self.weight(&taps, tap);
        }
        taps.sum = weights.iter().sum();
        weights.iter().for_each(|weight| take(fixed(*weight, taps.sum)));
        taps
    }

    fn weight(&self, taps: &Taps, tap: u32) -> f64 {
        let inverse = 1.0 / self.stretch;
        let position = (f64::from(tap) + f64::from(taps.first) - taps.centre + 0.5) * inverse;
        weight(self.filter, position)
    }
}

/// The fixed-point coefficient of a weight.
fn fixed(mut weight: f64, sum: f64) -> i32 {
    if sum != 0.0 {
        weight /= sum;
    }
    let scaled = weight * f64::from(1_u32 << PRECISION_BITS);
    if scaled < 0.0 { (scaled - 0.5) as i32 } else { (scaled + 0.5) as i32 }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn sine_is_the_systems_within_two_units() {
        for step in -30_000..=30_000_i32 {
            let x = f64::from(step) * 1e-4 * PI;
            let (ours, theirs) = (sine(x), x.sin());
            let unit = (theirs.abs() * f64::EPSILON).max(1e-31);
            assert!((ours - theirs).abs() <= 2.0 * unit, "sin({x}) = {theirs:e}, got {ours:e}");
        }
    }

    #[test]
    fn coefficients_sum_to_one() {
        for filter in Filter::ALL {
            for (input, output) in [(1, 1000), (7, 5), (5, 7), (10_000, 512), (3, 1), (640, 641)] {
                let axis = Axis::new(filter, input, output);
                let mut bytes = vec![0; axis.most_taps() as usize * 4];
                for o in 0..output {
                    let taps = axis.write(o, &mut bytes);
                    assert!(taps.count >= 1 && taps.count <= axis.most_taps());
                    let coefficients = bytes.as_chunks::<4>().0.iter().take(taps.count as usize);
                    let sum: i64 = coefficients.map(|k| i64::from(i32::from_ne_bytes(*k))).sum();
                    // Each coefficient is off by at most half a unit.
                    assert!((sum - (1 << PRECISION_BITS)).abs() <= i64::from(taps.count));
                }
            }
        }
    }
}
