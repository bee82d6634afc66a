//! A template's instructions, with checks in front of those that make or read values of any size.
//!
//! minijinja's fuel counts instructions and not what they make: sixty `~` make a string of 2^60 bytes. So its compiled
//! template is written anew. A check is a call of a function that takes the operands off the stack, takes what the
//! instruction will make from the [`Meter`], and gives the operands back; the instruction itself stays minijinja's.
//!
//! ```text
//! a ~ b, a * b, a[b]    CallFunction(check, 2)  UnpackList(2)  the instruction
//! a + b                 the same, and CallFunction(keep, 1) after it; likewise slices, lists, maps
//! a == b, a in b, …     CallFunction(whole, 1)  the instruction: a comparison ends with the shorter operand
//! text                  LoadConst  Emit: everything is written by the formatter, which takes it from the meter
//! {% set a.b = c %}     LoadConst  CallFunction(set, 3)  DiscardTop
//! ```
//! The functions' names begin with a blank, so that no template can name them.
//!
//! What minijinja computes while it compiles (`'x' * 99999999`, a chain of ten thousand operators, on which it recurses)
//! is bounded beforehand, by the tokens between two braces.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use minijinja::machinery::{CompiledTemplate, Instruction, Instructions, Token, WhitespaceConfig, tokenize};
use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, State, Value};

use super::meter::{ITEM, LIMIT, Meter, Namespace, wrong};

/// Tokens between two braces, and branches of all `if`s together: minijinja recurses on both. Published templates have up
/// to a hundred.
pub(super) const TOKENS: usize = 1024;
const BRANCHES: usize = 256;

/// Tests that do not look into their operand.
const CHEAP_TESTS: [&str; 15] = [
    "undefined",
    "defined",
    "none",
    "boolean",
    "odd",
    "even",
    "divisibleby",
    "number",
    "integer",
    "float",
    "string",
    "sequence",
    "iterable",
    "mapping",
    "sameas",
];

/// Why a template is not compiled.
pub(super) enum Refused {
    /// Its constants would become too large.
    Constants,
    /// An expression has too many tokens, or the template too many branches.
    Long,
}

/// Looks at the tokens before minijinja computes with the constants. What is no token is left to its own error.
pub(super) fn check_tokens(source: &str) -> Result<(), Refused> {
    let blanks = WhitespaceConfig { keep_trailing_newline: false, lstrip_blocks: true, trim_blocks: true };
    let (mut made, mut branches) = (0_usize, 0);
    let mut tag = Tag::default();
    for (token, span) in tokenize(source, false, Default::default(), blanks).map_while(Result::ok) {
        match token {
            Token::VariableStart | Token::BlockStart => {
                tag = Tag { start: span.start_offset, ..Tag::default() }
            }
            Token::VariableEnd | Token::BlockEnd => {
                made = made.saturating_add(tag.made(span.end_offset));
                if made > LIMIT {
                    return Err(Refused::Constants);
                }
            }
            Token::Mul => tag.multiplies = true,
            Token::Ident("elif") => branches += 1,
            Token::Int(number) => tag.times(usize::try_from(number).unwrap_or(usize::MAX)),
            Token::Int128(_) => tag.times(usize::MAX),
            _ => {}
        }
        tag.tokens += 1;
        if tag.tokens > TOKENS || branches > BRANCHES {
            return Err(Refused::Long);
        }
    }
    Ok(())
}

/// What is between two braces.
#[derive(Default)]
struct Tag {
    start: u32,
    tokens: usize,
    multiplies: bool,
    /// Its numbers, multiplied, less one.
    product: usize,
}

impl Tag {
    fn times(&mut self, number: usize) {
        self.product = self.product.saturating_add(1).saturating_mul(number.max(1)) - 1;
    }

    /// Bytes that its constants can become.
    fn made(&self, end: u32) -> usize {
        let len = end.saturating_sub(self.start) as usize;
        if self.multiplies { len.saturating_mul(self.product.saturating_add(1)) } else { len }
    }
}

/// The instructions of a template and of its blocks.
pub(super) type Guarded<'s> = (Instructions<'s>, BTreeMap<&'s str, Instructions<'s>>);

/// A compiled template with its checks.
pub(super) fn guarded<'s>(plain: &CompiledTemplate<'s>) -> Guarded<'s> {
    let blocks = plain.blocks.iter().map(|(name, block)| (*name, rewritten(block))).collect();
    (rewritten(&plain.instructions), blocks)
}

fn rewritten<'s>(plain: &Instructions<'s>) -> Instructions<'s> {
    let mut starts = Vec::with_capacity(plain.len());
    let mut made = Vec::with_capacity(3 * plain.len());
    let mut lines = Vec::with_capacity(3 * plain.len());
    for at in 0..plain.len() as u32 {
        starts.push(made.len() as u32);
        if let Some(instruction) = plain.get(at) {
            expand(instruction, &mut made);
        }
        lines.resize(made.len(), plain.get_line(at).unwrap_or_default());
    }
    let end = made.len() as u32;
    let mut out = Instructions::new(plain.name(), plain.source());
    for (mut instruction, line) in made.into_iter().zip(lines) {
        if let Some(target) = target(&mut instruction) {
            *target = starts.get(*target as usize).copied().unwrap_or(end);
        }
        out.add_with_line(instruction, u16::try_from(line).unwrap_or(u16::MAX));
    }
    out
}

/// Where an instruction jumps to.
fn target<'a>(instruction: &'a mut Instruction<'_>) -> Option<&'a mut u32> {
    match instruction {
        Instruction::Iterate(target)
        | Instruction::Jump(target)
        | Instruction::JumpIfFalse(target)
        | Instruction::JumpIfFalseOrPop(target)
        | Instruction::JumpIfTrueOrPop(target)
        | Instruction::BuildMacro(_, target, _) => Some(target),
        _ => None,
    }
}

/// An instruction with its checks.
fn expand<'s>(plain: &Instruction<'s>, out: &mut Vec<Instruction<'s>>) {
    use Instruction::*;
    let call = |name: &'static str, operands: u16| CallFunction(name, Some(operands));
    match plain {
        EmitRaw(text) => out.extend([LoadConst(Value::from(*text)), Emit]),
        StringConcat => out.extend([call(" concat", 2), UnpackList(2), StringConcat]),
        Add => out.extend([call(" add", 2), UnpackList(2), Add, call(" keep", 1)]),
        Mul => out.extend([call(" mul", 2), UnpackList(2), Mul, call(" keep", 1)]),
        GetItem => out.extend([call(" item", 2), UnpackList(2), GetItem]),
        Slice => out.extend([call(" slice", 4), UnpackList(4), Slice, call(" keep", 1)]),
        BuildList(_) | BuildMap(_) | MergeKwargs(_) => out.extend([plain.clone(), call(" keep", 1)]),
        UnpackLists(lists) => {
            let lists = u16::try_from(*lists).unwrap_or(u16::MAX);
            out.extend([call(" join", lists), UnpackLists(1)]);
        }
        PushLoop(_) => out.extend([call(" top", 1), plain.clone()]),
        Eq | Ne | Gt | Gte | Lt | Lte | In | CompareAndPreserve(_) => {
            out.extend([call(" whole", 1), plain.clone()])
        }
        PerformTest(name, Some(_), _) if !CHEAP_TESTS.contains(name) => {
            out.extend([call(" whole", 1), plain.clone()])
        }
        SetAttr(name) => out.extend([LoadConst(Value::from(*name)), call(" set", 3), DiscardTop]),
        other => out.push(other.clone()),
    }
}

/// Adds the functions of the checks, and those of minijinja's that make values.
pub(super) fn install(environment: &mut Environment<'_>) {
    environment.add_function(" concat", |state: &State<'_, '_>, a: Value, b: Value| {
        let meter = Meter::of(state);
        meter.whole(&a)?;
        meter.whole(&b)?;
        Ok::<_, Error>(back([a, b]))
    });
    environment.add_function(" add", |state: &State<'_, '_>, a: Value, b: Value| {
        let meter = Meter::of(state);
        meter.top(&a, 1)?;
        meter.top(&b, 1)?;
        Ok::<_, Error>(back([a, b]))
    });
    environment.add_function(" mul", |state: &State<'_, '_>, a: Value, b: Value| {
        let (size, times) = match (a.as_usize(), b.as_usize()) {
            (None, Some(times)) => (size(&a), times),
            (Some(times), None) => (size(&b), times),
            _ => (0, 0),
        };
        Meter::of(state).take_times(size, times)?;
        Ok::<_, Error>(back([a, b]))
    });
    environment.add_function(" item", |state: &State<'_, '_>, a: Value, b: Value| {
        if a.as_str().is_some() {
            Meter::of(state).top(&a, 1)?;
        }
        Ok::<_, Error>(back([a, b]))
    });
    environment.add_function(" slice", |state: &State<'_, '_>, a: Value, b: Value, c: Value, d: Value| {
        // From the end, its characters are made a list first.
        Meter::of(state).top(&a, 4)?;
        Ok::<_, Error>(back([a, b, c, d]))
    });
    environment.add_function(" keep", |state: &State<'_, '_>, value: Value| Meter::of(state).keep(value));
    environment.add_function(" top", |state: &State<'_, '_>, value: Value| {
        if value.as_str().is_some() {
            Meter::of(state).top(&value, 1)?;
        }
        Ok::<_, Error>(value)
    });
    environment.add_function(" whole", |state: &State<'_, '_>, value: Value| {
        Meter::of(state).whole(&value)?;
        Ok::<_, Error>(value)
    });
    environment.add_function(" join", |state: &State<'_, '_>, lists: Rest<Value>| {
        let meter = Meter::of(state);
        let mut items = Vec::new();
        for list in lists.iter() {
            meter.top(list, ITEM)?;
            items.extend(list.try_iter()?);
        }
        Ok::<_, Error>(Value::from(items))
    });
    environment.add_function(" set", |state: &State<'_, '_>, value: Value, to: Value, name: &str| {
        Namespace::set(state, value, &to, name)
    });
    environment.add_function("namespace", |state: &State<'_, '_>, values: Option<Value>| {
        Namespace::of(state, values.as_ref())
    });
    environment.add_function("dict", |state: &State<'_, '_>, values: Option<Value>, more: Kwargs| {
        Meter::of(state).keep(minijinja::functions::dict(values, more)?)
    });
    environment.add_function("debug", || Err::<String, _>(wrong("debug() is not for chat templates")));
}

/// Operands as `UnpackList` puts them back.
fn back<const N: usize>(mut operands: [Value; N]) -> Value {
    operands.reverse();
    Value::from(Vec::from(operands))
}

fn size(value: &Value) -> usize {
    match value.as_str() {
        Some(text) => text.len(),
        None => value.len().unwrap_or_default().saturating_mul(ITEM),
    }
}
