//! Activations as codes: by every instruction set what the formula says, of rows of any width and of any numbers.
#![allow(clippy::unwrap_used, missing_docs)]

use ocelli_kernels::cpu::ISAS;
use ocelli_kernels::ops::Job;
use ocelli_kernels::ops::quantize::{GROUP, Quantize, cells};
use ocelli_kernels::pool::{Never, Pool};

/// A group by the formula: codes, scale, and the sums of the first and of the last sixteen codes.
fn expected(x: &[f32]) -> (Vec<i8>, f32, [i16; 2]) {
    let largest = x.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
    // What is no number, x or its product, is 127.
    let code = |x: &f32| match x * inverse {
        scaled if scaled.is_nan() => 127,
        scaled => scaled.clamp(-127.0, 127.0).round_ties_even() as i8,
    };
    let codes: Vec<i8> = x.iter().map(code).collect();
    let sum = |codes: &[i8]| codes.iter().map(|code| i16::from(*code)).sum();
    let sums = [sum(&codes[..16]), sum(&codes[16..])];
    (codes, largest / 127.0, sums)
}

fn check(x: &[f32], width: usize) {
    let rows = x.len() / width;
    for entry in ISAS {
        let Some(kernels) = (entry.detect)() else { continue };
        let mut out = vec![f32::NAN; rows * cells(width.next_multiple_of(GROUP))];
        let job = Job::Quantize(Quantize { x, width });
        let grid = job.grid(&mut out, cells(width.next_multiple_of(GROUP)), (2, usize::MAX));
        Pool::new(1).run(grid, &mut [], &Never, &|tile, scratch| kernels.tile(&job, tile, scratch)).unwrap();
        let mut groups = out.chunks_exact(cells(GROUP));
        for row in x.chunks_exact(width) {
            for part in row.chunks(GROUP) {
                let mut padded = [0.0; GROUP];
                padded[..part.len()].copy_from_slice(part);
                let (codes, scale, sums) = expected(&padded);
                let bytes: Vec<u8> =
                    groups.next().unwrap().iter().flat_map(|cell| cell.to_ne_bytes()).collect();
                let (got, rest) = bytes.split_at(GROUP);
                let got: Vec<i8> = got.iter().map(|byte| byte.cast_signed()).collect();
                assert_eq!(got, codes, "{} {padded:?}", entry.name);
                let same = rest[..4] == scale.to_ne_bytes();
                assert!(same, "{} scale {scale} of {padded:?}", entry.name);
                let got = [[rest[4], rest[5]], [rest[6], rest[7]]].map(i16::from_ne_bytes);
                assert_eq!(got, sums, "{} {padded:?}", entry.name);
            }
        }
    }
}

#[test]
fn rows_of_any_width() {
    for width in [1, 16, 31, 32, 33, 64, 72, 160] {
        let x: Vec<f32> = (0..3 * width).map(|i| ((i * 7919 % 1013) as f32 - 500.0) / 37.0).collect();
        check(&x, width);
    }
}

#[test]
fn halves_go_to_even_and_the_largest_are_the_ends() {
    let mut x: Vec<f32> = (0..32).map(|i| i as f32 * 8.0 - 124.0 + 0.5).collect();
    (x[3], x[20]) = (127.0, -127.0);
    check(&x, 32);
    check(&[127.0; 32], 32);
    check(&[-127.0; 32], 32);
    check(&[0.0; 32], 32);
    check(&[-0.0; 32], 32);
}

#[test]
fn any_numbers() {
    let odd =
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.0e-40, -1.0e-45, f32::MAX, f32::MIN_POSITIVE, -3.0];
    for (i, a) in odd.iter().enumerate() {
        for b in &odd {
            let mut x = [0.0; 32];
            (x[i], x[31]) = (*a, *b);
            check(&x, 32);
        }
        check(&[*a; 32], 32);
    }
}
