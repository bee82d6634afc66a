//! What a tape says it does, beside the same counted by hand.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use ocelli_kernels::{Cpu, CpuProgram, cpu};
use ocelli_tape::{
    Extent, Format, Heads, KvType, Linear, Program, Recorder, State, StateOptions, Tape, Weight, Work,
};

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
    let slot = g.state(State::Kv { heads: Heads { count: 2, kv: 1, dim: 32 } });
    g.remember(slot, k, v);
    let a = g.attend_state(q, slot, 0.25);
    let x = g.last(a);
    let y = g.linear(x, &map(Format::Q8_0, 96, 64));
    std::mem::take(g).finish(y, 8).unwrap()
}

/// What the CPU makes of a tape.
fn lowered(tape: &Tape) -> CpuProgram {
    let state = StateOptions { kv: KvType::F32, capacity: 128 };
    Cpu::new(cpu::choose(None).unwrap(), 1).lower(tape, &state).unwrap()
}

/// The tape's work, and the program's, which differ in rows only.
fn work(tape: &Tape, extent: Extent) -> Work {
    let (neutral, program) = (tape.work(&extent), lowered(tape).work(&extent));
    assert_eq!(Work { row_bytes: program.row_bytes, ..neutral }, program);
    program
}

#[test]
fn a_decoder_by_hand() {
    let work = work(&decoder(), Extent { items: 5, past: 100, kv: KvType::F16 });
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
    let (tape, kv) = (decoder(), KvType::F32);
    let together = work(&tape, Extent { items: 8, past: 3, kv });
    let single: Work = (3..11).map(|past| work(&tape, Extent { items: 1, past, kv })).sum();
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
    let y = g.attention(q, q, q, Heads { count: 2, kv: 2, dim: 32 }, 0.25);
    let tape = std::mem::take(g).finish(y, 3).unwrap();
    let work = |items| work(&tape, Extent::of(items));
    assert_eq!(work(1).int_ops, 2 * 64 * 64 * 4);
    assert_eq!(work(1).float_ops, 4 * 64 * 4 * 4);
    assert_eq!((work(3).int_ops, work(3).float_ops), (3 * work(1).int_ops, 3 * work(1).float_ops));
    assert_eq!((work(3).weight_bytes, work(3).cache_bytes), (64 * 36, 0));
    let names: Vec<&str> = lowered(&tape).steps().iter().map(|step| step.op).collect();
    assert_eq!(names, ["input", "quantize", "linear", "keys", "values", "attention"]);
}
