//! Every instruction set against [`Scalar`], bit by bit, and `Scalar`'s own definitions against exact ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate std;

mod arithmetic;
mod conversions;
mod exact;

use super::*;

/// Runs a task on every instruction set that this CPU has, and on those that stand in for one it lacks.
pub(crate) fn each_isa<T: Task + Clone>(task: T) {
    on_each(&task);
    #[cfg(target_arch = "x86_64")]
    avx::Avx::<avx::Long>::detect().map(|isa| isa.enter(task));
}

/// A test whose body is compiled for, and run on, every instruction set.
macro_rules! on_each_isa {
    ($(#[$doc:meta])* $name:ident: |$isa:ident| $body:block) => {
        $(#[$doc])*
        #[test]
        fn $name() {
            #[derive(Clone)]
            struct Test;
            impl Task for Test {
                type Out = ();
                #[inline(always)]
                fn run<I: Isa>(self, $isa: I) $body
            }
            each_isa(Test);
        }
    };
}
use on_each_isa;

/// Numbers that look random and are the same in every run (SplitMix64; Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    fn between(&mut self, low: i32, high: i32) -> i32 {
        low + (self.next() % (high - low + 1) as u64) as i32
    }

    /// Any bit pattern, so also infinities and what is not a number.
    fn bits(&mut self) -> f32 {
        f32::from_bits(self.next() as u32)
    }

    /// A number with this biased exponent (0 is subnormal) and of either sign.
    fn with_exponent(&mut self, exponent: i32) -> f32 {
        f32::from_bits(self.next() as u32 & 0x807F_FFFF | (exponent as u32) << 23)
    }
}

/// Values at the edges of the format, and a few ordinary ones.
const HARD: [f32; 28] = [
    0.0,
    -0.0,
    f32::from_bits(1),
    f32::from_bits(0x8000_0001),
    f32::from_bits(0x007F_FFFF),
    f32::from_bits(0x8040_0000),
    f32::MIN_POSITIVE,
    -f32::MIN_POSITIVE,
    1.0,
    -1.0,
    1.0 + f32::EPSILON,
    -(1.0 - f32::EPSILON / 2.0),
    0.1,
    -1.0 / 3.0,
    16_777_215.0,
    -16_777_216.0,
    8_388_609.0,
    1.0e-20,
    -1.0e-20,
    1.0e-38,
    1.0e19,
    -1.844_674_4e19,
    f32::MAX,
    f32::MIN,
    1.701_411_8e38,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

/// The same bits; of what is not a number, that it is none.
fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// Lane `i` of a vector.
#[inline(always)]
fn lanes<I: Isa>(isa: I, x: I::F) -> [f32; LANES] {
    let mut out = [0.0; LANES];
    isa.store(x, &mut out);
    out
}

#[test]
fn instruction_sets_are_chosen_by_name() {
    for entry in ISAS {
        match choose(Some(entry.name)) {
            Ok(_) => std::eprintln!("{}: tested", entry.name),
            Err(why) => std::eprintln!("{}: not tested, {why}", entry.name),
        }
    }
    assert!(choose(None).is_ok());
    assert!(choose(Some("scalar")).is_ok());
    let unknown = choose(Some("abacus")).err().unwrap();
    assert!(!unknown.known);
    assert!(std::format!("{unknown}").ends_with("scalar"), "{unknown}");
    assert_eq!(ISAS.last().unwrap().name, "scalar");
}
