//! How maps are cut into tiles.

use super::{COLUMNS, block};
use crate::formats::Format;
use alloc::format;
use ocelli_tape::Weight;

#[test]
fn tiles_are_as_high_as_leaves_enough_of_them() {
    let huge = usize::MAX >> 8;
    for format in [Format::F32, Format::Q8_0] {
        for (width, height) in [(0, 1), (1, 1), (32, 96), (768, 3072), (4096, 4096), (huge, 33)] {
            let weight = Weight { file: 0, offset: 0, format, height, width, padding: 0 };
            for (rows, threads) in [0, 1, 100, 256, 300, 1024, 5000, huge]
                .into_iter()
                .flat_map(|rows| [0, 1, 2, 3, 4, 16].map(|threads| (rows, threads)))
            {
                let (high, wide) = block(&weight, rows, threads);
                let case = format!("{format:?} {width} x {height}, {rows} rows, {threads} threads: {high}");
                assert_eq!(wide, COLUMNS, "{case}");
                assert!((256..=1024).contains(&high), "{case}");
                let tiles = rows.div_ceil(high) * height.div_ceil(COLUMNS);
                assert!(high == 256 || tiles >= 8 * threads, "{case}");
                assert!(high == 256 || high * width <= 1 << 21, "{case}");
                assert!(high == 256 || !format.is_float(), "{case}");
            }
        }
    }
    let weight = Weight { file: 0, offset: 0, format: Format::Q8_0, height: 768, width: 768, padding: 0 };
    assert_eq!(block(&weight, 1024, 2).0, 1024);
    assert_eq!(block(&weight, 1024, 8).0, 342);
}
