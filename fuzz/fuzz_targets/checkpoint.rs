//! A checkpoint in a folder: configurations, tokenizers and headers of weights, all of them a stranger's. No panic, memory in
//! proportion to what is there, and what is accepted becomes a file that this program takes.
//!
//! The input: a byte that picks a golden checkpoint (or none), one for the recipe and whether the file is written, then changes.
//! A change is a byte for the file, a byte for the kind, and what that needs:
//!
//! ```text
//! 0  text up to the next 0x1e               the file is this text
//! 1  two bytes, text up to the next 0x1e    word number n of the file (a number, a string, a bracket) is this text
//! 2  two bytes                              word number n is not there
//! 3                                         the file is not there
//! 4  two bytes, a number                    the file is cut to n bytes; weights: it claims to have so many
//! 5  two bytes, two bytes                   words n and m change places
//! ```
//! Weights are a header and as many zeros as the golden one has: what is claimed beyond is not there.
#![no_main]

use std::collections::BTreeMap;
use std::io;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ocelli::{Beginning, Bytes as FileBytes, Error as EngineError, Model, Options, TowerFiles};
use ocelli_convert::{Checkpoint, Error, Folder, Plan};
use ocelli_fuzz::{Bytes, guarded, heap};
use ocelli_gguf::Gguf;
use ocelli_quantize::{Means, RECIPES};

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Every file that anybody looks at, and one that nobody does.
const FILES: [&str; 16] = [
    "config.json",
    WEIGHTS,
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "chat_template.jinja",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "added_tokens.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    INDEX,
    "chat_template.json",
    "model-00001-of-00002.safetensors",
];

/// A file: its first bytes, and how many zeros follow.
#[derive(Clone, Default)]
struct File {
    bytes: Vec<u8>,
    zeros: u64,
}

#[derive(Clone, Default)]
struct Memory(BTreeMap<String, File>);

impl Folder for Memory {
    fn name(&self) -> String {
        "a-folder".into()
    }

    fn files(&self) -> io::Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }

    fn size(&self, file: &str) -> io::Result<u64> {
        let file = self.0.get(file).ok_or(io::ErrorKind::NotFound)?;
        Ok((file.bytes.len() as u64).saturating_add(file.zeros))
    }

    fn read(&self, file: &str, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(out.len() as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
        if end > self.size(file)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bytes = self.0.get(file).map_or(&[][..], |file| &file.bytes);
        let there = bytes.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or(&[]);
        let n = there.len().min(out.len());
        out[..n].copy_from_slice(&there[..n]);
        out[n..].fill(0);
        Ok(())
    }
}

macro_rules! golden {
    ($name:literal: $($file:literal)*) => {
        ($name, include_str!(concat!("../../tests/golden/checkpoints/", $name, "/tensors.txt")), &[$(
            ($file, include_bytes!(concat!("../../tests/golden/checkpoints/", $name, "/", $file)).as_slice()),
        )*] as &[(&str, &[u8])])
    };
}

static GOLDENS: LazyLock<Vec<Memory>> = LazyLock::new(|| {
    let all = [
        golden!("llama-tied": "chat_template.jinja" "config.json" "generation_config.json" "tokenizer.json"
            "tokenizer_config.json"),
        golden!("qwen2": "chat_template.jinja" "config.json" "generation_config.json" "tokenizer.json"
            "tokenizer_config.json"),
        golden!("smolvlm-2": "chat_template.jinja" "config.json" "generation_config.json"
            "preprocessor_config.json" "tokenizer.json" "tokenizer_config.json"),
        golden!("vicuna": "config.json" "generation_config.json" "tokenizer.model" "tokenizer_config.json"),
        golden!("llava": "config.json" "generation_config.json" "preprocessor_config.json" "tokenizer.model"
            "tokenizer_config.json"),
    ];
    let mut found: Vec<Memory> = all
        .iter()
        .map(|(_, tensors, files)| {
            let file = |bytes: &[u8]| File { bytes: bytes.to_vec(), zeros: 0 };
            let mut memory: BTreeMap<String, File> =
                files.iter().map(|(name, bytes)| ((*name).into(), file(bytes))).collect();
            memory.insert(WEIGHTS.into(), weights(tensors));
            Memory(memory)
        })
        .collect();
    found.push(Memory::default());
    found
});

/// The header of a golden's weights.
fn weights(tensors: &str) -> File {
    let mut header = String::from("{\"__metadata__\":{\"format\":\"pt\"}");
    let mut end = 0;
    for line in tensors.lines() {
        let mut words = line.split(' ');
        let (name, extents) = (words.next().unwrap(), words.next().unwrap());
        let begin = end;
        end += 4 * extents.split(',').map(|n| n.parse::<u64>().unwrap()).product::<u64>();
        header += &format!(
            ",\"{name}\":{{\"dtype\":\"F32\",\"shape\":[{extents}],\"data_offsets\":[{begin},{end}]}}"
        );
    }
    header.push('}');
    File { bytes: header.into_bytes(), zeros: end }
}

fuzz_target!(|bytes: &[u8]| guarded(|| {
    let mut bytes = Bytes::new(bytes);
    let mut folder = bytes.one(&GOLDENS).clone();
    let how = bytes.byte();
    for _ in 0..24 {
        if !bytes.more() {
            break;
        }
        change(&mut folder, &mut bytes);
    }
    // The length of a header stands in front of it.
    for (_, file) in folder.0.iter_mut().filter(|(name, _)| name.ends_with(".safetensors")) {
        let length = (file.bytes.len() as u64).to_le_bytes();
        file.bytes.splice(0..0, length);
    }
    let (result, peak) = heap::peak(|| convert(&folder, how));
    let there: usize = folder.0.values().map(|file| file.bytes.len()).sum();
    // JSON becomes a tree, tokens become lists; the files that are made have at most so many bytes.
    let most = (8 << 20) + 400 * there + 6 * result.as_ref().map_or(0, |made| *made);
    assert!(peak < most, "{peak} bytes for {there} bytes of text and {result:?} that were made");
    if let Err(error) = result {
        assert!(!error.to_string().is_empty());
    }
}));

/// Gives how many bytes were made.
fn convert(folder: &Memory, how: u8) -> Result<usize, Error> {
    // Formats whose encoders search take long and see nothing but zeros.
    let recipe = &RECIPES[usize::from(how & 3)];
    let checkpoint = Checkpoint::open(folder)?;
    let name = checkpoint.name()?;
    let mut plans = vec![checkpoint.text(recipe, &name)?];
    plans.extend(checkpoint.vision(recipe, &name)?);
    let _ = (checkpoint.class(), checkpoint.sees(), checkpoint.kind());
    if !read_back(&plans)? {
        return Ok(0);
    }
    let bytes = |plan: &Plan| plan.tensors().iter().map(|tensor| tensor.elements() as u64 * 4).sum::<u64>();
    let large = plans.iter().map(bytes).sum::<u64>() > 4 << 20;
    if large || how & 4 == 0 {
        return Ok(0);
    }
    let means = Means { threads: 1, isa: Some("scalar") };
    let files = plans.into_iter().map(|plan| {
        let mut out = Vec::new();
        plan.write(folder, means, &mut |_, _| true, &mut |bytes| {
            out.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(out)
    });
    let files = files.collect::<Result<Vec<Vec<u8>>, Error>>()?;
    taken(&files);
    Ok(files.iter().map(Vec::len).sum())
}

/// Whether the files will be a model, from what they say before a weight is written, as `ocelli convert` asks.
fn read_back(plans: &[Plan]) -> Result<bool, Error> {
    let tower = |plan: &Plan| -> Result<TowerFiles<'static>, Error> {
        let (bytes, len) = plan.beginning()?;
        let parts = vec![FileBytes::Beginning(Beginning::new(bytes, len as usize))];
        Ok(TowerFiles { name: "made".into(), parts })
    };
    let mut towers = plans.iter().map(tower).collect::<Result<Vec<_>, _>>()?;
    let vision = if towers.len() > 1 { towers.pop() } else { None };
    let text = towers.pop().expect("a plan of the language model");
    match Model::from_files(text, vision).and_then(|model| model.plan(&Options::default()).map(|_| ())) {
        Ok(()) | Err(EngineError::OutOfMemory { .. }) => Ok(true),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            Ok(false)
        }
    }
}

/// What was made is a model that runs.
fn taken(files: &[Vec<u8>]) {
    for file in files {
        Gguf::parse(file).expect("what was converted is a file");
    }
    let Some(text) = files.first() else { return };
    let model = match Model::from_bytes(text, files.get(1).map(Vec::as_slice)) {
        Ok(model) => model,
        Err(error) => panic!("what was converted is no model: {error}"),
    };
    let mut options = Options::default();
    (options.context, options.threads) = (Some(32), Some(1));
    match model.plan(&options) {
        Ok(_) | Err(EngineError::OutOfMemory { .. }) => {}
        Err(error) => panic!("what was converted cannot be planned: {error}"),
    }
}

fn change(folder: &mut Memory, bytes: &mut Bytes<'_>) {
    let name = *bytes.one(&FILES);
    let kind = bytes.below(6);
    if kind == 0 {
        let text = text(bytes);
        let zeros = folder.0.get(name).map_or(0, |file| file.zeros);
        folder.0.insert(name.into(), File { bytes: text, zeros });
        return;
    }
    if kind == 3 {
        folder.0.remove(name);
        return;
    }
    let at = usize::from(bytes.short());
    let Some(file) = folder.0.get_mut(name) else {
        if matches!(kind, 1) {
            text(bytes);
        }
        return;
    };
    let words = words(&file.bytes);
    let word = |at: usize| words.get(at % words.len().max(1)).cloned().unwrap_or(0..0);
    match kind {
        1 => {
            file.bytes.splice(word(at), text(bytes));
        }
        2 => {
            file.bytes.splice(word(at), []);
        }
        4 => {
            let n = bytes.number();
            if name.ends_with(".safetensors") {
                file.zeros = n;
            } else {
                file.bytes.truncate(at);
            }
        }
        _ => {
            let (a, b) = (word(at), word(usize::from(bytes.short())));
            if a.end <= b.start {
                let (first, second) = (file.bytes[a.clone()].to_vec(), file.bytes[b.clone()].to_vec());
                file.bytes.splice(b, first);
                file.bytes.splice(a, second);
            }
        }
    }
}

/// Bytes up to the next 0x1e, which is left out.
fn text(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let mut found = Vec::new();
    while bytes.more() {
        match bytes.byte() {
            0x1e => break,
            byte => found.push(byte),
        }
    }
    found
}

/// Where the words of a text are: strings with their quotes, runs of letters and digits, single signs.
fn words(text: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text.get(at) {
        let start = at;
        at += 1;
        match first {
            b'"' => {
                while let Some(byte) = text.get(at) {
                    at += if *byte == b'\\' { 2 } else { 1 };
                    if *byte == b'"' {
                        break;
                    }
                }
            }
            byte if byte.is_ascii_whitespace() => continue,
            byte if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.') => {
                let rest = text[at..].iter();
                at +=
                    rest.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'+')).count();
            }
            _ => {}
        }
        at = at.min(text.len());
        found.push(start..at);
    }
    found
}
