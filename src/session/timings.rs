//! Time by stage. Without a clock (no `std`, and none given) all times are zero.

use core::time::Duration;

/// What time is spent on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Resizing, padding, cutting and normalising images.
    Resize,
    /// The vision tower.
    Encode,
    /// The prompt.
    Prefill,
    /// The answer.
    Generate,
}

/// Time spent on each stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timings {
    /// Resizing, padding, cutting and normalising images.
    pub resize: Duration,
    /// The vision tower.
    pub encode: Duration,
    /// The prompt.
    pub prefill: Duration,
    /// The answer.
    pub generate: Duration,
}

impl Timings {
    pub(crate) fn add(&mut self, stage: Stage, spent: Duration) {
        *match stage {
            Stage::Resize => &mut self.resize,
            Stage::Encode => &mut self.encode,
            Stage::Prefill => &mut self.prefill,
            Stage::Generate => &mut self.generate,
        } += spent;
    }
}
