//! Says to the compiler what no stable configuration of it does.
//!
//! `isa="NAME"`: the instruction set is compiled, tests aside, which have all. What the target guarantees (its triple's
//! features and `-C target-cpu`) makes the sets below superfluous; those above need a look at the processor, which is the
//! feature `newer-isas` (and `std`). `older-isas` has the superfluous ones too.
//!
//! `fused_arm`: a Cortex-M processor with a fused multiply-add of binary32. Every M profile with the hard-float calling
//! convention has at least FPv4-SP (Armv7-M and Armv8-M Architecture Reference Manuals), 32-bit A and R profiles with that
//! convention may have VFPv3, which has none. The target's name is what tells them apart.

/// What a processor must have for each instruction set, the slowest first: all features of its own line and, on one
/// architecture, of those before.
const X86: &[(&str, &[&str])] = &[
    ("scalar", &[]),
    ("avx2", &["avx2", "fma", "f16c"]),
    ("avx-vnni", &["avxvnni"]),
    // VNNI of 512 bits does not imply that of AVX, and is faster: see `guaranteed`.
    ("avx512", &["avx512f", "avx512bw", "avx512vl", "avx512vnni"]),
];
const ARM: &[(&str, &[&str])] = &[
    ("scalar", &[]),
    ("neon", &["neon"]),
    ("neon-dotprod", &["dotprod"]),
    ("neon-i8mm", &["dotprod", "i8mm"]),
];
const OTHER: &[(&str, &[&str])] = &[("scalar", &[])];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(fused_arm)");
    println!(
        "cargo::rustc-check-cfg=cfg(isa, values(\"scalar\", \"avx2\", \"avx-vnni\", \"avx512\", \"neon\", \"neon-dotprod\", \
         \"neon-i8mm\"))"
    );
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let target = variable("TARGET");
    let profile = target.starts_with("thumbv7em-") || target.starts_with("thumbv8m.main-");
    if profile && target.ends_with("eabihf") {
        println!("cargo::rustc-cfg=fused_arm");
    }

    let sets = match &*variable("CARGO_CFG_TARGET_ARCH") {
        "x86_64" => X86,
        "aarch64" => ARM,
        _ => OTHER,
    };
    let features = variable("CARGO_CFG_TARGET_FEATURE");
    let has = |needed: &[&str]| needed.iter().all(|one| features.split(',').any(|there| there == *one));
    let best = guaranteed(sets, has);
    let chosen = |name: &str| std::env::var_os(name).is_some();
    let newer = chosen("CARGO_FEATURE_STD") && chosen("CARGO_FEATURE_NEWER_ISAS");
    let older = chosen("CARGO_FEATURE_OLDER_ISAS");
    for (at, (name, _)) in sets.iter().enumerate() {
        if at == best || at > best && newer || at < best && older {
            println!("cargo::rustc-cfg=isa=\"{name}\"");
        }
    }
}

/// The best set whose features the target has.
fn guaranteed(sets: &[(&str, &[&str])], has: impl Fn(&[&str]) -> bool) -> usize {
    // What all but the first need: AVX-512 needs what AVX2 does, sdot what NEON does.
    let common = sets.get(1).is_some_and(|(_, needed)| has(needed));
    let there = |at: &usize| *at == 0 || common && has(sets[*at].1);
    (0..sets.len()).rev().find(there).unwrap_or(0)
}
