//! Where the members of a container begin and end.

use crate::error::{Error, Result};

/// How one member of a container is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    /// 1, 2, 4 or 8.
    pub align: usize,
    /// The size in bytes where every value of the type has the same.
    pub fixed: Option<usize>,
}

/// A member of variable size.
pub(crate) const fn variable(align: usize) -> Member {
    Member { align, fixed: None }
}

/// A member of `size` bytes.
pub(crate) const fn fixed(align: usize, size: usize) -> Member {
    Member { align, fixed: Some(size) }
}

/// `s`, `ay` and arrays of such tuples: variable, aligned to one byte.
pub(crate) const BYTES: Member = variable(1);
/// `u`.
pub(crate) const U32: Member = fixed(4, 4);
/// `t`.
pub(crate) const U64: Member = fixed(8, 8);
/// `v` and `a{sv}`.
pub(crate) const VARIANT: Member = variable(8);

/// Width of the offsets in a container of `size` bytes in all.
fn offset_width(size: usize) -> usize {
    match u64::try_from(size).unwrap_or(u64::MAX) {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

/// Width that `count` offsets behind `body` bytes need.
fn needed_width(body: usize, count: usize) -> usize {
    [1usize, 2, 4]
        .into_iter()
        .find(|&width| offset_width(body.saturating_add(count.saturating_mul(width))) <= width)
        .unwrap_or(8)
}

fn read_offset(bytes: &[u8]) -> Option<usize> {
    let mut wide = [0u8; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    usize::try_from(u64::from_le_bytes(wide)).ok()
}

fn aligned(offset: usize, align: usize) -> Option<usize> {
    offset.checked_next_multiple_of(align)
}

/// The bytes from `from` (padding up to `align` must be zero) to `to`.
fn member(bytes: &[u8], from: usize, align: usize, to: usize) -> Option<&[u8]> {
    let start = aligned(from, align)?;
    if bytes.get(from..start)?.iter().any(|&byte| byte != 0) {
        return None;
    }
    bytes.get(start..to)
}

fn not_normal(what: &'static str, place: impl std::fmt::Display, size: usize) -> Error {
    Error::malformed(what, place, "GVariant normal form", format_args!("bad framing in {size} bytes"))
}

/// Splits a tuple into its members.
pub(crate) fn tuple<'a, const N: usize>(
    what: &'static str,
    bytes: &'a [u8],
    members: [Member; N],
) -> Result<[&'a [u8]; N]> {
    let mut parts: [&'a [u8]; N] = [&[]; N];
    let mut slots = parts.iter_mut();
    split_tuple(what, bytes, &members, &mut |part| {
        if let Some(slot) = slots.next() {
            *slot = part;
        }
    })?;
    Ok(parts)
}

/// Splits a tuple whose members are known at run time only, giving each part to `each` in order; one function for all tuples, since
/// each length's own would be in the program.
#[inline(never)]
pub(crate) fn split_tuple<'a>(
    what: &'static str,
    bytes: &'a [u8],
    members: &[Member],
    each: &mut dyn FnMut(&'a [u8]),
) -> Result<()> {
    let bad = |index: usize| not_normal(what, format_args!("tuple member {index}"), bytes.len());
    let last = members.len().saturating_sub(1);
    let offsets =
        members.iter().enumerate().filter(|(index, member)| member.fixed.is_none() && *index != last).count();
    let width = offset_width(bytes.len());
    let body =
        offsets.checked_mul(width).and_then(|table| bytes.len().checked_sub(table)).ok_or_else(|| bad(0))?;
    if offsets > 0 && needed_width(body, offsets) != width {
        return Err(bad(0));
    }
    let (data, table) = bytes.split_at_checked(body).ok_or_else(|| bad(0))?;
    let mut ends = table.rchunks_exact(width);
    let mut at = 0usize;
    for (index, layout) in members.iter().enumerate() {
        let start = aligned(at, layout.align).ok_or_else(|| bad(index))?;
        let end = match layout.fixed {
            Some(size) => start.checked_add(size),
            None if index == last => Some(body),
            None => ends.next().and_then(read_offset),
        };
        let end = end.ok_or_else(|| bad(index))?;
        each(member(data, at, layout.align, end).ok_or_else(|| bad(index))?);
        at = end;
    }
    let all_fixed = members.iter().all(|member| member.fixed.is_some());
    let align = members.iter().map(|member| member.align).max().unwrap_or(1);
    let end = if all_fixed { aligned(at, align).map(|end| end.max(1)) } else { Some(at) };
    let padding_is_zero = data.get(at..).is_some_and(|padding| padding.iter().all(|&byte| byte == 0));
    if end != Some(body) || !padding_is_zero {
        return Err(bad(members.len()));
    }
    Ok(())
}

/// Iterates over the elements of an array of variable-size elements.
#[derive(Clone)]
pub(crate) struct Elements<'a> {
    what: &'static str,
    data: &'a [u8],
    ends: std::slice::ChunksExact<'a, u8>,
    align: usize,
    at: usize,
    index: usize,
}

/// Opens an array of variable-size elements that start at `align`.
pub(crate) fn array<'a>(what: &'static str, bytes: &'a [u8], align: usize) -> Result<Elements<'a>> {
    let bad = || not_normal(what, "array", bytes.len());
    let width = offset_width(bytes.len());
    let body = if bytes.is_empty() {
        0
    } else {
        let last = bytes.len().checked_sub(width).and_then(|at| bytes.get(at..)).ok_or_else(bad)?;
        read_offset(last).ok_or_else(bad)?
    };
    let (data, table) = bytes.split_at_checked(body).ok_or_else(bad)?;
    let ends = table.chunks_exact(width);
    let no_table = table.is_empty() && !bytes.is_empty();
    if no_table
        || !ends.remainder().is_empty()
        || (!bytes.is_empty() && needed_width(body, ends.len()) != width)
    {
        return Err(bad());
    }
    Ok(Elements { what, data, ends, align, at: 0, index: 0 })
}

impl Elements<'_> {
    /// How many elements are left; at most one per byte read.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.ends.next()?;
        let element = read_offset(end).and_then(|end| {
            let element = member(self.data, self.at, self.align, end)?;
            self.at = end;
            Some(element)
        });
        let index = self.index;
        self.index = index.saturating_add(1);
        Some(
            element
                .ok_or_else(|| not_normal(self.what, format_args!("array element {index}"), self.data.len())),
        )
    }
}

fn pad(out: &mut Vec<u8>, align: usize) {
    out.resize(out.len().next_multiple_of(align.max(1)), 0);
}

fn push_offsets<'a>(out: &mut Vec<u8>, ends: impl ExactSizeIterator<Item = &'a usize>) {
    let width = needed_width(out.len(), ends.len());
    for end in ends {
        let wide = u64::try_from(*end).unwrap_or(u64::MAX).to_le_bytes();
        out.extend(wide.iter().take(width));
    }
}

/// Joins the parts of a tuple.
pub(crate) fn join_tuple(parts: &[(Member, &[u8])]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|(_, part)| part.len().saturating_add(8)).sum());
    let mut ends = Vec::new();
    for (index, (layout, part)) in parts.iter().enumerate() {
        pad(&mut out, layout.align);
        out.extend_from_slice(part);
        if layout.fixed.is_none() && index.saturating_add(1) != parts.len() {
            ends.push(out.len());
        }
    }
    if parts.iter().all(|(layout, _)| layout.fixed.is_some()) {
        pad(&mut out, parts.iter().map(|(layout, _)| layout.align).max().unwrap_or(1));
        if out.is_empty() {
            out.push(0);
        }
    }
    push_offsets(&mut out, ends.iter().rev());
    out
}

/// Joins the elements of an array of variable-size elements, one at a time.
#[derive(Default)]
pub(crate) struct ArrayWriter {
    out: Vec<u8>,
    ends: Vec<usize>,
}

impl ArrayWriter {
    pub(crate) fn push(&mut self, align: usize, element: &[u8]) {
        pad(&mut self.out, align);
        self.out.extend_from_slice(element);
        self.ends.push(self.out.len());
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        push_offsets(&mut self.out, self.ends.iter());
        self.out
    }
}

/// `s`: UTF-8 with a final NUL and no other.
pub(crate) fn string<'a>(what: &'static str, field: &'static str, bytes: &'a [u8]) -> Result<&'a str> {
    let bad = |got: String| Error::malformed(what, field, "UTF-8 text with one NUL at its end", got);
    let Some((0, text)) = bytes.split_last() else {
        return Err(bad(format!("{} bytes without NUL", bytes.len())));
    };
    if text.contains(&0) {
        return Err(bad("a NUL inside".into()));
    }
    std::str::from_utf8(text).map_err(|err| bad(err.to_string()))
}

/// The bytes of an `s`.
pub(crate) fn string_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len().saturating_add(1));
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_width_steps_where_the_container_with_offsets_no_longer_fits() {
        for (body, count, width) in
            [(0, 0, 1), (254, 1, 1), (255, 1, 2), (253, 2, 1), (0xfffd, 1, 2), (0xfffe, 1, 4)]
        {
            assert_eq!(needed_width(body, count), width, "{body} {count}");
        }
    }

    #[test]
    fn arrays_and_tuples_go_there_and_back_over_each_width() {
        for size in [0, 1, 250, 252, 253, 254, 255, 256, 65_000, 65_530, 65_533, 65_534, 65_535, 70_000] {
            let long = vec![7u8; size];
            let mut writer = ArrayWriter::default();
            writer.push(1, b"ab");
            writer.push(1, &long);
            let bytes = writer.finish();
            let back: Vec<_> = array("test", &bytes, 1).unwrap().map(Result::unwrap).collect();
            assert_eq!(back, [b"ab".as_slice(), &long]);

            let parts = [(BYTES, long.as_slice()), (U32, &[1, 2, 3, 4]), (BYTES, b"x"), (BYTES, b"tail")];
            let bytes = join_tuple(&parts);
            assert_eq!(
                tuple("test", &bytes, parts.map(|(layout, _)| layout)).unwrap(),
                parts.map(|(_, part)| part)
            );
        }
    }

    #[test]
    fn refuses_framing_that_is_not_normal() {
        let cases: [(&str, &[u8]); 6] = [
            ("a last offset that leaves no table", &[b'a', b'b', 3]),
            ("end beyond the table", &[b'a', 9]),
            ("ends not in order", &[b'a', b'b', 2, 1, 2]),
            ("no element for the bytes", &[b'a', b'b', 1]),
            ("an offset wider than needed", &[&[7u8; 254][..], &[254, 0]].concat()),
            ("width 2 but odd table", &[&[7u8; 300][..], &[0, 44, 1]].concat()),
        ];
        for (name, bytes) in cases {
            let read = array("test", bytes, 1).and_then(|elements| elements.collect::<Result<Vec<_>>>());
            assert!(read.is_err(), "{name}: {read:?}");
        }
        let padded = [1u8, 9, 0, 0, 5, 0, 0, 0];
        assert!(tuple("test", &padded, [fixed(1, 1), U32]).is_err(), "padding that is not zero");
        assert!(tuple("test", &[0u8; 9], [U32, U32]).is_err(), "bytes left over");
        assert!(tuple("test", &[0u8; 7], [U32, U32]).is_err(), "too short");
    }
}
