//! How fast a model can be on a machine that is not here, at most.
//!
//! ```text
//! encode, prefill   seconds ≥ the longer of   operations / peak   and   bytes of weights and cache / read
//! decode            tokens a second ≤ the smaller of the two, for the next token after that question
//! ```
//!
//! Operations and bytes are counted from the tapes, peak and read are the profile's. It is a projection: nothing is measured,
//! and what no bound knows (norms, activations, unpacking, a cache that is too small, heat) comes on top. An image's file is
//! not decoded in it, and resizing is left out.

use super::device::Device;
use super::work::{Limits, Seen, decoding, reading};
use ocelli::{Error, Plan};
use ocelli_tape::Work;
use serde_json::{Value, json};
use std::io::{self, Write};

/// Positions of text beside the image: a short question in a chat template.
const QUESTION: usize = 64;

/// What a stage does, and its least time.
struct Stage {
    work: Work,
    compute: f64,
    memory: f64,
}

impl Stage {
    fn new(work: Work, limits: &Limits) -> Stage {
        Stage { work, compute: limits.compute_seconds(&work), memory: limits.memory_seconds(&work) }
    }

    fn seconds(&self) -> f64 {
        self.compute.max(self.memory)
    }

    fn bound(&self) -> &'static str {
        if self.compute > self.memory { "arithmetic" } else { "memory" }
    }

    fn json(&self) -> Value {
        json!({
            "int_ops": self.work.int_ops, "float_ops": self.work.float_ops,
            "bytes": self.work.memory_bytes(), "bound": self.bound(),
        })
    }

    /// As people read it.
    fn line(&self) -> String {
        let giga = |n: u64| n as f64 / 1e9;
        format!(
            "{:.1} GOP in 8 bits, {:.1} in f32, {:.2} GB: {} bound",
            giga(self.work.int_ops),
            giga(self.work.float_ops),
            giga(self.work.memory_bytes()),
            self.bound()
        )
    }
}

/// The stages of a question about an image of a size.
pub struct Projection<'a> {
    device: &'a Device,
    threads: usize,
    /// Bytes of the bill, and of the limit it is held against.
    memory: (u64, u64),
    image: (u32, u32),
    encode: Option<(Seen, Stage)>,
    positions: usize,
    context: usize,
    prefill: Stage,
    decode: Stage,
}

impl<'a> Projection<'a> {
    /// Of a plan, on a device.
    ///
    /// # Errors
    /// The tower takes no image of this size.
    pub fn new(
        device: &'a Device,
        plan: &Plan,
        image: (u32, u32),
        limit: Option<u64>,
    ) -> Result<Projection<'a>, Error> {
        let limits = device.limits(plan.threads());
        let encode = match Seen::new(plan, image) {
            Ok(seen) => Some((Stage::new(seen.tower, &limits), seen)),
            Err(Error::NoVision) => None,
            Err(error) => return Err(error),
        };
        let positions = QUESTION + encode.as_ref().map_or(0, |(_, seen)| seen.tokens);
        Ok(Projection {
            device,
            threads: plan.threads(),
            memory: (plan.bill().total(), limit.unwrap_or(device.budget)),
            image,
            encode: encode.map(|(stage, seen)| (seen, stage)),
            positions,
            context: plan.context(),
            prefill: Stage::new(reading(plan, positions), &limits),
            decode: Stage::new(decoding(plan, positions, 1), &limits),
        })
    }

    /// Whether the bill is within the limit.
    pub fn fits(&self) -> bool {
        self.memory.0 <= self.memory.1
    }

    /// The bytes that may be used.
    pub fn limit(&self) -> u64 {
        self.memory.1
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let Device { name, title, cores, clock, isa, .. } = self.device;
        let mut prefill = self.prefill.json();
        prefill["positions"] = self.positions.into();
        prefill["seconds_at_least"] = self.prefill.seconds().into();
        let mut decode = self.decode.json();
        decode["tokens_per_second_at_most"] = (1.0 / self.decode.seconds()).into();
        let encode = self.encode.as_ref().map(|(seen, stage)| {
            let mut encode = stage.json();
            encode["views"] = seen.views.into();
            encode["tokens"] = seen.tokens.into();
            encode["seconds_at_least"] = stage.seconds().into();
            encode
        });
        json!({
            "projection": true, "name": name, "title": title, "cores": cores, "clock": clock, "isa": isa,
            "fits": self.fits(), "limit": self.limit(), "fits_context": self.positions < self.context,
            "encode": encode, "prefill": prefill, "decode": decode,
        })
    }

    /// For people.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Device { title, cores, cpu, clock, isa, read, bus, .. } = self.device;
        let (width, height) = self.image;
        writeln!(out, "\n{title}: {cores} × {cpu} at {:.1} GHz, {isa} kernels", clock / 1e9)?;
        writeln!(
            out,
            "a projection, not a measurement: counted work over published figures; a real run is slower"
        )?;
        let (total, limit) = self.memory;
        let fits = if self.fits() { "yes" } else { "no" };
        writeln!(out, "{:<18}{fits:>14}  {total} of {limit} bytes", "fits")?;
        let mut stage =
            |name: &str, value: String, note: String| writeln!(out, "{name:<18}{value:>14}  {note}");
        if let Some((seen, encode)) = &self.encode {
            let views = if seen.views == 1 { "view" } else { "views" };
            let note = format!("{} {views} of {width}×{height} pixels; {}", seen.views, encode.line());
            stage("image encode", format!("≥ {:.2} s", encode.seconds()), note)?;
        }
        let note = format!("{} positions; {}", self.positions, self.prefill.line());
        stage("prefill", format!("≥ {:.2} s", self.prefill.seconds()), note)?;
        let rate = format!("≤ {:.1} tok/s", 1.0 / self.decode.seconds());
        let (gbs, kind) =
            read.map_or((bus, "on the bus"), |_| (read.as_ref().unwrap_or(bus), "as measured by others"));
        let note = format!("{}, {:.1} GB/s {kind}", self.decode.line(), gbs / 1e9);
        stage("decode", rate, note)?;
        if self.positions >= self.context {
            writeln!(out, "such a question does not fit the context of {} positions", self.context)?;
        }
        if self.threads < *cores {
            writeln!(out, "with {} threads", self.threads)?;
        }
        Ok(())
    }
}

/// The profiles inside the program.
pub fn list(out: &mut dyn Write) -> anyhow::Result<()> {
    for device in Device::all() {
        let Device { name, title, cores, cpu, clock, isa, budget, .. } = device?;
        let clock = clock / 1e9;
        writeln!(
            out,
            "{name:<12}{title:<40}{cores} × {cpu} at {clock:.1} GHz, {isa}, {} MiB to use",
            budget >> 20
        )?;
    }
    Ok(())
}
