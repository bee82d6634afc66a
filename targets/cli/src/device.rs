//! Machines that a model may be planned for without being there: their profiles, from `targets/devices`, or from a file of
//! the same form.
//!
//! ```text
//! title = what to call it        clock  = hertz of a core
//! cpu   = its cores              int8   = 8-bit operations of a core in a cycle, a multiplication and an addition being two
//! cores = how many               f32    = floating-point operations likewise
//! isa   = the kernels it runs    bus    = bytes a second that the memory's bus can carry
//! budget = bytes of memory       read   = bytes a second that were measured and published; may be missing
//! ```
//!
//! One `key = value` a line, each key once; `#` begins a comment, where the source of every figure stands. What is
//! unknown, missing or no number is refused with its line.

use super::Failure;
use super::args::bytes;
use super::input;
use super::work::Limits;
use std::collections::BTreeMap;
use std::path::Path;

/// The profiles inside the program, by name.
const DEVICES: &[(&str, &str)] = &[
    ("rpi5", include_str!("../../devices/rpi5.txt")),
    ("rpi4", include_str!("../../devices/rpi4.txt")),
    ("zero2w", include_str!("../../devices/zero2w.txt")),
    ("orin-nano", include_str!("../../devices/orin-nano.txt")),
    ("laptop", include_str!("../../devices/laptop.txt")),
];

/// Bytes of the longest profile.
const PROFILE: u64 = 1 << 20;

const KEYS: [&str; 10] = ["title", "cpu", "cores", "clock", "isa", "int8", "f32", "bus", "read", "budget"];

/// A machine.
pub struct Device {
    /// Its name on the command line.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What its cores are called.
    pub cpu: String,
    /// How many.
    pub cores: usize,
    /// Cycles a second.
    pub clock: f64,
    /// The kernels that will run there.
    pub isa: String,
    /// 8-bit operations of a core in a cycle.
    pub int8: f64,
    /// Floating-point operations of a core in a cycle.
    pub f32: f64,
    /// Bytes a second over the memory's bus.
    pub bus: f64,
    /// Bytes a second that somebody measured.
    pub read: Option<f64>,
    /// Bytes of memory that a program may have.
    pub budget: u64,
}

impl Device {
    /// The profile of this name, or in this file.
    ///
    /// # Errors
    /// There is none, or the file is no profile.
    pub fn named(name: &str) -> anyhow::Result<Device> {
        if let Some((name, text)) = DEVICES.iter().find(|(known, _)| *known == name) {
            return Ok(Device::parse(name, text).map_err(Failure::Usage)?);
        }
        if !Path::new(name).is_file() {
            let known: Vec<&str> = DEVICES.iter().map(|(name, _)| *name).collect();
            let what = format!("no device and no file is called {name}; there are {}", known.join(", "));
            return Err(Failure::Usage(what).into());
        }
        let text = input::text_file(Path::new(name), PROFILE);
        let text = text.map_err(|error| Failure::Usage(format!("{name}: {error}")))?;
        Ok(Device::parse(name, &text).map_err(Failure::Usage)?)
    }

    /// All inside the program.
    pub fn all() -> impl Iterator<Item = Result<Device, Failure>> {
        DEVICES.iter().map(|(name, text)| Device::parse(name, text).map_err(Failure::Usage))
    }

    fn parse(name: &str, text: &str) -> Result<Device, String> {
        let mut values = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let at = |what: &str| format!("{name}, line {}: {what}", number + 1);
            let line = line.split('#').next().unwrap_or("").trim();
            if line.is_empty() {
                continue;
            }
            let (key, value) = line.split_once('=').ok_or_else(|| at("expected key = value"))?;
            let (key, value) = (key.trim(), value.trim());
            if !KEYS.contains(&key) {
                return Err(at(&format!("{key} is none of {}", KEYS.join(", "))));
            }
            if values.insert(key, value).is_some() {
                return Err(at(&format!("{key} is there twice")));
            }
        }
        let text = |key: &str| values.get(key).copied().ok_or_else(|| format!("{name}: {key} is missing"));
        let positive = |key: &str| -> Result<f64, String> {
            let number = text(key)?.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
            number.ok_or_else(|| format!("{name}: {key} is no number above 0"))
        };
        let cores = text("cores")?.parse().ok().filter(|n| (1..=256).contains(n));
        Ok(Device {
            name: name.into(),
            title: text("title")?.into(),
            cpu: text("cpu")?.into(),
            cores: cores.ok_or_else(|| format!("{name}: cores is no number of 1 to 256"))?,
            clock: positive("clock")?,
            isa: text("isa")?.into(),
            int8: positive("int8")?,
            f32: positive("f32")?,
            bus: positive("bus")?,
            read: if values.contains_key("read") { Some(positive("read")?) } else { None },
            budget: bytes(text("budget")?).map_err(|what| format!("{name}: budget: {what}"))?,
        })
    }

    /// What so many of its cores can do at most: what was measured where that is known, else what is printed on the box.
    pub fn limits(&self, threads: usize) -> Limits {
        let cycles = self.clock * threads.min(self.cores) as f64;
        Limits { read: self.read.unwrap_or(self.bus), int: cycles * self.int8, float: cycles * self.f32 }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    #[test]
    fn every_profile_is_one() {
        for device in Device::all() {
            let device = device.unwrap_or_else(|error| panic!("{error}"));
            assert!(device.read.unwrap_or(0.0) <= device.bus, "{}", device.name);
            assert!(device.budget >= 1 << 28 && device.clock >= 1e9, "{}", device.name);
        }
        let names: Vec<&str> = DEVICES.iter().map(|(name, _)| *name).collect();
        assert!(["rpi4", "rpi5", "zero2w", "orin-nano", "laptop"].iter().all(|name| names.contains(name)));
    }

    #[test]
    fn the_limits_are_the_products() {
        let limits = Device::named("rpi5").unwrap().limits(4);
        // 4 cores of 2.4 GHz, 2 · 16 multiplications and additions a cycle.
        assert_eq!(limits.int, 4.0 * 2.4e9 * 64.0);
        assert_eq!((limits.float, limits.read), (4.0 * 2.4e9 * 16.0, 13.2e9));
        assert_eq!(Device::named("rpi5").unwrap().limits(9).int, limits.int, "no more threads than cores");
    }

    #[test]
    fn what_is_no_profile_says_where() {
        let whole = DEVICES[0].1;
        let refused = |text: &str| Device::parse("x", text).err().unwrap();
        assert!(refused("cores 4").contains("line 1"));
        assert!(refused("\ncolour = red").contains("line 2: colour"));
        assert!(refused(&format!("{whole}\ncores = 4")).contains("twice"));
        assert!(refused(&whole.replace("bus =", "# bus =")).contains("bus is missing"));
        assert!(refused(&whole.replace("64\n", "many\n")).contains("int8"));
        assert!(refused(&whole.replace("7G", "7 apples")).contains("budget"));
    }
}
