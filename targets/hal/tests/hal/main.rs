//! Drivers beside a mock of embedded-hal: actuators, cameras, readings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod actuators;
mod broken;
mod camera;
mod readings;
