//! Interned strings: each text once, and a number for it.

use indexmap::IndexSet;

/// The number of an interned string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sym(u32);

/// All strings of a pool, each once.
#[derive(Debug, Default)]
pub struct Strings(IndexSet<Box<str>>);

impl Strings {
    /// The number of `text`, given now if it is new.
    pub fn intern(&mut self, text: &str) -> Sym {
        let index = match self.0.get_index_of(text) {
            Some(index) => index,
            None => self.0.insert_full(text.into()).0,
        };
        Sym(u32::try_from(index).expect("metadata of less than 4 GiB has fewer strings than 2^32"))
    }

    /// The number of `text` if it has one.
    pub fn find(&self, text: &str) -> Option<Sym> {
        self.0.get_index_of(text).and_then(|index| u32::try_from(index).ok()).map(Sym)
    }

    /// The text of `sym`.
    pub fn text(&self, sym: Sym) -> &str {
        self.0.get_index(sym.0 as usize).map(|text| &**text).expect("a Sym comes from this table")
    }
}
