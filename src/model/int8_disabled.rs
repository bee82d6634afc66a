//! Without the feature `tower-int8` a tower is what its file says: nothing makes 8-bit codes there.

use crate::error::Error;
use crate::model::Model;
use alloc::boxed::Box;
use ocelli_kernels::Machine;
use ocelli_models::Encoder;

/// What is never made.
pub(crate) enum Int8 {}

/// The same, and the tower that would compute with it.
type Planned = (Int8, Box<dyn Encoder>);

impl Int8 {
    pub(crate) fn plan(_: &Model<'_>) -> Result<Option<Planned>, Error> {
        Err(Error::LeftOut { feature: "tower-int8", instead: "leave tower_int8 off" })
    }

    pub(crate) fn bytes(&self) -> usize {
        match *self {}
    }

    pub(crate) fn make(&self, _: &Model<'_>, _: Machine<'_>, _: &[&[u8]], _: &mut [u8]) -> Result<(), Error> {
        match *self {}
    }
}
