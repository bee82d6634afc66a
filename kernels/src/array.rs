//! `array::map` and `array::from_fn` as loops that are always inlined.
//!
//! The standard ones may be left as calls by a compiler; the callee is then compiled without the instruction set whose
//! kernel it is called from, which costs more than the work itself.

/// `f` of every element.
#[allow(dead_code, reason = "for formats that a firmware may leave out")]
#[inline(always)]
pub(crate) fn map<A: Copy, B: Copy + Default, const N: usize>(a: [A; N], f: impl Fn(A) -> B) -> [B; N] {
    let mut out = [B::default(); N];
    for (out, a) in out.iter_mut().zip(&a) {
        *out = f(*a);
    }
    out
}

/// `f` of each of four, whatever it gives.
#[inline(always)]
pub(crate) fn four<A: Copy, B>(a: [A; 4], f: impl Fn(A) -> B) -> [B; 4] {
    [f(a[0]), f(a[1]), f(a[2]), f(a[3])]
}

/// `f` of every index.
#[inline(always)]
pub(crate) fn tabulate<B: Copy + Default, const N: usize>(f: impl Fn(usize) -> B) -> [B; N] {
    let mut out = [B::default(); N];
    for (i, out) in out.iter_mut().enumerate() {
        *out = f(i);
    }
    out
}
