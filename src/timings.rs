//! Time by stage. Without a clock (no `std`) all times are zero.

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

/// A moment.
#[derive(Clone, Copy)]
pub(crate) struct Moment(#[cfg(feature = "std")] std::time::Instant);

impl Timings {
    pub(crate) fn start(&self) -> Moment {
        Moment(
            #[cfg(feature = "std")]
            std::time::Instant::now(),
        )
    }

    pub(crate) fn stop(&mut self, stage: Stage, since: Moment) {
        #[cfg(feature = "std")]
        let spent = since.0.elapsed();
        #[cfg(not(feature = "std"))]
        let spent = {
            let Moment() = since;
            Duration::ZERO
        };
        *match stage {
            Stage::Resize => &mut self.resize,
            Stage::Encode => &mut self.encode,
            Stage::Prefill => &mut self.prefill,
            Stage::Generate => &mut self.generate,
        } += spent;
    }
}
