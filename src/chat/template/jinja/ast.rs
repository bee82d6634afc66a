//! A template as a tree. What is written in a row is a list, so that only brackets and blocks nest.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// The number of a name.
pub(super) type Sym = u32;

/// Statements in order.
pub(super) type Block = Vec<Stmt>;

#[derive(Debug)]
pub(super) struct Stmt {
    pub(super) line: u32,
    pub(super) node: Node,
}

#[derive(Debug)]
pub(super) enum Node {
    Data(String),
    Print(Vec<Expr>),
    If(Vec<(Expr, Block)>, Block),
    For(Box<For>),
    Set(Target, Expr),
    SetBlock(Target, Vec<Post>, Block),
    With(Vec<(Target, Expr)>, Block),
    Macro(Box<Macro>),
    Call(Box<CallBlock>),
    Filter(Vec<Post>, Block),
    /// A block of names of its own: `{% generation %}`.
    Scope(Block),
    AutoEscape(Expr, Block),
    /// One of the template's blocks, and whether it sees what is around it.
    Block(usize, bool),
    Break,
    Continue,
    /// A statement that needs other files.
    NoFiles(&'static str),
}

#[derive(Debug)]
pub(super) struct For {
    pub(super) target: Target,
    pub(super) items: Expr,
    pub(super) test: Option<Expr>,
    pub(super) body: Block,
    pub(super) otherwise: Block,
    pub(super) recursive: bool,
}

#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: Option<(Sym, String)>,
    pub(super) arguments: Vec<(Sym, String)>,
    /// Of the last arguments.
    pub(super) defaults: Vec<Expr>,
    pub(super) body: Block,
    pub(super) uses: Uses,
}

/// Names that a macro has if it mentions them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Uses {
    pub(super) caller: bool,
    pub(super) kwargs: bool,
    pub(super) varargs: bool,
}

#[derive(Debug)]
pub(super) struct CallBlock {
    pub(super) caller: Macro,
    /// Ends in a call.
    pub(super) call: Expr,
}

#[derive(Debug)]
pub(super) enum Target {
    Name(Sym),
    Tuple(Vec<Target>),
    Attribute(Sym, String),
}

#[derive(Debug)]
pub(super) enum Expr {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    /// The text with this number.
    Str(usize),
    Name(Sym),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    /// From the left: `a + b - c`.
    Chain(Box<Expr>, Vec<(Op, Expr)>),
    Concat(Vec<Expr>),
    Neg(Box<Expr>),
    Pos(Box<Expr>),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    If(Box<(Expr, Expr, Option<Expr>)>),
    /// What follows a value: attributes, calls, filters, tests.
    Post(Box<Expr>, Vec<Post>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}

#[derive(Debug)]
pub(super) struct Post {
    pub(super) line: u32,
    pub(super) kind: PostKind,
}

#[derive(Debug)]
pub(super) enum PostKind {
    Attribute(String),
    Item(Expr),
    Slice(Box<[Option<Expr>; 3]>),
    Call(Arguments),
    Filter(String, Arguments),
    Test(String, Arguments),
    /// `is not`.
    Not,
}

#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Expr>,
    pub(super) named: Vec<(String, Expr)>,
    pub(super) star: Option<Box<Expr>>,
    pub(super) stars: Option<Box<Expr>>,
}
