//! `ocelli plan`: the memory bill, here or on another device, and what would bound the model there.

use super::args::{LargestImage, ModelArgs, Outcome};
use super::device::Device;
use super::escape::json as escaped;
use super::photos;
use super::projection::{self, Projection};
use super::terminal;
use clap::Args;
use ocelli::chat::Template;
use ocelli::chat::template::TemplateError;
use ocelli::{Error, Model, Plan, Stored};
use serde_json::{Value, json};
use std::io::Write;

/// Arguments of `plan`.
#[derive(Args)]
pub struct PlanCommand {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    largest: LargestImage,
    /// Plan for another machine: does the model fit there, and what would bound it. A name (`list` prints them), or a file
    /// like those in targets/devices. It is a projection. Exits with 5 if the model does not fit.
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Print one line of JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// A template that is there must be one. (A model without any can be asked with `--raw`.)
fn check_template(model: &Model<'_>) -> Outcome {
    match Template::of(model) {
        Ok(_) | Err(Error::Template { error: TemplateError::Absent, .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl PlanCommand {
    /// Runs the command.
    pub fn run(mut self) -> Outcome {
        let out: &mut dyn Write = &mut terminal::out();
        if self.device.as_deref() == Some("list") {
            return projection::list(out);
        }
        let device = self.device.as_deref().map(Device::named).transpose()?;
        if let Some(device) = &device {
            self.model.threads.get_or_insert(device.cores);
        }
        let model = self.model.open(true)?;
        check_template(&model)?;
        let plan = self.model.plan(&model, photos::needs_up_to(self.largest.largest_image))?;
        let there = device.as_ref().map(|device| {
            Projection::new(device, &plan, self.largest.largest_image, self.model.memory_limit)
        });
        let there = there.transpose()?;
        if self.json {
            let isa = device.as_ref().map_or(plan.isa(), |device| &device.isa);
            let mut line = bill(&plan, isa);
            if let Some(there) = &there {
                line["device"] = there.json();
            }
            writeln!(out, "{}", escaped(line))?;
        } else {
            self.table(&plan, out)?;
            if let Some(there) = &there {
                there.write(out)?;
            }
        }
        match there {
            Some(there) if !there.fits() => {
                Err(Error::Memory { bill: *plan.bill(), limit: there.limit() }.into())
            }
            _ => Ok(()),
        }
    }

    fn table(&self, plan: &Plan, out: &mut dyn Write) -> Outcome {
        let bill = plan.bill();
        let mut row = |name: &str, bytes: u64, note: String| writeln!(out, "{name:<18}{bytes:>14}  {note}");
        let (w, h) = self.largest.largest_image;
        row("text weights", bill.text_weights, "mapped".into())?;
        row("vision weights", bill.vision_weights, "mapped".into())?;
        if bill.vision_int8 > 0 {
            row("vision in int8", bill.vision_int8, "a copy, made when the session is".into())?;
        }
        row("tables", bill.tables, "tokens, merges, tapes".into())?;
        let towers = format!("the larger of text {} and vision {}", bill.text_arena, bill.vision_arena);
        row("arena", bill.arena, format!("{towers}; {} threads", plan.threads()))?;
        row("kv cache", bill.kv, format!("{} positions, {}", plan.context(), name(plan.kv())))?;
        row("io", bill.io, format!("images of up to {w}×{h} pixels, their files, tokens"))?;
        row("prompt", bill.prompt, format!("up to {} bytes of text, being encoded", plan.text_bytes()))?;
        row("total", bill.total(), "bytes".into())?;
        if let Some(tokens) = plan.fitted() {
            writeln!(out, "images are cut down to {tokens} tokens to keep the memory limit")?;
        }
        Ok(())
    }
}

fn bill(plan: &Plan, isa: &str) -> Value {
    let bill = plan.bill();
    json!({
        "weights": { "text": bill.text_weights, "vision": bill.vision_weights },
        "vision_int8": bill.vision_int8, "tables": bill.tables, "arena": bill.arena, "kv": bill.kv, "io": bill.io, "prompt": bill.prompt, "total": bill.total(),
        "context": plan.context(), "kv_type": name(plan.kv()), "threads": plan.threads(), "isa": isa,
        "image_tokens": plan.fitted(),
    })
}

fn name(kv: Stored) -> &'static str {
    match kv {
        Stored::F32 => "f32",
        Stored::F16 => "f16",
        Stored::Q8_0 => "q8_0",
    }
}
