//! Step one: what was typed, checked against the table but not interpreted.

use std::ffi::OsString;

use lexopt::{Arg, Parser};

use super::spec::{COMMANDS, Flag, GLOBAL, Spec};
use crate::error::{Error, Result};

/// A command with its words and flags as they stood there.
#[derive(Debug)]
pub struct Typed {
    /// The command, if one was named.
    pub spec: Option<&'static Spec>,
    /// Its positional arguments.
    pub words: Vec<String>,
    /// Flags by long name, in order; the value is empty for a switch.
    pub flags: Vec<(&'static str, String)>,
}

impl Typed {
    /// Whether a switch was typed.
    pub fn has(&self, long: &str) -> bool {
        self.flags.iter().any(|(name, _)| *name == long)
    }

    /// The value of a flag; the last one typed wins.
    pub fn value(&self, long: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(name, _)| *name == long).map(|(_, value)| value.as_str())
    }

    /// Every value of a flag that may be repeated.
    pub fn values(&self, long: &str) -> Vec<String> {
        self.flags.iter().filter(|(name, _)| *name == long).map(|(_, value)| value.clone()).collect()
    }
}

/// Reads the arguments after the program's name.
pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Typed> {
    let mut parser = Parser::from_args(args);
    let mut typed = Typed { spec: None, words: Vec::new(), flags: Vec::new() };
    let mut first: Option<String> = None;
    while let Some(arg) = parser.next().map_err(usage)? {
        match arg {
            Arg::Value(word) => {
                let word =
                    word.into_string().map_err(|_| Error::usage(format_args!("an argument is not UTF-8")))?;
                if typed.spec.is_some() {
                    typed.words.push(word);
                } else {
                    typed.spec = name(&mut first, word)?;
                }
            }
            Arg::Long("version") if typed.spec.is_none() => typed.spec = find("version"),
            Arg::Long(long) => {
                let flag = flag(typed.spec, |flag| flag.long == long)
                    .ok_or_else(|| unknown(typed.spec, &format!("--{long}")))?;
                let value = take(&mut parser, flag)?;
                typed.flags.push((flag.long, value));
            }
            Arg::Short(short) => {
                let flag = flag(typed.spec, |flag| flag.short == Some(short))
                    .ok_or_else(|| unknown(typed.spec, &format!("-{short}")))?;
                let value = take(&mut parser, flag)?;
                typed.flags.push((flag.long, value));
            }
        }
    }
    if let (None, Some(group), false) = (typed.spec, first, typed.has("help")) {
        return Err(Error::usage(format_args!("{group} needs one of: {}", members(&group).join(", "))));
    }
    check_count(&typed)?;
    Ok(typed)
}

fn name(first: &mut Option<String>, word: String) -> Result<Option<&'static Spec>> {
    let whole = match first.as_deref() {
        Some(group) => format!("{group} {word}"),
        None => word,
    };
    if let Some(spec) = find(&whole) {
        return Ok(Some(spec));
    }
    if first.is_none() && !members(&whole).is_empty() {
        *first = Some(whole);
        return Ok(None);
    }
    Err(Error::usage(format_args!("there is no command {whole:?}; see rootling --help")))
}

fn find(name: &str) -> Option<&'static Spec> {
    COMMANDS.iter().find(|spec| spec.name == name)
}

fn members(group: &str) -> Vec<&'static str> {
    COMMANDS
        .iter()
        .filter_map(|spec| spec.name.split_once(' '))
        .filter(|(g, _)| *g == group)
        .map(|(_, m)| m)
        .collect()
}

fn flag(spec: Option<&'static Spec>, is: impl Fn(&Flag) -> bool) -> Option<&'static Flag> {
    spec.map_or(&[][..], |spec| spec.flags).iter().chain(GLOBAL).find(|flag| is(flag))
}

fn take(parser: &mut Parser, flag: &Flag) -> Result<String> {
    if flag.value.is_none() {
        return Ok(String::new());
    }
    let value = parser.value().map_err(usage)?;
    value.into_string().map_err(|_| Error::usage(format_args!("the value of --{} is not UTF-8", flag.long)))
}

fn check_count(typed: &Typed) -> Result<()> {
    let Some(spec) = typed.spec else { return Ok(()) };
    let (least, most) = spec.count;
    if typed.has("help") || (least..=most).contains(&typed.words.len()) {
        return Ok(());
    }
    let wants = if spec.args.is_empty() { "no arguments" } else { spec.args };
    Err(Error::usage(format_args!("{} takes {wants}, got {} arguments", spec.name, typed.words.len())))
}

fn unknown(spec: Option<&'static Spec>, flag: &str) -> Error {
    let command = spec.map_or("rootling", |spec| spec.name);
    Error::usage(format_args!("{command} has no flag {flag}; see --help"))
}

fn usage(error: lexopt::Error) -> Error {
    Error::usage(format_args!("{error}"))
}
