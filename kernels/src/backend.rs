//! The CPU as a device: it lowers a tape to a program.

use crate::lower::lower;
use crate::machine::Cpu;
use crate::program::CpuProgram;
use alloc::boxed::Box;
use ocelli_tape::{Backend, PrepareError, Program, StateOptions, Tape};

impl Cpu {
    /// Lowers a tape, as [`Backend::prepare`] does.
    ///
    /// # Errors
    /// Likewise.
    pub fn lower(&self, tape: &Tape, state: &StateOptions) -> Result<CpuProgram, PrepareError> {
        lower(tape, state, self)
    }
}

impl Backend for Cpu {
    fn name(&self) -> &str {
        self.kernels().name()
    }

    fn prepare(&self, tape: &Tape, state: &StateOptions) -> Result<Box<dyn Program>, PrepareError> {
        Ok(Box::new(self.lower(tape, state)?))
    }
}
