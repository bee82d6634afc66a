//! How much keys and values take: also where more are asked for than can be counted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ocelli_kernels::ops::memory::{Layout, Stored};
use ocelli_kernels::run::Cache;

/// A multiple of 2^32 cells, which 32 bits would count as none, and one of 2^64.
#[test]
fn more_than_can_be_counted_is_the_most_that_can() {
    let layout = |heads, head_dim, capacity| Layout { stored: Stored::F32, heads, head_dim, capacity };
    assert_eq!(Cache::cells(&layout(2, 64, 256)), 2 * 2 * 64 * 256);
    let large = Cache::cells(&layout(2, 64, 1 << 24));
    assert_eq!(large as u64, (1_u64 << 32).min(usize::MAX as u64));
    for (heads, head_dim, capacity) in [(usize::MAX, 64, 256), (2, 1 << 16, usize::MAX), (1, 1, usize::MAX)] {
        assert_eq!(Cache::cells(&layout(heads, head_dim, capacity)), usize::MAX);
    }
}
