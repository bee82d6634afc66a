//! The way out of a call from any depth below it, as C's setjmp and longjmp have one: the registers that a called function
//! must preserve are written down, and put back.
//!
//! `enter` calls a function and returns 0 after it, or 1 when `leave` was called meanwhile: either way once, so that for
//! the compiler it is a function like any other.
//!
//! ```text
//! AArch64     x19 to x30, sp, d8 to d15         (Procedure Call Standard for the Arm 64-bit Architecture, 6.1)
//! RISC-V      ra, sp, s0 to s11, fs0 to fs11    (RISC-V ELF psABI, Register Convention)
//! Armv7E-M    r4 to r11, lr, sp, d8 to d15      (Procedure Call Standard for the Arm Architecture, 6.1)
//! ```
#![allow(unsafe_code, reason = "registers")]

use core::arch::naked_asm;
use core::ffi::c_void;

/// Room for the registers of any of them.
#[repr(C, align(16))]
pub struct Frame([u64; 26]);

impl Frame {
    /// Nothing yet.
    pub const EMPTY: Frame = Frame([0; 26]);
}

/// Calls `call` with `with`; gives 1 if it was left.
///
/// # Safety
/// The frame is the caller's until this returns.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub unsafe extern "C" fn enter(
    frame: *mut Frame,
    call: extern "C" fn(*mut c_void),
    with: *mut c_void,
) -> usize {
    naked_asm!(
        "stp x19, x20, [x0]",
        "stp x21, x22, [x0, #16]",
        "stp x23, x24, [x0, #32]",
        "stp x25, x26, [x0, #48]",
        "stp x27, x28, [x0, #64]",
        "stp x29, x30, [x0, #80]",
        "mov x9, sp",
        "str x9, [x0, #96]",
        "stp d8, d9, [x0, #104]",
        "stp d10, d11, [x0, #120]",
        "stp d12, d13, [x0, #136]",
        "stp d14, d15, [x0, #152]",
        "stp x29, x30, [sp, #-16]!",
        "mov x0, x2",
        "blr x1",
        "ldp x29, x30, [sp], #16",
        "mov x0, #0",
        "ret",
    )
}

/// Ends the call that `enter` made with this frame.
///
/// # Safety
/// That call has not ended, and nothing between here and there must be dropped.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub unsafe extern "C" fn leave(frame: *const Frame) -> ! {
    naked_asm!(
        "ldp x19, x20, [x0]",
        "ldp x21, x22, [x0, #16]",
        "ldp x23, x24, [x0, #32]",
        "ldp x25, x26, [x0, #48]",
        "ldp x27, x28, [x0, #64]",
        "ldp x29, x30, [x0, #80]",
        "ldr x9, [x0, #96]",
        "mov sp, x9",
        "ldp d8, d9, [x0, #104]",
        "ldp d10, d11, [x0, #120]",
        "ldp d12, d13, [x0, #136]",
        "ldp d14, d15, [x0, #152]",
        "mov x0, #1",
        "ret",
    )
}

/// Calls `call` with `with`; gives 1 if it was left.
///
/// # Safety
/// The frame is the caller's until this returns.
#[cfg(target_arch = "riscv64")]
#[unsafe(naked)]
pub unsafe extern "C" fn enter(
    frame: *mut Frame,
    call: extern "C" fn(*mut c_void),
    with: *mut c_void,
) -> usize {
    naked_asm!(
        "sd ra, 0(a0)",
        "sd sp, 8(a0)",
        "sd s0, 16(a0)",
        "sd s1, 24(a0)",
        "sd s2, 32(a0)",
        "sd s3, 40(a0)",
        "sd s4, 48(a0)",
        "sd s5, 56(a0)",
        "sd s6, 64(a0)",
        "sd s7, 72(a0)",
        "sd s8, 80(a0)",
        "sd s9, 88(a0)",
        "sd s10, 96(a0)",
        "sd s11, 104(a0)",
        "fsd fs0, 112(a0)",
        "fsd fs1, 120(a0)",
        "fsd fs2, 128(a0)",
        "fsd fs3, 136(a0)",
        "fsd fs4, 144(a0)",
        "fsd fs5, 152(a0)",
        "fsd fs6, 160(a0)",
        "fsd fs7, 168(a0)",
        "fsd fs8, 176(a0)",
        "fsd fs9, 184(a0)",
        "fsd fs10, 192(a0)",
        "fsd fs11, 200(a0)",
        "addi sp, sp, -16",
        "sd ra, 8(sp)",
        "mv a0, a2",
        "jalr a1",
        "ld ra, 8(sp)",
        "addi sp, sp, 16",
        "li a0, 0",
        "ret",
    )
}

/// Ends the call that `enter` made with this frame.
///
/// # Safety
/// That call has not ended, and nothing between here and there must be dropped.
#[cfg(target_arch = "riscv64")]
#[unsafe(naked)]
pub unsafe extern "C" fn leave(frame: *const Frame) -> ! {
    naked_asm!(
        "ld ra, 0(a0)",
        "ld sp, 8(a0)",
        "ld s0, 16(a0)",
        "ld s1, 24(a0)",
        "ld s2, 32(a0)",
        "ld s3, 40(a0)",
        "ld s4, 48(a0)",
        "ld s5, 56(a0)",
        "ld s6, 64(a0)",
        "ld s7, 72(a0)",
        "ld s8, 80(a0)",
        "ld s9, 88(a0)",
        "ld s10, 96(a0)",
        "ld s11, 104(a0)",
        "fld fs0, 112(a0)",
        "fld fs1, 120(a0)",
        "fld fs2, 128(a0)",
        "fld fs3, 136(a0)",
        "fld fs4, 144(a0)",
        "fld fs5, 152(a0)",
        "fld fs6, 160(a0)",
        "fld fs7, 168(a0)",
        "fld fs8, 176(a0)",
        "fld fs9, 184(a0)",
        "fld fs10, 192(a0)",
        "fld fs11, 200(a0)",
        "li a0, 1",
        "ret",
    )
}

/// Calls `call` with `with`; gives 1 if it was left.
///
/// # Safety
/// The frame is the caller's until this returns.
#[cfg(target_arch = "arm")]
#[unsafe(naked)]
pub unsafe extern "C" fn enter(
    frame: *mut Frame,
    call: extern "C" fn(*mut c_void),
    with: *mut c_void,
) -> usize {
    naked_asm!(
        "stmia r0!, {{r4-r11, lr}}",
        "mov r3, sp",
        "str r3, [r0], #4",
        "vstmia r0, {{d8-d15}}",
        "push {{r4, lr}}",
        "mov r0, r2",
        "blx r1",
        "movs r0, #0",
        "pop {{r4, pc}}",
    )
}

/// Ends the call that `enter` made with this frame.
///
/// # Safety
/// That call has not ended, and nothing between here and there must be dropped.
#[cfg(target_arch = "arm")]
#[unsafe(naked)]
pub unsafe extern "C" fn leave(frame: *const Frame) -> ! {
    naked_asm!(
        "ldmia r0!, {{r4-r11, lr}}",
        "ldr r3, [r0], #4",
        "mov sp, r3",
        "vldmia r0, {{d8-d15}}",
        "movs r0, #1",
        "bx lr",
    )
}

#[cfg(not(any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "arm")))]
compile_error!(
    "without `std` there are AArch64, 64-bit RISC-V and Armv7E-M; for another, its registers go here"
);
