//! `ocelli plan`: the memory bill.

use super::args::{LargestImage, ModelArgs, Outcome};
use crate::Stored;
use clap::Args;
use std::io::Write;

/// Arguments of `plan`.
#[derive(Args)]
pub struct PlanCommand {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    largest: LargestImage,
    /// Print one line of JSON instead of a table.
    #[arg(long)]
    json: bool,
}

impl PlanCommand {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        let model = self.model.open(true)?;
        let plan = self.model.plan(&model, (self.largest.sizes(), None))?;
        let bill = plan.bill();
        let kv = match plan.kv() {
            Stored::F32 => "f32",
            Stored::F16 => "f16",
            Stored::Q8_0 => "q8_0",
        };
        let mut out = std::io::stdout().lock();
        if self.json {
            let line = serde_json::json!({
                "weights": { "text": bill.text_weights, "vision": bill.vision_weights },
                "tables": bill.tables, "arena": bill.arena, "kv": bill.kv, "io": bill.io, "total": bill.total(),
                "context": plan.context(), "kv_type": kv, "threads": plan.threads(), "isa": plan.isa(),
                "image_tokens": plan.fitted(),
            });
            return Ok(writeln!(out, "{line}")?);
        }
        let mut row = |name: &str, bytes: u64, note: String| writeln!(out, "{name:<18}{bytes:>14}  {note}");
        let (w, h) = self.largest.largest_image;
        row("text weights", bill.text_weights, "mapped".into())?;
        row("vision weights", bill.vision_weights, "mapped".into())?;
        row("tables", bill.tables, "tokens, merges, tapes".into())?;
        let towers = format!("the larger of text {} and vision {}", bill.text_arena, bill.vision_arena);
        row("arena", bill.arena, format!("{towers}; {} threads", plan.threads()))?;
        row("kv cache", bill.kv, format!("{} positions, {kv}", plan.context()))?;
        row("io", bill.io, format!("images of up to {w}×{h} pixels, tokens"))?;
        row("total", bill.total(), "bytes".into())?;
        if let Some(tokens) = plan.fitted() {
            writeln!(out, "images are cut down to {tokens} tokens to keep the memory limit")?;
        }
        Ok(())
    }
}
