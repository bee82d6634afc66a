//! Which processors threads are kept to (`Options::pin`): of those that the process may use, the fast ones first, and a
//! second thread of a core after all first ones.
//!
//! ```text
//! /sys/devices/system/cpu/cpuN/cpu_capacity                    1024 for the largest core (Arm); absent where all are alike
//! /sys/devices/system/cpu/cpuN/topology/thread_siblings_list   0-1 or 0,4: the threads of a core
//! ```
//! Where the system does not say, in the order of their numbers.

use core::cmp::Reverse;
use ocelli_kernels::pool::{PinError, allowed};
use std::format;
use std::string::String;
use std::vec::Vec;

/// A processor for each of so many threads.
///
/// # Errors
/// There are not so many, or the system does not say.
pub(crate) fn for_threads(threads: usize) -> Result<Vec<usize>, PinError> {
    let ask =
        |n: usize, what: &str| std::fs::read_to_string(format!("/sys/devices/system/cpu/cpu{n}/{what}")).ok();
    choose(allowed()?, threads, &ask)
}

fn choose(
    mut processors: Vec<usize>,
    threads: usize,
    ask: &dyn Fn(usize, &str) -> Option<String>,
) -> Result<Vec<usize>, PinError> {
    if threads > processors.len() {
        return Err(PinError::Processors { threads, allowed: processors.len() });
    }
    let may = processors.clone();
    processors.sort_by_cached_key(|n| {
        let capacity = ask(*n, "cpu_capacity").and_then(|text| text.trim().parse::<u64>().ok());
        let siblings = ask(*n, "topology/thread_siblings_list").unwrap_or_default();
        let before = list(&siblings).filter(|sibling| sibling < n && may.contains(sibling)).count();
        (Reverse(capacity), before, *n)
    });
    processors.truncate(threads);
    Ok(processors)
}

/// The numbers of a list such as `0-3,8`.
fn list(text: &str) -> impl Iterator<Item = usize> {
    let range = |part: &str| -> Option<core::ops::RangeInclusive<usize>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.trim().split(',').filter_map(range).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn cores_come_before_their_second_threads() {
        let pairs =
            |n: usize, what: &str| (what != "cpu_capacity").then(|| format!("{}-{}\n", n & !1, n | 1));
        let from = |all: &[usize], threads| choose(all.to_vec(), threads, &pairs).unwrap();
        assert_eq!(from(&[0, 1, 2, 3], 4), [0, 2, 1, 3]);
        // Of a core whose first thread is not allowed, the second is as good.
        assert_eq!(from(&[1, 2, 3], 2), [1, 2]);
        let apart =
            |n: usize, what: &str| (what != "cpu_capacity").then(|| format!("{},{}\n", n % 2, n % 2 + 2));
        assert_eq!(choose([0, 1, 2, 3].to_vec(), 3, &apart).unwrap(), [0, 1, 2]);
    }

    #[test]
    fn large_cores_come_first() {
        let big_little = |n: usize, what: &str| {
            (what == "cpu_capacity").then(|| String::from(if n < 4 { "446\n" } else { "1024\n" }))
        };
        assert_eq!(choose((0..8).collect(), 5, &big_little).unwrap(), [4, 5, 6, 7, 0]);
        let silent = |_: usize, _: &str| None;
        assert_eq!(choose([3, 5, 9].to_vec(), 2, &silent).unwrap(), [3, 5]);
        let error = choose([3, 5].to_vec(), 3, &silent).unwrap_err();
        assert_eq!(error, PinError::Processors { threads: 3, allowed: 2 });
    }
}
