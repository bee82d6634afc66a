//! Decimal fractions as `f32`, for a library without room for the general way (15 kB): `[digits][.digits]`, at most seven
//! digits after leading zeros and seven after the point; anything else is refused.
//!
//! So it is exact: both m < 10⁷ and 10ᵏ ≤ 10⁷ are whole numbers in binary64, whose quotient is rounded once; and a fraction
//! m / 10ᵏ that is not halfway between two `f32` is further from there than 2⁻⁴⁸ of itself, so rounding a second time, from
//! 53 bits to 24, goes where rounding once would go.

/// Digits before and after the point.
const DIGITS: usize = 7;

/// The number that a text means.
pub fn read(text: &str) -> Option<f32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() + fraction.len() == 0 || fraction.len() > DIGITS {
        return None;
    }
    let (mut number, mut scale) = (0u32, 1u32);
    for digit in whole.bytes().chain(fraction.bytes()) {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number = number.checked_mul(10)?.checked_add(digit.into())?;
    }
    for _ in 0..fraction.len() {
        scale *= 10;
    }
    (number < 10_000_000).then(|| (f64::from(number) / f64::from(scale)) as f32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn as_the_standard_library() {
        let mut state = 1u64;
        for _ in 0..200_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = (state >> 33) % 10_000_000;
            let text = number.to_string();
            let point = (state >> 20) as usize % (text.len() + 1);
            let text = format!("{}.{}", &text[..point], &text[point..]);
            if text != "." {
                assert_eq!(read(&text), Some(text.parse::<f32>().unwrap()), "{text}");
            }
        }
        for text in ["0", "0.7", ".5", "1.", "0.0000001", "00012.5", "9999999"] {
            assert_eq!(read(text), text.parse::<f32>().ok(), "{text}");
        }
        for text in ["", ".", "1e3", "-1", "+1", "10000000", "0.00000001", "1.2.3", "inf", "1 "] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
