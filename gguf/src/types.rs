//! The types a tensor can have in a file: their numbers, names and block sizes.
//!
//! A row (the fastest dimension) is a sequence of blocks; a block holds `block_len` values in `block_bytes` bytes.
//! Float and integer types are blocks of one value. What the bytes mean is the format code's business.
//!
//! Numbers that once named a type and were withdrawn are refused with the name they had: their layout is gone from
//! every current program, and reading them as something else would give noise.
//! Source: ggml's type list; sizes checked against the gguf Python package.

/// One table gives the enum and its functions, so that they cannot disagree.
macro_rules! tensor_types {
    ($($name:ident = $id:literal, $len:literal, $bytes:literal;)*) => {
        /// The type of a tensor's values.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(non_camel_case_types, reason = "the names of the specification")]
        #[repr(u8)]
        pub enum TensorType {
            $(#[doc = concat!("Number ", $id, "; values per block: ", $len, ", bytes per block: ", $bytes, ".")]
            $name = $id,)*
        }

        const ALL: &[TensorType] = &[$(TensorType::$name),*];

        impl TensorType {
            /// The type of a number in a file, `None` for a number without one.
            pub const fn from_id(id: u32) -> Option<Self> {
                match id {
                    $($id => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The specification's name, such as `Q4_K`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// How many values a block holds. A row's length is a multiple of it.
            pub const fn block_len(self) -> usize {
                match self {
                    $(Self::$name => $len,)*
                }
            }

            /// How many bytes a block takes.
            pub const fn block_bytes(self) -> usize {
                match self {
                    $(Self::$name => $bytes,)*
                }
            }
        }
    };
}

// name = number, values per block, bytes per block
tensor_types! {
    F32 = 0, 1, 4;
    F16 = 1, 1, 2;
    Q4_0 = 2, 32, 18;
    Q4_1 = 3, 32, 20;
    Q5_0 = 6, 32, 22;
    Q5_1 = 7, 32, 24;
    Q8_0 = 8, 32, 34;
    Q8_1 = 9, 32, 36;
    Q2_K = 10, 256, 84;
    Q3_K = 11, 256, 110;
    Q4_K = 12, 256, 144;
    Q5_K = 13, 256, 176;
    Q6_K = 14, 256, 210;
    Q8_K = 15, 256, 292;
    IQ2_XXS = 16, 256, 66;
    IQ2_XS = 17, 256, 74;
    IQ3_XXS = 18, 256, 98;
    IQ1_S = 19, 256, 50;
    IQ4_NL = 20, 32, 18;
    IQ3_S = 21, 256, 110;
    IQ2_S = 22, 256, 82;
    IQ4_XS = 23, 256, 136;
    I8 = 24, 1, 1;
    I16 = 25, 1, 2;
    I32 = 26, 1, 4;
    I64 = 27, 1, 8;
    F64 = 28, 1, 8;
    IQ1_M = 29, 256, 56;
    BF16 = 30, 1, 2;
    TQ1_0 = 34, 256, 54;
    TQ2_0 = 35, 256, 66;
    MXFP4 = 39, 32, 17;
    NVFP4 = 40, 64, 36;
    Q1_0 = 41, 128, 18;
    Q2_0 = 42, 64, 18;
}

/// Withdrawn numbers and the names they had.
const REMOVED: [(u32, &str); 8] = [
    (4, "Q4_2"),
    (5, "Q4_3"),
    (31, "Q4_0_4_4"),
    (32, "Q4_0_4_8"),
    (33, "Q4_0_8_8"),
    (36, "IQ4_NL_4_4"),
    (37, "IQ4_NL_4_8"),
    (38, "IQ4_NL_8_8"),
];

impl TensorType {
    /// Every type, in the order of the numbers.
    pub const fn all() -> &'static [Self] {
        ALL
    }

    /// The number that stands for the type in a file.
    pub const fn id(self) -> u32 {
        self as u32
    }

    /// The bytes of `elements` values, `None` when they are no whole number of blocks or the size does not fit.
    pub const fn bytes_of(self, elements: usize) -> Option<usize> {
        if !elements.is_multiple_of(self.block_len()) {
            return None;
        }
        (elements / self.block_len()).checked_mul(self.block_bytes())
    }
}

impl core::fmt::Display for TensorType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// The name that a withdrawn number had.
pub(crate) fn removed(id: u32) -> Option<&'static str> {
    REMOVED.iter().find(|row| row.0 == id).map(|row| row.1)
}
