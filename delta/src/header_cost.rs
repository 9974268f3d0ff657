//! What a header takes in memory, counted from its bytes before any of it is allocated.
//!
//! Lists of short elements grow up to forty times when they are read, so the length alone is no bound. The walk follows
//! the fields of [`crate::header::Header`] in postcard's encoding: numbers in LEB128, lists and strings with their length
//! before them, options and variants with their number, arrays of bytes as they are.

use crate::error::{Error, Result};
use crate::num::{index, wide};

/// Bytes of a list or string before its elements.
const LIST: u64 = 24;
/// Bytes of an [`crate::tree::Edit`], an [`crate::tree::Object`] and so on, rounded up.
const ELEMENT: u64 = 128;
/// Lists may hold twice what they need while they grow.
const GROWTH: u64 = 2;

/// The bytes of memory that the decoded header `raw` takes at most, if that is within `budget`.
pub(crate) fn memory(raw: &[u8], budget: u64) -> Result<u64> {
    let mut walk = Walk { rest: raw, cost: 0, budget };
    walk.number()?;
    walk.option(|walk| walk.skip(32))?;
    walk.skip(32)?;
    walk.bytes()?;
    walk.option(Walk::bytes)?;
    walk.list(Walk::bytes)?;
    walk.list(Walk::bytes)?;
    walk.list(|walk| {
        walk.base()?;
        walk.list(Walk::edit)
    })?;
    walk.list(|walk| {
        walk.skip(32)?;
        walk.number()?;
        walk.option(|walk| walk.number().map(|_| ()))?;
        walk.base()
    })?;
    walk.list(|walk| {
        walk.skip(32)?;
        (0..9).try_for_each(|_| walk.number().map(|_| ()))
    })?;
    Ok(walk.cost)
}

struct Walk<'a> {
    rest: &'a [u8],
    cost: u64,
    budget: u64,
}

impl Walk<'_> {
    fn skip(&mut self, count: u64) -> Result<()> {
        match self.rest.get(index(count)..) {
            Some(rest) => self.rest = rest,
            None => return Err(short()),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0u32..64).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or_else(short)?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f).wrapping_shl(shift);
            if *byte < 0x80 {
                return Ok(value);
            }
        }
        Err(short())
    }

    fn take(&mut self, count: u64) -> Result<()> {
        self.cost = self.cost.saturating_add(count.saturating_mul(GROWTH));
        if self.cost > self.budget {
            return Err(Error::Limit { what: "memory of the header", most: self.budget, got: self.cost });
        }
        Ok(())
    }

    /// A string or a list of bytes.
    fn bytes(&mut self) -> Result<()> {
        let length = self.number()?;
        self.skip(length)?;
        self.take(length.saturating_add(LIST))
    }

    fn list(&mut self, mut element: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        let count = self.number()?;
        if count > wide(self.rest.len()) {
            return Err(short());
        }
        for _ in 0..count {
            self.take(ELEMENT)?;
            element(self)?;
        }
        Ok(())
    }

    fn option(&mut self, some: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if self.number()? == 0 { Ok(()) } else { some(self) }
    }

    /// [`crate::tree::Base`].
    fn base(&mut self) -> Result<()> {
        if self.number()? == 2 { self.bytes() } else { Ok(()) }
    }

    /// [`crate::tree::Edit`].
    fn edit(&mut self) -> Result<()> {
        self.bytes()?;
        match self.number()? {
            1 => self.number().map(|_| ()),
            2 => self.bytes(),
            3 => match self.number()? {
                1 => self.number().map(|_| ()),
                2 => self.skip(32),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

fn short() -> Error {
    Error::malformed("delta header", "fields", "postcard", "other bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_short_elements_are_refused_before_they_are_read() {
        let mut raw = vec![1, 0];
        raw.extend([0; 32]);
        raw.extend([0, 0]);
        raw.extend([0x80, 0x80, 0x40]);
        raw.extend(vec![0; 1 << 20]);
        let err = memory(&raw, 8 << 20).unwrap_err();
        assert!(matches!(err, Error::Limit { what: "memory of the header", .. }), "{err}");
        assert!(memory(&raw[..100], 8 << 20).is_err());
    }
}
