//! GVariant type strings: splitting, alignment, fixed sizes.

use super::frame::Member;
use crate::error::{Error, Result};

/// Containers nest at most this deep in what is read; OSTree itself needs 5.
pub(crate) const MAX_DEPTH: usize = 24;

fn bad(text: &str) -> Error {
    Error::malformed("variant", "type string", "a complete GVariant type", crate::checksum::quoted(text))
}

/// Takes the first complete type off `text`: `("as", "u")` from `"asu"`.
pub(crate) fn split_first(text: &str) -> Result<(&str, &str)> {
    let length = length_of_first(text.as_bytes(), 0).ok_or_else(|| bad(text))?;
    text.split_at_checked(length).ok_or_else(|| bad(text))
}

fn length_of_first(text: &[u8], depth: usize) -> Option<usize> {
    if depth > MAX_DEPTH {
        return None;
    }
    let deeper = depth.checked_add(1)?;
    let (first, rest) = text.split_first()?;
    match first {
        b'b' | b'y' | b'n' | b'q' | b'i' | b'u' | b'x' | b't' | b'd' | b's' | b'o' | b'g' | b'v' => Some(1),
        b'a' | b'm' => length_of_first(rest, deeper)?.checked_add(1),
        b'(' => {
            let mut at = 0usize;
            while *rest.get(at)? != b')' {
                at = at.checked_add(length_of_first(rest.get(at..)?, deeper)?)?;
            }
            at.checked_add(2)
        }
        b'{' => {
            if !matches!(
                rest.first()?,
                b'b' | b'y' | b'n' | b'q' | b'i' | b'u' | b'x' | b't' | b'd' | b's' | b'o' | b'g'
            ) {
                return None;
            }
            let value = length_of_first(rest.get(1..)?, deeper)?;
            let close = value.checked_add(1)?;
            (*rest.get(close)? == b'}').then_some(close.checked_add(2)?)
        }
        _ => None,
    }
}

/// The member types of a tuple or dict entry type.
pub(crate) fn members(text: &str) -> Result<Vec<&str>> {
    let inner = text
        .strip_prefix(['(', '{'])
        .and_then(|text| text.strip_suffix([')', '}']))
        .ok_or_else(|| bad(text))?;
    let mut types = Vec::new();
    let mut rest = inner;
    while !rest.is_empty() {
        let (first, tail) = split_first(rest)?;
        types.push(first);
        rest = tail;
    }
    Ok(types)
}

/// Alignment and fixed size of the type at the start of `text`.
pub(crate) fn layout(text: &str) -> Result<Member> {
    let simple = |align, size| Ok(Member { align, fixed: Some(size) });
    match text.as_bytes().first() {
        Some(b'b' | b'y') => simple(1, 1),
        Some(b'n' | b'q') => simple(2, 2),
        Some(b'i' | b'u') => simple(4, 4),
        Some(b'x' | b't' | b'd') => simple(8, 8),
        Some(b's' | b'o' | b'g') => Ok(Member { align: 1, fixed: None }),
        Some(b'v') => Ok(Member { align: 8, fixed: None }),
        Some(b'a' | b'm') => {
            let inner = text.get(1..).ok_or_else(|| bad(text))?;
            Ok(Member { align: layout(inner)?.align, fixed: None })
        }
        Some(b'(' | b'{') => tuple_layout(text),
        _ => Err(bad(text)),
    }
}

fn tuple_layout(text: &str) -> Result<Member> {
    let mut align = 1usize;
    let mut size = Some(0usize);
    for member in members(text)? {
        let layout = layout(member)?;
        align = align.max(layout.align);
        size = size
            .zip(layout.fixed)
            .and_then(|(at, fixed)| at.checked_next_multiple_of(layout.align)?.checked_add(fixed));
    }
    let fixed = match size {
        Some(0) => Some(1),
        Some(size) => size.checked_next_multiple_of(align),
        None => None,
    };
    Ok(Member { align, fixed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_complete_types() {
        assert_eq!(split_first("asu").unwrap(), ("as", "u"));
        assert_eq!(split_first("(a(sayay)a{sv})s").unwrap(), ("(a(sayay)a{sv})", "s"));
        for bad in ["", "a", "(s", "{vs}", "{s}", "{ss", "z", &"a".repeat(100)] {
            assert!(split_first(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lays_out_tuples() {
        let of = |text| layout(text).map(|member| (member.align, member.fixed)).unwrap();
        assert_eq!(of("(yu)"), (4, Some(8)));
        assert_eq!(of("(uy)"), (4, Some(8)));
        assert_eq!(of("()"), (1, Some(1)));
        assert_eq!(of("(sayay)"), (1, None));
        assert_eq!(of("a{sv}"), (8, None));
        assert_eq!(of("(taya{sv})"), (8, None));
    }
}
