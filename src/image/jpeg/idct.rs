//! The inverse transform of a block: quantized coefficients to samples.
//!
//! libjpeg's accurate integer transform (Loeffler, Ligtenberg and Moschytz, ICASSP 1989), columns and then rows, with 13
//! bits of constant and 2 bits kept between the two; and what its vectors of 16 bits make of numbers that no encoder
//! writes: products, sums and differences of 16 bits wrap, results are clamped to 16 bits and then to 8. Loops run over
//! eight lanes, which is what a compiler turns into vectors.

/// A block's coefficients, row by row.
pub(super) type Block = [i16; 64];

const F_0_298: i32 = 2446;
const F_0_390: i32 = 3196;
const F_0_541: i32 = 4433;
const F_0_765: i32 = 6270;
const F_0_899: i32 = 7373;
const F_1_175: i32 = 9633;
const F_1_501: i32 = 12299;
const F_1_847: i32 = 15137;
const F_1_961: i32 = 16069;
const F_2_053: i32 = 16819;
const F_2_562: i32 = 20995;
const F_3_072: i32 = 25172;

type Lanes = [[i16; 8]; 8];

/// Eight transforms of eight numbers, one per lane; those from `ROWS` on are zero. `finish` divides and rounds.
#[inline(always)]
fn pass<T: Copy + Default, const ROWS: usize>(from: &Lanes, finish: impl Fn(i32) -> T) -> [[T; 8]; 8] {
    let mut to = [[T::default(); 8]; 8];
    for lane in 0..8 {
        let at = |row: usize| if row < ROWS { from[row][lane] } else { 0 };
        let wide = |row: usize| i32::from(at(row));
        let low = wide(2) * F_0_541 + wide(6) * (F_0_541 - F_1_847);
        let high = wide(2) * (F_0_541 + F_0_765) + wide(6) * F_0_541;
        let sum = i32::from(at(0).wrapping_add(at(4))) << 13;
        let difference = i32::from(at(0).wrapping_sub(at(4))) << 13;
        let even = [
            sum.wrapping_add(high),
            difference.wrapping_add(low),
            difference.wrapping_sub(low),
            sum.wrapping_sub(high),
        ];
        let z3 = i32::from(at(7).wrapping_add(at(3)));
        let z4 = i32::from(at(5).wrapping_add(at(1)));
        let a = z3 * (F_1_175 - F_1_961) + z4 * F_1_175;
        let b = z3 * F_1_175 + z4 * (F_1_175 - F_0_390);
        let odd = [
            (wide(1) * (F_1_501 - F_0_899) - wide(7) * F_0_899).wrapping_add(b),
            (wide(3) * (F_3_072 - F_2_562) - wide(5) * F_2_562).wrapping_add(a),
            (wide(5) * (F_2_053 - F_2_562) - wide(3) * F_2_562).wrapping_add(b),
            (wide(7) * (F_0_298 - F_0_899) - wide(1) * F_0_899).wrapping_add(a),
        ];
        for (row, (even, odd)) in even.into_iter().zip(odd).enumerate() {
            to[row][lane] = finish(even.wrapping_add(odd));
            to[7 - row][lane] = finish(even.wrapping_sub(odd));
        }
    }
    to
}

/// After the columns: two bits more than a sample has.
fn between(value: i32) -> i16 {
    (value.wrapping_add(1 << 10) >> 11).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// After the rows: a sample.
fn sample(value: i32) -> u8 {
    ((value.wrapping_add(1 << 17) >> 18) + 128).clamp(0, 255) as u8
}

/// Columns become rows: blocks of 4, 2 and 1 bytes change places across the diagonal.
fn transposed(from: &[[u8; 8]; 8]) -> [[u8; 8]; 8] {
    let mut rows = from.map(u64::from_le_bytes);
    for (step, mask) in [(4, 0xFFFF_FFFF), (2, 0xFFFF_0000_FFFF), (1, 0xFF_00FF_00FF_00FF)] {
        for row in (0..8).filter(|row| row & step == 0) {
            let change = (rows[row] >> (8 * step) ^ rows[row + step]) & mask;
            rows[row + step] ^= change;
            rows[row] ^= change << (8 * step);
        }
    }
    rows.map(u64::to_le_bytes)
}

/// Coefficients, or what became of them, to samples.
#[inline(always)]
fn transform<const ROWS: usize>(lanes: &Lanes) -> [[u8; 8]; 8] {
    let columns = pass::<i16, ROWS>(lanes, between);
    let turned = core::array::from_fn(|row| core::array::from_fn(|column| columns[column][row]));
    transposed(&pass::<u8, ROWS>(&turned, sample))
}

/// Writes the samples of a block into eight rows that lie `stride` bytes apart. `last` is the place of its last
/// coefficient, in zigzag order, that may not be zero.
pub(super) fn inverse(block: &Block, last: usize, steps: &[u16; 64], out: &mut [u8], stride: usize) {
    let mut lanes: Lanes = [[0; 8]; 8];
    for ((row, from), steps) in lanes.iter_mut().zip(block.as_chunks::<8>().0).zip(steps.as_chunks::<8>().0) {
        for ((to, from), step) in row.iter_mut().zip(from).zip(steps) {
            *to = from.wrapping_mul(*step as i16);
        }
    }
    let samples = match last {
        0 => [[(((i32::from(lanes[0][0] << 2) + 16) >> 5) + 128).clamp(0, 255) as u8; 8]; 8],
        // The first ten in zigzag order are in four rows and four columns.
        1..=9 => transform::<4>(&lanes),
        _ => transform::<8>(&lanes),
    };
    for (row, from) in out.chunks_mut(stride).zip(&samples) {
        if let Some(row) = row.first_chunk_mut::<8>() {
            *row = *from;
        }
    }
}
