//! What the stages of an answer do, counted from a plan's tapes (`Tape::work`), and the least time that takes where the
//! limits are known: of this machine, measured (`bench`), or of another one, published (`plan --device`).

use ocelli::low_level::PlanParts;
use ocelli::{Error, Plan};
use ocelli_tape::{Extent, Work};

/// Limits of a machine, per second.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes read.
    pub read: f64,
    /// Integer operations.
    pub int: f64,
    /// Floating-point operations.
    pub float: f64,
}

impl Limits {
    /// The least time for the bytes that come from memory.
    pub fn memory_seconds(&self, work: &Work) -> f64 {
        work.memory_bytes() as f64 / self.read.max(1.0)
    }

    /// The least time for the operations.
    pub fn compute_seconds(&self, work: &Work) -> f64 {
        work.int_ops as f64 / self.int.max(1.0) + work.float_ops as f64 / self.float.max(1.0)
    }
}

/// The size of an encoder's call.
pub fn one_view() -> Extent {
    Extent::of(1)
}

/// What reading so many positions from the first does, in the session's batches.
pub fn reading(plan: &Plan, length: usize) -> Work {
    let (program, kv) = (plan.decoder_program(), plan.kv());
    let batch = program.need().max_items.max(1);
    let call = |past: usize| Extent { items: batch.min(length - past), past, kv };
    (0..length).step_by(batch).map(|past| program.work(&call(past))).sum()
}

/// What decoding does, token by token.
pub fn decoding(plan: &Plan, depth: usize, count: usize) -> Work {
    let call = |past: usize| Extent { items: 1, past, kv: plan.kv() };
    (depth..depth + count).map(|past| plan.decoder_program().work(&call(past))).sum()
}

/// What an image becomes, and what that does.
pub struct Seen {
    /// Views of it.
    pub views: usize,
    /// Positions in the decoder.
    pub tokens: usize,
    /// Making the views: pixels in, resized pixels, normalised values out.
    pub resize: Work,
    /// The tower.
    pub tower: Work,
}

impl Seen {
    /// Of an image of this width and height.
    ///
    /// # Errors
    /// There is no tower, or it takes no such image.
    pub fn new(plan: &Plan, (width, height): (u32, u32)) -> Result<Seen, Error> {
        let program = plan.encoder_program().ok_or(Error::NoVision)?;
        let way = plan.preprocessor(width, height)?;
        let (views, memory) = (way.plan().views() as usize, way.memory(plan.threads())?);
        let bytes =
            u64::from(width) * u64::from(height) * 3 + memory.sheets as u64 + (views * memory.view) as u64;
        Ok(Seen {
            views,
            tokens: way.plan().tokens() as usize,
            resize: Work { weight_bytes: bytes, ..Work::default() },
            tower: (0..views).map(|_| program.work(&one_view())).sum(),
        })
    }
}
