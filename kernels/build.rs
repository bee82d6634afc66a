//! Says `fused_arm` to the compiler for the Cortex-M processors that have a fused multiply-add of binary32.
//!
//! The compiler tells no stable configuration of it: every M profile with the hard-float calling convention has at least
//! FPv4-SP (Armv7-M and Armv8-M Architecture Reference Manuals), 32-bit A and R profiles with that convention may have VFPv3,
//! which has none. The target's name is what tells them apart.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(fused_arm)");
    let target = std::env::var("TARGET").unwrap_or_default();
    let profile = target.starts_with("thumbv7em-") || target.starts_with("thumbv8m.main-");
    if profile && target.ends_with("eabihf") {
        println!("cargo::rustc-cfg=fused_arm");
    }
}
