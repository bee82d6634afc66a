//! Gives the shared library its name: programs that were linked with one of this ABI find it by that. And knows the word by
//! which a build for AddressSanitizer is told (`sanitize`).

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(ocelli_asan)");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libocelli.so.0");
    }
}
