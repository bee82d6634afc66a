//! Expressions.

use alloc::string::String;
use alloc::vec::Vec;

use super::ast::{Arguments, Comparison, Expr, Op, Post, PostKind};
use super::call::Args;
use super::fault::Fault;
use super::run::Run;
use super::value::{Items, Value};

impl<'p> Run<'p> {
    pub(super) fn eval(&mut self, expression: &'p Expr) -> Result<Value, Fault> {
        self.budget.spend(1)?;
        match expression {
            Expr::None => Ok(Value::None),
            Expr::Bool(truth) => Ok(Value::Bool(*truth)),
            Expr::Int(number) => Ok(Value::Int(*number)),
            Expr::Float(number) => Ok(Value::Float(*number)),
            Expr::Str(at) => Ok(Value::Str(self.constant(*at)?)),
            Expr::Name(sym) => {
                let value = self.lookup(*sym)?;
                if let Value::Loop(at) = value {
                    self.loop_escapes(at);
                }
                Ok(value)
            }
            other => {
                self.deeper()?;
                let value = self.eval_nested(other)?;
                self.shallower();
                Ok(value)
            }
        }
    }

    fn eval_nested(&mut self, expression: &'p Expr) -> Result<Value, Fault> {
        match expression {
            Expr::Post(base, posts) => self.eval_post(base, posts, None),
            Expr::List(items) => {
                let items = self.eval_all(items)?;
                Value::list(items, &self.budget)
            }
            Expr::Tuple(items) => {
                let items = self.eval_all(items)?;
                Value::tuple(items, &self.budget)
            }
            Expr::Dict(entries) => self.eval_dict(entries),
            Expr::Chain(first, rest) => self.eval_chain(first, rest),
            Expr::Concat(items) => self.eval_concat(items),
            Expr::Neg(value) => {
                let value = self.eval(value)?;
                self.signed(&value, true)
            }
            Expr::Pos(value) => {
                let value = self.eval(value)?;
                self.signed(&value, false)
            }
            Expr::Not(value) => {
                let value = self.eval(value)?;
                Ok(Value::Bool(!self.truth(&value)?))
            }
            Expr::And(items) => self.eval_row(items, false),
            Expr::Or(items) => self.eval_row(items, true),
            Expr::Compare(first, rest) => self.eval_compare(first, rest),
            Expr::If(parts) => {
                let test = self.eval(&parts.0)?;
                match (self.truth(&test)?, &parts.2) {
                    (true, _) => self.eval(&parts.1),
                    (false, Some(otherwise)) => self.eval(otherwise),
                    (false, None) => Ok(Value::undefined("the inline if-expression has no else section")),
                }
            }
            simple => self.eval(simple),
        }
    }

    fn eval_all(&mut self, items: &'p [Expr]) -> Result<Vec<Value>, Fault> {
        items.iter().map(|item| self.eval(item)).collect()
    }

    fn eval_dict(&mut self, entries: &'p [(Expr, Expr)]) -> Result<Value, Fault> {
        let mut found = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            found.push((self.eval(key)?, self.eval(value)?));
        }
        Value::dict(found, &self.budget)
    }

    /// `and`, `or`: the first that decides, itself.
    fn eval_row(&mut self, items: &'p [Expr], decides: bool) -> Result<Value, Fault> {
        let mut last = Value::None;
        for item in items {
            last = self.eval(item)?;
            if self.truth(&last)? == decides {
                break;
            }
        }
        Ok(last)
    }

    fn eval_concat(&mut self, items: &'p [Expr]) -> Result<Value, Fault> {
        let mut out = self.builder();
        for item in items {
            let value = self.eval(item)?;
            self.write(&mut out, &value)?;
        }
        Ok(Value::Str(out.finish()?))
    }

    fn eval_chain(&mut self, first: &'p Expr, rest: &'p [(Op, Expr)]) -> Result<Value, Fault> {
        let mut value = self.eval(first)?;
        for (op, right) in rest {
            let right = self.eval(right)?;
            value = self.binary(*op, &value, &right)?;
        }
        Ok(value)
    }

    fn eval_compare(&mut self, first: &'p Expr, rest: &'p [(Comparison, Expr)]) -> Result<Value, Fault> {
        let mut left = self.eval(first)?;
        for (comparison, right) in rest {
            let right = self.eval(right)?;
            if !self.compare(*comparison, &left, &right)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    /// A call with a block for its `caller`.
    pub(super) fn call_block(&mut self, call: &'p Expr, caller: Value) -> Result<Value, Fault> {
        match call {
            Expr::Post(base, posts) => self.eval_post(base, posts, Some(caller)),
            other => self.eval(other),
        }
    }

    fn eval_post(
        &mut self,
        base: &'p Expr,
        posts: &'p [Post],
        caller: Option<Value>,
    ) -> Result<Value, Fault> {
        // A loop whose attribute is read stays where it is.
        let value = match base {
            Expr::Name(sym) => {
                self.budget.spend(1)?;
                self.lookup(*sym)?
            }
            other => self.eval(other)?,
        };
        self.posts(value, posts, caller)
    }

    /// Applies what follows a value; the last call gets `caller`.
    pub(super) fn posts(
        &mut self,
        mut value: Value,
        posts: &'p [Post],
        caller: Option<Value>,
    ) -> Result<Value, Fault> {
        let mut at = 0;
        while let Some(post) = posts.get(at) {
            self.budget.spend(1)?;
            let next = posts.get(at + 1).map(|next| &next.kind);
            let method = match (&post.kind, next) {
                (PostKind::Attribute(name), Some(PostKind::Call(arguments))) => Some((name, arguments)),
                _ => None,
            };
            at += if method.is_some() { 2 } else { 1 };
            let caller = if at == posts.len() { caller.clone() } else { None };
            value = match method {
                Some((name, arguments)) => self.post_method(&value, name, arguments, caller),
                None => self.post(value, &post.kind, caller),
            }
            .map_err(|fault| fault.at(post.line))?;
        }
        Ok(value)
    }

    /// `value.name(…)`, without a value for the method itself.
    fn post_method(
        &mut self,
        value: &Value,
        name: &'p str,
        arguments: &'p Arguments,
        caller: Option<Value>,
    ) -> Result<Value, Fault> {
        if self.is_method(value, name) {
            let args = self.arguments(arguments, caller)?;
            return self.call_method(value, name, args);
        }
        let function = self.attribute(value, name)?;
        let args = self.arguments(arguments, caller)?;
        self.call(&function, args)
    }

    fn post(&mut self, value: Value, kind: &'p PostKind, caller: Option<Value>) -> Result<Value, Fault> {
        match kind {
            PostKind::Attribute(name) => self.attribute(&value, name),
            PostKind::Item(key) => {
                let key = self.eval(key)?;
                self.item(&value, &key)
            }
            PostKind::Slice(bounds) => {
                let mut found = [None, None, None];
                for (place, bound) in found.iter_mut().zip(bounds.iter()) {
                    *place = bound.as_ref().map(|bound| self.eval(bound)).transpose()?;
                }
                self.slice(&value, found)
            }
            PostKind::Call(arguments) => {
                let args = self.arguments(arguments, caller)?;
                self.call(&value, args)
            }
            PostKind::Filter(name, arguments) => {
                let args = self.arguments(arguments, None)?;
                self.filter(name, value, args)
            }
            PostKind::Test(name, arguments) => {
                let args = self.arguments(arguments, None)?;
                Ok(Value::Bool(self.test(name, &value, args)?))
            }
            PostKind::Not => Ok(Value::Bool(!self.truth(&value)?)),
        }
    }

    fn arguments(&mut self, arguments: &'p Arguments, caller: Option<Value>) -> Result<Args, Fault> {
        let mut positional = self.eval_all(&arguments.positional)?;
        let mut named: Vec<(String, Value)> = Vec::new();
        for (name, value) in &arguments.named {
            named.push((name.clone(), self.eval(value)?));
        }
        if let Some(star) = &arguments.star {
            let items = self.eval(star)?;
            positional.extend(Items::of(&items)?.rest(&self.budget)?);
        }
        if let Some(stars) = &arguments.stars {
            let Value::Dict(dict) = self.eval(stars)? else {
                return Err(Fault::new("argument after ** must be a mapping"));
            };
            self.budget.items(2 * dict.entries.len())?;
            for (key, value) in &dict.entries {
                let Some(name) = key.as_str() else { return Err(Fault::new("keywords must be strings")) };
                self.budget.take(name.len())?;
                named.push((name.into(), value.clone()));
            }
        }
        named.extend(caller.map(|caller| ("caller".into(), caller)));
        Ok(Args { positional, named })
    }
}
