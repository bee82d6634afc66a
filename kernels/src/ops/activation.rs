//! Nonlinearities, alone or as a gate.
//!
//! ```text
//! GeluErf    x · ½(1 + erf(x/√2))                          Hendrycks and Gimpel, 2016
//! GeluTanh   x · ½(1 + tanh(√(2/π)(x + 0.044715 x³)))      their approximation; ½(1 + tanh u) = σ(2u)
//! GeluQuick  x · σ(1.702 x)                                their other one, CLIP's
//! Silu       x · σ(x)
//! ```
//!
//! The three GELUs differ by up to 2·10⁻², so a model must name the one it was trained with.
//!
//! A sigmoid is an exponential and a division; on an Ice Lake the division is half of it. That core does 0.8 G values/s of
//! `GeluTanh` or a gated `Silu` with AVX2 and 1.0 with AVX-512, of `GeluErf` 0.45 and 0.7. Behind a linear map they are done
//! while the rows are in the nearest cache ([`super::linear`]). No intermediate is a subnormal number, with which such a core
//! takes ten times as long.

use super::{Kernel, Operands, Operation};
use crate::cpu::{Isa, LANES};
use crate::math;
use crate::tile::Tile;
use alloc::format;
use alloc::string::String;
use ocelli_tape::RunError;

pub use ocelli_tape::Activation;

/// The activation of sixteen numbers.
#[inline(always)]
pub(crate) fn apply<I: Isa>(activation: Activation, isa: I, x: I::F) -> I::F {
    match activation {
        Activation::None => x,
        Activation::GeluErf => {
            let y = math::erf(isa, isa.mul(x, isa.splat(core::f32::consts::FRAC_1_SQRT_2)));
            isa.mul(isa.mul(x, isa.splat(0.5)), isa.add(isa.splat(1.0), y))
        }
        Activation::GeluTanh => {
            // 2·√(2/π) · x · (1 + 0.044715 x²)
            let poly = isa.fma(isa.mul(x, x), isa.splat(0.044_715), isa.splat(1.0));
            let u = isa.mul(isa.mul(x, isa.splat(1.595_769_2)), poly);
            isa.mul(x, math::sigmoid(isa, u))
        }
        Activation::GeluQuick => isa.mul(x, math::sigmoid(isa, isa.mul(x, isa.splat(1.702)))),
        Activation::Silu => isa.mul(x, math::sigmoid(isa, x)),
        Activation::Relu => isa.max(x, isa.splat(0.0)),
    }
}

/// `y = activation(x)`, or `activation(x) · up` for a gate (SwiGLU: Shazeer, 2020); elementwise.
pub struct Activate<'a> {
    /// Activations.
    pub x: &'a [f32],
    /// The gated values.
    pub up: Option<&'a [f32]>,
    /// Values of a row.
    pub width: usize,
    /// The nonlinearity.
    pub activation: Activation,
}

impl Kernel for Activate<'_> {
    #[inline(always)]
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, _: &mut [f32]) {
        for r in tile.rows() {
            let x = self.x.get(r * self.width..(r + 1) * self.width).unwrap_or(&[]);
            let up = self.up.and_then(|up| up.get(r * self.width..(r + 1) * self.width)).unwrap_or(&[]);
            for (c, (y, x)) in tile.row(r).chunks_mut(LANES).zip(x.chunks(LANES)).enumerate() {
                let mut v = apply(self.activation, isa, math::read(isa, x));
                if let Some(up) = up.get(c * LANES..) {
                    let up = &up[..up.len().min(LANES)];
                    v = if self.up.is_some() { isa.mul(v, math::read(isa, up)) } else { v };
                }
                math::write(isa, v, y);
            }
        }
    }
}

/// [`Activate`] as a step: of one operand, or of a gate and what it gates.
#[derive(Clone, Copy, Debug)]
pub struct ActivateStep {
    pub(crate) activation: Activation,
    pub(crate) gate: bool,
}

impl Operation for ActivateStep {
    type Kernel<'a> = Activate<'a>;

    fn name(&self) -> &'static str {
        "activation"
    }

    fn bind<'a>(&self, operands: &Operands<'a>) -> Result<Activate<'a>, RunError> {
        let (x, up) = (operands.x(), self.gate.then_some(operands.y().x));
        Ok(Activate { x: x.x, up, width: x.width, activation: self.activation })
    }

    fn details(&self) -> String {
        format!(" {:?}", self.activation)
    }
}
