//! What a smaller model costs: two models side by side, A the reference and B the one that is looked at.
//!
//! **Logits.** For a position whose next token is t, with logits a of A and b of B over the whole vocabulary:
//!
//! ```text
//! ln p_i = a_i − m − ln Σ exp(a_j − m)       m = max a; q likewise from b; everything in f64
//! nll    = −ln p_t                            perplexity = exp(mean nll)
//! KL     = Σ p_i (ln p_i − ln q_i)            what B loses of A's knowledge, in nats; at least 0
//! top-1  = argmax p = argmax q                the lower id where two are equal
//! Δp     = q_t − p_t                          its root mean square
//! ```
//!
//! `±` is the standard error of a mean over positions, taken as independent. A percentile is interpolated linearly between
//! the two nearest of the sorted values (rank f·(n − 1)).
//!
//! **A text** is tokenized whole, as plain text, with the BOS token in front where the file asks for one, and cut into windows of
//! `context` tokens; what is left over after the last whole one is not read, but a text shorter than a window is one
//! window. Every window is read by itself, beginning with BOS where the file asks for one. Scored are the predictions of
//! tokens `context/2 + 1` and following, which all have at least half a window in front of them. This is what llama.cpp's
//! `llama-perplexity` does, so the figures can be set beside its own. Both models read the same batch before the next is
//! begun: what is kept is some numbers for each position, never a corpus of logits.
//!
//! **An image** becomes rows a_r and b_r in the language model's space, compared one by one:
//!
//! ```text
//! cosine   = a_r·b_r / (|a_r| |b_r|)          1 where both are zero, 0 where one is
//! relative = |b_r − a_r| / |a_r|              0 where both are zero, 1 where only a_r is
//! overall  = √(Σ |b_r − a_r|² / Σ |a_r|²)     over all rows of all images
//! ```
//!
//! **Answers** to the same question about each image, taking the likeliest token up to a limit: the share of equal tokens until
//! the first that differs (of the longer answer), and the share of images whose answers are the same to the end. One
//! close call changes everything after it, so B also reads A's answer, token by token, and the logits along it are compared
//! as those of a text are.
//!
//! Refused: vocabularies that differ, logits or rows that are not finite, a text without a position to score.
//!
//! Source: Kullback and Leibler, On Information and Sufficiency, 1951.

mod failure;
mod pair;

pub use failure::Failure;
pub use pair::{Pair, Side, same_vocabulary};
pub(crate) use pair::{bos, tokens};

/// What two models make of one position.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Position {
    /// −ln of the probability of the token that comes next, by A and by B.
    pub nll: [f64; 2],
    /// The Kullback-Leibler divergence of B from A.
    pub kl: f64,
    /// Whether both find the same token likeliest.
    pub same: bool,
}

/// A row of logits, and what makes logarithms of probabilities of it.
struct Row<'a> {
    logits: &'a [f32],
    /// m + ln Σ exp(a_j − m).
    base: f64,
    best: usize,
}

impl<'a> Row<'a> {
    /// Nothing where a value is not finite.
    fn new(logits: &'a [f32]) -> Option<Row<'a>> {
        let (mut best, mut max) = (0, f32::NEG_INFINITY);
        for (i, value) in logits.iter().enumerate() {
            if !value.is_finite() {
                return None;
            }
            if *value > max {
                (best, max) = (i, *value);
            }
        }
        let max = f64::from(max);
        let sum: f64 = logits.iter().map(|value| libm::exp(f64::from(*value) - max)).sum();
        Some(Row { logits, base: max + libm::log(sum), best })
    }

    fn nll(&self, token: usize) -> Option<f64> {
        Some(self.base - f64::from(*self.logits.get(token)?))
    }
}

impl Position {
    /// Compares two rows of logits of the same length.
    ///
    /// # Errors
    /// Which of the two has a value that is not finite.
    pub fn new(a: &[f32], b: &[f32], token: u32) -> Result<Position, Side> {
        let (a, b) = (Row::new(a).ok_or(Side::A)?, Row::new(b).ok_or(Side::B)?);
        let kl = a.logits.iter().zip(b.logits).map(|(x, y)| {
            let (p, q) = (f64::from(*x) - a.base, f64::from(*y) - b.base);
            libm::exp(p) * (p - q)
        });
        // Gibbs: below zero is rounding.
        let kl = kl.sum::<f64>().max(0.0);
        let token = token as usize;
        let nll = [a.nll(token).ok_or(Side::A)?, b.nll(token).ok_or(Side::B)?];
        Ok(Position { nll, kl, same: a.best == b.best })
    }
}

/// A mean and its standard error; of a single value there is none.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Its standard error.
    pub error: Option<f64>,
}

impl Mean {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Mean {
        let count = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / count;
        let square: f64 = values.map(|value| (value - mean) * (value - mean)).sum();
        Mean { mean, error: (count > 1.0).then(|| (square / (count * (count - 1.0))).sqrt()) }
    }
}

/// What two models make of many positions.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Distribution {
    /// Positions.
    pub positions: usize,
    /// exp(mean nll) of A and of B.
    pub perplexity: [f64; 2],
    /// B's perplexity by A's, and its standard error by the differences of the logarithms.
    pub ratio: Mean,
    /// KL divergence.
    pub kl: Mean,
    /// The KL divergence that 99 % of the positions do not exceed.
    pub kl_99: f64,
    /// The largest.
    pub kl_max: f64,
    /// Share of positions where both find the same token likeliest.
    pub top_1: f64,
    /// Root mean square of the difference between the probabilities of the token that comes next.
    pub delta_p: f64,
}

impl Distribution {
    /// Of all positions; nothing of none.
    pub fn of(positions: &[Position]) -> Option<Distribution> {
        if positions.is_empty() {
            return None;
        }
        let mean = |of: fn(&Position) -> f64| Mean::of(positions.iter().map(of));
        let more = mean(|p| p.nll[1] - p.nll[0]);
        let ratio = libm::exp(more.mean);
        let mut sorted: Vec<f64> = positions.iter().map(|p| p.kl).collect();
        sorted.sort_by(f64::total_cmp);
        let delta = |p: &Position| {
            let delta = libm::exp(-p.nll[1]) - libm::exp(-p.nll[0]);
            delta * delta
        };
        Some(Distribution {
            positions: positions.len(),
            perplexity: [mean(|p| p.nll[0]), mean(|p| p.nll[1])].map(|nll| libm::exp(nll.mean)),
            ratio: Mean { mean: ratio, error: more.error.map(|error| error * ratio) },
            kl: mean(|p| p.kl),
            kl_99: percentile(&sorted, 0.99),
            kl_max: sorted.last().copied().unwrap_or(0.0),
            top_1: mean(|p| f64::from(u8::from(p.same))).mean,
            delta_p: mean(delta).mean.sqrt(),
        })
    }
}

/// Of ascending values.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = share * sorted.len().saturating_sub(1) as f64;
    let at = |index: f64| sorted.get(index as usize).copied().unwrap_or(0.0);
    let (low, high) = (at(rank.floor()), at(rank.ceil()));
    low + (high - low) * rank.fract()
}

/// How far B's rows of images are from A's.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Rows {
    /// Images.
    pub images: usize,
    /// Their rows.
    pub rows: usize,
    cosines: f64,
    /// The smallest cosine of a row.
    pub cosine_min: f64,
    relatives: f64,
    /// The largest relative error of a row.
    pub relative_max: f64,
    /// Σ |b_r − a_r|² and Σ |a_r|².
    squares: [f64; 2],
}

impl Rows {
    /// Takes an image's rows in, each of `width` values.
    ///
    /// # Errors
    /// Which of the two has a value that is not finite.
    pub fn add(&mut self, a: &[f32], b: &[f32], width: usize) -> Result<(), Side> {
        for (rows, side) in [(a, Side::A), (b, Side::B)] {
            if !rows.iter().all(|value| value.is_finite()) {
                return Err(side);
            }
        }
        self.images += 1;
        for (a, b) in a.chunks(width.max(1)).zip(b.chunks(width.max(1))) {
            self.row(a, b);
        }
        Ok(())
    }

    fn row(&mut self, a: &[f32], b: &[f32]) {
        let sum = |of: fn(f64, f64) -> f64| -> f64 {
            a.iter().zip(b).map(|(a, b)| of(f64::from(*a), f64::from(*b))).sum()
        };
        let (aa, bb, ab) = (sum(|a, _| a * a), sum(|_, b| b * b), sum(|a, b| a * b));
        let apart = sum(|a, b| (b - a) * (b - a));
        let cosine = match (aa > 0.0, bb > 0.0) {
            // Two equal rows are at 1 exactly, whatever the roots round to.
            _ if apart == 0.0 => 1.0,
            (true, true) => (ab / (aa.sqrt() * bb.sqrt())).clamp(-1.0, 1.0),
            _ => 0.0,
        };
        let relative = match (aa > 0.0, apart > 0.0) {
            (_, false) => 0.0,
            (true, true) => (apart / aa).sqrt(),
            (false, true) => 1.0,
        };
        self.cosine_min = if self.rows == 0 { cosine } else { self.cosine_min.min(cosine) };
        self.relative_max = self.relative_max.max(relative);
        (self.cosines, self.relatives) = (self.cosines + cosine, self.relatives + relative);
        self.squares = [self.squares[0] + apart, self.squares[1] + aa];
        self.rows += 1;
    }

    /// Mean cosine of a row.
    pub fn cosine(&self) -> f64 {
        self.cosines / self.rows.max(1) as f64
    }

    /// Mean relative error of a row.
    pub fn relative(&self) -> f64 {
        self.relatives / self.rows.max(1) as f64
    }

    /// Relative error of all rows together.
    pub fn overall(&self) -> f64 {
        match self.squares {
            [0.0, _] => 0.0,
            [_, 0.0] => 1.0,
            [apart, all] => (apart / all).sqrt(),
        }
    }
}

/// How far whole answers agree.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Answers {
    /// Images that were asked about.
    pub images: usize,
    shares: f64,
    same: usize,
    /// Along A's answers.
    pub positions: Vec<Position>,
}

impl Answers {
    /// Takes two answers in, tokens that end them included.
    pub fn add(&mut self, a: &[u32], b: &[u32]) {
        let equal = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let longer = a.len().max(b.len());
        self.images += 1;
        self.same += usize::from(a == b);
        self.shares += if longer == 0 { 1.0 } else { equal as f64 / longer as f64 };
    }

    /// Mean share of equal tokens until the first that differs.
    pub fn prefix(&self) -> f64 {
        self.shares / self.images.max(1) as f64
    }

    /// Share of images whose answers are the same.
    pub fn identical(&self) -> f64 {
        self.same as f64 / self.images.max(1) as f64
    }
}

/// A text, read by both.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Text {
    /// Its tokens.
    pub tokens: usize,
    /// Windows that were read.
    pub windows: usize,
    /// Tokens of a window.
    pub window: usize,
    /// What came of it.
    pub of: Distribution,
}

#[cfg(test)]
mod tests;
