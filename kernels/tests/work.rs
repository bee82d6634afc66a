//! What a tape says it does, beside the same counted by hand.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use ocelli_kernels::formats::Format;
use ocelli_kernels::ops::memory::{Layout, Stored};
use ocelli_kernels::tape::{Heads, Linear, Mask, Recorder, Tape};
use ocelli_kernels::weight::Weight;
use ocelli_kernels::work::{Extent, Work};

fn weight(format: Format, height: usize, width: usize) -> Weight {
    Weight { file: 0, offset: 0, format, height, width, padding: 0 }
}

/// One layer over two query heads of 32 that share a key-value head, and a vocabulary of 96.
fn decoder() -> Tape {
    let g = &mut Recorder::new();
    let map = |format, height, width| Linear { w: weight(format, height, width), b: None };
    let x = g.embed(&weight(Format::F16, 96, 64));
    let q = g.linear(x, &map(Format::Q8_0, 64, 64));
    let k = g.linear(x, &map(Format::Q8_0, 32, 64));
    let v = g.linear(x, &map(Format::F32, 32, 64));
    let a = g.attention(q, k, v, Heads { count: 2, kv: 1, dim: 32 }, Mask::Causal { layer: 0 });
    let x = g.last(a);
    let y = g.linear(x, &map(Format::Q8_0, 96, 64));
    std::mem::take(g).finish(y, 8).unwrap()
}

#[test]
fn a_decoder_by_hand() {
    let cache = Some(Layout { stored: Stored::F16, heads: 1, head_dim: 32, capacity: 128 });
    let tape = decoder();
    let work = tape.work(&Extent { units: 5, past: 100, cache });
    let row = 64 / 32 * 34; // bytes of a Q8_0 row
    assert_eq!(work.int_ops, 2 * 64 * 5 * (64 + 32) + 2 * 64 * 96, "five rows, and the last of them");
    let pairs = 101 + 102 + 103 + 104 + 105;
    assert_eq!(work.float_ops, 2 * 64 * 32 * 5 + 4 * 32 * 2 * pairs);
    assert_eq!(work.weight_bytes, 5 * 64 * 2 + row * (64 + 32 + 96) + 32 * 64 * 4);
    assert_eq!(work.cache_bytes, 2 * 32 * 2 * (105 + 5), "all are read, five are written");
    assert_eq!(work.memory_bytes(), work.weight_bytes + work.cache_bytes);
    assert_eq!(work.ops(), work.int_ops + work.float_ops);
}

#[test]
fn one_by_one_is_the_same_arithmetic_and_more_weights() {
    let cache = Some(Layout { stored: Stored::F32, heads: 1, head_dim: 32, capacity: 128 });
    let tape = decoder();
    let together = tape.work(&Extent { units: 8, past: 3, cache });
    let single: Work = (3..11).map(|past| tape.work(&Extent { units: 1, past, cache })).sum();
    let last = 2 * 64 * 96;
    assert_eq!(single.int_ops, together.int_ops + 7 * last, "logits of every row instead of the last");
    assert_eq!(single.float_ops, together.float_ops);
    assert!(single.weight_bytes > together.weight_bytes);
}

#[test]
fn views_do_not_see_each_other() {
    let g = &mut Recorder::new();
    let x = g.input(4, 64);
    let q = g.linear(x, &Linear { w: weight(Format::Q4_0, 64, 64), b: None });
    let y = g.attention(q, q, q, Heads { count: 2, kv: 2, dim: 32 }, Mask::Unit);
    let tape = std::mem::take(g).finish(y, 3).unwrap();
    let work = |units| tape.work(&Extent { units, ..Extent::default() });
    assert_eq!(work(1).int_ops, 2 * 64 * 64 * 4);
    assert_eq!(work(1).float_ops, 4 * 64 * 4 * 4);
    assert_eq!((work(3).int_ops, work(3).float_ops), (3 * work(1).int_ops, 3 * work(1).float_ops));
    assert_eq!((work(3).weight_bytes, work(3).cache_bytes), (64 * 36, 0));
    let names: Vec<&str> = tape.descriptions().map(|step| step.op).collect();
    assert_eq!(names, ["input", "quantize", "linear", "keys", "values", "attention"]);
}
