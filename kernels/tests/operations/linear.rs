//! The linear map on awkward shapes: equal bytes on every instruction set, for every number of threads and split of
//! the rows, and near what the decoded weights give in double precision.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use ocelli_kernels::cpu::ISAS;
use ocelli_kernels::formats::{Format, decode};
use ocelli_kernels::ops::activation::Activation;
use ocelli_kernels::ops::{Job, Kernels, linear, quantize};
use ocelli_kernels::pool::{Never, Pool};
use ocelli_kernels::tile::Grid;
use ocelli_tape::Matrix;

/// A linear congruential generator (Knuth's constants); its upper bits.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    fn float(&mut self) -> f32 {
        self.next() as f32 / (1u32 << 30) as f32 - 1.0
    }
}

/// Random blocks with scales that are neither tiny nor infinite.
fn weights(format: Format, height: usize, width: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        (0..height * format.row_bytes(width).unwrap()).map(|_| random.next() as u8).collect();
    let half = [0x00, 0x2c]; // 1/16 as binary16
    let places: &[usize] = match format {
        Format::F32 | Format::F16 | Format::BF16 => {
            let value = |r: &mut Random| r.float() / 8.0;
            for b in bytes.chunks_exact_mut(format.bytes()) {
                let bits = value(random).to_bits();
                match format {
                    Format::F32 => b.copy_from_slice(&bits.to_le_bytes()),
                    Format::BF16 => b.copy_from_slice(&bits.to_le_bytes()[2..]),
                    _ => b[1] = b[1] & 0x83 | 0x20,
                }
            }
            return bytes;
        }
        Format::Q4_1 | Format::Q5_1 | Format::Q4_K | Format::Q5_K => &[0, 2],
        Format::Q2_K => &[80, 82],
        Format::Q3_K => &[108],
        Format::Q6_K => &[208],
        _ => &[0],
    };
    for block in bytes.chunks_exact_mut(format.bytes()) {
        places.iter().for_each(|at| block[*at..at + 2].copy_from_slice(&half));
    }
    bytes
}

struct Case {
    format: Format,
    bytes: Vec<u8>,
    bias: Vec<u8>,
    x: Vec<f32>,
    rows: usize,
    height: usize,
    width: usize,
}

impl Case {
    fn weight(&self) -> Matrix<'_> {
        let row_bytes = self.format.row_bytes(self.width).unwrap();
        Matrix { bytes: &self.bytes, format: self.format, height: self.height, width: self.width, row_bytes }
    }

    /// The map of rows `from..to`.
    fn run(&self, kernels: &dyn Kernels, pool: &Pool, from: usize, to: usize) -> Vec<f32> {
        let rows = to - from;
        let x = &self.x[from * self.width..to * self.width];
        let mut scratch = vec![f32::NAN; linear::SCRATCH * pool.threads()];
        let mut codes = vec![0.0; rows * quantize::cells(self.width)];
        if !self.format.is_float() {
            let job = Job::Quantize(quantize::Quantize { x, width: self.width });
            let grid = Grid::new(&mut codes, quantize::cells(self.width), (2, usize::MAX));
            pool.run(grid, &mut scratch, &Never, &|tile, scratch| kernels.tile(&job, tile, scratch)).unwrap();
        }
        let bias = Matrix {
            bytes: &self.bias,
            format: Format::F32,
            height: 1,
            width: self.height,
            row_bytes: 4 * self.height,
        };
        let x = if self.format.is_float() { x } else { &codes };
        let activation = Activation::GeluTanh;
        let job = Job::Linear(linear::Linear { x, weight: self.weight(), bias: Some(bias), activation });
        let mut y = vec![f32::NAN; rows * self.height];
        let grid = Grid::new(&mut y, self.height, (3, linear::COLUMNS));
        pool.run(grid, &mut scratch, &Never, &|tile, scratch| kernels.tile(&job, tile, scratch)).unwrap();
        y
    }

    /// `gelu(W·x + b)` of the decoded weights, in double precision.
    fn exact(&self) -> Vec<f64> {
        let mut row = vec![0.0; self.width];
        let mut y = vec![0.0; self.rows * self.height];
        for o in 0..self.height {
            decode(ocelli_kernels::cpu::Scalar, self.format, self.weight().row(o), &mut row);
            let bias = f64::from(f32::from_le_bytes(self.bias[4 * o..4 * o + 4].try_into().unwrap()));
            for r in 0..self.rows {
                let x = &self.x[r * self.width..(r + 1) * self.width];
                let v = bias + row.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum::<f64>();
                let u = 0.797_884_560_802_865_4 * (v + 0.044715 * v * v * v);
                y[r * self.height + o] = 0.5 * v * (1.0 + u.tanh());
            }
        }
        y
    }
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn every_format_and_shape_gives_the_same_bytes_everywhere() {
    let machines: Vec<_> = ISAS.iter().filter_map(|entry| (entry.detect)()).collect();
    let mut random = Random(1);
    for format in Format::ALL {
        // Whole panels and parts of one; widths within a stretch, beyond it, and of an odd number of groups.
        for (height, blocks, rows) in [(1, 1, 1), (16, 3, 4), (33, 2, 9), (47, 5, 6), (5, 37, 3)] {
            let width = if format.block() == 256 { 256 * blocks } else { 32 * blocks };
            let bias = (0..height).flat_map(|_| random.float().to_le_bytes()).collect();
            let x = (0..rows * width).map(|_| random.float()).collect();
            let bytes = weights(*format, height, width, &mut random);
            let case = Case { format: *format, bytes, bias, x, rows, height, width };
            let whole = case.run(machines[0], &Pool::new(1), 0, rows);
            for machine in &machines {
                for threads in [1, 3] {
                    let pool = Pool::new(threads);
                    assert_eq!(
                        bits(&case.run(*machine, &pool, 0, rows)),
                        bits(&whole),
                        "{format:?} {}",
                        machine.name()
                    );
                    let split: Vec<f32> =
                        (0..rows).flat_map(|r| case.run(*machine, &pool, r, r + 1)).collect();
                    assert_eq!(bits(&split), bits(&whole), "{format:?} {} row by row", machine.name());
                }
            }
            let exact = case.exact();
            let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|v| v * v).sum::<f64>().sqrt();
            let error = norm(&mut whole.iter().zip(&exact).map(|(a, b)| f64::from(*a) - b))
                / norm(&mut exact.iter().copied());
            let limit = if format.is_float() { 1e-5 } else { 2e-2 };
            // A single output may be a small difference of large terms.
            assert!(
                error < limit || height * rows == 1,
                "{format:?} {height} x {width}: relative difference {error:e}"
            );
        }
    }
}
