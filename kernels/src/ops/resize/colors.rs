//! Luma and chroma to red, green and blue, exactly.
//!
//! With the standard's weights `Kr` and `Kb` of red and blue in luma, and `Kg = 1 − Kr − Kb`:
//! ```text
//! full range      l = Y              u = Cb − 128               v = Cr − 128
//! limited range   l = (Y − 16)·255/219   u = (Cb − 128)·255/224   v = (Cr − 128)·255/224
//! R = l + 2(1 − Kr)·v
//! G = l − 2(1 − Kb)·Kb/Kg·u − 2(1 − Kr)·Kr/Kg·v
//! B = l + 2(1 − Kb)·u                                  each rounded to nearest, ties up, and cut to 0..=255
//! BT.601   Kr 0.299    Kb 0.114          BT.709   Kr 0.2126   Kb 0.0722
//! ```
//! A coefficient `c` is kept in two words, `high = round(c·2^13)` and `low = round((c·2^13 − high)·2^22)`; the two sums
//! fit 32 bits, and
//! ```text
//! value = (Σ high·x + 2^12 + ((Σ low·x + 2^7) >> 22)) >> 13
//! ```
//! which has 35 bits after the point. 2^7 is more than the roundings of `low` can add up to, so that ties go up. The
//! result equals the real numbers' rounded value for all 2^24 triples of the four matrices: the test tries every one.
//!
//! Source: ITU-R BT.601-7 and BT.709-6, sections on luminance, colour differences and quantization.

use crate::cpu::LANES;

/// Whose weights of red, green and blue make luma.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Matrix {
    /// ITU-R BT.601: standard definition, JPEG, most webcams.
    #[default]
    Bt601,
    /// ITU-R BT.709: high definition video.
    Bt709,
}

/// What values black and white have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Range {
    /// Luma 16 to 235, chroma 16 to 240: video.
    #[default]
    Limited,
    /// 0 to 255: JPEG.
    Full,
}

/// How luma and chroma are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Colors {
    /// The weights.
    pub matrix: Matrix,
    /// The range.
    pub range: Range,
}

impl Colors {
    /// All four, for tests and menus.
    pub const ALL: [Self; 4] = [
        Self { matrix: Matrix::Bt601, range: Range::Limited },
        Self { matrix: Matrix::Bt601, range: Range::Full },
        Self { matrix: Matrix::Bt709, range: Range::Limited },
        Self { matrix: Matrix::Bt709, range: Range::Full },
    ];

    /// Parts of ten thousand: Kr and Kb.
    const fn weights(self) -> (i64, i64) {
        match self.matrix {
            Matrix::Bt601 => (2990, 1140),
            Matrix::Bt709 => (2126, 722),
        }
    }

    pub(super) fn conversion(self) -> Conversion {
        const ONE: i64 = 10_000;
        let (red, blue) = self.weights();
        let green = ONE - red - blue;
        let (luma, chroma, black) = match self.range {
            Range::Limited => ((255, 219), (255, 224), 16),
            Range::Full => ((1, 1), (1, 1), 0),
        };
        let of = |num: i64, den: i64| Coefficient::new(chroma.0 * num, chroma.1 * den);
        Conversion {
            black,
            luma: Coefficient::new(luma.0, luma.1),
            red_cr: of(2 * (ONE - red), ONE),
            green_cb: of(-2 * (ONE - blue) * blue, ONE * green),
            green_cr: of(-2 * (ONE - red) * red, ONE * green),
            blue_cb: of(2 * (ONE - blue), ONE),
        }
    }
}

const HIGH_BITS: u32 = 13;
const LOW_BITS: u32 = 22;

/// A number in two words; see the module.
#[derive(Debug, Clone, Copy)]
struct Coefficient {
    high: i32,
    low: i32,
}

impl Coefficient {
    /// `num / den`, whose size the standards bound: below 2.2.
    fn new(num: i64, den: i64) -> Self {
        let scaled = num << HIGH_BITS;
        let high = rounded(scaled, den);
        // Denominators are below 2^36, so the rest, at most half of one, keeps its room for the shift and the doubling.
        let low = rounded((scaled - high * den) << LOW_BITS, den);
        Self { high: high as i32, low: low as i32 }
    }
}

/// `num / den` to nearest, ties up.
fn rounded(num: i64, den: i64) -> i64 {
    (2 * num + den).div_euclid(2 * den)
}

/// The five coefficients and the value of black.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversion {
    black: i32,
    luma: Coefficient,
    red_cr: Coefficient,
    green_cb: Coefficient,
    green_cr: Coefficient,
    blue_cb: Coefficient,
}

impl Conversion {
    /// Sixteen pixels of which two neighbours share chroma: all red, all green, all blue.
    #[inline(always)]
    pub(super) fn sixteen(
        &self,
        luma: &[u8; LANES],
        cb: &[u8; LANES / 2],
        cr: &[u8; LANES / 2],
    ) -> [[u8; LANES]; 3] {
        let (mut red, mut green, mut blue) = ([0; LANES], [0; LANES], [0; LANES]);
        for i in 0..LANES {
            [red[i], green[i], blue[i]] = self.rgb(luma[i], cb[i / 2], cr[i / 2]);
        }
        [red, green, blue]
    }

    /// One pixel.
    #[inline(always)]
    pub(super) fn rgb(&self, luma: u8, cb: u8, cr: u8) -> [u8; 3] {
        let (y, u, v) = (i32::from(luma) - self.black, i32::from(cb) - 128, i32::from(cr) - 128);
        let sum = |chroma: (i32, i32)| {
            let high = self.luma.high * y + chroma.0 + (1 << (HIGH_BITS - 1));
            let low = self.luma.low * y + chroma.1 + (1 << 7);
            ((high + (low >> LOW_BITS)) >> HIGH_BITS).clamp(0, 255) as u8
        };
        let part = |k: &Coefficient, x: i32| (k.high * x, k.low * x);
        let (cb_green, cr_green) = (part(&self.green_cb, u), part(&self.green_cr, v));
        [
            sum(part(&self.red_cr, v)),
            sum((cb_green.0 + cr_green.0, cb_green.1 + cr_green.1)),
            sum(part(&self.blue_cb, u)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The formula in whole numbers: everything times `219·224·10000·Kg`, divided once.
    struct Exact {
        whole: i64,
        luma: [i64; 256],
        /// Cb's parts of green and blue, Cr's of red and green.
        cb: [[i64; 2]; 256],
        cr: [[i64; 2]; 256],
    }

    impl Exact {
        fn new(colors: Colors) -> Self {
            let (red, blue) = colors.weights();
            let green = 10_000 - red - blue;
            let full = colors.range == Range::Full;
            let chroma = if full { 219 * 224 } else { 255 * 219 };
            let difference = |byte: usize| (byte as i64 - 128) * chroma;
            Self {
                whole: 219 * 224 * 10_000 * green,
                luma: core::array::from_fn(|y| {
                    let y = y as i64;
                    10_000 * green * if full { y * 219 * 224 } else { (y - 16) * 255 * 224 }
                }),
                cb: core::array::from_fn(|u| {
                    [-(10_000 - blue) * blue, (10_000 - blue) * green].map(|n| 2 * n * difference(u))
                }),
                cr: core::array::from_fn(|v| {
                    [(10_000 - red) * green, -(10_000 - red) * red].map(|n| 2 * n * difference(v))
                }),
            }
        }

        fn round(&self, num: i64) -> u8 {
            rounded(num, self.whole).clamp(0, 255) as u8
        }
    }

    #[test]
    fn every_triple_is_rounded_exactly() {
        for colors in Colors::ALL {
            let (conversion, exact) = (colors.conversion(), Exact::new(colors));
            for (y, &luma) in (0..=255_u8).zip(&exact.luma) {
                // Red has no Cb and blue no Cr.
                let red = exact.cr.map(|[red, _]| exact.round(luma + red));
                for (cb, &[green_cb, blue]) in (0..=255_u8).zip(&exact.cb) {
                    let blue = exact.round(luma + blue);
                    for ((cr, &[_, green_cr]), red) in (0..=255_u8).zip(&exact.cr).zip(red) {
                        let expected = [red, exact.round(luma + green_cb + green_cr), blue];
                        assert_eq!(conversion.rgb(y, cb, cr), expected, "{colors:?} {y} {cb} {cr}");
                    }
                }
            }
        }
    }

    #[test]
    fn black_white_and_the_primaries_are_the_standards() {
        let rgb = |colors: Colors, y, cb, cr| colors.conversion().rgb(y, cb, cr);
        for colors in Colors::ALL {
            let (black, white) = if colors.range == Range::Full { (0, 255) } else { (16, 235) };
            assert_eq!(rgb(colors, black, 128, 128), [0; 3]);
            assert_eq!(rgb(colors, white, 128, 128), [255; 3]);
        }
        // Of the colour bars of BT.601 and BT.709 in 8 bits.
        assert_eq!(rgb(Colors::ALL[0], 81, 90, 240), [254, 0, 0]);
        assert_eq!(rgb(Colors::ALL[2], 63, 102, 240), [255, 1, 0]);
    }
}
