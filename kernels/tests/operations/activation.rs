//! Nonlinearities: equal bytes on every instruction set, and near double precision.
#![allow(clippy::unwrap_used, missing_docs)]

use ocelli_kernels::cpu::ISAS;
use ocelli_kernels::ops::activation::{Activate, Activation};
use ocelli_kernels::ops::{Job, Kernels};
use ocelli_kernels::pool::{Never, Pool};

fn run(kernels: &dyn Kernels, x: &[f32], activation: Activation) -> Vec<f32> {
    let width = x.len();
    let mut out = vec![f32::NAN; width];
    let job = Job::Activate(Activate { x, up: None, width, activation });
    let grid = job.grid(&mut out, width, (1, usize::MAX));
    Pool::new(1).run(grid, &mut [], &Never, &|tile, scratch| kernels.tile(&job, tile, scratch)).unwrap();
    out
}

/// erf by its power series below 4, above which it is 1 but for 2·10⁻⁸.
fn erf(x: f64) -> f64 {
    if x.abs() > 4.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * core::f64::consts::FRAC_2_SQRT_PI
}

/// The definitions.
fn exact(x: f64, activation: Activation) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    match activation {
        Activation::None => x,
        Activation::GeluErf => x * 0.5 * (1.0 + erf(x / core::f64::consts::SQRT_2)),
        Activation::GeluTanh => {
            let u = (2.0 / core::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
            x * 0.5 * (1.0 + u.tanh())
        }
        Activation::GeluQuick => x * sigmoid(1.702 * x),
        Activation::Silu => x * sigmoid(x),
        Activation::Relu => x.max(0.0),
    }
}

#[test]
fn every_activation_is_what_it_is_called() {
    let x: Vec<f32> = (-26_001..26_001).map(|i| i as f32 / 130.0).collect();
    let machines: Vec<_> = ISAS.iter().filter_map(|entry| (entry.detect)()).collect();
    for activation in [
        Activation::None,
        Activation::GeluErf,
        Activation::GeluTanh,
        Activation::GeluQuick,
        Activation::Silu,
        Activation::Relu,
    ] {
        let y = run(machines[0], &x, activation);
        for (x, y) in x.iter().zip(&y) {
            let want = exact(f64::from(*x), activation);
            let off = (f64::from(*y) - want).abs();
            assert!(off <= 5e-7 * f64::from(x.abs().max(1.0)), "{activation:?}({x}) is {y:e}, not {want:e}");
        }
        for machine in &machines {
            let same = run(*machine, &x, activation).iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{activation:?} by {}", machine.name());
        }
    }
}
