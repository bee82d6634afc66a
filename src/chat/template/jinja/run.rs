//! Statements, and the names they see.
//!
//! A scope is a list of names and the scope around it. Loops, macros, `with` and blocks have scopes of their own. Scopes that
//! a macro was made in stay, since it sees them when it is called; all others go when they are left.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::Program;
use super::ast::{Block, Expr, Macro, Node, Post, Stmt, Sym, Target};
use super::budget::{Budget, ITEM, TEXT};
use super::fault::Fault;
use super::loops::Loop;
use super::text::{Builder, TEMPLATE, Text};
use super::value::{Function, Items, Value};

/// How deep expressions and statements may nest while they run, calls and recursion included.
const DEPTH: u32 = 220;
/// The scope of the template's own names, around which is only what it is given.
const TOP: usize = 1;

/// A rendering.
pub(super) struct Run<'p> {
    pub(super) program: &'p Program,
    pub(super) budget: Rc<Budget>,
    scopes: Vec<Scope>,
    pub(super) scope: usize,
    /// Scopes below this one stay.
    pinned: usize,
    outputs: Vec<Builder>,
    texts: Vec<Option<Text>>,
    pub(super) namespaces: Vec<Vec<(Value, Value)>>,
    pub(super) loops: Vec<Loop<'p>>,
    pub(super) macros: Vec<(&'p Macro, usize)>,
    pub(super) cyclers: Vec<(Vec<Value>, usize)>,
    /// What is between, and whether it was called.
    pub(super) joiners: Vec<(Value, bool)>,
    depth: u32,
}

#[derive(Debug, Default)]
struct Scope {
    around: usize,
    values: Vec<(Sym, Value)>,
}

/// How a statement ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

impl<'p> Run<'p> {
    pub(super) fn new(program: &'p Program, variables: Vec<(&str, Value)>) -> Self {
        let named =
            variables.into_iter().filter_map(|(name, value)| Some((*program.names.get(name)?, value)));
        let given = Scope { around: 0, values: named.collect() };
        Self {
            program,
            budget: Rc::new(Budget::new()),
            scopes: Vec::from([given, Scope::default()]),
            scope: TOP,
            pinned: TOP + 1,
            outputs: Vec::new(),
            texts: alloc::vec![None; program.texts.len()],
            namespaces: Vec::new(),
            loops: Vec::new(),
            macros: Vec::new(),
            cyclers: Vec::new(),
            joiners: Vec::new(),
            depth: 0,
        }
    }

    pub(super) fn render(&mut self) -> Result<Text, Fault> {
        let program = self.program;
        self.captured(|run| run.block(&program.body).map(drop))
    }

    pub(super) fn builder(&self) -> Builder {
        Builder::new(&self.budget)
    }

    /// What is written meanwhile.
    pub(super) fn captured(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<Text, Fault> {
        let out = self.builder();
        self.outputs.push(out);
        write(self)?;
        match self.outputs.pop() {
            Some(out) => out.finish(),
            None => Err(Fault::new("an output is lost")),
        }
    }

    /// A level of nesting. An error ends the whole rendering, so only success leads back.
    pub(super) fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Fault::new(alloc::format!("calls and expressions nest deeper than {DEPTH}")));
        }
        Ok(())
    }

    pub(super) fn shallower(&mut self) {
        self.depth -= 1;
    }

    /// The text with this number, made once.
    pub(super) fn constant(&mut self, at: usize) -> Result<Text, Fault> {
        if let Some(Some(text)) = self.texts.get(at) {
            return Ok(text.clone());
        }
        let text = self.program.texts.get(at).map(alloc::string::String::as_str).unwrap_or_default();
        self.budget.take(TEXT + text.len())?;
        let text = Text::new(text, TEMPLATE);
        if let Some(place) = self.texts.get_mut(at) {
            *place = Some(text.clone());
        }
        Ok(text)
    }

    /// A name's value.
    pub(super) fn lookup(&mut self, sym: Sym) -> Result<Value, Fault> {
        let mut at = self.scope;
        while let Some(scope) = self.scopes.get(at) {
            self.budget.spend(1 + scope.values.len() as u64 / 64)?;
            if let Some((_, value)) = scope.values.iter().rev().find(|(found, _)| *found == sym) {
                return Ok(value.clone());
            }
            if at == 0 {
                break;
            }
            at = scope.around;
        }
        let name =
            self.program.names.iter().find(|(_, found)| **found == sym).map_or("", |(name, _)| name.as_str());
        Ok(Value::Function(match name {
            "range" => Function::Range,
            "dict" => Function::Dict,
            "namespace" => Function::Namespace,
            "cycler" => Function::Cycler,
            "joiner" => Function::Joiner,
            "lipsum" => Function::Lipsum,
            "raise_exception" => Function::RaiseException,
            "strftime_now" => Function::StrftimeNow,
            "self" => Function::Blocks,
            name => {
                self.budget.spend(self.program.names.len() as u64 / 64)?;
                self.budget.take(TEXT)?;
                return Ok(Value::undefined(alloc::format!("'{name}' is undefined")));
            }
        }))
    }

    /// Gives a name a value in the innermost scope.
    pub(super) fn assign(&mut self, sym: Sym, value: Value) -> Result<(), Fault> {
        let Some(scope) = self.scopes.get_mut(self.scope) else { return Ok(()) };
        self.budget.spend(1 + scope.values.len() as u64 / 64)?;
        match scope.values.iter_mut().find(|(found, _)| *found == sym) {
            Some(place) => place.1 = value,
            None => scope.values.push((sym, value)),
        }
        Ok(())
    }

    /// Runs in a scope of its own within another.
    pub(super) fn within<T>(
        &mut self,
        around: usize,
        inner: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let before = self.scope;
        let at = self.scopes.len();
        self.scopes.push(Scope { around, values: Vec::new() });
        self.scope = at;
        let result = inner(self)?;
        self.scope = before;
        if at >= self.pinned {
            self.scopes.truncate(at);
        } else {
            // Only what stays is charged: there are no more others at a time than calls nest.
            let values = self.scopes.get(at).map_or(0, |scope| scope.values.len());
            self.budget.items(2 * values)?;
        }
        Ok(result)
    }

    /// Whether the scope that is next will stay.
    pub(super) fn stays(&self, scope: usize) -> bool {
        scope < self.pinned
    }

    pub(super) fn scopes(&self) -> usize {
        self.scopes.len()
    }

    pub(super) fn closure(&mut self, of: &'p Macro) -> Result<Value, Fault> {
        self.budget.take(2 * ITEM)?;
        self.pinned = self.scopes.len();
        self.macros.push((of, self.scope));
        Ok(Value::Macro(self.macros.len() - 1))
    }

    pub(super) fn block(&mut self, block: &'p Block) -> Result<Flow, Fault> {
        self.deeper()?;
        for statement in block {
            match self.statement(statement).map_err(|fault| fault.at(statement.line))? {
                Flow::Next => {}
                flow => {
                    self.shallower();
                    return Ok(flow);
                }
            }
        }
        self.shallower();
        Ok(Flow::Next)
    }

    fn write_own(&mut self, text: &str) {
        if let Some(out) = self.outputs.last_mut() {
            out.push_own(text);
        }
    }

    /// Writes a value.
    fn print(&mut self, value: &Value) -> Result<(), Fault> {
        let text = self.printed(value)?;
        self.budget.spend(1)?;
        if let Some(out) = self.outputs.last_mut() {
            out.push_text(&text);
        }
        Ok(())
    }

    fn statement(&mut self, statement: &'p Stmt) -> Result<Flow, Fault> {
        self.budget.spend(1)?;
        match &statement.node {
            Node::Data(text) => self.write_own(text),
            Node::Print(values) => {
                for value in values {
                    let value = self.eval(value)?;
                    self.print(&value)?;
                }
            }
            Node::If(branches, otherwise) => return self.run_if(branches, otherwise),
            Node::For(node) => {
                let items = self.eval(&node.items)?;
                return self.run_for(node, &items, self.scope, 0);
            }
            Node::Set(target, value) => {
                let value = self.eval(value)?;
                self.bind(target, value)?;
            }
            Node::SetBlock(target, filters, body) => {
                let value = self.filtered(filters, body)?;
                self.bind(target, value)?;
            }
            Node::Filter(filters, body) => {
                let value = self.filtered(filters, body)?;
                self.print(&value)?;
            }
            Node::With(values, body) => return self.run_with(values, body),
            Node::Macro(node) => {
                let value = self.closure(node)?;
                if let Some((sym, _)) = &node.name {
                    self.assign(*sym, value)?;
                }
            }
            Node::Call(node) => {
                let caller = self.closure(&node.caller)?;
                let value = self.call_block(&node.call, caller)?;
                self.print(&value)?;
            }
            Node::Scope(body) => return self.within(self.scope, |run| run.block(body)),
            Node::AutoEscape(on, body) => {
                let on = self.eval(on)?;
                if self.truth(&on)? {
                    return Err(Fault::unsupported("{% autoescape true %}", "chat templates are no HTML"));
                }
                return self.within(self.scope, |run| run.block(body));
            }
            Node::Block(at, scoped) => self.run_block(*at, if *scoped { self.scope } else { TOP })?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::NoFiles(what) => {
                return Err(Fault::unsupported(what, "a chat template has no other files"));
            }
        }
        Ok(Flow::Next)
    }

    /// One of the template's blocks.
    fn run_block(&mut self, at: usize, around: usize) -> Result<(), Fault> {
        let program = self.program;
        match program.blocks.get(at) {
            Some((_, body)) => self.within(around, |run| run.block(body)).map(drop),
            None => Ok(()),
        }
    }

    /// What one of the template's blocks writes.
    pub(super) fn block_text(&mut self, at: usize) -> Result<Value, Fault> {
        self.captured(|run| run.run_block(at, TOP)).map(Value::Str)
    }

    fn run_if(&mut self, branches: &'p [(Expr, Block)], otherwise: &'p Block) -> Result<Flow, Fault> {
        for (test, body) in branches {
            let test = self.eval(test)?;
            if self.truth(&test)? {
                return self.block(body);
            }
        }
        self.block(otherwise)
    }

    fn run_with(&mut self, values: &'p [(Target, Expr)], body: &'p Block) -> Result<Flow, Fault> {
        let mut found = Vec::new();
        for (target, value) in values {
            found.push((target, self.eval(value)?));
        }
        self.within(self.scope, |run| {
            for (target, value) in found {
                run.bind(target, value)?;
            }
            run.block(body)
        })
    }

    /// A body's text, through filters.
    fn filtered(&mut self, filters: &'p [Post], body: &'p Block) -> Result<Value, Fault> {
        let text = self.captured(|run| run.within(run.scope, |run| run.block(body)).map(drop))?;
        self.posts(Value::Str(text), filters, None)
    }

    /// Assigns to names, tuples of them, or an attribute.
    pub(super) fn bind(&mut self, target: &'p Target, value: Value) -> Result<(), Fault> {
        match target {
            Target::Name(sym) => self.assign(*sym, value),
            Target::Attribute(sym, name) => {
                let Value::Namespace(at) = self.lookup(*sym)? else {
                    return Err(Fault::new("cannot assign attribute on non-namespace object"));
                };
                self.set_attribute(at, name, value)
            }
            Target::Tuple(targets) => {
                let items = Items::of(&value).map_err(|_| {
                    Fault::new(alloc::format!("cannot unpack non-iterable {} object", value.type_name()))
                })?;
                let items = items.rest(&self.budget)?;
                let (expected, found) = (targets.len(), items.len());
                if found < expected {
                    let what =
                        alloc::format!("not enough values to unpack (expected {expected}, got {found})");
                    return Err(Fault::new(what));
                }
                if found > expected {
                    return Err(Fault::new(alloc::format!(
                        "too many values to unpack (expected {expected})"
                    )));
                }
                targets.iter().zip(items).try_for_each(|(target, item)| self.bind(target, item))
            }
        }
    }
}
