//! Any GVariant value: what commit and summary metadata are made of.

use super::frame::{self, ArrayWriter, Member};
use super::types;
use crate::error::{Error, Result};

const WHAT: &str = "variant";

/// A GVariant value; integers are little endian on disk unless OSTree swapped them by hand.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `b`
    Bool(bool),
    /// `y`
    Byte(u8),
    /// `n`
    I16(i16),
    /// `q`
    U16(u16),
    /// `i`
    I32(i32),
    /// `u`
    U32(u32),
    /// `x`
    I64(i64),
    /// `t`
    U64(u64),
    /// `d`, by its bits
    Double(u64),
    /// `s` (object paths and signatures, `o` and `g`, are not used by OSTree and are read as text)
    Str(String),
    /// `ay`
    Bytes(Vec<u8>),
    /// `aX` for any `X` but `y`
    Array {
        /// The type of each element, needed where there is none.
        element: String,
        /// The elements.
        items: Vec<Value>,
    },
    /// `mX`
    Maybe {
        /// The type inside.
        element: String,
        /// The value, if any.
        item: Option<Box<Value>>,
    },
    /// `(...)`
    Tuple(Vec<Value>),
    /// `{KX}`
    DictEntry(Box<Value>, Box<Value>),
    /// `v`
    Variant(Box<Value>),
}

impl Value {
    /// Text.
    pub fn str(text: impl Into<String>) -> Value {
        Value::Str(text.into())
    }

    /// An `as`.
    pub fn strv<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Value {
        Value::Array { element: "s".into(), items: texts.into_iter().map(Value::str).collect() }
    }

    /// An `aay`.
    pub fn byte_arrays(arrays: impl IntoIterator<Item = Vec<u8>>) -> Value {
        Value::Array { element: "ay".into(), items: arrays.into_iter().map(Value::Bytes).collect() }
    }

    /// The text of an `s`.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of an `ay`.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The elements of an array or the members of a tuple.
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Value::Array { items, .. } | Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The GVariant type of this value.
    pub fn type_string(&self) -> String {
        match self {
            Value::Bool(_) => "b".into(),
            Value::Byte(_) => "y".into(),
            Value::I16(_) => "n".into(),
            Value::U16(_) => "q".into(),
            Value::I32(_) => "i".into(),
            Value::U32(_) => "u".into(),
            Value::I64(_) => "x".into(),
            Value::U64(_) => "t".into(),
            Value::Double(_) => "d".into(),
            Value::Str(_) => "s".into(),
            Value::Bytes(_) => "ay".into(),
            Value::Array { element, .. } => format!("a{element}"),
            Value::Maybe { element, .. } => format!("m{element}"),
            Value::Tuple(items) => {
                let inner: String = items.iter().map(Value::type_string).collect();
                format!("({inner})")
            }
            Value::DictEntry(key, value) => format!("{{{}{}}}", key.type_string(), value.type_string()),
            Value::Variant(_) => "v".into(),
        }
    }

    /// The serialised value.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Value::Bool(value) => vec![u8::from(*value)],
            Value::Byte(value) => vec![*value],
            Value::I16(value) => value.to_le_bytes().to_vec(),
            Value::U16(value) => value.to_le_bytes().to_vec(),
            Value::I32(value) => value.to_le_bytes().to_vec(),
            Value::U32(value) => value.to_le_bytes().to_vec(),
            Value::I64(value) => value.to_le_bytes().to_vec(),
            Value::U64(value) | Value::Double(value) => value.to_le_bytes().to_vec(),
            Value::Str(text) => frame::string_bytes(text),
            Value::Bytes(bytes) => bytes.clone(),
            Value::Array { element, items } => encode_array(layout_of(element), items),
            Value::Maybe { element, item } => encode_maybe(layout_of(element), item.as_deref()),
            Value::Tuple(items) => encode_tuple(&items.iter().collect::<Vec<_>>()),
            Value::DictEntry(key, value) => encode_tuple(&[key, value]),
            Value::Variant(inner) => {
                let mut bytes = inner.encode();
                bytes.push(0);
                bytes.extend_from_slice(inner.type_string().as_bytes());
                bytes
            }
        }
    }

    /// Reads a value of the GVariant type `text`; anything but normal form is refused.
    pub fn decode(text: &str, bytes: &[u8]) -> Result<Value> {
        let (first, rest) = types::split_first(text)?;
        if !rest.is_empty() {
            return Err(Error::malformed(WHAT, "type string", "one type", crate::checksum::quoted(text)));
        }
        decode(first, bytes, 0)
    }
}

/// The layout of a type that a [`Value`] itself named; an unknown one is laid out as bytes.
fn layout_of(element: &str) -> Member {
    types::layout(element).unwrap_or(frame::BYTES)
}

fn encode_array(layout: Member, items: &[Value]) -> Vec<u8> {
    if layout.fixed.is_some() {
        return items.iter().flat_map(|item| item.encode()).collect();
    }
    let mut writer = ArrayWriter::default();
    for item in items {
        writer.push(layout.align, &item.encode());
    }
    writer.finish()
}

fn encode_maybe(layout: Member, item: Option<&Value>) -> Vec<u8> {
    let Some(item) = item else { return Vec::new() };
    let mut bytes = item.encode();
    if layout.fixed.is_none() {
        bytes.push(0);
    }
    bytes
}

fn encode_tuple(items: &[&Value]) -> Vec<u8> {
    let encoded: Vec<_> = items.iter().map(|item| (layout_of(&item.type_string()), item.encode())).collect();
    let parts: Vec<_> = encoded.iter().map(|(layout, bytes)| (*layout, bytes.as_slice())).collect();
    frame::join_tuple(&parts)
}

fn decode(text: &str, bytes: &[u8], depth: usize) -> Result<Value> {
    if depth > types::MAX_DEPTH {
        return Err(Error::malformed(
            WHAT,
            "nesting",
            format_args!("at most {} levels", types::MAX_DEPTH),
            "more",
        ));
    }
    let deeper = depth.saturating_add(1);
    let (first, inner) = text.split_at_checked(1).unwrap_or((text, ""));
    Ok(match first {
        "b" => match bytes {
            [0] => Value::Bool(false),
            [1] => Value::Bool(true),
            _ => {
                return Err(Error::malformed(
                    WHAT,
                    "boolean",
                    "one byte, 0 or 1",
                    format_args!("{bytes:02x?}"),
                ));
            }
        },
        "y" => Value::Byte(u8::from_le_bytes(number("byte", bytes)?)),
        "n" => Value::I16(i16::from_le_bytes(number("16-bit integer", bytes)?)),
        "q" => Value::U16(u16::from_le_bytes(number("16-bit integer", bytes)?)),
        "i" => Value::I32(i32::from_le_bytes(number("32-bit integer", bytes)?)),
        "u" => Value::U32(u32::from_le_bytes(number("32-bit integer", bytes)?)),
        "x" => Value::I64(i64::from_le_bytes(number("64-bit integer", bytes)?)),
        "t" => Value::U64(u64::from_le_bytes(number("64-bit integer", bytes)?)),
        "d" => Value::Double(u64::from_le_bytes(number("double", bytes)?)),
        "s" | "o" | "g" => Value::Str(frame::string(WHAT, "text", bytes)?.into()),
        "v" => Value::Variant(Box::new(decode_variant(bytes, deeper)?)),
        "m" => decode_maybe(inner, bytes, deeper)?,
        "a" if inner == "y" => Value::Bytes(bytes.to_vec()),
        "a" => decode_array(inner, bytes, deeper)?,
        "(" => Value::Tuple(decode_members(text, bytes, deeper)?),
        "{" => {
            let members = decode_members(text, bytes, deeper)?;
            let [key, value] = <[Value; 2]>::try_from(members)
                .map_err(|_| Error::malformed(WHAT, "dict entry", "two members", text))?;
            Value::DictEntry(Box::new(key), Box::new(value))
        }
        _ => {
            return Err(Error::malformed(WHAT, "type string", "a known type", crate::checksum::quoted(text)));
        }
    })
}

fn number<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| {
        Error::malformed(WHAT, field, format_args!("{N} bytes"), format_args!("{} bytes", bytes.len()))
    })
}

fn decode_variant(bytes: &[u8], depth: usize) -> Result<Value> {
    let bad = || {
        Error::malformed(
            WHAT,
            "variant",
            "a value, a NUL and its type",
            format_args!("{} bytes", bytes.len()),
        )
    };
    let nul = bytes.iter().rposition(|&byte| byte == 0).ok_or_else(bad)?;
    let (value, rest) = bytes.split_at_checked(nul).ok_or_else(bad)?;
    let text = rest.get(1..).and_then(|text| std::str::from_utf8(text).ok()).ok_or_else(bad)?;
    let (first, after) = types::split_first(text)?;
    if !after.is_empty() {
        return Err(bad());
    }
    decode(first, value, depth)
}

fn decode_maybe(element: &str, bytes: &[u8], depth: usize) -> Result<Value> {
    let layout = types::layout(element)?;
    let inner = match (bytes, layout.fixed) {
        ([], _) => None,
        (bytes, Some(_)) => Some(bytes),
        ([inner @ .., 0], None) => Some(inner),
        _ => {
            return Err(Error::malformed(
                WHAT,
                "maybe",
                "a final NUL",
                format_args!("{} bytes", bytes.len()),
            ));
        }
    };
    let item = inner.map(|inner| decode(element, inner, depth)).transpose()?.map(Box::new);
    Ok(Value::Maybe { element: element.into(), item })
}

fn decode_array(element: &str, bytes: &[u8], depth: usize) -> Result<Value> {
    let layout = types::layout(element)?;
    let items = match layout.fixed {
        Some(size) => {
            let chunks = bytes.chunks_exact(size);
            if !chunks.remainder().is_empty() {
                let expected = format!("a multiple of {size} bytes");
                return Err(Error::malformed(WHAT, "array", expected, format_args!("{} bytes", bytes.len())));
            }
            chunks.map(|chunk| decode(element, chunk, depth)).collect::<Result<_>>()?
        }
        None => frame::array(WHAT, bytes, layout.align)?
            .map(|item| decode(element, item?, depth))
            .collect::<Result<_>>()?,
    };
    Ok(Value::Array { element: element.into(), items })
}

fn decode_members(text: &str, bytes: &[u8], depth: usize) -> Result<Vec<Value>> {
    let members = types::members(text)?;
    let layouts = members.iter().map(|member| types::layout(member)).collect::<Result<Vec<_>>>()?;
    let mut parts = Vec::with_capacity(members.len());
    frame::split_tuple(WHAT, bytes, &layouts, &mut |part| parts.push(part))?;
    members.iter().zip(parts).map(|(member, part)| decode(member, part, depth)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples() -> Vec<Value> {
        let package = |name: &str| {
            Value::Tuple(["", "0", "1.2", "3", "x86_64"].map(|t| Value::str(format!("{name}{t}"))).into())
        };
        vec![
            Value::Bool(true),
            Value::U64(0x0102_0304_0506_0708),
            Value::str("text"),
            Value::strv(["a", "", "ccc"]),
            Value::byte_arrays([vec![1; 64], vec![]]),
            Value::Array {
                element: "(sssss)".into(),
                items: (0..300).map(|n| package(&format!("p{n}"))).collect(),
            },
            Value::Array { element: "u".into(), items: vec![Value::U32(1), Value::U32(2)] },
            Value::Variant(Box::new(Value::Tuple(vec![
                Value::Byte(1),
                Value::U32(2),
                Value::str("x"),
                Value::Bytes(vec![0; 300]),
            ]))),
            Value::Maybe { element: "s".into(), item: Some(Box::new(Value::str(""))) },
            Value::Maybe { element: "u".into(), item: None },
            Value::Tuple(vec![]),
        ]
    }

    #[test]
    fn values_go_there_and_back() {
        for value in examples() {
            let bytes = value.encode();
            assert_eq!(Value::decode(&value.type_string(), &bytes).as_ref(), Ok(&value));
        }
    }

    #[test]
    fn truncation_is_never_a_panic_and_never_the_same_value() {
        for value in examples() {
            let bytes = value.encode();
            for end in 0..bytes.len() {
                assert_ne!(Value::decode(&value.type_string(), &bytes[..end]).as_ref(), Ok(&value));
            }
        }
    }

    #[test]
    fn refuses_what_is_not_normal() {
        let cases: [(&str, &[u8]); 7] = [
            ("b", &[2]),
            ("s", b"no nul"),
            ("s", b"a\0b\0"),
            ("s", b"\xff\0"),
            ("au", &[0; 5]),
            ("v", b"x\0yy"),
            ("ms", b"x"),
        ];
        for (text, bytes) in cases {
            assert!(Value::decode(text, bytes).is_err(), "{text} {bytes:?}");
        }
        let mut deep = vec![0u8];
        deep.push(b'y');
        for _ in 0..100 {
            deep.extend(b"\0v");
        }
        assert!(Value::decode("v", &deep).is_err());
    }
}
