//! Rotary positions: their base, and how a context longer than the trained one is reached.
//!
//! A configuration says it in `rope_parameters` (transformers 5) or in `rope_theta` and `rope_scaling` (before). Where both
//! are there `rope_scaling` counts, `rope_theta` in it or in `rope_parameters` before one beside them, and
//! `original_max_position_embeddings` beside them before one in it: as transformers has it.
//!
//! ```text
//! linear   positions divided by `factor`
//! yarn     keys of the file say all of it
//! llama3   each frequency f divided by its own factor, the tensor `rope_freqs.weight`; with w = 2π / f, c the trained context:
//!            w < c / high  1        w > c / low  factor        else  1 / ((1 − s) / factor + s),  s = (c / w − low) / (high − low)
//! ```
//! Sources: `modeling_rope_utils` of transformers, and for the last one Grattafiori et al., 2024.

use crate::error::Error;
use crate::json::Json;
use ocelli_gguf::Outline;

/// The base where a configuration names none.
const BASE: f64 = 10000.0;

/// What a configuration says.
#[derive(Clone, Debug)]
pub(crate) struct Rope {
    base: f64,
    /// Keys under `rope.scaling`.
    scaling: Vec<(&'static str, Scale)>,
    /// `rope_freqs.weight`
    pub(crate) factors: Option<Vec<f32>>,
}

#[derive(Clone, Debug)]
enum Scale {
    Text(&'static str),
    Float(f64),
    Size(usize),
}

/// Entries that become f32 keys of the same meaning.
const YARN: [(&str, &str); 5] = [
    ("extrapolation_factor", "yarn_ext_factor"),
    ("attention_factor", "yarn_attn_factor"),
    ("attn_factor", "yarn_attn_factor"),
    ("beta_fast", "yarn_beta_fast"),
    ("beta_slow", "yarn_beta_slow"),
];

impl Rope {
    /// Reads it; `head` is the width of a head.
    pub(crate) fn read(config: &Json, head: usize) -> Result<Rope, Error> {
        let said = |key: &str| -> Result<Option<Json>, Error> {
            Ok(config.object(key)?.filter(|object| object.entries().next().is_some()))
        };
        let inner = match said("rope_scaling")? {
            Some(inner) => inner,
            None => said("rope_parameters")?.unwrap_or_else(|| Json::empty("config.json")),
        };
        let base = inner.number("rope_theta")?.or(config.number("rope_theta")?).unwrap_or(BASE);
        if !(base > 0.0 && base < 1e12) {
            return Err(config.range("rope_theta", base, "must be a positive number"));
        }
        for place in [&inner, config] {
            if let Some(part) = place.number("partial_rotary_factor")?.filter(|part| *part != 1.0) {
                let what = "a head that is turned in part";
                return Err(Error::Unsupported { what, found: format!("partial_rotary_factor is {part}") });
            }
        }
        let kind = inner.string("rope_type")?.or(inner.string("type")?).unwrap_or("default");
        let mut rope = Rope { base, scaling: Vec::new(), factors: None };
        const FACTOR: &str = "factor";
        let factor = || inner.number(FACTOR)?.ok_or_else(|| inner.missing(FACTOR, "a number"));
        match kind {
            "default" => {}
            "linear" => {
                rope.scaling = vec![("type", Scale::Text("linear")), ("factor", Scale::Float(factor()?))]
            }
            "yarn" => {
                let trained = trained(&inner, config)?;
                let factor = match inner.number(FACTOR)? {
                    Some(factor) => factor,
                    None => longest(config)? as f64 / trained as f64,
                };
                rope.scaling = yarn(&inner, factor, trained)?
            }
            "llama3" => {
                let trained = trained(&inner, config)?;
                rope.factors = Some(factors(&inner, (base, head), factor()?, trained)?)
            }
            other => {
                let found = format!("rope_type is {other:?}");
                return Err(Error::Unsupported { what: "this scaling of rotary positions", found });
            }
        }
        Ok(rope)
    }

    /// Writes its keys.
    pub(crate) fn write(&self, architecture: &str, outline: &mut Outline) {
        outline.metadata(&format!("{architecture}.rope.freq_base"), self.base as f32);
        for (key, value) in &self.scaling {
            let key = format!("{architecture}.rope.scaling.{key}");
            match value {
                Scale::Text(text) => outline.metadata(&key, *text),
                Scale::Float(number) => outline.metadata(&key, *number as f32),
                Scale::Size(size) => outline.metadata(&key, *size as u32),
            };
        }
    }
}

/// The context that the frequencies were trained with.
fn trained(inner: &Json, config: &Json) -> Result<usize, Error> {
    const KEY: &str = "original_max_position_embeddings";
    let trained = match (config.size(KEY)?, inner.size(KEY)?) {
        (Some(trained), _) | (None, Some(trained)) => trained,
        (None, None) => longest(config)?,
    };
    if trained == 0 {
        return Err(inner.range(KEY, trained, "must be at least 1"));
    }
    Ok(trained)
}

/// The context that is reached.
fn longest(config: &Json) -> Result<usize, Error> {
    const KEY: &str = "max_position_embeddings";
    config.size(KEY)?.ok_or_else(|| config.missing(KEY, "a whole number"))
}

fn yarn(inner: &Json, factor: f64, trained: usize) -> Result<Vec<(&'static str, Scale)>, Error> {
    // No key of a file says these.
    let set = |key: &str| Ok::<_, Error>(inner.number(key)?.is_some_and(|number| number != 0.0));
    let scaled = set("mscale")? && set("mscale_all_dim")?;
    let refused = match inner.flag("truncate")? {
        Some(false) => Some("truncate is false".to_string()),
        _ if scaled => Some("mscale and mscale_all_dim are there".into()),
        _ => None,
    };
    if let Some(found) = refused {
        return Err(Error::Unsupported { what: "this form of YaRN", found });
    }
    let mut keys = vec![
        ("type", Scale::Text("yarn")),
        ("factor", Scale::Float(factor)),
        ("original_context_length", Scale::Size(trained)),
    ];
    for (from, to) in YARN {
        let known = keys.iter().any(|(key, _)| *key == to);
        if let Some(number) = inner.number(from)?.filter(|_| !known) {
            keys.push((to, Scale::Float(number)));
        }
    }
    Ok(keys)
}

/// What frequencies are divided by. In f32, as the reference computes it.
fn factors(inner: &Json, (base, head): (f64, usize), factor: f64, trained: usize) -> Result<Vec<f32>, Error> {
    let number = |key: &str| -> Result<f32, Error> {
        let number = inner.number(key)?.ok_or_else(|| inner.missing(key, "a number"))? as f32;
        if number > 0.0 { Ok(number) } else { Err(inner.range(key, number, "must be a positive number")) }
    };
    let (low, high) = (number("low_freq_factor")?, number("high_freq_factor")?);
    if low >= high {
        return Err(inner.range("low_freq_factor", low, "must be less than high_freq_factor"));
    }
    let (trained, factor) = (trained as f32, factor as f32);
    Ok((0..head / 2)
        .map(|i| {
            let exponent = (2 * i) as f32 / head as f32;
            let frequency = 1.0 / (base.powf(f64::from(exponent)) as f32);
            let wave = (core::f64::consts::TAU as f32) / frequency;
            if wave < trained / high {
                1.0
            } else if wave > trained / low {
                factor
            } else {
                let smooth = (trained / wave - low) / (high - low);
                1.0 / ((1.0 - smooth) / factor + smooth)
            }
        })
        .collect())
}
