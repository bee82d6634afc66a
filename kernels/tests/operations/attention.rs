//! Attention on awkward shapes: equal bytes on every instruction set, for every number of threads and split of the rows,
//! whatever lies in memory where nothing was written, and near what double precision gives.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use ocelli_kernels::cpu::ISAS;
use ocelli_kernels::ops::attention::{Attention, scratch};
use ocelli_kernels::ops::memory::{Keys, Layout, Rows, Values};
use ocelli_kernels::ops::{Job, Kernels};
use ocelli_kernels::pool::{Never, Pool};
use ocelli_tape::KvType;

struct Case {
    layout: Layout,
    groups: usize,
    /// Sequences, each with a memory of its own.
    units: usize,
    rows: usize,
    causal: bool,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
}

impl Case {
    fn new((layout, groups): (Layout, usize), (units, rows): (usize, usize), causal: bool) -> Self {
        let numbers = |n: usize, step: usize| {
            (0..n).map(|i| (i * step % 1009) as f32 / 252.0 - 2.0).collect::<Vec<_>>()
        };
        let kv = units * rows * layout.heads * layout.head_dim;
        let (q, k, v) = (numbers(kv * groups, 7919), numbers(kv, 6007), numbers(kv, 5003));
        Self { layout, groups, units, rows, causal, q, k, v }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.layout.head_dim as f32).sqrt()
    }

    /// All rows; a causal sequence in calls of `step` rows.
    fn run(&self, kernels: &dyn Kernels, pool: &Pool, step: usize) -> Vec<f32> {
        let Self { layout, groups, units, rows, causal, .. } = *self;
        let run = |job: &Job<'_>, out: &mut [f32], width: usize, tile: (usize, usize)| {
            let mut scratch = vec![f32::NAN; pool.threads() * scratch(layout.capacity, layout.head_dim)];
            let grid = job.grid(out, width, tile);
            pool.run(grid, &mut scratch, &Never, &|tile, scratch| kernels.tile(job, tile, scratch)).unwrap();
        };
        let mut keys = vec![f32::NAN; units * layout.heads * layout.keys()];
        let mut values = vec![f32::NAN; units * layout.heads * layout.values()];
        let (kv, mut y) = (layout.heads * layout.head_dim, vec![]);
        for past in (0..rows).step_by(step) {
            let per_unit = step.min(rows - past);
            let part = |x: &'_ [f32], width: usize| {
                if units == 1 { x[past * width..(past + per_unit) * width].to_vec() } else { x.to_vec() }
            };
            let (q, k, v) = (part(&self.q, groups * kv), part(&self.k, kv), part(&self.v, kv));
            let remember = |x| Rows { x, layout, per_unit, past };
            // A whole head at a time, or sixteen positions of all heads.
            let (key_tile, value_tile) = if causal {
                ((1, usize::MAX), (1, usize::MAX))
            } else {
                let sixteen = layout.keys() / layout.capacity.div_ceil(16);
                ((layout.heads, sixteen), (layout.heads, 16 * layout.values() / layout.capacity))
            };
            run(&Job::Keys(Keys(remember(&k))), &mut keys, layout.keys(), key_tile);
            run(&Job::Values(Values(remember(&v))), &mut values, layout.values(), value_tile);
            let scale = self.scale();
            let (keys, values) = (&keys, &values);
            let job = Job::Attention(Attention {
                q: &q,
                keys,
                values,
                layout,
                groups,
                per_unit,
                past,
                causal,
                scale,
            });
            let mut out = vec![f32::NAN; q.len()];
            run(&job, &mut out, groups * kv, (48, groups * layout.head_dim));
            y.extend(out);
        }
        y
    }

    /// The same in double precision, of keys and values as they were before they were stored.
    fn exact(&self) -> Vec<f64> {
        let (d, heads, rows) = (self.layout.head_dim, self.layout.heads, self.rows);
        let mut y = vec![];
        for r in 0..self.units * rows {
            for head in 0..heads * self.groups {
                let row = |x: &'_ [f32], row: usize, heads: usize, head: usize| -> Vec<f64> {
                    x[(row * heads + head) * d..][..d].iter().map(|x| f64::from(*x)).collect()
                };
                let q = row(&self.q, r, heads * self.groups, head);
                let seen = r / rows * rows..if self.causal { r + 1 } else { (r / rows + 1) * rows };
                let score = |t| -> f64 {
                    let k = row(&self.k, t, heads, head / self.groups);
                    q.iter().zip(&k).map(|(q, k)| q * k).sum::<f64>() * f64::from(self.scale())
                };
                let scores: Vec<f64> = seen.clone().map(score).collect();
                let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = scores.iter().map(|s| (s - most).exp()).sum();
                let mut sum = vec![0.0; d];
                for (t, s) in seen.zip(&scores) {
                    let v = row(&self.v, t, heads, head / self.groups);
                    sum.iter_mut().zip(&v).for_each(|(sum, v)| *sum += (s - most).exp() / total * v);
                }
                y.extend(sum);
            }
        }
        y
    }
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn every_shape_gives_the_same_bytes_everywhere() {
    let machines: Vec<_> = ISAS.iter().filter_map(|entry| (entry.detect)()).collect();
    // Heads of less than sixteen elements, of whole sixteens, and of some more; as many queries as go together, and others.
    let shapes =
        [(8, 2, 1, 1, 5), (64, 2, 3, 1, 37), (64, 1, 1, 3, 20), (72, 2, 1, 2, 49), (40, 1, 2, 1, 18)];
    for (head_dim, heads, groups, units, rows) in shapes {
        for (stored, limit) in [(KvType::F32, 1e-6), (KvType::F16, 1e-3), (KvType::Q8_0, 2e-2)] {
            for causal in if units == 1 { &[false, true][..] } else { &[false] } {
                // A cache has room for more positions; an encoder's memory has not.
                let capacity = if *causal { rows + 21 } else { rows };
                let layout = Layout { stored, heads, head_dim, capacity };
                if !layout.fits() {
                    continue;
                }
                let case = Case::new((layout, groups), (units, rows), *causal);
                let name = format!(
                    "{stored:?} {heads} heads of {head_dim}, {groups} groups, {rows} rows, causal {causal}"
                );
                let whole = case.run(machines[0], &Pool::new(1), rows);
                for machine in &machines {
                    for threads in [1, 3] {
                        let y = case.run(*machine, &Pool::new(threads), rows);
                        assert_eq!(
                            bits(&y),
                            bits(&whole),
                            "{name}: {} with {threads} threads",
                            machine.name()
                        );
                    }
                    for step in if *causal { &[1, 7][..] } else { &[] } {
                        let y = case.run(*machine, &Pool::new(1), *step);
                        assert_eq!(bits(&y), bits(&whole), "{name}: {} by {step}", machine.name());
                    }
                }
                let most = whole
                    .iter()
                    .zip(case.exact())
                    .map(|(a, b)| (f64::from(*a) - b).abs())
                    .fold(0.0, f64::max);
                assert!(most < limit, "{name}: off by {most:e}");
            }
        }
    }
}
