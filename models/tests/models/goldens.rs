//! Every model against its Hugging Face class in float32, stage by stage: `tests/golden/models` says what is held.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use ocelli_gguf::{Gguf, Shards};
use ocelli_kernels::Cpu;
use ocelli_kernels::cpu::ISAS;
use ocelli_kernels::ops::Kernels;
use ocelli_models::{Encoder, Source, decoder, encoder};
use ocelli_tape::{
    Backend, Call, Input, KvType, Memory, Never, Probe, Program, StateOptions, Tape, Watch, Weights,
};
use std::collections::HashMap;
use std::path::PathBuf;

/// The golden cases, or a folder of more of the same form.
fn folder() -> PathBuf {
    let more = std::env::var_os("OCELLI_GOLDEN_MODELS").map(PathBuf::from);
    more.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/models"))
}

/// A case: its keys, and its arrays by name.
struct Case {
    keys: HashMap<String, Vec<String>>,
    arrays: HashMap<String, (Vec<f32>, Vec<usize>)>,
}

impl Case {
    fn read(name: &str) -> Case {
        let text = std::fs::read_to_string(folder().join(name).with_extension("txt")).unwrap();
        let bin = std::fs::read(folder().join(name).with_extension("bin")).unwrap();
        let (mut keys, mut arrays) = (HashMap::<String, Vec<String>>::new(), HashMap::new());
        for line in text.lines() {
            let (key, value) = line.split_once(' ').unwrap();
            keys.entry(key.into()).or_default().push(value.into());
            if key == "array" {
                let parts: Vec<&str> = value.split(' ').collect();
                let extents: Vec<usize> = parts[3..].iter().map(|n| n.parse().unwrap()).collect();
                let (count, offset) = (extents.iter().product::<usize>(), parts[2].parse::<usize>().unwrap());
                let values = match parts[1] {
                    "u8" => bin[offset..offset + count].iter().map(|b| f32::from(*b)).collect(),
                    _ => bin[offset..offset + 4 * count]
                        .as_chunks()
                        .0
                        .iter()
                        .map(|b| f32::from_le_bytes(*b))
                        .collect(),
                };
                arrays.insert(parts[0].to_string(), (values, extents));
            }
        }
        Case { keys, arrays }
    }

    fn numbers<T: std::str::FromStr>(&self, key: &str) -> Vec<T> {
        let Some(lines) = self.keys.get(key) else { return Vec::new() };
        lines[0].split(' ').map(|n| n.parse().ok().unwrap()).collect()
    }
}

/// Relative root-mean-square difference.
fn relative(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| f64::from(a - b)));
    difference / norm(&mut expected.iter().map(|v| f64::from(*v))).max(1e-30)
}

/// Values of every probe in a run, by name and index.
type Probes = HashMap<(String, usize), Vec<f32>>;

/// A device and the files of a model.
struct Bench<'a> {
    backend: &'a dyn Backend,
    files: Vec<&'a [u8]>,
}

/// A program in memory of its own.
struct Running<'a> {
    bench: &'a Bench<'a>,
    program: Box<dyn Program>,
    state: Vec<f32>,
}

impl<'a> Bench<'a> {
    fn prepare(&'a self, tape: &Tape, state: StateOptions) -> Running<'a> {
        let program = self.backend.prepare(tape, &state).unwrap();
        let state = vec![f32::NAN; program.need().state];
        Running { bench: self, program, state }
    }

    fn encode(&self, tower: &dyn Encoder, pixels: &[f32], views: usize) -> (Vec<f32>, Probes) {
        let tape = tower.encode(views).unwrap();
        self.prepare(&tape, StateOptions::NONE).run(Call { items: views, rows: pixels, ..self.call() })
    }

    fn call(&self) -> Call<'_> {
        Call::of(Weights::of(&self.files))
    }
}

impl Running<'_> {
    fn run(&mut self, call: Call<'_>) -> (Vec<f32>, Probes) {
        let need = self.program.need();
        let (mut arena, mut scratch) = (vec![f32::NAN; need.arena], vec![f32::NAN; need.scratch]);
        let mut memory = Memory { arena: &mut arena, scratch: &mut scratch, state: &mut self.state };
        let mut probes = Probes::new();
        let mut see = |probe: &Probe, values: &[f32]| {
            probes.insert((probe.name.into(), probe.index), values.to_vec());
        };
        let watch = Watch { observer: Some(&mut see), ..Watch::default() };
        self.program.run(&call, &mut memory, watch, &Never).unwrap();
        (self.program.output(&arena, call.items).to_vec(), probes)
    }

    /// Another program over the same state.
    fn with(mut self, tape: &Tape, state: StateOptions) -> Self {
        self.program = self.bench.backend.prepare(tape, &state).unwrap();
        self
    }
}

/// Patches in raster order, each (channel, y, x), normalised.
fn patches(case: &Case, recipe: &ocelli_models::recipe::ImageRecipe) -> (Vec<f32>, usize) {
    let (pixels, extents) = &case.arrays["pixels"];
    let (views, side, p) = (extents[0], extents[1], recipe.patch as usize);
    let mut out = Vec::new();
    for view in pixels.chunks(side * side * 3) {
        for (py, px) in (0..side / p).flat_map(|y| (0..side / p).map(move |x| (y, x))) {
            for c in 0..3 {
                for (y, x) in (0..p).flat_map(|y| (0..p).map(move |x| (y, x))) {
                    let v = view[((py * p + y) * side + px * p + x) * 3 + c];
                    out.push((v * (1.0 / 255.0) - recipe.mean[c]) / recipe.std[c]);
                }
            }
        }
    }
    (out, views)
}

fn check(case: &Case, stage: &str, found: &[f32], expected: &[f32]) {
    let error = relative(found, expected);
    assert!(error < 1e-4, "{stage}: relative difference {error:e} in {:?}", case.keys["model"]);
}

/// Runs a case whole, in calls of at most `chunk` cells, with another tower than its own if given.
fn run(name: &str, kernels: &'static dyn Kernels, chunk: usize, tower: Option<&str>) -> Vec<u32> {
    let case = Case::read(name);
    let text = std::fs::read(folder().join(&case.keys["model"][0])).unwrap();
    let vision =
        case.keys.get("mmproj").map(|f| std::fs::read(folder().join(tower.unwrap_or(&f[0]))).unwrap());
    let cpu = Cpu::new(kernels, 2);
    let files: Vec<&[u8]> =
        [Some(&text), vision.as_ref()].into_iter().flatten().map(|f| f.as_slice()).collect();
    let bench = Bench { backend: &cpu, files };
    let shards = Shards::new([Gguf::parse(&text).unwrap()]).unwrap();
    let model = decoder(&Source::new(&shards, 0)).unwrap();

    let mut rows = Vec::new();
    if let Some(vision) = &vision {
        let shards = Shards::new([Gguf::parse(vision).unwrap()]).unwrap();
        let tower = encoder(&Source::new(&shards, 1)).unwrap();
        assert_eq!(tower.width(), model.width());
        let (pixels, views) = patches(&case, &tower.recipe(None).unwrap());
        let marks;
        (rows, marks) = bench.encode(&*tower, &pixels, views);
        for (name, (values, extents)) in case.arrays.iter().filter(|(n, _)| n.starts_with("v.")) {
            let (stage, index) = match name.rsplit_once('.') {
                Some((stage, index)) if index.parse::<usize>().is_ok() => (stage, index.parse().unwrap()),
                _ => (name.as_str(), 0),
            };
            let unit: usize = extents[1..].iter().product();
            for (view, expected) in case.numbers::<usize>("kept_views").into_iter().zip(values.chunks(unit)) {
                check(&case, name, &marks[&(stage.to_string(), index)][view * unit..][..unit], expected);
            }
        }
        check(&case, "image rows", &rows, &case.arrays["image_rows"].0);
    }
    decode(&case, &bench, &*model, &rows, chunk)
}

fn decode(
    case: &Case,
    bench: &Bench<'_>,
    model: &dyn ocelli_models::Decoder,
    rows: &[f32],
    chunk: usize,
) -> Vec<u32> {
    let ids: Vec<u32> = case.numbers("ids");
    let image = if case.keys["model"][0] == "vicuna.gguf" { 350 } else { 293 };
    let mut row = 0;
    let mut inputs: Vec<Input> = Vec::new();
    for id in &ids {
        let is_image = *id == image && !rows.is_empty();
        inputs.push(if is_image { Input::Row(row) } else { Input::Token(*id) });
        row += u32::from(is_image);
    }
    assert_eq!(row as usize * model.width(), rows.len());
    let tape = model.decode(chunk).unwrap();
    let layers = tape.states().len();
    let mut running = bench.prepare(&tape, StateOptions { kv: KvType::F32, capacity: ids.len() + 13 });
    let kept: Vec<usize> = case.numbers("rows");
    let width = model.width();
    let (mut past, mut greedy) = (0, Vec::new());
    let mut logits = Vec::new();
    while past < ids.len() {
        let units = chunk.min(ids.len() - past);
        let inputs = &inputs[past..past + units];
        let marks;
        (logits, marks) = running.run(Call { items: units, inputs, image_rows: rows, past, ..bench.call() });
        for (k, r) in kept.iter().enumerate().filter(|(_, r)| (past..past + units).contains(r)) {
            let stored = |name: &str| &case.arrays[name].0[k * width..][..width];
            check(
                case,
                "embed",
                &marks[&("embed".to_string(), 0)][(r - past) * width..][..width],
                stored("embed"),
            );
            for layer in 0..layers {
                let found = &marks[&("layer".to_string(), layer)][(r - past) * width..][..width];
                check(case, "layer", found, stored(&format!("block.{layer}")));
            }
            if *r + 1 == ids.len() {
                check(case, "norm", &marks[&("norm".to_string(), 0)], stored("norm"));
            }
        }
        past += units;
    }
    check(case, "logits", &logits, &case.arrays["logits"].0);
    while greedy.len() < 12 {
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap() as u32;
        greedy.push(best);
        let inputs = &[Input::Token(best)];
        logits = running.run(Call { items: 1, inputs, image_rows: rows, past, ..bench.call() }).0;
        past += 1;
    }
    let expected: Vec<u32> = case.numbers("greedy");
    let margins: Vec<f32> = case.numbers("margins");
    let certain = margins.iter().take_while(|m| **m >= 1e-3).count();
    assert_eq!(greedy[..certain], expected[..certain]);
    greedy
}

fn cases(prefixes: &[&str]) -> Vec<String> {
    let names = std::fs::read_dir(folder()).unwrap().map(|f| f.unwrap().path());
    let texts = names.filter(|p| p.extension().is_some_and(|e| e == "txt"));
    let stems = texts.map(|p| p.file_stem().unwrap().to_str().unwrap().to_string());
    let mut found: Vec<String> = stems.filter(|n| prefixes.iter().any(|p| n.starts_with(p))).collect();
    found.sort();
    found
}

#[test]
fn every_stage_equals_the_reference() {
    let kernels = (ISAS[0].detect)().or_else(|| (ISAS[ISAS.len() - 1].detect)()).unwrap();
    let names = cases(&["llama", "qwen2", "vicuna", "smolvlm", "llava"]);
    assert!(names.len() >= 18);
    for name in names {
        // Long and short calls must agree: a prompt may be cut anywhere.
        assert_eq!(run(&name, kernels, 128, None), run(&name, kernels, 7, None), "{name}");
    }
}

#[test]
fn every_layout_of_the_clip_tower_gives_the_same() {
    let kernels = (ISAS[ISAS.len() - 1].detect)().unwrap();
    for tower in ["mmproj-llava-modern.gguf", "mmproj-llava-feature.gguf"] {
        run("llava-first", kernels, 64, Some(tower));
    }
}

/// Logits of every position of a text, read cell by cell.
fn all_logits(name: &str, kernels: &'static dyn Kernels, threads: usize, stored: KvType) -> (Vec<f32>, Case) {
    let case = Case::read(name);
    let text = std::fs::read(folder().join(&case.keys["model"][0])).unwrap();
    let cpu = Cpu::new(kernels, threads);
    let bench = Bench { backend: &cpu, files: vec![&text] };
    let shards = Shards::new([Gguf::parse(&text).unwrap()]).unwrap();
    let model = decoder(&Source::new(&shards, 0)).unwrap();
    let inputs: Vec<Input> = case.numbers("ids").into_iter().map(Input::Token).collect();
    let (one, many) = (model.decode(1).unwrap(), model.decode(inputs.len()).unwrap());
    let state = StateOptions { kv: stored, capacity: inputs.len() };
    let mut running = bench.prepare(&one, state);
    let mut logits = Vec::new();
    for past in 0..inputs.len() {
        let call = Call { items: 1, inputs: &inputs[past..=past], past, ..bench.call() };
        logits.extend(running.run(call).0);
    }
    // The whole prompt in one call ends with the same bytes.
    let call = Call { items: inputs.len(), inputs: &inputs, ..bench.call() };
    let last = running.with(&many, state).run(call).0;
    let width = model.vocabulary();
    assert!(
        last.iter().zip(&logits[logits.len() - width..]).all(|(a, b)| a.to_bits() == b.to_bits()),
        "{name}"
    );
    (logits, case)
}

/// Fingerprints of the logits below: the same on x86 and Arm, however they are computed. Rows: cache in F32, F16,
/// Q8_0; columns: the two files.
const LOGITS: [[u64; 2]; 3] = [
    [0x29b4_3e8f_6fdf_01bd, 0xc4b4_f3b5_8362_d44f],
    [0xa4b7_2e7d_23ed_7714, 0x1249_93d0_2af4_f71e],
    [0x131d_69a1_7f2c_14b7, 0x6111_df97_c8a1_0d8f],
];

/// FNV-1a over the bits.
fn fingerprint(x: &[f32]) -> u64 {
    x.iter()
        .fold(0xcbf2_9ce4_8422_2325, |h, v| (h ^ u64::from(v.to_bits())).wrapping_mul(0x0000_0100_0000_01b3))
}

#[test]
fn every_format_is_as_near_to_its_weights_as_llama_cpp_is_and_the_same_on_every_machine() {
    let names = cases(&["every-format", "wide"]);
    assert!(!names.is_empty());
    for name in names.iter().map(String::as_str) {
        let machines: Vec<_> = ISAS.iter().filter_map(|entry| (entry.detect)()).collect();
        for (stored, peer) in [(KvType::F32, 0), (KvType::F16, 1), (KvType::Q8_0, 1)] {
            let (logits, case) = all_logits(name, machines[0], 1, stored);
            let exact = &case.arrays["logits"].0;
            let error = relative(&logits, exact);
            let dot = |a: &[f32], b: &[f32]| {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
            };
            let cosine = dot(&logits, exact) / (dot(&logits, &logits) * dot(exact, exact)).sqrt();
            let peer: f64 = case.numbers::<f64>("peer_rms")[peer];
            println!(
                "{name} {stored:?}: relative RMS {error:.2e} (llama.cpp {peer:.2e}), cosine {cosine:.5}"
            );
            // llama.cpp was not measured with a cache of 8 bits: beside float weights that is all of the error.
            let compared = stored != KvType::Q8_0 || name.starts_with("every-format");
            assert!((error <= peer || !compared) && cosine >= 0.998);
            if let Some(file) = ["every-format-llama", "every-format-qwen2"].iter().position(|n| *n == name) {
                assert_eq!(fingerprint(&logits), LOGITS[stored as usize][file], "{name}");
            }
            for (i, machine) in machines.iter().enumerate() {
                let threads = if i == 0 { 3 } else { 1 };
                let (again, _) = all_logits(name, *machine, threads, stored);
                let same = again.iter().zip(&logits).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{name} {stored:?} on {} with {threads} threads", machine.name());
            }
        }
    }
}
