//! A thin layer over quick-xml: attributes by name, text with its entities put back.

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

use std::io::BufRead;

use anyhow::{Context, Result, bail};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion, escape};

/// What a document is made of, as far as repository metadata needs it.
pub(super) enum Item {
    /// A start tag, or an empty element (which is followed by its end).
    Start(Tag),
    /// An end tag, with all text directly inside the element.
    End { name: String, text: String },
    /// The end of the document.
    Eof,
}

/// A start tag.
pub(super) struct Tag {
    /// With prefix, as written: `rpm:entry`.
    pub(super) name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// The value of an attribute.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of an attribute that must be there.
    pub(super) fn need(&self, name: &str) -> Result<&str> {
        self.get(name).with_context(|| format!("element {} has no attribute {name}", self.name))
    }

    /// A number in an attribute, 0 where there is none.
    pub(super) fn number(&self, name: &str) -> Result<u64> {
        match self.get(name) {
            None | Some("") => Ok(0),
            Some(text) => text.parse().with_context(|| {
                format!("attribute {name} of {}: expected a number, got {text:?}", self.name)
            }),
        }
    }
}

/// A pull reader of one document.
pub(super) struct Document<R> {
    reader: Reader<R>,
    buffer: Vec<u8>,
    /// Text so far of each open element.
    open: Vec<(String, String)>,
    /// The end of an empty element, given next.
    pending_end: bool,
}

/// How deep elements may nest.
const MAX_DEPTH: usize = 64;

impl<R: BufRead> Document<R> {
    pub(super) fn new(input: R) -> Self {
        Document {
            reader: Reader::from_reader(input),
            buffer: Vec::new(),
            open: Vec::new(),
            pending_end: false,
        }
    }

    /// The next item.
    pub(super) fn next(&mut self) -> Result<Item> {
        if std::mem::take(&mut self.pending_end) {
            return self.end();
        }
        loop {
            self.buffer.clear();
            let at = self.reader.buffer_position();
            let event =
                self.reader.read_event_into(&mut self.buffer).with_context(|| format!("XML at byte {at}"))?;
            match event {
                Event::Start(start) => {
                    let tag = tag(&start)?;
                    return self.start(tag);
                }
                Event::Empty(start) => {
                    let tag = tag(&start)?;
                    self.pending_end = true;
                    return self.start(tag);
                }
                Event::End(_) => return self.end(),
                Event::Text(text) => {
                    if let Some((_, held)) = self.open.last_mut() {
                        held.push_str(&text.xml10_content());
                    }
                }
                Event::CData(text) => {
                    if let Some((_, held)) = self.open.last_mut() {
                        held.push_str(&text.xml10_content());
                    }
                }
                Event::GeneralRef(entity) => {
                    let Some((_, held)) = self.open.last_mut() else { continue };
                    if let Some(c) = entity.resolve_char_ref().with_context(|| format!("XML at byte {at}"))? {
                        held.push(c);
                    } else {
                        let name = entity.xml10_content();
                        match escape::resolve_predefined_entity(&name) {
                            Some(text) => held.push_str(text),
                            None => bail!("XML at byte {at}: unknown entity &{name};"),
                        }
                    }
                }
                Event::DocType(_) => bail!("XML at byte {at}: a document type, expected none"),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                Event::Eof => {
                    if let Some((name, _)) = self.open.last() {
                        bail!("XML ends inside element {name}");
                    }
                    return Ok(Item::Eof);
                }
            }
        }
    }

    fn start(&mut self, tag: Tag) -> Result<Item> {
        if self.open.len() >= MAX_DEPTH {
            bail!("XML nests deeper than {MAX_DEPTH} at element {}", tag.name);
        }
        self.open.push((tag.name.clone(), String::new()));
        Ok(Item::Start(tag))
    }

    fn end(&mut self) -> Result<Item> {
        let (name, text) = self.open.pop().context("an end tag without its start")?;
        Ok(Item::End { name, text })
    }
}

fn tag(start: &BytesStart) -> Result<Tag> {
    let name = start.name().as_ref().to_string();
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.with_context(|| format!("attributes of element {name}"))?;
        let value = attribute
            .normalized_value(XmlVersion::Explicit1_0)
            .with_context(|| format!("attribute {} of element {name}", attribute.key.as_ref()))?;
        attributes.push((attribute.key.as_ref().to_string(), value.into_owned()));
    }
    Ok(Tag { name, attributes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_entities_in_text_and_attributes() {
        let mut document = Document::new(&b"<a k='x&amp;y'>b &lt;c&gt; &#x2f;&amp;d<e/></a>"[..]);
        let Item::Start(tag) = document.next().unwrap() else { panic!() };
        assert_eq!(tag.get("k"), Some("x&y"));
        assert!(matches!(document.next().unwrap(), Item::Start(t) if t.name == "e"));
        assert!(matches!(document.next().unwrap(), Item::End { name, .. } if name == "e"));
        let Item::End { text, .. } = document.next().unwrap() else { panic!() };
        assert_eq!(text, "b <c> /&d");
        assert!(matches!(document.next().unwrap(), Item::Eof));
    }

    #[test]
    fn refuses_cut_and_odd_documents() {
        for bad in
            ["<a>", "<a></b>", "<a>&nope;</a>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a/>", "<a b='1' b='2'/>"]
        {
            let mut document = Document::new(bad.as_bytes());
            let error = loop {
                match document.next() {
                    Err(e) => break Some(e),
                    Ok(Item::Eof) => break None,
                    Ok(_) => {}
                }
            };
            assert!(error.is_some(), "{bad}");
        }
    }
}
