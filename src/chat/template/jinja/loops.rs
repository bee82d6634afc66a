//! `{% for %}`, and what `loop` knows.

use alloc::vec::Vec;

use super::ast::For;
use super::fault::Fault;
use super::run::{Flow, Run};
use super::value::{Items, Value};

/// What a loop costs that stays.
const LOOP: usize = 320;

/// A loop that runs.
pub(super) struct Loop<'p> {
    node: &'p For,
    /// Around the loop.
    scope: usize,
    items: Items,
    /// How many items, once that is known.
    length: Option<usize>,
    /// The item after this one, once it was looked at.
    after: Option<Value>,
    current: Option<Value>,
    before: Option<Value>,
    /// This item's number, from 1.
    index: usize,
    depth: usize,
    changed: Option<Vec<Value>>,
    /// Its value may be somewhere else than in its own scope.
    escaped: bool,
}

impl<'p> Run<'p> {
    /// Runs a loop over items.
    pub(super) fn run_for(
        &mut self,
        node: &'p For,
        items: &Value,
        scope: usize,
        depth: usize,
    ) -> Result<Flow, Fault> {
        let at = self.loops.len();
        let length = if node.test.is_none() { self.length_of(items).ok() } else { None };
        self.loops.push(Loop {
            node,
            scope,
            items: Items::of(items)?,
            length,
            after: None,
            current: None,
            before: None,
            index: 0,
            depth,
            changed: None,
            escaped: false,
        });
        let sym = self.program.names.get("loop").copied();
        let first = self.scopes();
        while let Some(item) = self.next_item(at)? {
            let flow = self.within(scope, |run| {
                if let Some(sym) = sym {
                    run.assign(sym, Value::Loop(at))?;
                }
                run.bind(&node.target, item)?;
                run.block(&node.body)
            })?;
            if flow == Flow::Break {
                break;
            }
        }
        let ran = self.loops.get(at).is_some_and(|state| state.index > 0);
        // Unless a macro or a value still leads to it.
        if !self.stays(first)
            && self.loops.len() == at + 1
            && !self.loops.get(at).is_some_and(|state| state.escaped)
        {
            self.loops.truncate(at);
        } else if let Some(state) = self.loops.get_mut(at) {
            self.budget.take(LOOP)?;
            (state.items, state.current, state.before, state.after) =
                (Items::owned(Vec::new()), None, None, None);
        }
        if ran || node.otherwise.is_empty() {
            return Ok(Flow::Next);
        }
        self.within(scope, |run| run.block(&node.otherwise))
    }

    /// The next item that the loop's test takes.
    fn pull(&mut self, at: usize) -> Result<Option<Value>, Fault> {
        loop {
            let Some(state) = self.loops.get_mut(at) else { return Ok(None) };
            let (node, scope) = (state.node, state.scope);
            let Some(item) = state.items.next(&self.budget)? else { return Ok(None) };
            let Some(test) = &node.test else { return Ok(Some(item)) };
            let taken = self.within(scope, |run| {
                run.bind(&node.target, item.clone())?;
                let value = run.eval(test)?;
                run.truth(&value)
            })?;
            if taken {
                return Ok(Some(item));
            }
        }
    }

    fn next_item(&mut self, at: usize) -> Result<Option<Value>, Fault> {
        let peeked = self.loops.get_mut(at).and_then(|state| state.after.take());
        let item = match peeked {
            Some(item) => Some(item),
            None => self.pull(at)?,
        };
        if let (Some(state), Some(item)) = (self.loops.get_mut(at), &item) {
            state.index += 1;
            state.before = state.current.replace(item.clone());
        }
        Ok(item)
    }

    fn peek_item(&mut self, at: usize) -> Result<Option<Value>, Fault> {
        if let Some(after) = self.loops.get(at).and_then(|state| state.after.clone()) {
            return Ok(Some(after));
        }
        let item = self.pull(at)?;
        if let Some(state) = self.loops.get_mut(at) {
            state.after = item.clone();
        }
        Ok(item)
    }

    pub(super) fn loop_index(&self, at: usize) -> usize {
        self.loops.get(at).map_or(0, |state| state.index)
    }

    /// How many items there are; what does not know gives all of them first.
    pub(super) fn loop_length(&mut self, at: usize) -> Result<usize, Fault> {
        if let Some(length) = self.loops.get(at).and_then(|state| state.length) {
            return Ok(length);
        }
        let mut rest = Vec::new();
        while let Some(item) = self.pull(at)? {
            self.budget.take(64)?;
            rest.push(item);
        }
        let Some(state) = self.loops.get_mut(at) else { return Ok(0) };
        let length = rest.len() + state.index + usize::from(state.after.is_some());
        (state.items, state.length) = (Items::owned(rest), Some(length));
        Ok(length)
    }

    /// The value of a loop goes where it may stay.
    pub(super) fn loop_escapes(&mut self, at: usize) {
        if let Some(state) = self.loops.get_mut(at) {
            state.escaped = true;
        }
    }

    /// `loop.name`, if there is one.
    pub(super) fn loop_attribute(&mut self, at: usize, name: &str) -> Result<Option<Value>, Fault> {
        let index = self.loop_index(at) as i128;
        let depth = self.loops.get(at).map_or(0, |state| state.depth) as i128;
        Ok(Some(match name {
            "index" => Value::Int(index),
            "index0" => Value::Int(index - 1),
            "revindex" => Value::Int(self.loop_length(at)? as i128 - index + 1),
            "revindex0" => Value::Int(self.loop_length(at)? as i128 - index),
            "first" => Value::Bool(index == 1),
            "last" => Value::Bool(self.peek_item(at)?.is_none()),
            "length" => Value::Int(self.loop_length(at)? as i128),
            "depth" => Value::Int(depth + 1),
            "depth0" => Value::Int(depth),
            "previtem" => match self.loops.get(at).and_then(|state| state.before.clone()) {
                Some(item) => item,
                None => Value::undefined("there is no previous item"),
            },
            "nextitem" => match self.peek_item(at)? {
                Some(item) => item,
                None => Value::undefined("there is no next item"),
            },
            _ => return Ok(None),
        }))
    }

    /// `loop.cycle(…)`, `loop.changed(…)`.
    pub(super) fn loop_method(&mut self, at: usize, name: &str, values: Vec<Value>) -> Result<Value, Fault> {
        if name == "cycle" {
            let index = self.loop_index(at).saturating_sub(1);
            let chosen = index.checked_rem(values.len()).and_then(|at| values.get(at));
            return chosen.cloned().ok_or_else(|| Fault::new("no items for cycling given"));
        }
        let before = self.loops.get(at).and_then(|state| state.changed.clone());
        let same = match before {
            Some(before) if before.len() == values.len() => {
                let mut same = true;
                for (a, b) in before.iter().zip(&values) {
                    same = same && self.equal(a, b)?;
                }
                same
            }
            _ => false,
        };
        if let Some(state) = self.loops.get_mut(at) {
            state.changed = Some(values);
        }
        Ok(Value::Bool(!same))
    }

    /// `loop(items)` in a recursive loop.
    pub(super) fn loop_again(&mut self, at: usize, items: &Value) -> Result<Value, Fault> {
        let Some((node, scope, depth)) =
            self.loops.get(at).map(|state| (state.node, state.scope, state.depth))
        else {
            return Ok(Value::None);
        };
        if !node.recursive {
            return Err(Fault::new("the loop must have the 'recursive' marker to be called recursively"));
        }
        self.captured(|run| run.run_for(node, items, scope, depth + 1).map(drop)).map(Value::Str)
    }
}
