//! Statements: tokens become the tree, by the rules of Jinja's parser.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::ast::{Block, CallBlock, Expr, For, Macro, Node, Post, PostKind, Stmt, Sym, Target, Uses};
use super::fault::Fault;
use super::lex::{self, Tok};

/// How deep brackets and blocks may nest.
const DEPTH: u32 = 64;
/// Branches of all `if`s together.
const BRANCHES: usize = 4096;

/// A macro's arguments, and the defaults of the last of them.
type Signature = (Vec<(Sym, String)>, Vec<Expr>);

/// What the parser makes.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) body: Block,
    pub(super) names: BTreeMap<String, Sym>,
    pub(super) texts: Vec<String>,
    pub(super) blocks: Vec<(String, Block)>,
}

pub(super) fn parse(source: &str) -> Result<Parsed, Fault> {
    let mut parser = Parser {
        tokens: lex::tokens(source)?,
        at: 0,
        names: BTreeMap::new(),
        texts: Vec::new(),
        blocks: Vec::new(),
        depth: 0,
        loops: 0,
        branches: 0,
        uses: Uses::default(),
    };
    let body = parser.statements(&[])?;
    Ok(Parsed { body, names: parser.names, texts: parser.texts, blocks: parser.blocks })
}

pub(super) struct Parser {
    tokens: Vec<(Tok, u32)>,
    at: usize,
    names: BTreeMap<String, Sym>,
    texts: Vec<String>,
    blocks: Vec<(String, Block)>,
    depth: u32,
    /// Loops around, in the innermost macro or block.
    loops: u32,
    branches: usize,
    /// Special names that were read in the innermost macro.
    uses: Uses,
}

impl Parser {
    pub(super) fn peek(&self) -> &Tok {
        self.tokens.get(self.at).map_or(&Tok::End, |(token, _)| token)
    }

    pub(super) fn peek_after(&self) -> &Tok {
        self.tokens.get(self.at + 1).map_or(&Tok::End, |(token, _)| token)
    }

    pub(super) fn line(&self) -> u32 {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(_, line)| *line)
    }

    pub(super) fn advance(&mut self) -> Tok {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    pub(super) fn at_op(&self, op: &str) -> bool {
        matches!(self.peek(), Tok::Op(found) if *found == op)
    }

    pub(super) fn at_name(&self, name: &str) -> bool {
        matches!(self.peek(), Tok::Name(found) if found == name)
    }

    pub(super) fn skip_op(&mut self, op: &str) -> bool {
        let found = self.at_op(op);
        self.at += usize::from(found);
        found
    }

    pub(super) fn skip_name(&mut self, name: &str) -> bool {
        let found = self.at_name(name);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_op(&mut self, op: &str) -> Result<(), Fault> {
        if self.skip_op(op) { Ok(()) } else { Err(self.unexpected(&alloc::format!("'{op}'"))) }
    }

    pub(super) fn expect_name(&mut self) -> Result<String, Fault> {
        match self.peek().clone() {
            Tok::Name(name) => {
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected("a name")),
        }
    }

    /// The next token is not what belongs here.
    pub(super) fn unexpected(&self, expected: &str) -> Fault {
        let found = match self.peek() {
            Tok::Data(_) => "text".to_string(),
            Tok::VariableBegin => "'{{'".into(),
            Tok::VariableEnd => "'}}'".into(),
            Tok::BlockBegin => "'{%'".into(),
            Tok::BlockEnd => "'%}'".into(),
            Tok::Name(name) => alloc::format!("'{name}'"),
            Tok::Str(text) => alloc::format!("{text:?}"),
            Tok::Int(number) => alloc::format!("{number}"),
            Tok::Float(number) => alloc::format!("{number}"),
            Tok::Op(op) => alloc::format!("'{op}'"),
            Tok::End => "the end of the template".into(),
        };
        Fault::syntax(self.line(), alloc::format!("expected {expected}, got {found}"))
    }

    pub(super) fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEPTH {
            let what = alloc::format!("brackets and blocks nest deeper than {DEPTH}");
            return Err(Fault::syntax(self.line(), what));
        }
        Ok(())
    }

    pub(super) fn shallower(&mut self) {
        self.depth -= 1;
    }

    /// The number of a name.
    pub(super) fn symbol(&mut self, name: &str) -> Sym {
        if let Some(sym) = self.names.get(name) {
            return *sym;
        }
        let sym = self.names.len() as Sym;
        self.names.insert(name.into(), sym);
        sym
    }

    /// The number of a text.
    pub(super) fn text(&mut self, text: String) -> usize {
        self.texts.push(text);
        self.texts.len() - 1
    }

    /// A name that is read.
    pub(super) fn read_name(&mut self, name: &str) -> Sym {
        match name {
            "caller" => self.uses.caller = true,
            "kwargs" => self.uses.kwargs = true,
            "varargs" => self.uses.varargs = true,
            _ => {}
        }
        self.symbol(name)
    }

    /// Statements up to one of these, which is next then.
    fn statements(&mut self, ends: &[&str]) -> Result<Block, Fault> {
        self.deeper()?;
        let opened = self.line();
        let mut out = Vec::new();
        loop {
            let line = self.line();
            match self.peek().clone() {
                Tok::Data(text) => {
                    self.at += 1;
                    out.push(Stmt { line, node: Node::Data(text) });
                }
                Tok::VariableBegin => {
                    self.at += 1;
                    let value = self.tuple(true, &[])?;
                    if *self.peek() != Tok::VariableEnd {
                        return Err(self.unexpected("'}}'"));
                    }
                    self.at += 1;
                    out.push(Stmt { line, node: Node::Print(Vec::from([value])) });
                }
                Tok::BlockBegin => {
                    self.at += 1;
                    if matches!(self.peek(), Tok::Name(name) if ends.contains(&name.as_str())) {
                        self.shallower();
                        return Ok(out);
                    }
                    let node = self.statement()?;
                    out.push(Stmt { line, node });
                    self.end_tag()?;
                }
                Tok::End if ends.is_empty() => return Ok(out),
                Tok::End => {
                    let what = alloc::format!("the template ends before '{}'", ends.last().unwrap_or(&""));
                    return Err(Fault::syntax(opened, what));
                }
                _ => return Err(self.unexpected("text or a tag")),
            }
        }
    }

    fn end_tag(&mut self) -> Result<(), Fault> {
        if *self.peek() == Tok::BlockEnd {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected("'%}'"))
    }

    /// The end of this tag, and what follows up to another one, whose name is passed over.
    fn body(&mut self, ends: &[&str]) -> Result<(Block, String), Fault> {
        self.skip_op(":");
        self.end_tag()?;
        let body = self.statements(ends)?;
        Ok((body, self.expect_name()?))
    }

    /// A body with names of its own, out of which no `break` leads.
    fn apart(&mut self, end: &str) -> Result<Block, Fault> {
        let loops = core::mem::take(&mut self.loops);
        let body = self.body(&[end])?.0;
        self.loops = loops;
        Ok(body)
    }

    fn statement(&mut self) -> Result<Node, Fault> {
        let line = self.line();
        let Tok::Name(name) = self.advance() else {
            self.at -= 1;
            return Err(self.unexpected("the name of a tag"));
        };
        match name.as_str() {
            "if" => self.parse_if(),
            "for" => self.parse_for(),
            "set" => self.parse_set(),
            "with" => self.parse_with(),
            "macro" => self.parse_macro(),
            "call" => self.parse_call(),
            "filter" => {
                let filters = self.filters(true)?;
                Ok(Node::Filter(filters, self.apart("endfilter")?))
            }
            "print" => {
                let mut values = Vec::new();
                while *self.peek() != Tok::BlockEnd {
                    if !values.is_empty() {
                        self.expect_op(",")?;
                    }
                    values.push(self.expression(true)?);
                }
                Ok(Node::Print(values))
            }
            "autoescape" => {
                let on = self.expression(true)?;
                Ok(Node::AutoEscape(on, self.body(&["endautoescape"])?.0))
            }
            "generation" => Ok(Node::Scope(self.apart("endgeneration")?)),
            "block" => self.parse_block(line),
            "break" | "continue" if self.loops == 0 => {
                Err(Fault::syntax(line, alloc::format!("'{name}' outside of a loop")))
            }
            "break" => Ok(Node::Break),
            "continue" => Ok(Node::Continue),
            "include" | "import" | "from" | "extends" => {
                while *self.peek() != Tok::BlockEnd {
                    if *self.peek() == Tok::End {
                        return Err(self.unexpected("'%}'"));
                    }
                    self.at += 1;
                }
                Ok(Node::NoFiles(match name.as_str() {
                    "include" => "{% include %}",
                    "extends" => "{% extends %}",
                    "import" => "{% import %}",
                    _ => "{% from %}",
                }))
            }
            other => Err(Fault::syntax(line, alloc::format!("unknown tag '{other}'"))),
        }
    }

    fn parse_if(&mut self) -> Result<Node, Fault> {
        let mut branches = Vec::new();
        loop {
            self.branches += 1;
            if self.branches > BRANCHES {
                return Err(Fault::syntax(self.line(), alloc::format!("more than {BRANCHES} branches")));
            }
            let test = self.tuple(false, &[])?;
            let (body, end) = self.body(&["elif", "else", "endif"])?;
            branches.push((test, body));
            match end.as_str() {
                "elif" => {}
                "else" => return Ok(Node::If(branches, self.body(&["endif"])?.0)),
                _ => return Ok(Node::If(branches, Vec::new())),
            }
        }
    }

    fn parse_for(&mut self) -> Result<Node, Fault> {
        let target = self.target(&["in"], false)?;
        if !self.skip_name("in") {
            return Err(self.unexpected("'in'"));
        }
        let items = self.tuple(false, &["recursive"])?;
        let test = if self.skip_name("if") { Some(self.expression(true)?) } else { None };
        let recursive = self.skip_name("recursive");
        self.loops += 1;
        let (body, end) = self.body(&["endfor", "else"])?;
        self.loops -= 1;
        let otherwise = if end == "else" { self.body(&["endfor"])?.0 } else { Vec::new() };
        Ok(Node::For(Box::new(For { target, items, test, body, otherwise, recursive })))
    }

    fn parse_set(&mut self) -> Result<Node, Fault> {
        let target = self.target(&[], true)?;
        if self.skip_op("=") {
            return Ok(Node::Set(target, self.tuple(true, &[])?));
        }
        let filters = self.filters(false)?;
        Ok(Node::SetBlock(target, filters, self.body(&["endset"])?.0))
    }

    fn parse_with(&mut self) -> Result<Node, Fault> {
        let mut values = Vec::new();
        while *self.peek() != Tok::BlockEnd {
            if !values.is_empty() {
                self.expect_op(",")?;
            }
            let target = self.target(&[], false)?;
            self.expect_op("=")?;
            values.push((target, self.expression(true)?));
        }
        Ok(Node::With(values, self.body(&["endwith"])?.0))
    }

    /// Arguments in brackets, and the defaults of the last ones.
    fn signature(&mut self) -> Result<Signature, Fault> {
        let (mut arguments, mut defaults) = (Vec::new(), Vec::new());
        self.expect_op("(")?;
        while !self.at_op(")") {
            if !arguments.is_empty() {
                self.expect_op(",")?;
            }
            let name = self.expect_name()?;
            arguments.push((self.symbol(&name), name));
            if self.skip_op("=") {
                defaults.push(self.expression(true)?);
            } else if !defaults.is_empty() {
                return Err(Fault::syntax(self.line(), "non-default argument follows default argument"));
            }
        }
        self.expect_op(")")?;
        Ok((arguments, defaults))
    }

    fn macro_of(
        &mut self,
        name: Option<(Sym, String)>,
        (arguments, defaults): Signature,
        end: &str,
    ) -> Result<Macro, Fault> {
        let around = core::mem::take(&mut self.uses);
        let body = self.apart(end)?;
        let uses = self.uses;
        self.uses = Uses {
            caller: around.caller || uses.caller,
            kwargs: around.kwargs || uses.kwargs,
            varargs: around.varargs || uses.varargs,
        };
        let named = |special: &str| arguments.iter().any(|(_, name)| name == special);
        let uses = Uses {
            caller: uses.caller && !named("caller"),
            kwargs: uses.kwargs && !named("kwargs"),
            varargs: uses.varargs && !named("varargs"),
        };
        Ok(Macro { name, arguments, defaults, body, uses })
    }

    fn parse_macro(&mut self) -> Result<Node, Fault> {
        let name = self.expect_name()?;
        let sym = self.symbol(&name);
        let signature = self.signature()?;
        Ok(Node::Macro(Box::new(self.macro_of(Some((sym, name)), signature, "endmacro")?)))
    }

    fn parse_call(&mut self) -> Result<Node, Fault> {
        let signature = if self.at_op("(") { self.signature()? } else { (Vec::new(), Vec::new()) };
        let line = self.line();
        let call = self.expression(true)?;
        let is_call = match &call {
            Expr::Post(_, posts) => matches!(posts.last(), Some(Post { kind: PostKind::Call(_), .. })),
            _ => false,
        };
        if !is_call {
            return Err(Fault::syntax(line, "expected a call"));
        }
        let caller = self.macro_of(None, signature, "endcall")?;
        Ok(Node::Call(Box::new(CallBlock { caller, call })))
    }

    fn parse_block(&mut self, line: u32) -> Result<Node, Fault> {
        let name = self.expect_name()?;
        let scoped = self.skip_name("scoped");
        if self.skip_name("required") {
            return Err(Fault::syntax(line, "a required block is not supported: no other template fills it"));
        }
        if self.blocks.iter().any(|(other, _)| *other == name) {
            return Err(Fault::syntax(line, alloc::format!("block '{name}' is there twice")));
        }
        let at = self.blocks.len();
        self.blocks.push((name.clone(), Vec::new()));
        let body = self.apart("endblock")?;
        self.skip_name(&name);
        if let Some(block) = self.blocks.get_mut(at) {
            block.1 = body;
        }
        Ok(Node::Block(at, scoped))
    }

    /// What is assigned to: names, tuples of them, `namespace.attribute`.
    fn target(&mut self, ends: &[&str], attributes: bool) -> Result<Target, Fault> {
        let mut targets = Vec::new();
        let mut is_tuple = false;
        loop {
            let ended = matches!(self.peek(), Tok::BlockEnd | Tok::VariableEnd)
                || self.at_op(")")
                || ends.iter().any(|end| self.at_name(end));
            if ended {
                break;
            }
            targets.push(self.one_target(attributes)?);
            if !self.skip_op(",") {
                break;
            }
            is_tuple = true;
        }
        match (is_tuple, targets.pop()) {
            (false, Some(target)) => Ok(target),
            (true, Some(last)) => {
                targets.push(last);
                Ok(Target::Tuple(targets))
            }
            (_, None) => Err(self.unexpected("a name")),
        }
    }

    fn one_target(&mut self, attributes: bool) -> Result<Target, Fault> {
        if self.skip_op("(") {
            self.deeper()?;
            let inner = self.target(&[], attributes)?;
            self.shallower();
            self.expect_op(")")?;
            return Ok(inner);
        }
        let line = self.line();
        let name = self.expect_name()?;
        if ["true", "false", "none", "True", "False", "None"].contains(&name.as_str()) {
            return Err(Fault::syntax(line, alloc::format!("can't assign to '{name}'")));
        }
        if attributes && self.skip_op(".") {
            let sym = self.read_name(&name);
            return Ok(Target::Attribute(sym, self.expect_name()?));
        }
        Ok(Target::Name(self.symbol(&name)))
    }
}
