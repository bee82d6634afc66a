//! How much keys and values take: also where more are asked for than can be counted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ocelli_kernels::ops::memory::Layout;
use ocelli_tape::KvType;

/// A multiple of 2^32 cells, which 32 bits would count as none, and one of 2^64.
#[test]
fn more_than_can_be_counted_is_the_most_that_can() {
    let layout = |heads, head_dim, capacity| Layout { stored: KvType::F32, heads, head_dim, capacity };
    assert_eq!(layout(2, 64, 256).cells(), 2 * 2 * 64 * 256);
    let large = layout(2, 64, 1 << 24).cells();
    assert_eq!(large as u64, (1_u64 << 32).min(usize::MAX as u64));
    for (heads, head_dim, capacity) in [(usize::MAX, 64, 256), (2, 1 << 16, usize::MAX), (1, 1, usize::MAX)] {
        assert_eq!(layout(heads, head_dim, capacity).cells(), usize::MAX);
    }
}
