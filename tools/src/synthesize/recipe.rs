//! Which matrix is stored how, by the name of a file's type.
//!
//! A format's own name stores every matrix in it; the output matrix (or the table that is used for both ends) of a
//! quantized model becomes `Q6_K`, except in `Q8_0` files. The mixes `Q4_K_M` and `Q5_K_M` also store the values'
//! projection and the last map of the feed-forward part as `Q6_K` in the first and the last eighth of the layers and
//! in every third between. Rows that are no whole number of blocks of 256 fall back to a format of 32:
//!
//! ```text
//! Q2_K, Q3_K -> Q4_0    Q4_K -> Q5_0    Q5_K -> Q5_1    Q6_K -> Q8_0    IQ4_XS -> IQ4_NL
//! ```
//!
//! and rows that are no whole number of those either stay `F16`. This is what llama.cpp's quantizer does, so files
//! have the distribution of published ones: most of a small model's "Q4_K_M" is `Q5_0` and `Q8_0`. (Its mixes for
//! `Q2_K`, `Q3_K`, `IQ4_NL` and `IQ4_XS` differ: here these names are one format.)

use ocelli_gguf::TensorType;
use ocelli_quantize::more_bits;

/// A type of file.
#[derive(Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Its name.
    pub name: &'static str,
    /// What most matrices are stored as.
    pub base: TensorType,
    /// `general.file_type`.
    pub number: u32,
    /// Whether some maps are stored with more bits.
    mix: bool,
}

/// What a matrix is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Any.
    Plain,
    /// The output matrix, or the embedding table where it is both.
    Output,
    /// The values' projection or the last map of the feed-forward part, in this layer of so many.
    Delicate(usize, usize),
}

/// Every recipe.
pub const RECIPES: &[Recipe] = &[
    pure("F32", TensorType::F32, 0),
    pure("F16", TensorType::F16, 1),
    pure("BF16", TensorType::BF16, 32),
    pure("Q8_0", TensorType::Q8_0, 7),
    pure("Q4_0", TensorType::Q4_0, 2),
    pure("Q4_1", TensorType::Q4_1, 3),
    pure("Q5_0", TensorType::Q5_0, 8),
    pure("Q5_1", TensorType::Q5_1, 9),
    pure("Q2_K", TensorType::Q2_K, 10),
    pure("Q3_K", TensorType::Q3_K, 11),
    pure("Q4_K", TensorType::Q4_K, 14),
    pure("Q5_K", TensorType::Q5_K, 16),
    pure("Q6_K", TensorType::Q6_K, 18),
    pure("IQ4_NL", TensorType::IQ4_NL, 25),
    pure("IQ4_XS", TensorType::IQ4_XS, 30),
    Recipe { name: "Q4_K_M", base: TensorType::Q4_K, number: 15, mix: true },
    Recipe { name: "Q5_K_M", base: TensorType::Q5_K, number: 17, mix: true },
];

const fn pure(name: &'static str, base: TensorType, number: u32) -> Recipe {
    Recipe { name, base, number, mix: false }
}

impl Recipe {
    /// The recipe of a name, in capitals or not.
    pub fn named(name: &str) -> Option<&'static Recipe> {
        RECIPES.iter().find(|recipe| recipe.name.eq_ignore_ascii_case(name))
    }

    /// Whether weights are stored in blocks.
    pub fn is_quantized(&self) -> bool {
        self.base.block_len() > 1
    }

    /// What a matrix would be stored as if its rows had any length.
    pub fn wanted(&self, role: Role) -> TensorType {
        match role {
            Role::Output if self.is_quantized() && self.base != TensorType::Q8_0 => TensorType::Q6_K,
            Role::Delicate(layer, of) if self.mix && more_bits(layer, of) => TensorType::Q6_K,
            _ => self.base,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        assert_eq!(Recipe::named("q4_k_m").unwrap().name, "Q4_K_M");
        assert_eq!(Recipe::named("BF16").unwrap().base, TensorType::BF16);
        assert_eq!(Recipe::named("Q4"), None);
    }

    #[test]
    fn the_mix_of_thirty_layers() {
        let mix = Recipe::named("Q4_K_M").unwrap();
        let more: Vec<usize> =
            (0..30).filter(|i| mix.wanted(Role::Delicate(*i, 30)) == TensorType::Q6_K).collect();
        // As llama.cpp's quantizer wrote SmolVLM-256M.
        assert_eq!(more, [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 26, 27, 28, 29]);
    }
}
