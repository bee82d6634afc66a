//! The operations a model is made of, one file each: formula, shape rule, and code over the sixteen-lane machine.
//!
//! An operation computes its output tile by tile (`Kernel::tile`); who computes which tile is the pool's affair.
//! [`Kernels`] is what the rest of the engine sees of an instruction set: one function that computes a tile of any
//! [`Job`].

use crate::cpu::{Isa, Task};
use crate::formats::{Float, Quantized, Visitor};
use crate::tile::{Grid, Tile};

pub mod activation;
pub mod add;
pub mod attention;
pub mod embed;
pub mod linear;
pub mod memory;
pub mod norm;
#[cfg(feature = "std")]
pub mod peak;
pub mod quantize;
pub mod rearrange;
pub mod resize;
pub mod rope;

/// An operation on one instruction set.
pub(crate) trait Kernel {
    /// Computes one tile of the output. Mark it `#[inline(always)]`: it is compiled inside [`Isa::enter`].
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, scratch: &mut [f32]);
}

/// An operation with its operands, ready to be computed.
pub enum Job<'a> {
    /// Weights times activations.
    Linear(linear::Linear<'a>),
    /// Activations to integer codes.
    Quantize(quantize::Quantize<'a>),
    /// Layer norm and root-mean-square norm.
    Norm(norm::Norm<'a>),
    /// Softmax attention.
    Attention(attention::Attention<'a>),
    /// Keys to memory.
    Keys(memory::Keys<'a>),
    /// Values to memory.
    Values(memory::Values<'a>),
    /// Rotation by position.
    Rope(rope::Rope<'a>),
    /// Angles of that rotation.
    Angles(rope::Angles<'a>),
    /// Sum of two activations.
    Add(add::Add<'a>),
    /// Activation plus a table.
    AddTable(add::AddTable<'a>),
    /// Nonlinearity, gated or not.
    Activate(activation::Activate<'a>),
    /// Tokens to rows.
    Embed(embed::Embed<'a>),
    /// Rows moved about.
    Rearrange(rearrange::Rearrange<'a>),
    /// Nothing but arithmetic, to measure it.
    #[cfg(feature = "std")]
    Peak(peak::Peak),
}

impl Job<'_> {
    /// The output, rows of `width` cells, cut into tiles of (rows, columns) in the order that suits the operation.
    pub fn grid<'m>(&self, output: &'m mut [f32], width: usize, tile: (usize, usize)) -> Grid<'m> {
        let grid = Grid::new(output, width, tile);
        match self {
            // The rows of a head one after the other, so that its keys and values stay in the second-level cache.
            Job::Attention(_) => grid.down(),
            _ => grid,
        }
    }
}

/// An instruction set, as the engine sees it.
pub trait Kernels: Sync {
    /// The instruction set's name.
    fn name(&self) -> &'static str;
    /// Computes one tile of a job's output.
    fn tile(&self, job: &Job<'_>, tile: &mut Tile<'_>, scratch: &mut [f32]);
    /// Does a piece of work on pixels.
    fn pixels(&self, pass: resize::Pass<'_>);
    /// Decodes the start of a weight row to `f32`, as many values as `out` holds.
    fn decode(&self, format: crate::formats::Format, bytes: &[u8], out: &mut [f32]);
}

struct Entered<'a, 'b, K>(&'a K, &'a mut Tile<'b>, &'a mut [f32]);

impl<K: Kernel> Task for Entered<'_, '_, K> {
    type Out = ();
    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        self.0.tile(isa, self.1, self.2);
    }
}

/// Each weight format gets its own compiled linear kernel.
struct ByFormat<'a, 'b, 'c, I>(I, &'a linear::Linear<'c>, &'a mut Tile<'b>, &'a mut [f32]);

impl<I: Isa> Visitor for ByFormat<'_, '_, '_, I> {
    type Out = ();
    fn quantized<Q: Quantized>(self) {
        self.0.enter(Entered(
            &linear::Map::<linear::Integer<Q>>(self.1, core::marker::PhantomData),
            self.2,
            self.3,
        ));
    }
    fn float<W: Float>(self) {
        self.0.plain().enter(Entered(
            &linear::Map::<linear::Floating<W>>(self.1, core::marker::PhantomData),
            self.2,
            self.3,
        ));
    }
}

impl<I: Isa> Kernels for I {
    fn name(&self) -> &'static str {
        I::NAME
    }

    fn tile(&self, job: &Job<'_>, tile: &mut Tile<'_>, scratch: &mut [f32]) {
        let plain = self.plain();
        match job {
            Job::Linear(op) => op.weight.format.visit(ByFormat(*self, op, tile, scratch)),
            #[cfg(feature = "std")]
            Job::Peak(op) => self.enter(Entered(op, tile, scratch)),
            Job::Quantize(op) => plain.enter(Entered(op, tile, scratch)),
            Job::Norm(op) => plain.enter(Entered(op, tile, scratch)),
            Job::Attention(op) => plain.enter(Entered(op, tile, scratch)),
            Job::Keys(op) => plain.enter(Entered(op, tile, scratch)),
            Job::Values(op) => plain.enter(Entered(op, tile, scratch)),
            Job::Rope(op) => plain.enter(Entered(op, tile, scratch)),
            Job::Angles(op) => plain.enter(Entered(op, tile, scratch)),
            Job::Add(op) => plain.enter(Entered(op, tile, scratch)),
            Job::AddTable(op) => plain.enter(Entered(op, tile, scratch)),
            Job::Activate(op) => plain.enter(Entered(op, tile, scratch)),
            Job::Embed(op) => plain.enter(Entered(op, tile, scratch)),
            Job::Rearrange(op) => plain.enter(Entered(op, tile, scratch)),
        }
    }

    fn pixels(&self, pass: resize::Pass<'_>) {
        self.plain().enter(pass);
    }

    fn decode(&self, format: crate::formats::Format, bytes: &[u8], out: &mut [f32]) {
        crate::formats::decode(self.plain(), format, bytes, out);
    }
}
