//! Halves, codes, integer sums and the movement of bytes.

use super::*;
use core::array::from_fn;
use std::vec::Vec;

on_each_isa! {
    every_half_becomes_the_same_float: |isa| {
        for start in (0..=u16::MAX).step_by(LANES) {
            let halves = from_fn(|i| start + i as u16);
            let want = Scalar.load_half(&halves).map(f32::to_bits);
            assert_eq!(lanes(isa, isa.load_half(&halves)).map(f32::to_bits), want, "{} {start:#x}", I::NAME);
            assert_eq!(halves.map(|h| isa.half(h).to_bits()), want, "{} {start:#x}", I::NAME);
            let gathered = isa.halves(halves.map(u16::to_le_bytes));
            assert_eq!(lanes(isa, gathered).map(f32::to_bits), want, "{} {start:#x}", I::NAME);
        }
    }
}

/// What a half is, by arithmetic: mantissa times a power of two.
#[test]
fn halves_are_what_the_standard_says() {
    for bits in 0..=u16::MAX {
        let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
        let magnitude = match exponent {
            0 => mantissa * 2.0_f32.powi(-24),
            31 if mantissa == 0.0 => f32::INFINITY,
            31 => f32::NAN,
            _ => (1024.0 + mantissa) * 2.0_f32.powi(exponent - 25),
        };
        let want = if bits >> 15 == 1 { -magnitude } else { magnitude };
        assert!(same(Scalar.half(bits), want), "{bits:#x}");
    }
}

on_each_isa! {
    halves_are_stored_to_nearest_even: |isa| {
        let store = |x: [f32; LANES]| {
            let mut out = [0; LANES];
            isa.store_half(isa.load(&x), &mut out);
            out
        };
        // Around the middle of every two neighbours; the last is infinity, whose neighbour 2¹⁶ is not a half.
        for h in 0..0x7C00_u16 {
            let next = if h == 0x7BFF { 65_536.0 } else { Scalar.half(h + 1) };
            let middle = (Scalar.half(h) + next) / 2.0;
            let around = |by| f32::from_bits(middle.to_bits().wrapping_add_signed(by));
            let mut x = [0.0; LANES];
            (x[0], x[1], x[2], x[3]) = (around(-1), middle, around(1), Scalar.half(h));
            (x[4], x[5], x[6], x[7]) = (-x[0], -x[1], -x[2], -x[3]);
            let even = h + (h & 1);
            let want = [h, even, h + 1, h].map(|h| [h, h | 0x8000]);
            let got = store(x);
            for i in 0..4 {
                assert_eq!([got[i], got[i + 4]], want[i], "{} {:e}", I::NAME, x[i]);
            }
        }
        let mut random = Random(2);
        for _ in 0..100_000 {
            let x = from_fn(|_| random.bits());
            let mut want = [0; LANES];
            Scalar.store_half(x, &mut want);
            assert_eq!(store(x), want, "{} {x:?}", I::NAME);
        }
    }
}

on_each_isa! {
    codes_survive: |isa| {
        for start in (-128..=127).step_by(LANES) {
            let codes = from_fn(|i| (start + i as i32) as i8);
            let floats = lanes(isa, isa.load_codes(&codes));
            assert_eq!(floats, codes.map(f32::from), "{}", I::NAME);
            let mut back = [0; LANES];
            let sum = isa.store_codes(isa.load(&floats), &mut back);
            assert_eq!(sum, back.iter().map(|code| i16::from(*code)).sum(), "{}", I::NAME);
            assert_eq!(back[1..], codes[1..], "{}", I::NAME);
            assert!(back[0] == codes[0] || codes[0] == -128, "{}", I::NAME);
        }
        // Lanes keep their places, and signs of zero are dropped.
        let x = from_fn(|i| [127.0, -127.0, -0.0, 1.0, -64.0][i * 7 % 5]);
        let mut got = [9; LANES];
        isa.store_codes(isa.load(&x), &mut got);
        assert_eq!(got, x.map(|x| x as i8), "{}", I::NAME);
        // Halves go to the even side.
        let x = from_fn(|i| [0.5, 1.5, -0.5, -2.5, 126.5, -126.5, 3.499, -7.501][i % 8]);
        assert_eq!(isa.store_codes(isa.load(&x), &mut got), -10, "{}", I::NAME);
        assert_eq!(got[..8], [0, 2, 0, -2, 126, -126, 3, -8], "{}", I::NAME);
    }
}

on_each_isa! {
    integers_become_the_nearest_float: |isa| {
        for x in [0, 1, -1, 16_777_217, 16_777_219, -16_777_217, 33_554_434, 33_554_438, i32::MAX, i32::MIN, i32::MAX - 64] {
            assert_eq!(lanes(isa, isa.float(isa.splat_int(x))), [x as f32; LANES], "{} {x}", I::NAME);
        }
    }
}

/// Compares one `dot4` with sums in 64 bits.
#[inline(always)]
fn check_dot<I: Isa, const WIDE: bool>(isa: I, codes: &[i8; 64], x: &[i8; 4], sum: i32) {
    let bias = if WIDE { I::WIDE_BIAS } else { 0 };
    // The sum in each lane is small enough to be exact as f32: |sum| + 4 · 256 · 127 < 2²⁴.
    let biased = codes.map(|code| code.wrapping_add(bias as i8));
    let got = lanes(isa, isa.float(isa.dot4::<WIDE>(isa.splat_int(sum), &biased, x)));
    let want: [i64; LANES] = from_fn(|j| {
        let products = (0..4).map(|i| i64::from(i32::from(codes[4 * j + i]) + bias) * i64::from(x[i]));
        i64::from(sum) + products.sum::<i64>()
    });
    assert_eq!(got, want.map(|x| x as f32), "{} wide {WIDE}: {codes:?} {x:?}", I::NAME);
}

on_each_isa! {
    dot_products_are_exact: |isa| {
        let extremes = [-127, -1, 0, 1, 127];
        for p in 0..625 {
            let x = from_fn(|i| extremes[p / 5_usize.pow(i as u32) % 5]);
            for code in [0, 1, 64, 127] {
                check_dot::<I, false>(isa, &[code; 64], &x, 0);
            }
            for code in [-128, -127, -1, 0, 1, 127] {
                check_dot::<I, true>(isa, &[code; 64], &x, -16_000_000);
            }
            let mixed = from_fn(|i| [-128, 127, -1, 0, -127][(i + i / 4) % 5]);
            check_dot::<I, true>(isa, &mixed, &x, 7);
        }
        let mut random = Random(3);
        for _ in 0..20_000 {
            let x = from_fn(|_| random.between(-127, 127) as i8);
            let sum = random.between(-1_000_000, 1_000_000);
            check_dot::<I, true>(isa, &from_fn(|_| random.next() as i8), &x, sum);
            check_dot::<I, false>(isa, &from_fn(|_| random.between(0, 127) as i8), &x, sum);
        }
    }
}

/// Sixteen rows that are in memory already, and inputs: up to eight parts of both.
struct Kept<'a>(&'a [[[i8; 32]; LANES]], &'a [[i8; 32]]);

impl<I: Isa> Span<I> for Kept<'_> {
    #[inline(always)]
    fn codes(&self, isa: I, lanes: [usize; 2], part: usize) -> I::C {
        isa.bytes(lanes.map(|lane| bytemuck::cast_ref(&self.0[part][lane])))
    }
    #[inline(always)]
    fn inputs(&self, part: usize) -> &[i8; 32] {
        &self.1[part]
    }
    #[inline(always)]
    fn ahead(&self, _: I, eighth: usize) {
        assert!(eighth < 8);
    }
}

on_each_isa! {
    sixteen_rows_are_multiplied_exactly: |isa| {
        let mut random = Random(5);
        for round in 0..200 {
            let wide: [[i8; 32]; LANES] =
                from_fn(|_| from_fn(|_| if round == 0 { -128 } else { random.next() as i8 }));
            let narrow = wide.map(|row| row.map(|code| code & 127));
            let x = from_fn(|_| if round == 0 { -127 } else { random.between(-127, 127) as i8 });
            check_rows(isa, isa.dot_rows::<true, false>(&Kept(&[wide], &[x]), 0, 127), &wide, &x, I::WIDE_BIAS);
            check_rows(isa, isa.dot_rows::<false, false>(&Kept(&[narrow], &[x]), 0, 127), &narrow, &x, 0);
            let [got, _] = isa.dot_rows::<true, true>(&Kept(&[wide], &[x]), 0, 127);
            assert_eq!(lanes(isa, isa.float(got)), whole(&wide, &x, I::WIDE_BIAS), "{}", I::NAME);
            for largest in [127, 64, 63, 31, 15, 3] {
                let narrow = narrow.map(|row| row.map(|code| code.min(largest)));
                let [got, _] = isa.dot_rows::<false, true>(&Kept(&[narrow], &[x]), 0, largest);
                assert_eq!(lanes(isa, isa.float(got)), whole(&narrow, &x, 0), "{} up to {largest}", I::NAME);
            }
        }
    }
}

on_each_isa! {
    all_parts_of_a_span_are_multiplied_exactly: |isa| {
        let mut random = Random(8);
        for _ in 0..36 {
            let x: Vec<[i8; 32]> = (0..8).map(|_| from_fn(|_| random.between(-127, 127) as i8)).collect();
            let wide: Vec<[[i8; 32]; LANES]> =
                (0..8).map(|_| from_fn(|_| from_fn(|_| random.next() as i8))).collect();
            let narrow: Vec<_> = wide.iter().map(|rows| rows.map(|row| row.map(|code| code & 15))).collect();
            let mut sums = [[[isa.splat_int(0); 2]; 8]; 4];
            isa.dot_span::<true, false>(&Kept(&wide, &x), 127, &mut sums[0]);
            isa.dot_span::<true, true>(&Kept(&wide, &x), 127, &mut sums[1]);
            isa.dot_span::<false, false>(&Kept(&narrow, &x), 15, &mut sums[2]);
            isa.dot_span::<false, true>(&Kept(&narrow, &x), 15, &mut sums[3]);
            for part in 0..8 {
                check_rows(isa, sums[0][part], &wide[part], &x[part], I::WIDE_BIAS);
                check_rows(isa, sums[2][part], &narrow[part], &x[part], 0);
                let got = |sums: &[[I::N; 2]; 8]| lanes(isa, isa.float(sums[part][0]));
                assert_eq!(got(&sums[1]), whole(&wide[part], &x[part], I::WIDE_BIAS), "{}", I::NAME);
                assert_eq!(got(&sums[3]), whole(&narrow[part], &x[part], 0), "{}", I::NAME);
            }
        }
    }
}

on_each_isa! {
    words_of_sixteen_rows_are_turned: |isa| {
        let rows: [[u8; 16]; LANES] = from_fn(|r| from_fn(|i| (16 * r + i) as u8));
        for (k, words) in isa.words(rows.each_ref()).into_iter().enumerate() {
            for at in 0..4 {
                let want = from_fn(|r| f32::from(rows[r][4 * k + at] as i8));
                assert_eq!(lanes(isa, isa.byte(words, at)), want, "{} word {k}", I::NAME);
            }
        }
    }
}

on_each_isa! {
    sums_are_weighed: |isa| {
        let mut random = Random(6);
        for _ in 0..1000 {
            let [sums, by] = from_fn(|_| [random.between(-2032, 2032) as i16, random.between(-160, 160) as i16]);
            let want = i32::from(sums[0]) * i32::from(by[0]) + i32::from(sums[1]) * i32::from(by[1]);
            assert_eq!(lanes(isa, isa.float(isa.weigh(&sums, by))), [want as f32; LANES], "{}", I::NAME);
        }
    }
}

on_each_isa! {
    panels_are_multiplied_exactly: |isa| {
        let mut random = Random(7);
        for largest in [3, 7, 15, 31, 63, 127] {
            for extreme in [true, false] {
                let codes: [[[i8; 64]; 8]; 2] = from_fn(|_| {
                    from_fn(|_| {
                        from_fn(|_| if extreme { largest } else { random.between(0, largest.into()) as i8 })
                    })
                });
                let x: [[[i8; 4]; 8]; 3] = from_fn(|_| {
                    from_fn(|_| from_fn(|_| if extreme { -127 } else { random.between(-127, 127) as i8 }))
                });
                for part in [0..8, 0..4, 4..8] {
                    let inputs = [&x[0][part.clone()], &x[1][part.clone()], &x[2][part.clone()]];
                    let panels = [&codes[0][part.clone()], &codes[1][part.clone()]];
                    let start = [[isa.splat_int(9); 2]; 3];
                    let got = isa.dot_panel::<false, 3, 2>(start, panels, inputs, largest);
                    for (t, p) in [0, 1, 2].into_iter().flat_map(|t| [(t, 0), (t, 1)]) {
                        let want: [f32; LANES] = from_fn(|lane| {
                            let sum = |c: usize| dot(of_lane::<I>(&codes[p], c, lane), &x[t][c], 0);
                            (9 + part.clone().map(sum).sum::<i32>()) as f32
                        });
                        assert_eq!(lanes(isa, isa.float(got[t][p])), want, "{} up to {largest}", I::NAME);
                    }
                }
            }
        }
    }
}

on_each_isa! {
    panels_of_wide_codes_are_multiplied_exactly: |isa| {
        let mut random = Random(8);
        for (low, high) in [(-128, -128), (-128, 127), (-1, 1), (127, 127)] {
            for most in [0, 1, 127] {
                let codes: [[[i8; 64]; 8]; 2] =
                    from_fn(|_| from_fn(|_| from_fn(|_| random.between(low, high) as i8)));
                let sign = |negative: i32| if negative == 1 { -1 } else { 1 };
                // Of one magnitude where it is largest, so that pairs are as large as can be.
                let x: [[[i8; 4]; 8]; 3] =
                    from_fn(|_| from_fn(|_| from_fn(|_| (most * sign(random.between(0, 1))) as i8)));
                let in_panels = codes.map(|codes| in_panel(isa, &codes));
                let start = [[isa.splat_int(9); 2]; 3];
                let panels = [&in_panels[0][..], &in_panels[1][..]].map(|codes| if I::SPLITS { codes } else { &codes[..8] });
                let got = isa.dot_panel::<true, 3, 2>(start, panels, [&x[0], &x[1], &x[2]], 127);
                for (t, p) in [0, 1, 2].into_iter().flat_map(|t| [(t, 0), (t, 1)]) {
                    let want: [f32; LANES] = from_fn(|lane| {
                        let sum = |c| dot(of_lane::<I>(&codes[p], c, lane), &x[t][c], I::WIDE_BIAS);
                        (9 + (0..8).map(sum).sum::<i32>()) as f32
                    });
                    assert_eq!(lanes(isa, isa.float(got[t][p])), want, "{} {low} to {high}", I::NAME);
                }
            }
        }
    }
}

/// Wide codes as panels keep them.
#[inline(always)]
fn in_panel<I: Isa>(isa: I, codes: &[[i8; 64]; 8]) -> [[i8; 64]; SPLIT] {
    let mut kept = [[0; 64]; SPLIT];
    if I::SPLITS {
        isa.split(codes, &mut kept);
    } else {
        for (kept, codes) in kept.iter_mut().zip(codes) {
            *kept = codes.map(|code| code.wrapping_add(I::WIDE_BIAS as i8));
        }
    }
    kept
}

/// Four codes of a lane, for inputs 4c to 4c + 3.
fn of_lane<I: Isa>(codes: &[[i8; 64]; 8], c: usize, lane: usize) -> &[i8] {
    let at = if I::EIGHTS { 128 * (c / 2) + 8 * lane + 4 * (c % 2) } else { 64 * c + 4 * lane };
    &codes.as_flattened()[at..at + 4]
}

fn whole(rows: &[[i8; 32]; LANES], x: &[i8; 32], bias: i32) -> [f32; LANES] {
    from_fn(|r| dot(&rows[r], x, bias) as f32)
}

fn dot(codes: &[i8], x: &[i8], bias: i32) -> i32 {
    codes.iter().zip(x).map(|(c, x)| (i32::from(*c) + bias) * i32::from(*x)).sum()
}

#[inline(always)]
fn check_rows<I: Isa>(isa: I, got: [I::N; 2], rows: &[[i8; 32]; LANES], x: &[i8; 32], bias: i32) {
    for (half, got) in got.into_iter().enumerate() {
        let part = 16 * half..16 * half + 16;
        let want: [f32; LANES] = from_fn(|r| dot(&rows[r][part.clone()], &x[part.clone()], bias) as f32);
        assert_eq!(lanes(isa, isa.float(got)), want, "{} half {half}", I::NAME);
    }
}

/// Sums wrap nowhere near what a group can reach, and carry on from any 32-bit value.
#[test]
fn scalar_dot_accumulates_in_32_bits() {
    let got = Scalar.dot4::<true>([i32::MAX - 4 * 128 * 127; LANES], &[-128; 64], &[-127; 4]);
    assert_eq!(got, [i32::MAX; LANES]);
}

#[inline(always)]
fn kept<I: Isa>(isa: I, x: I::C) -> [[u8; 32]; 2] {
    let mut to = [[0; 32]; 2];
    let [a, b] = &mut to;
    isa.keep(x, [a, b]);
    bytemuck::cast(to)
}

on_each_isa! {
    bytes_are_taken_apart: |isa| {
        let mut random = Random(4);
        for _ in 0..1000 {
            let x: [[u8; 32]; 2] = from_fn(|_| from_fn(|_| random.next() as u8));
            let table: [i8; 16] = from_fn(|_| random.next() as i8);
            let bytes = |[a, b]: &[[u8; 32]; 2]| isa.bytes([a, b]);
            let halves = x.each_ref().map(|row| row.first_chunk().unwrap());
            let nibbles = Scalar.nibbles(halves);
            assert_eq!(kept(isa, bytes(&x)), x, "{}", I::NAME);
            assert_eq!(kept(isa, isa.nibbles(halves)), nibbles, "{}", I::NAME);
            let found = nibbles.map(|row| row.map(|n| table[usize::from(n)] as u8));
            assert_eq!(kept(isa, isa.look_up(&table, isa.nibbles(halves))), found, "{}", I::NAME);
            let fourth = x.map(|row| *row.first_chunk().unwrap());
            let spread = x.map(|row| from_fn(|i| if row[i / 8] & 1 << (i % 8) == 0 { 0 } else { 77 }));
            assert_eq!(kept(isa, isa.spread(fourth, 77)), spread, "{}", I::NAME);
            let both = from_fn(|r| from_fn(|i| spread[r][i] | x[r][i]));
            assert_eq!(kept(isa, isa.or(bytes(&spread), bytes(&x))), both, "{}", I::NAME);
            for right in -7..=7_i32 {
                let most = if right < 0 { 0xff << -right } else { 0xff >> right } as u8;
                let mask = most & random.next() as u8;
                let want = x.map(|row| row.map(|x| (i32::from(x) << 8 >> (right + 8)) as u8 & mask));
                assert_eq!(kept(isa, isa.bits(bytes(&x), right, mask)), want, "{} {right}", I::NAME);
            }
        }
    }
}

on_each_isa! {
    transposes_are_transposed: |isa| {
        let rows: [[u32; LANES]; LANES] = from_fn(|i| from_fn(|j| 0x0100_0000 * i as u32 + 0x80FF * j as u32));
        let mut columns = [[0; LANES]; LANES];
        isa.transpose(from_fn(|i| &rows[i]), &mut columns);
        for i in 0..LANES {
            for j in 0..LANES {
                assert_eq!(columns[j][i], rows[i][j], "{} {i} {j}", I::NAME);
            }
        }
    }
}

on_each_isa! {
    bytes_are_weighed_and_stored: |isa| {
        let mut random = Random(17);
        for bits in [0, 1, 21, 22, 31] {
            for _ in 0..200 {
                let bytes: [[u8; LANES]; 3] = from_fn(|_| from_fn(|_| random.next() as u8));
                let by: [i32; 3] = from_fn(|_| random.next() as i32 >> (random.next() % 30));
                let (mut sum, mut want) = (isa.splat_int(1 << 21), Scalar.splat_int(1 << 21));
                for (bytes, by) in bytes.iter().zip(by) {
                    sum = isa.weigh_bytes(sum, bytes, by);
                    want = Scalar.weigh_bytes(want, bytes, by);
                }
                let (mut out, mut expected) = ([0; LANES], [0; LANES]);
                isa.store_bytes(sum, bits, &mut out);
                Scalar.store_bytes(want, bits, &mut expected);
                assert_eq!(out, expected, "{} {by:?} >> {bits}", I::NAME);
            }
        }
    }
}

/// What the two are, in 64 bits.
#[test]
fn a_weighed_byte_is_a_product() {
    let sum = Scalar.weigh_bytes(Scalar.splat_int(-7), &from_fn(|i| 240 + i as u8), 4_194_305);
    let exact: [i64; LANES] = from_fn(|i| (240 + i as i64) * 4_194_305 - 7);
    assert_eq!(sum.map(i64::from), exact);
    let mut out = [0; LANES];
    Scalar.store_bytes(from_fn(|i| (i as i32 - 4) << 24), 22, &mut out);
    assert_eq!(out, from_fn(|i| (4 * (i as i32 - 4)).clamp(0, 255) as u8));
    Scalar.store_bytes(Scalar.splat_int(i32::MAX), 22, &mut out);
    assert_eq!(out, [255; LANES]);
}

on_each_isa! {
    bytes_are_turned: |isa| {
        let rows: [[u8; LANES]; LANES] = from_fn(|i| from_fn(|j| (16 * i + j) as u8));
        let mut columns = [[0; LANES]; LANES];
        isa.transpose_bytes(rows.each_ref(), &mut columns);
        for (j, column) in columns.iter().enumerate() {
            assert_eq!(*column, from_fn(|i| (16 * i + j) as u8), "{} column {j}", I::NAME);
        }
    }
}

on_each_isa! {
    pairs_are_zipped_weighed_and_shifted: |isa| {
        let mut random = Random(23);
        for _ in 0..500 {
            let bytes: [[u8; LANES]; 2] = from_fn(|_| from_fn(|_| random.next() as u8));
            let by: [[i16; 2]; 2] = from_fn(|_| from_fn(|_| random.next() as i16));
            let mut pairs = [0; 2 * LANES];
            isa.zip_bytes(&bytes[0], &bytes[1], &mut pairs);
            assert_eq!(pairs, from_fn(|i| bytes[i % 2][i / 2]), "{}", I::NAME);
            let sums = isa.weigh_pairs([isa.splat_int(5), isa.splat_int(-9)], &pairs, &bytemuck::cast(by));
            for (h, start) in [5, -9].into_iter().enumerate() {
                let mut want = Scalar.splat_int(start);
                for (bytes, by) in bytes.iter().zip(by[h]) {
                    want = Scalar.weigh_bytes(want, bytes, i32::from(by));
                }
                // Every byte of the sums, as they are and shifted.
                for (left, bits) in [(0, 0), (0, 8), (0, 16), (0, 24), (11, 22), (11, 28)] {
                    let (mut out, mut expected) = ([0; LANES], [0; LANES]);
                    isa.store_bytes(isa.shift_left(sums[h], left), bits, &mut out);
                    Scalar.store_bytes(want.map(|x| x << left), bits, &mut expected);
                    assert_eq!(out, expected, "{} {by:?} << {left} >> {bits}", I::NAME);
                }
            }
        }
    }
}
