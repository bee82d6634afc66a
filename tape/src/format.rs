//! The formats of weights that a build computes with: name, number, size of a block.
//!
//! What the bytes of a block mean is a device's affair; float formats, which need no more than a shift, are read here too.
//! A firmware takes the families it needs (features `small-quants`, `k-quants`, `iq-quants`, `halves`).

macro_rules! formats {
    ($($(#[$when:meta])* $name:ident = $id:literal, $block:literal values in $bytes:literal bytes;)*) => {
        /// The formats that can be computed with; the numbers are GGML's type ids, as GGUF files store them.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        #[allow(non_camel_case_types, reason = "the specification's names")]
        pub enum Format {
            $($(#[$when])* #[doc = concat!("`", stringify!($name), "`, GGML type ", stringify!($id), ".")] $name = $id,)*
        }

        impl Format {
            /// Every format, by ascending type id.
            pub const ALL: &[Format] = &[$($(#[$when])* Format::$name,)*];

            /// The name GGML prints, for example `Q4_K`.
            pub const fn name(self) -> &'static str { match self { $($(#[$when])* Format::$name => stringify!($name),)* } }

            /// Values and bytes of a block.
            const fn sizes(self) -> (usize, usize) { match self { $($(#[$when])* Format::$name => ($block, $bytes),)* } }
        }
    };
}

formats! {
    F32    = 0,  1 values in 4 bytes;
    #[cfg(feature = "halves")]
    F16    = 1,  1 values in 2 bytes;
    #[cfg(feature = "small-quants")]
    Q4_0   = 2,  32 values in 18 bytes;
    #[cfg(feature = "small-quants")]
    Q4_1   = 3,  32 values in 20 bytes;
    #[cfg(feature = "small-quants")]
    Q5_0   = 6,  32 values in 22 bytes;
    #[cfg(feature = "small-quants")]
    Q5_1   = 7,  32 values in 24 bytes;
    Q8_0   = 8,  32 values in 34 bytes;
    #[cfg(feature = "k-quants")]
    Q2_K   = 10, 256 values in 84 bytes;
    #[cfg(feature = "k-quants")]
    Q3_K   = 11, 256 values in 110 bytes;
    #[cfg(feature = "k-quants")]
    Q4_K   = 12, 256 values in 144 bytes;
    #[cfg(feature = "k-quants")]
    Q5_K   = 13, 256 values in 176 bytes;
    #[cfg(feature = "k-quants")]
    Q6_K   = 14, 256 values in 210 bytes;
    #[cfg(feature = "iq-quants")]
    IQ4_NL = 20, 32 values in 18 bytes;
    #[cfg(feature = "iq-quants")]
    IQ4_XS = 23, 256 values in 136 bytes;
    #[cfg(feature = "halves")]
    BF16   = 30, 1 values in 2 bytes;
}

impl Format {
    /// The format with this GGML type id, if it can be computed with.
    pub fn from_id(id: u32) -> Option<Format> {
        Format::ALL.iter().copied().find(|f| *f as u32 == id)
    }

    /// Values in a block (1 for the float formats).
    pub const fn block(self) -> usize {
        self.sizes().0
    }

    /// Bytes of a block.
    pub const fn bytes(self) -> usize {
        self.sizes().1
    }

    /// Whether the values are stored as floating-point numbers.
    pub const fn is_float(self) -> bool {
        self.sizes().0 == 1
    }

    /// Bytes of a row of `width` values, if the width is a whole number of blocks and the size can be represented.
    pub fn row_bytes(self, width: usize) -> Option<usize> {
        let (block, bytes) = self.sizes();
        if width.is_multiple_of(block) { (width / block).checked_mul(bytes) } else { None }
    }

    /// Reads the first values of a float format, as many as `out` holds and the bytes have; false for a format of blocks.
    pub fn read_floats(self, bytes: &[u8], out: &mut [f32]) -> bool {
        match self {
            Format::F32 => {
                for (y, x) in out.iter_mut().zip(bytes.as_chunks().0) {
                    *y = f32::from_le_bytes(*x);
                }
            }
            #[cfg(feature = "halves")]
            Format::F16 => {
                for (y, x) in out.iter_mut().zip(bytes.as_chunks().0) {
                    *y = half(u16::from_le_bytes(*x));
                }
            }
            #[cfg(feature = "halves")]
            Format::BF16 => {
                for (y, x) in out.iter_mut().zip(bytes.as_chunks().0) {
                    *y = f32::from_bits(u32::from(u16::from_le_bytes(*x)) << 16);
                }
            }
            _ => return false,
        }
        true
    }
}

/// The number that a binary16 stands for; exact.
#[cfg(feature = "halves")]
fn half(bits: u16) -> f32 {
    let (sign, magnitude) = (u32::from(bits >> 15) << 31, u32::from(bits & 0x7fff) << 13);
    // Exponents differ by 112; multiplying by 2^112 also makes subnormal numbers normal ones.
    let scaled = (f32::from_bits(magnitude) * f32::from_bits((127 + 112) << 23)).to_bits();
    let infinite = magnitude >= 0x7c00 << 13;
    f32::from_bits(sign | if infinite { 0x7f80_0000 | magnitude } else { scaled })
}

#[cfg(all(test, feature = "halves"))]
mod tests {
    use super::*;

    #[test]
    fn halves_are_read_exactly() {
        let cases = [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x0001, 2.0f32.powi(-24)),
            (0x03ff, 1023.0 * 2.0f32.powi(-24)),
            (0x0400, 2.0f32.powi(-14)),
            (0x7bff, 65504.0),
            (0xfc00, f32::NEG_INFINITY),
        ];
        for (bits, expected) in cases {
            let mut out = [f32::NAN];
            assert!(Format::F16.read_floats(&u16::to_le_bytes(bits), &mut out));
            assert_eq!(out[0].to_bits(), f32::to_bits(expected), "{bits:04x}");
        }
        assert!(half(0x7e01).is_nan());
        let mut out = [0.0];
        assert!(Format::BF16.read_floats(&0xc040u16.to_le_bytes(), &mut out) && out[0] == -3.0);
        assert!(!Format::Q8_0.read_floats(&[0; 34], &mut out));
    }
}
