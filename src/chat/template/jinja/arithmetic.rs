//! `+ - * / // % **` and signs.

use alloc::format;
use alloc::vec::Vec;

use super::ast::Op;
use super::fault::Fault;
use super::run::Run;
use super::value::Value;

fn sign(op: Op) -> &'static str {
    match op {
        Op::Add => "+",
        Op::Sub => "-",
        Op::Mul => "*",
        Op::Div => "/",
        Op::FloorDiv => "//",
        Op::Mod => "%",
        Op::Pow => "**",
    }
}

fn large() -> Fault {
    Fault::unsupported("an integer of more than 127 bits", "they are computed with in 128")
}

fn zero() -> Fault {
    Fault::new("division by zero")
}

impl Run<'_> {
    pub(super) fn binary(&mut self, op: Op, a: &Value, b: &Value) -> Result<Value, Fault> {
        self.budget.spend(1)?;
        for value in [a, b] {
            if let Value::Undefined(what) = value
                && !(op == Op::Mod && matches!(a, Value::Str(_)))
            {
                return Err(Fault::new(&**what));
            }
        }
        if let (Some(a), Some(b)) = (a.as_int(), b.as_int()) {
            return integers(op, a, b);
        }
        if let (Some(a), Some(b)) = (a.as_float(), b.as_float()) {
            return floats(op, a, b);
        }
        match (op, a, b) {
            (Op::Add, Value::Str(x), Value::Str(y)) => {
                let markup = x.is_markup() || y.is_markup();
                let mut out = self.builder();
                for text in [x, y] {
                    if markup && !text.is_markup() {
                        super::filters_texts::escape(&mut out, text);
                    } else {
                        out.push_text(text);
                    }
                }
                Ok(Value::Str(out.finish_as(markup)?))
            }
            (Op::Add, Value::List(x), Value::List(y)) => {
                self.budget.items(x.items.len() + y.items.len())?;
                let items = x.items.iter().chain(&y.items).cloned().collect();
                Value::list(items, &self.budget)
            }
            (Op::Add, Value::Tuple(x), Value::Tuple(y)) => {
                self.budget.items(x.items.len() + y.items.len())?;
                let items = x.items.iter().chain(&y.items).cloned().collect();
                Value::tuple(items, &self.budget)
            }
            (Op::Mul, sequence, times) if times.as_int().is_some() => self.times(sequence, times),
            (Op::Mul, times, sequence) if times.as_int().is_some() => self.times(sequence, times),
            (Op::Mod, Value::Str(format), value) => self.percent(format, value),
            (Op::Add, Value::Str(_), other) => {
                let kind = other.type_name();
                Err(Fault::new(format!("can only concatenate str (not \"{kind}\") to str")))
            }
            (Op::Add, Value::List(_), other) => {
                let kind = other.type_name();
                Err(Fault::new(format!("can only concatenate list (not \"{kind}\") to list")))
            }
            _ => Err(wrong(op, a, b)),
        }
    }

    /// A sequence many times.
    fn times(&mut self, sequence: &Value, times: &Value) -> Result<Value, Fault> {
        let count = usize::try_from(times.as_int().unwrap_or_default().max(0)).unwrap_or(usize::MAX);
        match sequence {
            Value::Str(text) => {
                let mut out = self.builder();
                out.repeat(text, count);
                Ok(Value::Str(out.finish_as(text.is_markup())?))
            }
            Value::List(list) | Value::Tuple(list) => {
                self.budget.items(list.items.len().saturating_mul(count))?;
                self.budget.spend((list.items.len() * count) as u64 / 8)?;
                let mut items = Vec::with_capacity(list.items.len() * count);
                for _ in 0..if list.items.is_empty() { 0 } else { count } {
                    items.extend(list.items.iter().cloned());
                }
                match sequence {
                    Value::List(_) => Value::list(items, &self.budget),
                    _ => Value::tuple(items, &self.budget),
                }
            }
            other => Err(wrong(Op::Mul, other, times)),
        }
    }

    /// `-value`, `+value`.
    pub(super) fn signed(&mut self, value: &Value, negative: bool) -> Result<Value, Fault> {
        match value {
            Value::Undefined(what) => Err(Fault::new(&**what)),
            Value::Float(x) => Ok(Value::Float(if negative { -x } else { *x })),
            other => match other.as_int() {
                Some(n) if negative => n.checked_neg().map(Value::Int).ok_or_else(large),
                Some(n) => Ok(Value::Int(n)),
                None => {
                    let sign = if negative { '-' } else { '+' };
                    Err(Fault::new(format!("bad operand type for unary {sign}: '{}'", other.type_name())))
                }
            },
        }
    }
}

fn wrong(op: Op, a: &Value, b: &Value) -> Fault {
    let (sign, a, b) = (sign(op), a.type_name(), b.type_name());
    Fault::new(format!("unsupported operand type(s) for {sign}: '{a}' and '{b}'"))
}

fn integers(op: Op, a: i128, b: i128) -> Result<Value, Fault> {
    let floor = |a: i128, b: i128| {
        let quotient = a.checked_div(b).ok_or_else(large)?;
        Ok::<_, Fault>(if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient })
    };
    let result = match op {
        Op::Add => a.checked_add(b),
        Op::Sub => a.checked_sub(b),
        Op::Mul => a.checked_mul(b),
        Op::Div | Op::FloorDiv | Op::Mod if b == 0 => return Err(zero()),
        Op::Div => return Ok(Value::Float(a as f64 / b as f64)),
        Op::FloorDiv => Some(floor(a, b)?),
        Op::Mod if b == -1 => Some(0),
        Op::Mod => Some(a - floor(a, b)? * b),
        Op::Pow if b < 0 => return floats(op, a as f64, b as f64),
        Op::Pow => match a {
            0 | 1 => Some(if b == 0 { 1 } else { a }),
            -1 => Some(if b % 2 == 0 { 1 } else { -1 }),
            a => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        },
    };
    result.map(Value::Int).ok_or_else(large)
}

fn floats(op: Op, a: f64, b: f64) -> Result<Value, Fault> {
    // The remainder has the sign of what divides; it is exact.
    let modulo = |a: f64, b: f64| {
        let rest = a % b;
        if rest != 0.0 && (rest < 0.0) != (b < 0.0) {
            rest + b
        } else if rest == 0.0 {
            0.0_f64.copysign(b)
        } else {
            rest
        }
    };
    let result = match op {
        Op::Add => a + b,
        Op::Sub => a - b,
        Op::Mul => a * b,
        Op::Div | Op::FloorDiv | Op::Mod if b == 0.0 => return Err(zero()),
        Op::Div => a / b,
        Op::FloorDiv => {
            let quotient = (a - modulo(a, b)) / b;
            let floor = quotient.floor();
            if quotient - floor > 0.5 { floor + 1.0 } else { floor }
        }
        Op::Mod => modulo(a, b),
        Op::Pow if a == 0.0 && b < 0.0 => {
            return Err(Fault::new("0.0 cannot be raised to a negative power"));
        }
        Op::Pow if a < 0.0 && b.is_finite() && b.fract() != 0.0 => {
            return Err(Fault::unsupported("a complex number", "this power of a negative number is one"));
        }
        Op::Pow => {
            let result = a.powf(b);
            if result.is_infinite() && a.is_finite() && b.is_finite() {
                return Err(Fault::new("numerical result out of range"));
            }
            result
        }
    };
    Ok(Value::Float(result))
}
