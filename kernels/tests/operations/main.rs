//! Operations: every instruction set beside the scalar one and beside sums in double precision.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod activation;
mod attention;
mod layout;
mod linear;
mod quantize;
mod work;
