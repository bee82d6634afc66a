//! What is computed.
#![no_std]
