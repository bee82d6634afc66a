//! Which token comes next.
//!
//! In this order, as the reference chains its processors: the repetition penalty (a logit above 0 is divided by it,
//! another multiplied, once for each token among the last ones: CTRL, Keskar et al. 2019, §4.1), temperature, top-k,
//! top-p (the smallest set of the best whose probabilities sum to p: Holtzman et al. 2020), min-p (what is at least p
//! times as probable as the best: Nguyen et al. 2024), and a draw from what is left, by a PCG (O'Neill 2014, PCG-XSH-RR
//! 64/32). Equal logits are in the order of their ids.
//!
//! The same seed gives the same tokens on every machine: exp and log are `libm`'s, compiled, not the platform's; sums
//! are f64 in one fixed order. Nothing allocates: the caller gives the scratch, [`Sampler::scratch`] floats.
//!
//! Refused: settings out of range, logits that are not a number, no candidate above minus infinity.

use core::fmt;

/// What may be chosen, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// 0 takes the best; 1 samples as the model says; more is wilder.
    pub temperature: f32,
    /// Only the best this many; 0 for all.
    pub top_k: usize,
    /// Only the best that make up this share of the probability; 1 for all.
    pub top_p: f32,
    /// Only what is this many times as probable as the best, or more; 0 for all.
    pub min_p: f32,
    /// Makes tokens that were there less likely; 1 does not.
    pub repetition_penalty: f32,
    /// How many of the last tokens the penalty looks at.
    pub repetition_last: usize,
    /// Where the random numbers begin.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            repetition_last: 64,
            seed: 0,
        }
    }
}

/// Why no token could be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum SamplerError {
    /// A setting is out of range.
    Setting {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: f32,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A logit is not a number.
    NotANumber {
        /// Whose.
        id: usize,
    },
    /// No logit is above minus infinity.
    NoCandidate,
    /// The scratch is too small.
    Scratch {
        /// Its length.
        len: usize,
        /// How long it must be.
        needed: usize,
    },
}

impl fmt::Display for SamplerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "std")]
            Self::Setting { name, value, allowed } => write!(f, "{name} is {value}; it must be {allowed}"),
            // To write a float takes as much code as a kernel.
            #[cfg(not(feature = "std"))]
            Self::Setting { name, allowed, .. } => write!(f, "{name} must be {allowed}"),
            Self::NotANumber { id } => write!(f, "the logit of token {id} is not a number"),
            Self::NoCandidate => f.write_str("no token is possible: every logit is minus infinity"),
            Self::Scratch { len, needed } => {
                write!(f, "the sampler's scratch has {len} floats and needs {needed}")
            }
        }
    }
}

impl core::error::Error for SamplerError {}

/// Chooses tokens.
#[derive(Clone, Debug)]
pub struct Sampler {
    settings: Sampling,
    random: Pcg,
}

impl Sampler {
    /// A sampler at the beginning of its random numbers.
    ///
    /// # Errors
    /// A setting is out of range.
    pub fn new(settings: Sampling) -> Result<Self, SamplerError> {
        let check = |name, value: f32, right: bool, allowed| {
            if right { Ok(()) } else { Err(SamplerError::Setting { name, value, allowed }) }
        };
        let Sampling { temperature, top_p, min_p, repetition_penalty, .. } = settings;
        let finite = |value: f32| value.is_finite();
        check("temperature", temperature, finite(temperature) && temperature >= 0.0, "0 or more")?;
        check("top-p", top_p, top_p > 0.0 && top_p <= 1.0, "above 0 and at most 1")?;
        check("min-p", min_p, (0.0..=1.0).contains(&min_p), "0 to 1")?;
        let penalty = finite(repetition_penalty) && repetition_penalty > 0.0;
        check("the repetition penalty", repetition_penalty, penalty, "above 0")?;
        let random = Pcg::new(settings.seed, STREAM);
        Ok(Self { settings, random })
    }

    /// The floats of scratch for a vocabulary.
    pub const fn scratch(vocabulary: usize) -> usize {
        2 * vocabulary
    }

    /// The next token. `recent` gives the tokens so far, the newest first.
    ///
    /// # Errors
    /// See [`SamplerError`].
    pub fn choose(
        &mut self,
        logits: &[f32],
        recent: impl IntoIterator<Item = u32>,
        scratch: &mut [f32],
    ) -> Result<u32, SamplerError> {
        let mut candidates = Candidates::new(logits, scratch)?;
        let Sampling { repetition_penalty, repetition_last, .. } = self.settings;
        if repetition_penalty != 1.0 {
            candidates.penalize(logits, recent.into_iter().take(repetition_last), repetition_penalty);
        }
        let (best, max) = candidates.best().ok_or(SamplerError::NoCandidate)?;
        if self.settings.temperature == 0.0 || max == f32::INFINITY {
            return Ok(best);
        }
        candidates.scale(max, self.settings.temperature);
        Ok(self.draw(&mut candidates).unwrap_or(best))
    }

    /// Draws from scaled candidates, the best of which is 0.
    fn draw(&mut self, candidates: &mut Candidates<'_>) -> Option<u32> {
        let Sampling { top_k, top_p, min_p, .. } = self.settings;
        let all = candidates.len();
        let limit = if top_k == 0 { all } else { top_k.min(all) };
        let kept = if limit == all && top_p == 1.0 && min_p == 0.0 {
            candidates.keep_all();
            all
        } else {
            candidates.order();
            candidates.narrow(limit, f64::from(top_p), f64::from(min_p))
        };
        let total: f64 = (0..kept).map(|rank| candidates.weight(rank)).sum();
        let mut left = self.random.unit() * total;
        for rank in 0..kept {
            left -= candidates.weight(rank);
            if left < 0.0 {
                return candidates.ranked(rank);
            }
        }
        // Rounding can leave a crumb; it belongs to the last that has any weight.
        (0..kept).rev().find(|rank| candidates.weight(*rank) > 0.0).and_then(|rank| candidates.ranked(rank))
    }
}

/// The best tokens of `logits` and the natural logarithms of their probabilities, before any penalty and temperature,
/// as many as `out` has room for. Gives how many were written.
///
/// # Errors
/// See [`SamplerError`].
pub fn logprobs(logits: &[f32], scratch: &mut [f32], out: &mut [(u32, f32)]) -> Result<usize, SamplerError> {
    let mut candidates = Candidates::new(logits, scratch)?;
    let (_, max) = candidates.best().ok_or(SamplerError::NoCandidate)?;
    let sum: f64 = logits.iter().map(|logit| libm::exp(f64::from(*logit) - f64::from(max))).sum();
    let base = f64::from(max) + libm::log(sum);
    candidates.order();
    let count = out.len().min(candidates.len());
    for (rank, slot) in out.iter_mut().take(count).enumerate() {
        if rank >= candidates.popped {
            candidates.pop();
        }
        let value = candidates.value(rank);
        let logprob = if value == f32::NEG_INFINITY { value } else { (f64::from(value) - base) as f32 };
        *slot = (candidates.ranked(rank).unwrap_or_default(), logprob);
    }
    Ok(count)
}

/// Tokens and their values in the caller's scratch. Ordered lazily: a heap in front, and behind it, growing from the
/// end, the best ones already taken off.
struct Candidates<'a> {
    values: &'a mut [f32],
    /// Whole numbers: ids are below 2^22, and a float holds those up to 2^24.
    ids: &'a mut [f32],
    /// How many were taken off the heap.
    popped: usize,
}

impl<'a> Candidates<'a> {
    fn new(logits: &[f32], scratch: &'a mut [f32]) -> Result<Self, SamplerError> {
        let (len, needed) = (scratch.len(), Sampler::scratch(logits.len()));
        let scratch = scratch.get_mut(..needed).ok_or(SamplerError::Scratch { len, needed })?;
        let (values, ids) = scratch.split_at_mut(logits.len());
        for (id, ((value, slot), logit)) in values.iter_mut().zip(ids.iter_mut()).zip(logits).enumerate() {
            if logit.is_nan() {
                return Err(SamplerError::NotANumber { id });
            }
            *value = *logit;
            *slot = id as f32;
        }
        Ok(Self { values, ids, popped: 0 })
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    /// From the logits, not from the values: a token that comes twice is penalized once.
    fn penalize(&mut self, logits: &[f32], recent: impl Iterator<Item = u32>, penalty: f32) {
        for id in recent {
            if let (Some(value), Some(&logit)) = (self.values.get_mut(id as usize), logits.get(id as usize)) {
                *value = if logit > 0.0 { logit / penalty } else { logit * penalty };
            }
        }
    }

    /// The lowest id with the highest value, while they are in the order of ids.
    fn best(&self) -> Option<(u32, f32)> {
        let mut best = None;
        for (id, value) in self.values.iter().enumerate() {
            if *value > best.map_or(f32::NEG_INFINITY, |(_, value)| value) {
                best = Some((id as u32, *value));
            }
        }
        best
    }

    fn scale(&mut self, max: f32, temperature: f32) {
        for value in self.values.iter_mut() {
            *value = (*value - max) / temperature;
        }
    }

    /// Leaves them in the order of ids, all kept.
    fn keep_all(&mut self) {
        self.popped = self.len();
        self.values.reverse();
        self.ids.reverse();
    }

    /// Makes the heap.
    fn order(&mut self) {
        for at in (0..self.len() / 2).rev() {
            self.sink(at, self.len());
        }
    }

    /// Takes the best ones off the heap, at most `limit` and as top-p and min-p allow; how many there are.
    fn narrow(&mut self, limit: usize, top_p: f64, min_p: f64) -> usize {
        let enough = match (top_p < 1.0, limit < self.len()) {
            (false, _) => f64::INFINITY,
            (true, false) => {
                top_p * self.values.iter().map(|value| libm::exp(f64::from(*value))).sum::<f64>()
            }
            (true, true) => {
                (0..limit).for_each(|_| self.pop());
                top_p * (0..limit).map(|rank| self.weight(rank)).sum::<f64>()
            }
        };
        let mut sum = 0.0;
        for rank in 0..limit {
            if rank >= self.popped {
                self.pop();
            }
            let weight = self.weight(rank);
            if rank > 0 && (sum >= enough || weight < min_p) {
                return rank;
            }
            sum += weight;
        }
        limit
    }

    /// Moves the best of the heap behind it.
    fn pop(&mut self) {
        let Some(last) = self.len().checked_sub(self.popped + 1) else { return };
        self.values.swap(0, last);
        self.ids.swap(0, last);
        self.popped += 1;
        self.sink(0, last);
    }

    /// Restores the heap of the first `len` below `at`.
    fn sink(&mut self, mut at: usize, len: usize) {
        loop {
            let left = 2 * at + 1;
            let mut first = at;
            for child in [left, left + 1] {
                if child < len && self.goes_before(child, first) {
                    first = child;
                }
            }
            if first == at {
                return;
            }
            self.values.swap(at, first);
            self.ids.swap(at, first);
            at = first;
        }
    }

    fn goes_before(&self, a: usize, b: usize) -> bool {
        let entry = |at: usize| Some((self.values.get(at)?, self.ids.get(at)?));
        match (entry(a), entry(b)) {
            (Some((value_a, id_a)), Some((value_b, id_b))) => {
                value_a > value_b || (value_a == value_b && id_a < id_b)
            }
            _ => false,
        }
    }

    /// The value of the one taken off the heap as number `rank`.
    fn value(&self, rank: usize) -> f32 {
        let at = self.len().checked_sub(rank + 1);
        at.and_then(|at| self.values.get(at)).copied().unwrap_or(f32::NEG_INFINITY)
    }

    fn weight(&self, rank: usize) -> f64 {
        libm::exp(f64::from(self.value(rank)))
    }

    fn ranked(&self, rank: usize) -> Option<u32> {
        let at = self.len().checked_sub(rank + 1)?;
        self.ids.get(at).map(|id| *id as u32)
    }
}

/// The stream of the generator that is used; any will do, it is fixed for all time.
const STREAM: u64 = 54;

/// PCG-XSH-RR 64/32.
#[derive(Clone, Debug)]
struct Pcg {
    state: u64,
    increment: u64,
}

impl Pcg {
    fn new(seed: u64, stream: u64) -> Self {
        let mut pcg = Self { state: 0, increment: stream << 1 | 1 };
        pcg.next();
        pcg.state = pcg.state.wrapping_add(seed);
        pcg.next();
        pcg
    }

    fn next(&mut self) -> u32 {
        let old = self.state;
        self.state = old.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(self.increment);
        let mixed = ((old >> 18 ^ old) >> 27) as u32;
        mixed.rotate_right((old >> 59) as u32)
    }

    /// From 0 to below 1, 53 bits.
    fn unit(&mut self) -> f64 {
        let (high, low) = (u64::from(self.next()), u64::from(self.next()));
        ((high << 32 | low) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The output that the generator's author publishes for seed 42 and stream 54.
    #[test]
    fn the_generator_is_the_published_one() {
        let mut pcg = Pcg::new(42, 54);
        let expected = [0xa15c_02b7, 0x7b47_f409, 0xba1d_3330, 0x83d2_f293, 0xbfa4_784b, 0xcbed_606e];
        assert_eq!([(); 6].map(|()| pcg.next()), expected);
    }
}
