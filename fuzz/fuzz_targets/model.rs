//! A golden model with changes: keys and tensors that are missing, others, of another type or extent, or too many. Whatever it
//! became, the result is an error with words or a model that plans, is made within its plan and computes.
//!
//! The input: a byte that picks the model, one that says which of its two files is changed, and changes: a kind, two bytes that
//! pick a key or a tensor, and what that needs.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use ocelli::generate::AnswerOptions;
use ocelli::chat::{Message, Template};
use ocelli::{Error, ImageSizes, Model, Options, Photo, Segment};
use ocelli_fuzz::{Bytes, guarded, heap, model};
use ocelli_gguf::{Gguf, TensorType, Value, Writer};

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

/// What a session may take.
const LIMIT: u64 = 24 << 20;
/// Bytes of a tensor that is made larger, at most.
const LARGE: usize = 1 << 20;

const MODELS: [(&[u8], Option<&[u8]>); 5] = [
    (model!("smolvlm.gguf"), Some(model!("mmproj-smolvlm-x2.gguf"))),
    (model!("llama-tied.gguf"), None),
    (model!("qwen2.gguf"), None),
    (model!("vicuna.gguf"), Some(model!("mmproj-llava-feature.gguf"))),
    (model!("vicuna.gguf"), Some(model!("mmproj-llava-legacy.gguf"))),
];

/// Keys that golden files do not have, or not all of them.
const KEYS: [&str; 28] = [
    "general.alignment",
    "general.architecture",
    "llama.rope.scaling.type",
    "llama.rope.scaling.factor",
    "llama.rope.scaling.original_context_length",
    "llama.rope.scaling.attn_factor",
    "llama.rope.scaling.yarn_beta_fast",
    "llama.rope.scaling.yarn_beta_slow",
    "llama.rope.scaling.yarn_ext_factor",
    "llama.rope.scale_linear",
    "llama.rope.dimension_count",
    "llama.attention.sliding_window",
    "llama.attention.key_length",
    "llama.attention.value_length",
    "llama.attention.scale",
    "llama.expert_count",
    "llama.vocab_size",
    "qwen2.rope.scaling.type",
    "qwen2.rope.scaling.factor",
    "qwen2.attention.head_count_kv",
    "tokenizer.chat_template",
    "tokenizer.ggml.pre",
    "tokenizer.ggml.add_bos_token",
    "tokenizer.ggml.eot_token_id",
    "clip.projector_type",
    "clip.vision.feature_layer",
    "clip.vision.projector.scale_factor",
    "clip.vision.preproc_image_size",
];

const TEXTS: [&str; 20] = [
    "llama",
    "qwen2",
    "clip",
    "gpt2",
    "none",
    "linear",
    "yarn",
    "longrope",
    "mlp",
    "idefics3",
    "ldp",
    "smollm",
    "default",
    "{{ messages }}",
    "output.weight",
    "rope_freqs.weight",
    "blk.0.attn_q.bias",
    "v.post_ln.weight",
    "blk.2.attn_norm.weight",
    "",
];

const NUMBERS: [f32; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1e-6,
    1e6,
    1e30,
    1e38,
    1e-40,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    3e9,
];

/// A key's value.
enum Told {
    Number(u8, u64),
    Float(f32),
    Truth(bool),
    Text(String),
    Texts(Vec<String>),
    Numbers(Vec<i32>),
    Unsigned(Vec<u32>),
    Floats(Vec<f32>),
    Long(u64),
}

/// What becomes of a key.
enum Key {
    Gone,
    Told(Told),
    /// An array's element, or where it ends.
    Element(usize, Told),
    End(usize),
}

#[derive(Default)]
struct Change {
    gone: bool,
    name: Option<String>,
    kind: Option<TensorType>,
    extents: Vec<(usize, usize)>,
    fill: Option<f32>,
}

fuzz_target!(|bytes: &[u8]| guarded(|| {
    let mut bytes = Bytes::new(bytes);
    let (text, vision) = *bytes.one(&MODELS);
    let vision_changes = bytes.flag();
    let changed = |file: &[u8], bytes: &mut Bytes<'_>| write(&Gguf::parse(file).unwrap(), bytes);
    let (text, vision) = match vision {
        Some(vision) if vision_changes => (Some(text.to_vec()), Some(changed(vision, &mut bytes))),
        vision => (changed(text, &mut bytes), vision.map(|vision| Some(vision.to_vec()))),
    };
    // A file that breaks a rule of the format is the affair of the target `gguf`.
    let Some(text) = text else { return };
    let vision = match vision {
        Some(None) => return,
        Some(Some(vision)) => Some(vision),
        None => None,
    };
    let files = text.len() + vision.as_ref().map_or(0, Vec::len);
    let (result, peak) = heap::peak(|| run(&text, vision.as_deref()));
    // Tables of the model, and the session: both bounded by what is there and what is allowed.
    let most = LIMIT as usize + (8 << 20) + 16 * files;
    assert!(peak < most, "{peak} bytes for files of {files}");
    if let Err(error) = result {
        assert!(!error.to_string().is_empty());
        assert!(!matches!(error, Error::Run(_)), "{error}");
    }
}));

fn run(text: &[u8], vision: Option<&[u8]>) -> Result<(), Error> {
    let model = Model::from_bytes(text, vision)?;
    let mut options = Options::default();
    (options.context, options.batch, options.threads) = (Some(160), 16, Some(1));
    (options.images, options.memory_limit) = (ImageSizes::UpTo(40, 40), Some(LIMIT));
    let plan = model.plan(&options)?;
    assert!(plan.bill().total() <= LIMIT);
    // A golden tower has two or three blocks, a golden decoder two: what is much more than that takes too long here.
    if plan.bill().arena + plan.bill().io > 12 << 20 {
        return Ok(());
    }
    let rendered =
        Template::of(&model).and_then(|template| template.render(&[Message::text("user", "What?")]));
    if let Err(error) = &rendered {
        assert!(!error.to_string().is_empty());
    }
    let mut session = ocelli::Session::new(&model, plan)?;
    let pixels = [90; 24 * 20 * 3];
    let mut segments = vec![Segment::Control("a"), Segment::Text("Say <image> b\u{e9}")];
    if vision.is_some() {
        segments.insert(1, Segment::Image(Photo { width: 24, height: 20, rgb: &pixels }));
    }
    session.read(&segments, &mut |_| ())?;
    assert!(session.len() <= 160);
    let mut options = AnswerOptions::default();
    options.max_tokens = 3;
    let mut answer = session.answer(&options)?;
    while answer.next()?.is_some() {}
    assert!(answer.finish().ids.len() <= 3);
    Ok(())
}

/// The file with changes; nothing where it breaks a rule of the format.
fn write(file: &Gguf<'_>, bytes: &mut Bytes<'_>) -> Option<Vec<u8>> {
    let keys: Vec<&str> = file.metadata().map(|(key, _)| key).collect();
    let names: Vec<&str> = file.tensors().iter().map(|tensor| tensor.name).collect();
    let (mut told, mut more, mut changes) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::<_, Change>::new());
    let mut added: Vec<(String, TensorType, Vec<usize>)> = Vec::new();
    let kinds: Vec<TensorType> = (0..64).filter_map(TensorType::from_id).collect();
    for _ in 0..12 {
        if !bytes.more() {
            break;
        }
        let what = bytes.below(12);
        let (key, name) = {
            let n = usize::from(bytes.short());
            (keys[n % keys.len()], names[n % names.len()])
        };
        match what {
            0 => drop(told.insert(key, Key::Gone)),
            1 => drop(told.insert(key, Key::Told(tell(bytes)))),
            2 => drop(told.insert(key, Key::Element(bytes.below(600), tell(bytes)))),
            3 => drop(told.insert(key, Key::End(bytes.below(600)))),
            4 => drop(more.insert(*bytes.one(&KEYS), tell(bytes))),
            5 => changes.entry(name).or_default().gone = true,
            6 => changes.entry(name).or_default().name = Some(called(bytes, &names)),
            7 => changes.entry(name).or_default().kind = Some(*bytes.one(&kinds)),
            8 | 9 => {
                let extent = (bytes.below(4), bytes.number() as usize);
                changes.entry(name).or_default().extents.push(extent);
            }
            10 => changes.entry(name).or_default().fill = Some(*bytes.one(&NUMBERS)),
            _ => {
                let dims = (0..1 + bytes.below(3)).map(|_| 1 + bytes.below(128)).collect();
                added.push((called(bytes, &names), *bytes.one(&[TensorType::F32, TensorType::F16]), dims));
            }
        }
    }
    let mut writer = Writer::new();
    for (key, value) in file.metadata() {
        match (told.get(key), more.contains_key(key), value) {
            (Some(Key::Gone), ..) | (_, true, _) => {}
            (Some(Key::Told(value)), ..) => tell_to(&mut writer, key, value),
            (Some(Key::Element(at, told)), _, Value::Array(array)) => {
                with_element(&mut writer, key, array, Some((*at, told)), None)
            }
            (Some(Key::End(end)), _, Value::Array(array)) => {
                with_element(&mut writer, key, array, None, Some(*end))
            }
            _ => drop(writer.metadata(key, value)),
        }
    }
    for (key, value) in &more {
        tell_to(&mut writer, key, value);
    }
    let mut data = Vec::new();
    for tensor in file.tensors() {
        let change = changes.remove(tensor.name).unwrap_or_default();
        if change.gone {
            continue;
        }
        let kind = change.kind.unwrap_or(tensor.kind);
        let mut dims = tensor.dims().to_vec();
        for (axis, extent) in change.extents {
            match dims.get_mut(axis) {
                Some(dim) => *dim = extent,
                None => dims.push(extent.clamp(1, 4)),
            }
        }
        let name = change.name.unwrap_or_else(|| tensor.name.into());
        let size = size(kind, &dims)?;
        let numbers = match change.fill {
            Some(fill) => fill.to_le_bytes().repeat(size.div_ceil(4)),
            None if size == tensor.data.len() => tensor.data.to_vec(),
            None => tensor.data.iter().copied().cycle().take(size).collect(),
        };
        data.push((name, kind, dims, numbers, size));
    }
    for (name, kind, dims) in added {
        let size = size(kind, &dims)?;
        data.push((name, kind, dims, vec![0; size], size));
    }
    for (name, kind, dims, numbers, size) in &data {
        writer.tensor(name, *kind, dims, &numbers[..*size]);
    }
    writer.finish().ok()
}

/// Bytes of a tensor, if it is not too large.
fn size(kind: TensorType, dims: &[usize]) -> Option<usize> {
    let elements = dims.iter().try_fold(1usize, |n, dim| n.checked_mul(*dim))?;
    kind.bytes_of(elements).filter(|bytes| *bytes <= LARGE)
}

fn called(bytes: &mut Bytes<'_>, names: &[&str]) -> String {
    match bytes.below(3) {
        0 => (*bytes.one(&TEXTS)).into(),
        1 => format!("{}{}", names[usize::from(bytes.short()) % names.len()], bytes.text()),
        _ => names[usize::from(bytes.short()) % names.len()]
            .replace(".0.", [".1.", ".2.", ".99.", ".x."][bytes.below(4)]),
    }
}

fn tell(bytes: &mut Bytes<'_>) -> Told {
    match bytes.below(10) {
        0 | 1 => Told::Number(bytes.byte(), bytes.number()),
        2 => Told::Float(*bytes.one(&NUMBERS)),
        3 => Told::Truth(bytes.flag()),
        4 => Told::Text((*bytes.one(&TEXTS)).into()),
        5 => Told::Text(bytes.text()),
        6 => Told::Texts((0..bytes.below(5)).map(|_| bytes.text()).collect()),
        7 => Told::Numbers((0..bytes.below(5)).map(|_| bytes.number() as i32).collect()),
        8 => Told::Floats((0..bytes.below(40)).map(|_| *bytes.one(&NUMBERS)).collect()),
        _ => {
            if bytes.flag() {
                Told::Long(bytes.number())
            } else {
                Told::Unsigned((0..bytes.below(5)).map(|_| bytes.number() as u32).collect())
            }
        }
    }
}

fn tell_to(writer: &mut Writer<'_>, key: &str, value: &Told) {
    match value {
        Told::Number(kind, n) => match kind % 6 {
            0 | 1 => writer.metadata(key, *n as u32),
            2 => writer.metadata(key, *n as i32),
            3 => writer.metadata(key, *n as u16),
            4 => writer.metadata(key, *n as i64),
            _ => writer.metadata(key, *n as u8),
        },
        Told::Float(n) => writer.metadata(key, *n),
        Told::Truth(n) => writer.metadata(key, *n),
        Told::Text(text) => writer.metadata(key, text.as_str()),
        Told::Texts(texts) => writer.metadata(key, texts),
        Told::Numbers(numbers) => writer.metadata(key, numbers),
        Told::Unsigned(numbers) => writer.metadata(key, numbers),
        Told::Floats(numbers) => writer.metadata(key, numbers),
        Told::Long(n) => writer.metadata(key, *n),
    };
}

/// An array with one element changed, or without those from an end on.
fn with_element(
    writer: &mut Writer<'_>,
    key: &str,
    array: ocelli_gguf::Array<'_>,
    element: Option<(usize, &Told)>,
    end: Option<usize>,
) {
    let end = end.unwrap_or(usize::MAX);
    let at = element.map_or(usize::MAX, |(at, _)| at % array.len().max(1));
    let told = element.map(|(_, told)| told);
    let number = match told {
        Some(Told::Number(_, n) | Told::Long(n)) => *n as i64,
        Some(Told::Float(n)) => *n as i64,
        _ => 3,
    };
    let float = match told {
        Some(Told::Float(n)) => *n,
        _ => f32::NAN,
    };
    let text = match told {
        Some(Told::Text(text)) => text.as_str(),
        Some(Told::Number(..)) => "<0x41>",
        _ => "a",
    };
    let (mut texts, mut numbers, mut unsigned, mut floats) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (i, value) in array.iter().take(end).enumerate() {
        let here = i == at;
        match value {
            Value::String(old) => texts.push(if here { text } else { old.to_str().unwrap_or_default() }),
            Value::I32(old) => numbers.push(if here { number as i32 } else { old }),
            Value::U32(old) => unsigned.push(if here { number as u32 } else { old }),
            Value::F32(old) => floats.push(if here { float } else { old }),
            _ => {}
        }
    }
    if !numbers.is_empty() {
        writer.metadata(key, &numbers);
    } else if !unsigned.is_empty() {
        writer.metadata(key, &unsigned);
    } else if !floats.is_empty() {
        writer.metadata(key, &floats);
    } else {
        writer.metadata(key, &texts);
    }
}
