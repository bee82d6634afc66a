//! Names of tensors with stars.

/// A name in which `*` stands for anything, nothing included: `blk.*.attn_v.weight`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern as it is written.
    pub fn new(text: &str) -> Pattern {
        Pattern(text.into())
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether it stands for this name. Takes time in proportion to the product of the lengths at most.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        // Before the first star and after the last one the name must agree; what is between is found as early as possible.
        let Some(mut rest) = parts.next().and_then(|start| name.strip_prefix(start)) else { return false };
        let Some(end) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        rest.ends_with(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        let matches = |pattern: &str, name: &str| Pattern::new(pattern).matches(name);
        for (pattern, name) in [
            ("output.weight", "output.weight"),
            ("*", ""),
            ("*", "a"),
            ("blk.*.attn_v.weight", "blk.12.attn_v.weight"),
            ("*ffn*weight", "v.blk.0.ffn_up.weight"),
            ("a*b*b", "abb"),
            ("a**c", "abc"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("output", "output.weight"),
            ("", "a"),
            ("blk.*.attn_v.weight", "v.blk.1.attn_v.weight"),
            ("a*b*b", "ab"),
            ("ab*ba", "aba"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
