//! Rotary positions as a file describes them: their base, and how texts longer than the trained context are reached.
//!
//! ```text
//! θᵢ = base^(−2i/d)         f: scaling.factor     c: original_context_length, or the context     m: sines and cosines times m
//!
//! none                      θ
//! linear                    θ / f
//! yarn (Peng et al., 2023)  θ / f · r + θ · (1 − r)      r rises from 0 to 1 between the pairs that turn beta_fast and beta_slow
//!                           times in c positions         m = yarn_attn_factor, or 0.1 · ln f + 1
//! longrope (Ding et al., 2024)   θ / rope_factors_short, and for a text of more than c positions θ / rope_factors_long
//!                           m = attn_factor, or √(1 + ln f / ln c); f is the context over c where the file has none
//! rope_freqs.weight         θ / factors, before all that (Llama 3)
//! ```
//!
//! As in `modeling_rope_utils` of transformers. What the file's keys mean is llama.cpp's: `rope.scale_linear` is the older
//! name of `rope.scaling.factor`, a factor without a type is linear, a factor of 0 is 1, with type `none` a factor counts
//! for nothing, and `rope.scaling.attn_factor` is multiplied into m. llama.cpp differs in two things: it chooses longrope's
//! factors by the size of the context, not of the text, and passes over `yarn_attn_factor`.

use crate::account::HELD;
use crate::source::number;
use crate::{Error, Source};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ocelli_tape::{Long, Rotary, frequencies};

/// Whether yarn and longrope are computed. A firmware, whose code has little room and whose context is short, refuses them.
const EXTENDED: bool = cfg!(feature = "std");

/// A file's keys about it.
struct Keys<'s, 'a> {
    source: &'s Source<'a>,
    architecture: &'s str,
    /// d
    dim: usize,
    /// Positions the model was made for.
    context: usize,
    base: f32,
}

/// How the heads of an architecture turn.
pub(crate) fn read(
    source: &Source<'_>,
    architecture: &str,
    head: usize,
    context: usize,
) -> Result<Rotary, Error> {
    let key = |k: &str| format!("{architecture}.rope.{k}");
    let dim = source.size_or(&key("dimension_count"), Some(head))?;
    if dim > head || !dim.is_multiple_of(2) {
        return Err(number(&key("dimension_count"), dim as f64, "even and at most a head's length"));
    }
    let base = source.positive(&key("freq_base"), Some(10_000.0))?;
    Keys { source, architecture, dim, context, base }.rotary()
}

impl Keys<'_, '_> {
    fn rotary(&self) -> Result<Rotary, Error> {
        let kind = self.source.file().optional::<&str>(&self.key("type"))?.unwrap_or("linear");
        let factor = self.factor()?;
        let mut theta = frequencies(self.base, self.dim);
        // Longrope has factors of its own: a file with both is refused by what is left over.
        if kind != "longrope" && self.source.has("rope_freqs.weight") {
            divide(&mut theta, &self.factors("rope_freqs.weight")?);
        }
        let attention = self.optional("attn_factor")?;
        let plain = |frequencies| Rotary { frequencies, long: None, magnitude: attention.unwrap_or(1.0) };
        Ok(match kind {
            "none" => plain(theta),
            "linear" => {
                theta.iter_mut().for_each(|theta| *theta /= factor.unwrap_or(1.0));
                plain(theta)
            }
            "yarn" if EXTENDED => self.yarn(theta, factor.unwrap_or(1.0), attention.unwrap_or(1.0))?,
            "longrope" if EXTENDED => self.longrope(&theta, factor, attention)?,
            other => {
                let found = format!("{} is {other}", self.key("type"));
                return Err(Error::Unsupported { what: "this scaling of rotary positions", found });
            }
        })
    }

    fn key(&self, key: &str) -> String {
        format!("{}.rope.scaling.{key}", self.architecture)
    }

    /// A positive number, if the file has it; 0 stands for none.
    fn optional(&self, key: &str) -> Result<Option<f32>, Error> {
        self.source.positive_or_zero(&self.key(key))
    }

    fn factor(&self) -> Result<Option<f32>, Error> {
        let old = format!("{}.rope.scale_linear", self.architecture);
        match (self.optional("factor")?, self.source.positive_or_zero(&old)?) {
            (Some(new), Some(other)) if HELD && new != other => {
                Err(number(&old, f64::from(other), "the same as rope.scaling.factor, whose older name it is"))
            }
            (new, old) => Ok(new.or(old)),
        }
    }

    /// The context the model was trained for before it was extended.
    fn trained(&self) -> Result<usize, Error> {
        self.source.size_or(&self.key("original_context_length"), Some(self.context))
    }

    /// Divisors of the frequencies.
    fn factors(&self, name: &str) -> Result<Vec<f32>, Error> {
        let (weight, bytes) = self.source.numbers(name, self.dim / 2)?;
        // Of a file that is still to be written there is no more than the shape.
        let mut factors = alloc::vec![1.0; self.dim / 2];
        if !weight.format.read_floats(bytes, &mut factors) {
            let found = format!("{name} in {}", weight.format.name());
            return Err(Error::Unsupported { what: "factors of rotary positions that are no floats", found });
        }
        match factors.iter().find(|f| !(f.is_finite() && **f > 0.0)) {
            Some(wrong) => Err(number(name, f64::from(*wrong), "positive and finite")),
            None => Ok(factors),
        }
    }

    fn yarn(&self, theta: Vec<f32>, factor: f32, attention: f32) -> Result<Rotary, Error> {
        let trained = self.trained()? as f64;
        if self.base <= 1.0 {
            let key = format!("{}.rope.freq_base", self.architecture);
            return Err(number(&key, f64::from(self.base), "more than 1 where the scaling is yarn"));
        }
        // Negative stands for none. The reference knows no other.
        let mixed = self.key("yarn_ext_factor");
        if let Some(part) = self.source.file().optional::<f32>(&mixed)?.filter(|n| !(*n < 0.0 || *n == 1.0)) {
            return Err(number(&mixed, f64::from(part), "1"));
        }
        // The pair that turns so many times within the trained context.
        let pair = |turns: f32| {
            let wave = trained / (f64::from(turns) * core::f64::consts::TAU);
            self.dim as f64 * libm::log(wave) / (2.0 * libm::log(f64::from(self.base)))
        };
        let fast = self.optional("yarn_beta_fast")?.unwrap_or(32.0);
        let slow = self.optional("yarn_beta_slow")?.unwrap_or(1.0);
        let low = libm::floor(pair(fast)).max(0.0);
        let high = libm::ceil(pair(slow)).min(self.dim as f64 - 1.0);
        let span = if low == high { 0.001 } else { high - low };
        let mix = |(i, theta): (usize, f32)| {
            let kept = 1.0 - ((i as f64 - low) / span).clamp(0.0, 1.0) as f32;
            theta / factor * (1.0 - kept) + theta * kept
        };
        let usual = if factor <= 1.0 { 1.0 } else { 0.1 * libm::log(f64::from(factor)) + 1.0 };
        let magnitude = self.optional("yarn_attn_factor")?.unwrap_or(usual as f32) * attention;
        Ok(Rotary { frequencies: theta.into_iter().enumerate().map(mix).collect(), long: None, magnitude })
    }

    fn longrope(&self, theta: &[f32], factor: Option<f32>, attention: Option<f32>) -> Result<Rotary, Error> {
        let beyond = self.trained()?;
        let over = factor.map_or(self.context as f64 / beyond as f64, f64::from);
        // A context of one position has no logarithm to divide by.
        let usual = if over <= 1.0 || beyond < 2 {
            1.0
        } else {
            libm::sqrt(1.0 + libm::log(over) / libm::log(beyond as f64))
        };
        let of = |name: &str| {
            let mut frequencies = theta.to_vec();
            divide(&mut frequencies, &self.factors(name)?);
            Ok::<_, Error>(frequencies)
        };
        let long = Long { beyond, frequencies: of("rope_factors_long.weight")? };
        let frequencies = of("rope_factors_short.weight")?;
        Ok(Rotary { frequencies, long: Some(long), magnitude: attention.unwrap_or(usual as f32) })
    }
}

fn divide(frequencies: &mut [f32], factors: &[f32]) {
    frequencies.iter_mut().zip(factors).for_each(|(theta, factor)| *theta /= factor);
}
