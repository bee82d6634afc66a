//! The operations of a CPU program, one file each: formula, shape rule, and code over the sixteen-lane machine.
//!
//! A file has the operation twice. Its **step** is what a program holds: numbers, and weights by handle. It says what scratch
//! it needs, how its output is cut, what it costs, and how it meets its operands (`Operation`). Its **kernel** is the
//! operation with its operands, and computes the output tile by tile (`Kernel`); who computes which tile is the pool's
//! affair. [`Kernels`] is what the rest of the engine sees of an instruction set: one function that computes a tile of any
//! [`Job`].
//!
//! To add an operation: its file and one line of the list below; what it means is an entry of `ocelli_tape::Op`, which
//! `lower.rs` turns into the step.

use crate::cpu::{Isa, Task};
use crate::formats::{Float, Quantized, Visitor};
use crate::tile::{Grid, Tile};
use alloc::format;
use alloc::string::String;
use ocelli_tape::{Description, Extent, Heads, RunError, Weight, Work};

pub mod activation;
pub mod add;
pub mod attention;
pub mod copy;
pub mod embed;
pub mod linear;
pub mod memory;
pub mod norm;
mod operands;
#[cfg(feature = "std")]
pub mod peak;
pub mod quantize;
pub mod rearrange;
pub mod resize;
pub mod rope;

pub(crate) use operands::{Held, Operand, Operands, Slot, Touch};

/// An operation as a step of a program.
pub(crate) trait Operation {
    /// The operation with its operands.
    type Kernel<'a>: Enter;

    /// Its name.
    fn name(&self) -> &'static str;

    /// Its weights, of a linear layer without the bias.
    fn weight(&self) -> Option<Weight> {
        None
    }

    /// Words of scratch that a thread needs where the state has room for so many positions.
    fn scratch(&self, _out: &Slot, _capacity: usize) -> usize {
        0
    }

    /// What a call does, activations aside.
    fn work(&self, _out: &Slot, _extent: &Extent) -> Work {
        Work::default()
    }

    /// Whether it looks at all rows of its operands.
    fn reads_all(&self) -> bool {
        true
    }

    /// Rows and columns of a tile: small enough to share the work and to stop soon, large enough to be worth it.
    fn block(&self, _rows: usize, _threads: usize) -> (usize, usize) {
        (8, usize::MAX)
    }

    /// What it does with state.
    fn touches(&self) -> Option<Touch> {
        None
    }

    /// Brings it together with its operands.
    ///
    /// # Errors
    /// A weight lies outside its file, or the call lacks what is needed.
    fn bind<'a>(&self, operands: &Operands<'a>) -> Result<Self::Kernel<'a>, RunError>;

    /// Weights and numbers, for a listing.
    fn details(&self) -> String;
}

/// An operation with its operands, on one instruction set.
pub(crate) trait Kernel {
    /// Whether tiles are numbered down, so that those of the same columns come one after the other.
    const DOWN: bool = false;

    /// Whether it is compiled with the instruction set's own products of quants, which most do not need.
    const PRODUCTS: bool = false;

    /// Computes one tile of the output. Mark it `#[inline(always)]`: it is compiled inside [`Isa::enter`].
    fn tile<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, scratch: &mut [f32]);
}

/// How a kernel is begun.
pub(crate) trait Enter {
    /// See [`Kernel::DOWN`].
    const ORDER_DOWN: bool;

    /// Computes one tile.
    fn enter<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, scratch: &mut [f32]);
}

impl<K: Kernel> Enter for K {
    const ORDER_DOWN: bool = K::DOWN;

    fn enter<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, scratch: &mut [f32]) {
        if K::PRODUCTS {
            isa.enter(Entered(self, tile, scratch));
        } else {
            isa.plain().enter(Entered(self, tile, scratch));
        }
    }
}

/// Each weight format gets its own compiled linear kernel.
impl Enter for linear::Linear<'_> {
    const ORDER_DOWN: bool = false;

    fn enter<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, scratch: &mut [f32]) {
        crate::formats::visit(self.weight.format, ByFormat(isa, self, tile, scratch));
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident: $module:ident::{$step:ident, $kernel:ident};)*) => {
        /// A step's operation.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Op {
            $($(#[$doc])* $name($module::$step),)*
        }

        $(impl From<$module::$step> for Op {
            fn from(step: $module::$step) -> Op {
                Op::$name(step)
            }
        })*

        /// An operation with its operands, ready to be computed.
        pub enum Job<'a> {
            $($(#[$doc])* $name($module::$kernel<'a>),)*
            /// Nothing but arithmetic, to measure it.
            #[cfg(feature = "std")]
            Peak(peak::Peak),
        }

        macro_rules! each {
            ($of:expr, $bound:ident => $body:expr) => {
                match $of { $(Op::$name($bound) => $body,)* }
            };
        }

        impl Op {
            /// Brings it together with its operands.
            ///
            /// # Errors
            /// As [`Operation::bind`].
            pub(crate) fn bind<'a>(&self, operands: &Operands<'a>) -> Result<Job<'a>, RunError> {
                Ok(match self { $(Op::$name(step) => Job::$name(step.bind(operands)?),)* })
            }
        }

        impl Job<'_> {
            /// The output, rows of `width` words, cut into tiles of (rows, columns) in the order that suits the operation.
            pub fn grid<'m>(&self, output: &'m mut [f32], width: usize, tile: (usize, usize)) -> Grid<'m> {
                fn down<E: Enter>(_: &E) -> bool {
                    E::ORDER_DOWN
                }
                let grid = Grid::new(output, width, tile);
                let down = match self {
                    $(Job::$name(kernel) => down(kernel),)*
                    #[cfg(feature = "std")]
                    Job::Peak(_) => false,
                };
                if down { grid.down() } else { grid }
            }

            fn enter<I: Isa>(&self, isa: I, tile: &mut Tile<'_>, scratch: &mut [f32]) {
                match self {
                    $(Job::$name(kernel) => kernel.enter(isa, tile, scratch),)*
                    #[cfg(feature = "std")]
                    Job::Peak(kernel) => kernel.enter(isa, tile, scratch),
                }
            }
        }
    };
}

operations! {
    /// The caller's rows.
    Copy: copy::{CopyStep, Copy};
    /// Tokens to rows.
    Embed: embed::{EmbedStep, Embed};
    /// Angles of positions.
    Angles: rope::{AnglesStep, Angles};
    /// Rotation by position.
    Rope: rope::{RopeStep, Rope};
    /// Activations to 8-bit quants.
    Quantize: quantize::{QuantizeStep, Quantize};
    /// Weights times activations.
    Linear: linear::{LinearStep, Linear};
    /// Layer norm and root-mean-square norm.
    Norm: norm::{NormStep, Norm};
    /// Sum of two activations.
    Add: add::{AddStep, Add};
    /// Activation plus a table.
    AddTable: add::{AddTableStep, AddTable};
    /// Nonlinearity, gated or not.
    Activate: activation::{ActivateStep, Activate};
    /// Rows moved about.
    Rearrange: rearrange::{RearrangeStep, Rearrange};
    /// Keys to memory.
    Keys: memory::{KeysStep, Keys};
    /// Values to memory.
    Values: memory::{ValuesStep, Values};
    /// Softmax attention.
    Attention: attention::{AttentionStep, Attention};
}

impl Op {
    pub(crate) fn scratch(&self, out: &Slot, capacity: usize) -> usize {
        each!(self, step => step.scratch(out, capacity))
    }

    pub(crate) fn work(&self, out: &Slot, extent: &Extent) -> Work {
        each!(self, step => step.work(out, extent))
    }

    pub(crate) fn reads_all(&self) -> bool {
        each!(self, step => step.reads_all())
    }

    pub(crate) fn block(&self, rows: usize, threads: usize) -> (usize, usize) {
        each!(self, step => step.block(rows, threads))
    }

    pub(crate) fn touches(&self) -> Option<Touch> {
        each!(self, step => step.touches())
    }

    pub(crate) fn details(&self) -> String {
        each!(self, step => step.details())
    }

    /// What a step is.
    pub(crate) fn describe(&self, inputs: usize, out: &Slot) -> Description {
        let (op, weight) = each!(self, step => (step.name(), step.weight()));
        Description { op, weight, rows: out.rows, inputs, width: out.width }
    }
}

/// A weight in a listing.
fn listed(w: &Weight) -> String {
    let Weight { file, offset, format, height, width, padding } = w;
    format!(" {file}@{offset}:{}[{height}x{width}+{padding}]", format.name())
}

/// A weight in a listing, where there is one.
fn listed_or(w: Option<&Weight>) -> String {
    w.map_or_else(String::new, listed)
}

/// Heads, and where their keys are, in a listing.
fn listed_heads(heads: &Heads, slot: Option<usize>) -> String {
    let of = slot.map_or_else(|| String::from("of the item"), |slot| format!("of state {slot}"));
    format!(" {}/{}x{} {of}", heads.count, heads.kv, heads.dim)
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
        job.enter(*self, tile, scratch);
    }

    fn pixels(&self, pass: resize::Pass<'_>) {
        self.plain().enter(pass);
    }

    fn decode(&self, format: crate::formats::Format, bytes: &[u8], out: &mut [f32]) {
        crate::formats::decode(self.plain(), format, bytes, out);
    }
}
