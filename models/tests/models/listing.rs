//! What the CPU is given to do by every model: the steps of its programs, held by a text.
//!
//! `golden/listing.txt` has, for each tape, its arena, scratch, caches and steps: operations, operands, weights, shapes,
//! places in the arena. Long listings end after some steps with the fingerprint of all. With `OCELLI_BLESS=1` the text
//! is written anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use ocelli_gguf::{Gguf, Outline, Shards, TensorType, WriteError};
use ocelli_kernels::{Cpu, cpu};
use ocelli_models::{Source, decoder, encoder};
use ocelli_tape::{KvType, Program, State, StateOptions, Tape};
use std::fmt::Write;
use std::path::PathBuf;

/// Steps that are shown of a listing.
const SHOWN: usize = 32;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// FNV-1a.
fn fingerprint(lines: &[String]) -> u64 {
    let bytes = lines.iter().flat_map(|line| line.bytes().chain([b'\n']));
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Adds a tape; of a second one of the same model no more than the fingerprint.
fn list(out: &mut String, title: &str, tape: &Tape, shown: usize) {
    let cpu = Cpu::new(cpu::choose(None).unwrap(), 1);
    let lower = |capacity| cpu.lower(tape, &StateOptions { kv: KvType::F32, capacity }).unwrap();
    let program = lower(0);
    let need = program.need();
    let lines: Vec<String> = program.listing().collect();
    let heads = tape
        .states()
        .last()
        .map_or_else(String::new, |State::Kv { heads: h }| format!(" of {} x {}", h.kv, h.dim));
    let scratch = [0, 1, 100].map(|capacity| lower(capacity).need().scratch);
    let _ = writeln!(out, "== {title}: at most {} items", tape.max_items());
    let _ = writeln!(out, "arena {} scratch {scratch:?} caches {}{heads}", need.arena, tape.states().len());
    for items in [1, tape.max_items()] {
        let _ =
            writeln!(out, "result of {items}: {:?} {:?}", program.result(items), program.result_range(items));
    }
    lines.iter().take(shown).for_each(|line| out.extend([line, "\n"]));
    let _ = writeln!(out, "{} steps, fingerprint {:016x}", lines.len(), fingerprint(&lines));
}

fn file(out: &mut String, title: &str, file: Gguf<'_>, shown: usize) {
    let tower = file.require::<&str>("general.architecture").unwrap() == "clip";
    let shards = Shards::new([file]).unwrap();
    let source = Source::new(&shards, usize::from(tower));
    if tower {
        let tower = encoder(&source).unwrap();
        list(out, title, &tower.encode(1).unwrap(), shown);
        list(out, title, &tower.encode(3).unwrap(), 0);
    } else {
        let text = decoder(&source).unwrap();
        list(out, title, &text.decode(7).unwrap(), shown);
        list(out, title, &text.decode(1).unwrap(), 0);
        list(out, title, &text.decode(512).unwrap(), 0);
        list(out, &format!("{title}, every row"), &text.decode_every(64).unwrap(), 0);
    }
}

/// A file without its tensors' bytes.
fn beginning(outline: Outline) -> Vec<u8> {
    let mut bytes = Vec::new();
    let sink = |part: &[u8]| {
        bytes.extend_from_slice(part);
        Ok(())
    };
    outline.begin::<(), _>(sink).map_err(|_: WriteError<()>| ()).unwrap();
    bytes
}

/// LLaMA's layout.
fn llama(width: usize, hidden: usize, layers: usize, heads: (usize, usize), vocabulary: usize) -> Vec<u8> {
    let mut o = Outline::new();
    o.metadata("general.architecture", "llama").metadata("llama.attention.layer_norm_rms_epsilon", 1e-5f32);
    for (key, value) in [
        ("embedding_length", width),
        ("feed_forward_length", hidden),
        ("block_count", layers),
        ("context_length", 4096),
        ("attention.head_count", heads.0),
        ("attention.head_count_kv", heads.1),
    ] {
        o.metadata(&format!("llama.{key}"), value as u32);
    }
    let q = |k: usize| if k.is_multiple_of(256) { TensorType::Q4_K } else { TensorType::Q5_0 };
    o.tensor("token_embd.weight", q(width), &[width, vocabulary]);
    o.tensor("output_norm.weight", TensorType::F32, &[width]);
    o.tensor("output.weight", TensorType::Q8_0, &[width, vocabulary]);
    let keys = width / heads.0 * heads.1;
    for layer in 0..layers {
        for norm in ["attn_norm", "ffn_norm"] {
            o.tensor(&format!("blk.{layer}.{norm}.weight"), TensorType::F32, &[width]);
        }
        for (name, inputs, outputs) in [
            ("attn_q", width, width),
            ("attn_k", width, keys),
            ("attn_v", width, keys),
            ("attn_output", width, width),
            ("ffn_gate", width, hidden),
            ("ffn_up", width, hidden),
            ("ffn_down", hidden, width),
        ] {
            o.tensor(&format!("blk.{layer}.{name}.weight"), q(inputs), &[inputs, outputs]);
        }
    }
    beginning(o)
}

/// A tower: SigLIP of SmolVLM where a factor says how many patches become one row, else CLIP of LLaVA.
fn tower(
    width: usize,
    hidden: usize,
    blocks: usize,
    heads: usize,
    (image, patch): (usize, usize),
    text: usize,
    factor: Option<usize>,
) -> Vec<u8> {
    let mut o = Outline::new();
    o.metadata("general.architecture", "clip").metadata("clip.has_vision_encoder", true);
    o.metadata("clip.projector_type", if factor.is_some() { "idefics3" } else { "mlp" });
    o.metadata("clip.use_gelu", factor.is_some());
    o.metadata("clip.vision.attention.layer_norm_epsilon", 1e-6f32);
    o.metadata("clip.vision.image_mean", &[0.5f32; 3]).metadata("clip.vision.image_std", &[0.5f32; 3]);
    for (key, value) in [
        ("image_size", image),
        ("patch_size", patch),
        ("embedding_length", width),
        ("feed_forward_length", hidden),
        ("block_count", blocks),
        ("attention.head_count", heads),
    ] {
        o.metadata(&format!("clip.vision.{key}"), value as u32);
    }
    let patches = (image / patch).pow(2);
    let linear = |o: &mut Outline, name: &str, kind, inputs: usize, outputs: usize| {
        o.tensor(&format!("{name}.weight"), kind, &[inputs, outputs]);
        o.tensor(&format!("{name}.bias"), TensorType::F32, &[outputs]);
    };
    let norm = |o: &mut Outline, name: &str| {
        o.tensor(&format!("{name}.weight"), TensorType::F32, &[width]);
        o.tensor(&format!("{name}.bias"), TensorType::F32, &[width]);
    };
    o.tensor("v.patch_embd.weight", TensorType::F16, &[patch, patch, 3, width]);
    if let Some(factor) = factor {
        o.metadata("clip.vision.projector.scale_factor", factor as u32);
        o.tensor("v.patch_embd.bias", TensorType::F32, &[width]);
        o.tensor("v.position_embd.weight", TensorType::F32, &[width, patches]);
        o.tensor("mm.model.fc.weight", TensorType::F16, &[factor * factor * width, text]);
        norm(&mut o, "v.post_ln");
    } else {
        o.tensor("v.class_embd", TensorType::F32, &[width]);
        o.tensor("v.position_embd.weight", TensorType::F32, &[width, 1 + patches]);
        norm(&mut o, "v.pre_ln");
        linear(&mut o, "mm.0", TensorType::Q8_0, width, text);
        linear(&mut o, "mm.2", TensorType::Q8_0, text, text);
    }
    for i in 0..blocks {
        let name = |part: &str| format!("v.blk.{i}.{part}");
        norm(&mut o, &name("ln1"));
        norm(&mut o, &name("ln2"));
        for part in ["attn_q", "attn_k", "attn_v", "attn_out"] {
            linear(&mut o, &name(part), TensorType::Q8_0, width, width);
        }
        linear(&mut o, &name("ffn_up"), TensorType::Q8_0, width, hidden);
        linear(&mut o, &name("ffn_down"), TensorType::F16, hidden, width);
    }
    beginning(o)
}

/// A line of the listing. How many panels go together, and so the scratch, is an architecture's own: the golden has x86-64's.
fn comparable(line: &str) -> String {
    match (line.find("scratch ["), line.find(']')) {
        (Some(from), Some(to)) if cfg!(not(target_arch = "x86_64")) => {
            format!("{}{}", &line[..from], &line[to + 1..])
        }
        _ => line.into(),
    }
}

#[test]
fn every_tape_becomes_the_same_steps() {
    let mut out = String::new();
    let shown = ["smolvlm.gguf", "qwen2.gguf", "mmproj-smolvlm-x2.gguf", "mmproj-llava-modern.gguf"];
    for folder in ["tests/golden/models", "models/pocket"] {
        let all = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<PathBuf> = all.filter(|p| p.extension().is_some_and(|e| e == "gguf")).collect();
        paths.sort();
        for path in paths {
            let (name, bytes) = (path.file_name().unwrap().to_str().unwrap(), std::fs::read(&path).unwrap());
            let full = if shown.contains(&name) { usize::MAX } else { SHOWN };
            file(&mut out, name, Gguf::parse(&bytes).unwrap(), full);
        }
    }
    // Published shapes.
    for (title, bytes) in [
        ("SmolVLM-256M", llama(576, 1536, 30, (9, 3), 49_280)),
        ("SmolVLM-256M's tower", tower(768, 3072, 12, 12, (512, 16), 576, Some(4))),
        ("LLaVA-1.5-7B", llama(4096, 11_008, 32, (32, 32), 32_064)),
        ("LLaVA-1.5-7B's tower", tower(1024, 4096, 23, 16, (336, 14), 4096, None)),
    ] {
        file(&mut out, title, Gguf::parse_beginning(&bytes, 1 << 40).unwrap(), SHOWN);
    }
    let golden = root().join("models/tests/golden/listing.txt");
    if std::env::var_os("OCELLI_BLESS").is_some() {
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        std::fs::write(&golden, &out).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    for (number, (found, expected)) in out.lines().zip(expected.lines()).enumerate() {
        assert_eq!(comparable(found), comparable(expected), "line {}", number + 1);
    }
    assert_eq!(out.lines().count(), expected.lines().count());
}
