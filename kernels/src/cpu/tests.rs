//! Every instruction set against [`Scalar`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate std;

use super::*;

/// Runs a task on every instruction set that this CPU has, and says which it lacks.
pub(crate) fn each_isa<T: Task + Clone>(task: T) {
    fn on<T: Task, I: Isa>(isa: Option<I>, task: T) {
        match isa {
            Some(isa) => drop(isa.enter(task)),
            None => std::eprintln!("skipped: this CPU lacks {}", I::NAME),
        }
    }
    on(Some(Scalar), task.clone());
    #[cfg(target_arch = "x86_64")]
    on(avx2::Avx2::new(), task.clone());
    #[cfg(target_arch = "aarch64")]
    on(neon::Neon::new(), task.clone());
}
