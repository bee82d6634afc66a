//! A bus that works for so many transfers and then no longer: embedded-hal-mock's SPI has no errors.

use embedded_hal::spi::{ErrorKind, ErrorType, Operation, SpiDevice};

/// The bus within, until it breaks.
pub struct Broken<S> {
    pub within: S,
    pub works: usize,
}

impl<S> ErrorType for Broken<S> {
    type Error = ErrorKind;
}

impl<S: SpiDevice<Error = ErrorKind>> SpiDevice for Broken<S> {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), ErrorKind> {
        self.works = self.works.checked_sub(1).ok_or(ErrorKind::ModeFault)?;
        self.within.transaction(operations)
    }
}
