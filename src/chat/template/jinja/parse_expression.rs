//! Expressions. From the loosest to the tightest: `if else`, `or`, `and`, `not`, comparisons, `+ -`, `~`, `* / // %`, `**`,
//! signs, and what follows a value. A row of one kind becomes one node.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::ast::{Arguments, Comparison, Expr, Op, Post, PostKind};
use super::fault::Fault;
use super::lex::Tok;
use super::parse::Parser;

impl Parser {
    /// One expression, or several with commas between them.
    pub(super) fn tuple(&mut self, conditional: bool, ends: &[&str]) -> Result<Expr, Fault> {
        self.tuple_in(conditional, ends, false)
    }

    fn tuple_in(&mut self, conditional: bool, ends: &[&str], in_brackets: bool) -> Result<Expr, Fault> {
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            let ended = matches!(self.peek(), Tok::BlockEnd | Tok::VariableEnd)
                || self.at_op(")")
                || ends.iter().any(|end| self.at_name(end));
            if ended {
                break;
            }
            items.push(self.expression(conditional)?);
            if !self.skip_op(",") {
                break;
            }
            is_tuple = true;
        }
        match items.pop() {
            Some(item) if !is_tuple => Ok(item),
            Some(last) => {
                items.push(last);
                Ok(Expr::Tuple(items))
            }
            None if in_brackets => Ok(Expr::Tuple(items)),
            None => Err(self.unexpected("an expression")),
        }
    }

    pub(super) fn expression(&mut self, conditional: bool) -> Result<Expr, Fault> {
        self.deeper()?;
        let mut value = self.or()?;
        while conditional && self.skip_name("if") {
            let test = self.or()?;
            let otherwise = if self.skip_name("else") { Some(self.expression(true)?) } else { None };
            value = Expr::If(Box::new((test, value, otherwise)));
        }
        self.shallower();
        Ok(value)
    }

    fn row(
        &mut self,
        name: &str,
        item: fn(&mut Self) -> Result<Expr, Fault>,
        node: fn(Vec<Expr>) -> Expr,
    ) -> Result<Expr, Fault> {
        let first = item(self)?;
        if !self.at_name(name) {
            return Ok(first);
        }
        let mut items = Vec::from([first]);
        while self.skip_name(name) {
            items.push(item(self)?);
        }
        Ok(node(items))
    }

    fn or(&mut self) -> Result<Expr, Fault> {
        self.row("or", Self::and, Expr::Or)
    }

    fn and(&mut self) -> Result<Expr, Fault> {
        self.row("and", Self::not, Expr::And)
    }

    fn not(&mut self) -> Result<Expr, Fault> {
        if !self.skip_name("not") {
            return self.compare();
        }
        self.deeper()?;
        let value = self.not()?;
        self.shallower();
        Ok(Expr::Not(Box::new(value)))
    }

    fn compare(&mut self) -> Result<Expr, Fault> {
        let first = self.chain(SUMS)?;
        let mut rest = Vec::new();
        while let Some(comparison) = self.comparison() {
            rest.push((comparison, self.chain(SUMS)?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Compare(Box::new(first), rest) })
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let (comparison, tokens) = match (self.peek(), self.peek_after()) {
            (Tok::Op("=="), _) => (Comparison::Eq, 1),
            (Tok::Op("!="), _) => (Comparison::Ne, 1),
            (Tok::Op("<"), _) => (Comparison::Lt, 1),
            (Tok::Op("<="), _) => (Comparison::Le, 1),
            (Tok::Op(">"), _) => (Comparison::Gt, 1),
            (Tok::Op(">="), _) => (Comparison::Ge, 1),
            (Tok::Name(name), _) if name == "in" => (Comparison::In, 1),
            (Tok::Name(not), Tok::Name(name)) if not == "not" && name == "in" => (Comparison::NotIn, 2),
            _ => return None,
        };
        for _ in 0..tokens {
            self.advance();
        }
        Some(comparison)
    }

    /// Operators of one rank, from the left.
    fn chain(&mut self, level: usize) -> Result<Expr, Fault> {
        let (operators, next) = match LEVELS.get(level) {
            Some(operators) => (*operators, level + 1),
            None => return self.unary(true),
        };
        let below = |parser: &mut Self| if level == SUMS { parser.concat() } else { parser.chain(next) };
        let first = below(self)?;
        let mut rest = Vec::new();
        while let Some((_, op)) = operators.iter().find(|(text, _)| self.at_op(text)) {
            self.advance();
            rest.push((*op, below(self)?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Chain(Box::new(first), rest) })
    }

    fn concat(&mut self) -> Result<Expr, Fault> {
        let first = self.chain(PRODUCTS)?;
        if !self.at_op("~") {
            return Ok(first);
        }
        let mut items = Vec::from([first]);
        while self.skip_op("~") {
            items.push(self.chain(PRODUCTS)?);
        }
        Ok(Expr::Concat(items))
    }

    fn unary(&mut self, filters: bool) -> Result<Expr, Fault> {
        let sign = ["-", "+"].into_iter().find(|sign| self.at_op(sign));
        let value = match sign {
            Some(sign) => {
                self.advance();
                self.deeper()?;
                let value = Box::new(self.unary(false)?);
                self.shallower();
                if sign == "-" { Expr::Neg(value) } else { Expr::Pos(value) }
            }
            None => self.primary()?,
        };
        let mut posts = Vec::new();
        self.postfix(&mut posts)?;
        loop {
            if !filters {
                break;
            }
            if self.at_op("|") {
                posts.extend(self.filters(false)?);
            } else if self.skip_name("is") {
                self.test(&mut posts)?;
            } else if self.at_op("(") {
                self.postfix_call(&mut posts)?;
            } else {
                break;
            }
        }
        Ok(if posts.is_empty() { value } else { Expr::Post(Box::new(value), posts) })
    }

    fn primary(&mut self) -> Result<Expr, Fault> {
        match self.peek().clone() {
            Tok::Name(name) => {
                self.advance();
                Ok(match name.as_str() {
                    "true" | "True" => Expr::Bool(true),
                    "false" | "False" => Expr::Bool(false),
                    "none" | "None" => Expr::None,
                    name => Expr::Name(self.read_name(name)),
                })
            }
            Tok::Str(mut text) => {
                self.advance();
                while let Tok::Str(more) = self.peek().clone() {
                    text.push_str(&more);
                    self.advance();
                }
                Ok(Expr::Str(self.text(text)))
            }
            Tok::Int(number) => {
                self.advance();
                Ok(Expr::Int(number))
            }
            Tok::Float(number) => {
                self.advance();
                Ok(Expr::Float(number))
            }
            Tok::Op("(") => {
                self.advance();
                let value = self.tuple_in(true, &[], true)?;
                self.expect_op(")")?;
                Ok(value)
            }
            Tok::Op("[") => {
                self.advance();
                let items = self.separated("]", |parser| parser.expression(true))?;
                Ok(Expr::List(items))
            }
            Tok::Op("{") => {
                self.advance();
                let entries = self.separated("}", |parser| {
                    let key = parser.expression(true)?;
                    parser.expect_op(":")?;
                    Ok((key, parser.expression(true)?))
                })?;
                Ok(Expr::Dict(entries))
            }
            _ => Err(self.unexpected("an expression")),
        }
    }

    /// Items with commas between them, and perhaps after the last, up to a bracket.
    fn separated<T>(
        &mut self,
        end: &str,
        mut item: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut items = Vec::new();
        while !self.at_op(end) {
            if !items.is_empty() {
                self.expect_op(",")?;
            }
            if self.at_op(end) {
                break;
            }
            items.push(item(self)?);
        }
        self.expect_op(end)?;
        Ok(items)
    }

    fn postfix_call(&mut self, posts: &mut Vec<Post>) -> Result<(), Fault> {
        let line = self.line();
        posts.push(Post { line, kind: PostKind::Call(self.arguments()?) });
        Ok(())
    }

    /// Attributes, items and calls.
    fn postfix(&mut self, posts: &mut Vec<Post>) -> Result<(), Fault> {
        loop {
            let line = self.line();
            if self.skip_op(".") {
                let kind = match self.peek().clone() {
                    Tok::Name(name) => PostKind::Attribute(name),
                    Tok::Int(number) => PostKind::Item(Expr::Int(number)),
                    _ => return Err(self.unexpected("a name or a number")),
                };
                self.advance();
                posts.push(Post { line, kind });
            } else if self.skip_op("[") {
                let kind = self.subscript()?;
                posts.push(Post { line, kind });
            } else if self.at_op("(") {
                self.postfix_call(posts)?;
            } else {
                return Ok(());
            }
        }
    }

    fn subscript(&mut self) -> Result<PostKind, Fault> {
        let mut parts: Vec<PostKind> = Vec::new();
        while !self.at_op("]") {
            if !parts.is_empty() {
                self.expect_op(",")?;
            }
            parts.push(self.subscribed()?);
        }
        self.expect_op("]")?;
        match (parts.len(), parts.pop()) {
            (1, Some(part)) => Ok(part),
            (_, last) => {
                let items = parts.into_iter().chain(last).map(|part| match part {
                    PostKind::Item(item) => Ok(item),
                    _ => Err(Fault::syntax(
                        self.line(),
                        "several slices in brackets are not supported: no value has them",
                    )),
                });
                Ok(PostKind::Item(Expr::Tuple(items.collect::<Result<_, _>>()?)))
            }
        }
    }

    fn subscribed(&mut self) -> Result<PostKind, Fault> {
        let first = if self.at_op(":") { None } else { Some(self.expression(true)?) };
        if !self.skip_op(":") {
            return match first {
                Some(item) => Ok(PostKind::Item(item)),
                None => Err(self.unexpected("an expression")),
            };
        }
        let bound = |parser: &mut Self| {
            let ended = [":", "]", ","].iter().any(|end| parser.at_op(end));
            if ended { Ok(None) } else { parser.expression(true).map(Some) }
        };
        let stop = bound(self)?;
        let step = if self.skip_op(":") { bound(self)? } else { None };
        Ok(PostKind::Slice(Box::new([first, stop, step])))
    }

    fn arguments(&mut self) -> Result<Arguments, Fault> {
        let mut arguments = Arguments::default();
        let line = self.line();
        self.expect_op("(")?;
        let mut first = true;
        while !self.at_op(")") {
            if !first {
                self.expect_op(",")?;
                if self.at_op(")") {
                    break;
                }
            }
            first = false;
            let wrong = || Fault::syntax(line, "arguments are in a wrong order");
            if self.skip_op("*") {
                if arguments.star.is_some() || arguments.stars.is_some() {
                    return Err(wrong());
                }
                arguments.star = Some(Box::new(self.expression(true)?));
            } else if self.skip_op("**") {
                if arguments.stars.is_some() {
                    return Err(wrong());
                }
                arguments.stars = Some(Box::new(self.expression(true)?));
            } else if let (Tok::Name(name), Tok::Op("=")) = (self.peek().clone(), self.peek_after()) {
                if arguments.stars.is_some() {
                    return Err(wrong());
                }
                self.advance();
                self.advance();
                arguments.named.push((name, self.expression(true)?));
            } else {
                if arguments.star.is_some() || arguments.stars.is_some() || !arguments.named.is_empty() {
                    return Err(wrong());
                }
                arguments.positional.push(self.expression(true)?);
            }
        }
        self.expect_op(")")?;
        Ok(arguments)
    }

    fn dotted(&mut self) -> Result<String, Fault> {
        let mut name = self.expect_name()?;
        while self.skip_op(".") {
            name.push('.');
            name.push_str(&self.expect_name()?);
        }
        Ok(name)
    }

    /// `|name(…)` as often as it comes; the first without its `|` where `inline` is set.
    pub(super) fn filters(&mut self, mut inline: bool) -> Result<Vec<Post>, Fault> {
        let mut posts = Vec::new();
        while inline || self.at_op("|") {
            if !inline {
                self.advance();
            }
            inline = false;
            let line = self.line();
            let name = self.dotted()?;
            let arguments = if self.at_op("(") { self.arguments()? } else { Arguments::default() };
            posts.push(Post { line, kind: PostKind::Filter(name, arguments) });
        }
        Ok(posts)
    }

    fn test(&mut self, posts: &mut Vec<Post>) -> Result<(), Fault> {
        let line = self.line();
        let negated = self.skip_name("not");
        let name = self.dotted()?;
        let mut arguments = Arguments::default();
        let begins = match self.peek() {
            Tok::Name(name) => !["else", "or", "and"].contains(&name.as_str()),
            Tok::Str(_) | Tok::Int(_) | Tok::Float(_) | Tok::Op("[" | "{") => true,
            _ => false,
        };
        if self.at_op("(") {
            arguments = self.arguments()?;
        } else if self.at_name("is") {
            return Err(Fault::syntax(line, "tests cannot be chained with 'is'"));
        } else if begins {
            let value = self.primary()?;
            let mut after = Vec::new();
            self.postfix(&mut after)?;
            arguments.positional.push(if after.is_empty() {
                value
            } else {
                Expr::Post(Box::new(value), after)
            });
        }
        posts.push(Post { line, kind: PostKind::Test(name, arguments) });
        if negated {
            posts.push(Post { line, kind: PostKind::Not });
        }
        Ok(())
    }
}

/// Ranks of operators, by [`Parser::chain`]. Between sums and products stands `~`.
const LEVELS: [&[(&str, Op)]; 3] = [
    &[("+", Op::Add), ("-", Op::Sub)],
    &[("*", Op::Mul), ("/", Op::Div), ("//", Op::FloorDiv), ("%", Op::Mod)],
    &[("**", Op::Pow)],
];
const SUMS: usize = 0;
const PRODUCTS: usize = 1;
