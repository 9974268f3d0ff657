//! Rich dependencies: `(a or b)`, `(a if b else c)`, `(a with b >= 2)`, nested at will.
//!
//! Format: rpm's "More on Boolean Dependencies". One operator per pair of parentheses; `and`, `or` and `with` chain.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

use anyhow::{Result, bail};

use super::pool::{Dependency, Evr, RelOp};
use super::{Strings, Sym, split_evr};

/// A parsed dependency.
#[derive(Clone, Debug, PartialEq)]
pub enum Rich {
    /// A plain dependency.
    One(Dependency),
    /// All of these.
    And(Vec<Rich>),
    /// At least one of these.
    Or(Vec<Rich>),
    /// `A if B [else C]`.
    If(Box<Rich>, Box<Rich>, Option<Box<Rich>>),
    /// `A unless B [else C]`.
    Unless(Box<Rich>, Box<Rich>, Option<Box<Rich>>),
    /// One package that is all of these.
    With(Vec<Rich>),
    /// One package that is the first but not the second.
    Without(Box<Rich>, Box<Rich>),
}

/// How deep parentheses may nest.
const MAX_DEPTH: usize = 32;

impl Rich {
    /// Parses a text that starts with a parenthesis.
    pub fn parse(text: &str, strings: &mut Strings) -> Result<Rich> {
        let mut parser = Parser { text, rest: text, strings };
        let rich = parser.group(0)?;
        if !parser.rest.trim().is_empty() {
            bail!("rich dependency {text:?}: {:?} after its end", parser.rest);
        }
        Ok(rich)
    }

    /// Calls `each` with every name in it.
    pub(super) fn each_name(&self, each: &mut dyn FnMut(Sym)) {
        match self {
            Rich::One(dependency) => each(dependency.name),
            Rich::And(all) | Rich::Or(all) | Rich::With(all) => {
                all.iter().for_each(|rich| rich.each_name(each))
            }
            Rich::If(a, b, c) | Rich::Unless(a, b, c) => {
                [Some(a), Some(b), c.as_ref()].into_iter().flatten().for_each(|rich| rich.each_name(each))
            }
            Rich::Without(a, b) => [a, b].into_iter().for_each(|rich| rich.each_name(each)),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    strings: &'a mut Strings,
}

impl<'a> Parser<'a> {
    fn group(&mut self, depth: usize) -> Result<Rich> {
        if depth >= MAX_DEPTH {
            bail!("rich dependency nests deeper than {MAX_DEPTH}");
        }
        if !self.eat('(') {
            bail!("rich dependency {:?}: expected ( at {:?}", self.text, self.rest);
        }
        let first = self.term(depth)?;
        if self.eat(')') {
            return Ok(first);
        }
        let operator = self.word().to_string();
        let second = self.term(depth)?;
        let rich = match operator.as_str() {
            "and" | "or" | "with" => {
                let mut all = vec![first, second];
                while !self.peek(')') {
                    let next = self.word();
                    if next != operator {
                        bail!("rich dependency {:?}: {next:?} after {operator:?} in one group", self.text);
                    }
                    all.push(self.term(depth)?);
                }
                match operator.as_str() {
                    "and" => Rich::And(all),
                    "or" => Rich::Or(all),
                    _ => Rich::With(all),
                }
            }
            "if" | "unless" => {
                let third = if self.peek(')') {
                    None
                } else {
                    let next = self.word();
                    if next != "else" {
                        bail!("rich dependency {:?}: expected else, got {next:?}", self.text);
                    }
                    Some(Box::new(self.term(depth)?))
                };
                if operator == "if" {
                    Rich::If(first.into(), second.into(), third)
                } else {
                    Rich::Unless(first.into(), second.into(), third)
                }
            }
            "without" => Rich::Without(first.into(), second.into()),
            _ => bail!("rich dependency {:?}: unknown operator {operator:?}", self.text),
        };
        if !self.eat(')') {
            bail!("rich dependency {:?}: expected ) at {:?}", self.text, self.rest);
        }
        Ok(rich)
    }

    fn term(&mut self, depth: usize) -> Result<Rich> {
        if self.peek('(') {
            return self.group(depth.saturating_add(1));
        }
        let name = self.word();
        if name.is_empty() {
            bail!("rich dependency {:?}: expected a name at {:?}", self.text, self.rest);
        }
        let name = self.strings.intern(name);
        let before = self.rest;
        let version = match RelOp::from_sign(self.word()) {
            Some(op) => {
                let (epoch, version, release) = split_evr(self.word());
                let version = self.strings.intern(version);
                let release = release.map(|release| self.strings.intern(release));
                Some((op, Evr { epoch, version, release }))
            }
            None => {
                self.rest = before;
                None
            }
        };
        Ok(Rich::One(Dependency { name, version }))
    }

    fn peek(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.starts_with(c)
    }

    fn eat(&mut self, c: char) -> bool {
        match self.rest.trim_start().strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The next word; parentheses inside a name, as in `lib.so()(64bit)`, belong to it.
    fn word(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let mut open = 0usize;
        let end = self.rest.find(|c: char| match c {
            '(' => {
                open = open.saturating_add(1);
                false
            }
            ')' if open > 0 => {
                open = open.saturating_sub(1);
                false
            }
            ')' => true,
            c => c.is_whitespace(),
        });
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(rich: &Rich, strings: &Strings) -> String {
        let list = |all: &[Rich]| all.iter().map(|r| show(r, strings)).collect::<Vec<_>>().join(",");
        let three = |a: &Rich, b: &Rich, c: &Option<Box<Rich>>| {
            format!(
                "{},{},{}",
                show(a, strings),
                show(b, strings),
                c.as_ref().map_or("-".into(), |c| show(c, strings))
            )
        };
        match rich {
            Rich::One(d) => match &d.version {
                Some((op, evr)) => format!(
                    "{}{op}{}:{}-{}",
                    strings.text(d.name),
                    evr.epoch,
                    strings.text(evr.version),
                    evr.release.map_or("", |r| strings.text(r))
                ),
                None => strings.text(d.name).into(),
            },
            Rich::And(all) => format!("and[{}]", list(all)),
            Rich::Or(all) => format!("or[{}]", list(all)),
            Rich::With(all) => format!("with[{}]", list(all)),
            Rich::If(a, b, c) => format!("if[{}]", three(a, b, c)),
            Rich::Unless(a, b, c) => format!("unless[{}]", three(a, b, c)),
            Rich::Without(a, b) => format!("without[{},{}]", show(a, strings), show(b, strings)),
        }
    }

    #[test]
    fn parses() {
        for (text, expected) in [
            ("(a or b or c)", "or[a,b,c]"),
            ("(a >= 1:2-3 and lib.so.1()(64bit))", "and[a>=1:2-3,lib.so.1()(64bit)]"),
            ("(a if (b or c) else (d and e))", "if[a,or[b,c],and[d,e]]"),
            ("(a unless b)", "unless[a,b,-]"),
            ("((a with b < 2) or c)", "or[with[a,b<0:2-],c]"),
            ("(a without b)", "without[a,b]"),
            ("( a  or\tb )", "or[a,b]"),
            ("(a)", "a"),
        ] {
            let mut strings = Strings::default();
            assert_eq!(show(&Rich::parse(text, &mut strings).unwrap(), &strings), expected, "{text}");
        }
    }

    #[test]
    fn refuses() {
        let deep = "(".repeat(100_000);
        for text in
            ["(a or b", "(a or b) c", "(a nor b)", "(a or b and c)", "(a if b or c)", "()", "(a or )", &deep]
        {
            assert!(Rich::parse(text, &mut Strings::default()).is_err(), "{text}");
        }
    }
}
