//! Random numbers that are the same everywhere: SplitMix64 (Steele, Lea and Flood, 2014).
//!
//! ```text
//! state += 0x9e3779b97f4a7c15
//! z = state;  z = (z ^ z >> 30) · 0xbf58476d1ce4e5b9;  z = (z ^ z >> 27) · 0x94d049bb133111eb;  out = z ^ z >> 31
//! ```
//!
//! Every tensor has a generator of its own, begun from the seed and the tensor's name (by FNV-1a), so what is in it
//! does not depend on what else is written, or in which order.

/// A generator.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of what is called `name`.
    pub fn named(seed: u64, name: &str) -> Random {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        // Once through the mixer, so that neighbouring seeds do not begin at neighbouring states.
        Random(Random(seed).next() ^ hash)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        for part in out.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            part.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
        }
    }

    /// One of 0..1, in steps of 2⁻²⁴.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    /// A number with mean 0 and standard deviation 1, at most 3.47 away from 0: the sum of four 16-bit integers, whose
    /// variance is 4 · (2³² − 1) / 12. Integers only, so that no machine's `ln` or `cos` has a say.
    pub fn bell(&mut self) -> f32 {
        const DEVIATION: f32 = 37_837.23;
        let bits = self.next();
        let sum = (0..4).map(|i| (bits >> (16 * i) & 0xffff) as i32).sum::<i32>() - 2 * 0xffff;
        sum as f32 / DEVIATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence() {
        // The first outputs for seed 1234567, as Vigna's reference program gives them.
        let mut random = Random(1_234_567);
        let first = [random.next(), random.next(), random.next()];
        assert_eq!(first, [6457827717110365317, 3203168211198807973, 9817491932198370423]);
    }

    #[test]
    fn the_bell_is_centred_and_as_wide_as_it_says() {
        let mut random = Random::named(1, "bell");
        let values: Vec<f64> = (0..200_000).map(|_| f64::from(random.bell())).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let square = values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 0.01 && (square - 1.0).abs() < 0.01, "{mean} {square}");
        assert!(values.iter().all(|x| x.abs() < 3.47));
    }

    #[test]
    fn names_and_seeds_part_the_ways() {
        let first = |seed, name| Random::named(seed, name).next();
        assert_eq!(first(7, "blk.0.attn_q.weight"), first(7, "blk.0.attn_q.weight"));
        assert_ne!(first(7, "blk.0.attn_q.weight"), first(7, "blk.1.attn_q.weight"));
        assert_ne!(first(7, "blk.0.attn_q.weight"), first(8, "blk.0.attn_q.weight"));
    }
}
