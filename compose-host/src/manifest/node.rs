//! A YAML or JSON document whose every key and value knows its file and line.
//!
//! Scalars keep their source text, so that `releasever: 4.10` stays "4.10" and not the number 4.1.

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

use std::fmt;
use std::rc::Rc;

use anyhow::{Result, bail};
use saphyr::{MarkedYaml, Scalar, YamlData, YamlLoader};

/// A place in a manifest, for error messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At {
    /// The path as it was given or included.
    pub(crate) file: Rc<str>,
    /// Line, from 1.
    pub(crate) line: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One value of the document.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) data: Data,
}

/// What a value can be.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    /// Any number, with its text.
    Number(i64, String),
    /// A number with a fraction, as text.
    Fraction(f64, String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: At,
    pub(crate) value: Node,
}

impl Node {
    /// Parses the text of `file` as one YAML document (JSON is a part of YAML).
    pub(crate) fn parse(file: &str, text: &str) -> Result<Node> {
        let file: Rc<str> = file.into();
        let mut loader = YamlLoader::<MarkedYaml>::default();
        loader.early_parse(false);
        let mut parser = saphyr_parser::Parser::new_from_str(text);
        if let Err(e) = parser.load(&mut loader, true) {
            bail!("{file}:{}: not valid YAML or JSON: {}", e.marker().line(), e.info());
        }
        if let Some(e) = loader.error() {
            bail!("{file}:{}: not valid YAML or JSON: {}", e.marker().line(), e.info());
        }
        let mut documents = loader.into_documents().into_iter();
        let Some(document) = documents.next() else { bail!("{file}: empty, expected a mapping") };
        if let Some(second) = documents.next() {
            bail!("{file}:{}: a second document, expected one", second.span.start.line());
        }
        convert(&file, document)
    }

    /// The name of the value's type, for errors.
    pub(crate) fn kind(&self) -> &'static str {
        match self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "a boolean",
            Data::Number(..) | Data::Fraction(..) => "a number",
            Data::Text(_) => "a string",
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }

    /// The value as JSON.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(b) => Value::Bool(*b),
            Data::Number(n, _) => (*n).into(),
            Data::Fraction(n, _) => (*n).into(),
            Data::Text(s) => s.clone().into(),
            Data::List(items) => items.iter().map(Node::to_json).collect(),
            Data::Map(entries) => {
                Value::Object(entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect())
            }
        }
    }
}

fn convert(file: &Rc<str>, yaml: MarkedYaml) -> Result<Node> {
    let at = At { file: file.clone(), line: yaml.span.start.line() };
    let data = match yaml.data {
        YamlData::Representation(text, style, tag) => {
            let source = text.to_string();
            match Scalar::parse_from_cow_and_metadata(text, style, tag.as_ref()) {
                Some(Scalar::Null) => Data::Null,
                Some(Scalar::Boolean(b)) => Data::Bool(b),
                Some(Scalar::Integer(n)) => Data::Number(n, source),
                Some(Scalar::FloatingPoint(n)) => Data::Fraction(n.into_inner(), source),
                Some(Scalar::String(_)) => Data::Text(source),
                None => bail!("{at}: value {source:?} does not fit its tag"),
            }
        }
        YamlData::Sequence(items) => {
            Data::List(items.into_iter().map(|item| convert(file, item)).collect::<Result<_>>()?)
        }
        YamlData::Mapping(map) => {
            let mut entries: Vec<Entry> = Vec::new();
            for (key, value) in map {
                let key_at = At { file: file.clone(), line: key.span.start.line() };
                let YamlData::Representation(key, ..) = key.data else {
                    bail!("{key_at}: a key that is not a plain string")
                };
                if let Some(first) = entries.iter().find(|e| e.key == key) {
                    bail!("{key_at}: key {key:?} a second time, first in line {}", first.at.line);
                }
                entries.push(Entry { key: key.to_string(), at: key_at, value: convert(file, value)? });
            }
            Data::Map(entries)
        }
        YamlData::Value(_) | YamlData::Alias(_) | YamlData::BadValue => bail!("{at}: value not understood"),
        YamlData::Tagged(tag, _) => bail!("{at}: tag {tag} is not supported"),
    };
    Ok(Node { at, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_lines_and_source_text() {
        let node = Node::parse("m.yaml", "ref: a\n\nreleasever: 4.10\nlist:\n  - x\n  - 7\n").unwrap();
        let Data::Map(map) = node.data else { panic!() };
        assert_eq!(
            map.iter().map(|e| (e.key.as_str(), e.at.line)).collect::<Vec<_>>(),
            [("ref", 1), ("releasever", 3), ("list", 4)]
        );
        assert!(matches!(&map[1].value.data, Data::Fraction(_, s) if s == "4.10"));
        let Data::List(list) = &map[2].value.data else { panic!() };
        assert_eq!(list[1].at.line, 6);
    }

    #[test]
    fn reads_json_with_tabs() {
        let node = Node::parse("m.json", "{\n\t\"ref\": \"a/b\",\n\t\"packages\": [\"x\",\n\t\t\"y\"]\n}\n")
            .unwrap();
        assert_eq!(node.to_json(), serde_json::json!({"ref": "a/b", "packages": ["x", "y"]}));
    }

    #[test]
    fn names_line_of_syntax_errors() {
        for (text, line) in [("a: [1,\nb: }\n", 2), ("a: 1\nb: 2\na: 3\n", 3)] {
            let error = Node::parse("bad.yaml", text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("bad.yaml:{line}: ")), "{error}");
        }
    }
}
