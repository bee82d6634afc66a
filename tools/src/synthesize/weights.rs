//! Random weights, written as the blocks of their format.
//!
//! Nothing is quantized: codes are random bits, and scales are chosen so that what a block decodes to has the wanted
//! standard deviation and no mean. With `u` the root mean square of a format's values where its `d` is 1,
//!
//! ```text
//! d = deviation / u · jitter,      jitter in 0.75..1.25, one per block
//! ```
//!
//! | format | codes | scales beside `d` | centred by |
//! |---|---|---|---|
//! | `Q8_0` | −127..=127 | | |
//! | `Q4_0`, `Q5_0`, `IQ4_NL` | all | | the sign of `d`, by lot |
//! | `Q4_1`, `Q5_1` | all | | minimum −d · the middle code |
//! | `Q2_K`, `Q4_K`, `Q5_K` | all | upper half of their bits | `dmin` = d · the middle code, minimum = scale ± 1 |
//! | `Q3_K`, `Q6_K`, `IQ4_XS` | all | upper half of their range | their sign, by lot |
//!
//! Codes are spread evenly over all values, which no trained weight is; every bit of every block is in use, so a
//! kernel that reads one wrongly gives something else. The byte layouts are those of `kernels/src/formats`.
//!
//! Refused: types that the engine cannot compute with.

use super::random::Random;
use ocelli_gguf::TensorType;
use ocelli_kernels::cpu::{Isa, LANES, Scalar};

/// What a tensor's values are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Where they lie; 0 for what is quantized.
    pub mean: f32,
    /// Their standard deviation.
    pub deviation: f32,
}

/// Fills `out`, whole blocks of `kind`. `false`, with nothing done, when the type is not one of the table's.
pub fn fill(kind: TensorType, spread: Spread, random: &mut Random, out: &mut [u8]) -> bool {
    let Spread { mean, deviation } = spread;
    let mut value = || mean + deviation * random.bell();
    match kind {
        TensorType::F32 => {
            out.as_chunks_mut::<4>().0.iter_mut().for_each(|to| *to = value().to_le_bytes());
        }
        TensorType::F16 => {
            for part in out.chunks_mut(2 * LANES) {
                let values: [f32; LANES] = core::array::from_fn(|_| value());
                let bits = halves(values).map(u16::to_le_bytes);
                part.iter_mut().zip(bits.as_flattened()).for_each(|(to, byte)| *to = *byte);
            }
        }
        TensorType::BF16 => {
            // Nearest, ties away from zero; a bounded value cannot round to infinity.
            let bits = |x: f32| ((x.to_bits() + 0x8000) >> 16) as u16;
            out.as_chunks_mut::<2>().0.iter_mut().for_each(|to| *to = bits(value()).to_le_bytes());
        }
        _ => return quantized(kind, deviation, random, out),
    }
    true
}

fn halves(values: [f32; LANES]) -> [u16; LANES] {
    let mut bits = [0; LANES];
    Scalar.store_half(values, &mut bits);
    bits
}

/// How a format's blocks are made.
struct Blocks {
    /// Mean square of the values where `d` is 1.
    square: f64,
    /// Fills a block.
    write: fn(&mut Random, f32, &mut Rest<'_>),
}

fn quantized(kind: TensorType, deviation: f32, random: &mut Random, out: &mut [u8]) -> bool {
    let Some(Blocks { square, write }) = blocks(kind) else { return false };
    // The mean square of the jitter is 1 + 0.25² / 3.
    let scale = f64::from(deviation) / (square * (1.0 + 0.0625 / 3.0)).sqrt();
    for block in out.chunks_exact_mut(kind.block_bytes()) {
        let d = scale as f32 * (0.75 + 0.5 * random.unit());
        write(random, d, &mut Rest(block));
    }
    true
}

/// The table above.
fn blocks(kind: TensorType) -> Option<Blocks> {
    use TensorType::{IQ4_NL, IQ4_XS, Q2_K, Q3_K, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0};
    let square = match kind {
        // 256 bytes stand for 255 codes: -128 becomes 0.
        Q8_0 => square_of(-127..128) * 255.0 / 256.0,
        Q4_0 => square_of(-8..8),
        Q5_0 => square_of(-16..16),
        Q4_1 => centred(16),
        Q5_1 => centred(32),
        IQ4_NL => square_of(LEVELS.into_iter()),
        // A minimum one off its scale moves a group by d · the middle code.
        Q2_K => square_of(8..16) * centred(4) + 1.5 * 1.5,
        Q4_K => square_of(32..64) * centred(16) + 7.5 * 7.5,
        Q5_K => square_of(32..64) * centred(32) + 15.5 * 15.5,
        Q3_K => square_of(16..32) * square_of(-4..4),
        Q6_K => square_of(64..128) * square_of(-32..32),
        IQ4_XS => square_of(16..32) * square_of(LEVELS.into_iter()),
        _ => return None,
    };
    let write: fn(&mut Random, f32, &mut Rest<'_>) = match kind {
        Q8_0 => q8_0,
        Q4_0 | Q5_0 | IQ4_NL => symmetric,
        Q4_1 => |random, d, rest| above(random, d, 7.5, rest),
        Q5_1 => |random, d, rest| above(random, d, 15.5, rest),
        Q4_K => |random, d, rest| eight_groups(random, d, 7.5, rest),
        Q5_K => |random, d, rest| eight_groups(random, d, 15.5, rest),
        Q2_K => q2_k,
        Q3_K => q3_k,
        Q6_K => q6_k,
        _ => iq4_xs,
    };
    Some(Blocks { square, write })
}

/// The levels of `IQ4_NL` and `IQ4_XS`, as the specification has them.
const LEVELS: [i32; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// Mean square of evenly likely numbers.
fn square_of(values: impl ExactSizeIterator<Item = i32>) -> f64 {
    let count = values.len() as f64;
    values.map(|x| f64::from(x * x)).sum::<f64>() / count
}

/// Mean square of so many codes around their middle.
fn centred(codes: i32) -> f64 {
    square_of((0..codes).map(|code| 2 * code - codes + 1)) / 4.0
}

/// What is left of a block that is being written.
struct Rest<'a>(&'a mut [u8]);

impl Rest<'_> {
    /// The next bytes, as many as are asked for or left.
    fn take(&mut self, count: usize) -> &mut [u8] {
        let all = core::mem::take(&mut self.0);
        let (taken, left) = all.split_at_mut(count.min(all.len()));
        self.0 = left;
        taken
    }

    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.take(N).iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
    }

    fn half(&mut self, x: f32) {
        let [bits, ..] = halves([x; LANES]);
        self.put(bits.to_le_bytes());
    }

    fn random(&mut self, random: &mut Random, count: usize) {
        random.fill(self.take(count));
    }
}

/// `d` with a sign by lot.
fn signed(random: &mut Random, d: f32) -> f32 {
    if random.next() & 1 == 0 { d } else { -d }
}

fn q8_0(random: &mut Random, d: f32, rest: &mut Rest<'_>) {
    rest.half(d);
    let codes = rest.take(32);
    random.fill(codes);
    codes.iter_mut().filter(|code| **code == 0x80).for_each(|code| *code = 0);
}

/// `Q4_0`, `Q5_0`, `IQ4_NL`: d and codes.
fn symmetric(random: &mut Random, d: f32, rest: &mut Rest<'_>) {
    let d = signed(random, d);
    rest.half(d);
    rest.random(random, usize::MAX);
}

/// `Q4_1`, `Q5_1`: d, minimum and codes.
fn above(random: &mut Random, d: f32, middle: f32, rest: &mut Rest<'_>) {
    rest.half(d);
    rest.half(-middle * d);
    rest.random(random, usize::MAX);
}

/// `Q4_K`, `Q5_K`: d, dmin, scales and minimums of six bits, codes.
fn eight_groups(random: &mut Random, d: f32, middle: f32, rest: &mut Rest<'_>) {
    rest.half(d);
    rest.half(middle * d);
    let bits = random.next().to_le_bytes();
    let scales = bits.map(|b| b & 63 | 32);
    let minimums = scales.map(|s| s ^ 1);
    // The first four in the low six bits, the upper two bits of the others above them.
    let first = |s: [u8; 8]| [0, 1, 2, 3].map(|g: usize| s[g] | s[g + 4] >> 4 << 6);
    rest.put(first(scales));
    rest.put(first(minimums));
    rest.put([4, 5, 6, 7].map(|g: usize| scales[g] & 15 | minimums[g] << 4));
    rest.random(random, usize::MAX);
}

fn q2_k(random: &mut Random, d: f32, rest: &mut Rest<'_>) {
    let groups = rest.take(16);
    random.fill(groups);
    for group in groups {
        let scale = *group & 15 | 8;
        *group = scale | (scale ^ 1) << 4;
    }
    rest.random(random, 64);
    rest.half(d);
    rest.half(1.5 * d);
}

/// Sixteen numbers of six bits: 32 and 16..=31 more or less.
fn sixes(random: &mut Random) -> [u8; 16] {
    let mut bits = [0; 16];
    random.fill(&mut bits);
    bits.map(|b| if b & 64 == 0 { 48 + (b & 15) } else { 16 - (b & 15) })
}

fn q3_k(random: &mut Random, d: f32, rest: &mut Rest<'_>) {
    rest.random(random, 96);
    let six = sixes(random);
    rest.put([0, 1, 2, 3, 4, 5, 6, 7].map(|g: usize| six[g] & 15 | six[g + 8] << 4));
    let high = |g: usize| six[g] >> 4 | six[g + 4] >> 4 << 2 | six[g + 8] >> 4 << 4 | six[g + 12] >> 4 << 6;
    rest.put([0, 1, 2, 3].map(high));
    rest.half(d);
}

fn q6_k(random: &mut Random, d: f32, rest: &mut Rest<'_>) {
    rest.random(random, 192);
    let factors = rest.take(16);
    random.fill(factors);
    for factor in factors {
        let size = *factor & 63 | 64;
        *factor = if *factor < 128 { size } else { size.wrapping_neg() };
    }
    rest.half(d);
}

fn iq4_xs(random: &mut Random, d: f32, rest: &mut Rest<'_>) {
    rest.half(d);
    let six = sixes(random);
    let groups = || six.iter().take(8).enumerate();
    let high = groups().fold(0u16, |bits, (g, six)| bits | u16::from(six >> 4) << (2 * g));
    let low = groups().fold(0u32, |bits, (g, six)| bits | u32::from(six & 15) << (4 * g));
    rest.put(high.to_le_bytes());
    rest.put(low.to_le_bytes());
    rest.random(random, usize::MAX);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;
    use ocelli_kernels::formats::{Format, decode};

    #[test]
    fn every_format_decodes_to_the_wanted_deviation() {
        for format in Format::ALL {
            let kind = TensorType::from_id(*format as u32).unwrap();
            // 1/√11008 is about the smallest deviation a weight of a large model has: scales are subnormal halves there.
            for deviation in [1.0f32, 0.02, 0.0095] {
                let count = 400 * 256;
                let mut bytes = vec![0; kind.bytes_of(count).unwrap()];
                let spread = Spread { mean: 0.0, deviation };
                let mut random = Random::named(3, format.name());
                assert!(fill(kind, spread, &mut random, &mut bytes), "{format:?}");
                let mut values = vec![f32::NAN; count];
                decode(Scalar, *format, &bytes, &mut values);
                assert!(values.iter().all(|x| x.is_finite()), "{format:?}");
                let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / count as f64;
                let square = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / count as f64;
                let (found, wanted) = (square.sqrt(), f64::from(deviation));
                assert!((found / wanted - 1.0).abs() < 0.03, "{format:?}: {found} and not {wanted}");
                assert!(mean.abs() < 0.02 * wanted, "{format:?}: mean {mean} at {wanted}");
                let largest = values.iter().fold(0f32, |most, x| most.max(x.abs()));
                assert!(f64::from(largest) < 6.0 * wanted, "{format:?}: {largest} at {wanted}");
            }
        }
    }

    #[test]
    fn a_chunk_more_or_less_changes_nothing() {
        for format in Format::ALL {
            let kind = TensorType::from_id(*format as u32).unwrap();
            let spread = Spread { mean: 0.0, deviation: 0.1 };
            let whole = |parts: usize| {
                let mut random = Random::named(9, "chunks");
                let mut bytes = vec![0; kind.bytes_of(1024).unwrap()];
                let size = bytes.len() / parts;
                bytes.chunks_mut(size).for_each(|part| assert!(fill(kind, spread, &mut random, part)));
                bytes
            };
            assert_eq!(whole(1), whole(4), "{format:?}");
        }
    }

    #[test]
    fn a_type_without_kernels_is_refused() {
        let spread = Spread { mean: 0.0, deviation: 1.0 };
        for kind in [TensorType::I8, TensorType::MXFP4, TensorType::IQ2_S, TensorType::Q8_K] {
            assert!(!fill(kind, spread, &mut Random::named(0, ""), &mut [0; 1024]), "{kind}");
        }
    }
}
