//! Extended attributes as objects carry them: `a(ayay)`.

use crate::error::{Error, Result};
use crate::variant::frame::{self, ArrayWriter, BYTES};

/// Name and value pairs, sorted by name; names are kept without the NUL that the bytes carry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Xattrs(pub Vec<(Vec<u8>, Vec<u8>)>);

impl Xattrs {
    /// Sorts `pairs` by name, as the format wants them.
    pub fn from_unsorted(mut pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Xattrs {
        pairs.sort_unstable();
        Xattrs(pairs)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads `a(ayay)`: names end in one NUL, are not empty, strictly ascending.
    pub fn decode(what: &'static str, bytes: &[u8]) -> Result<Xattrs> {
        let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for pair in frame::array(what, bytes, 1)? {
            let [name, value] = frame::tuple(what, pair?, [BYTES, BYTES])?;
            let name = match name {
                [name @ .., 0] if !name.is_empty() && !name.contains(&0) => name,
                _ => {
                    let got = format!("{:?}", String::from_utf8_lossy(name));
                    return Err(Error::malformed(
                        what,
                        "xattr name",
                        "some bytes and one NUL at the end",
                        got,
                    ));
                }
            };
            if pairs.last().is_some_and(|(last, _)| last.as_slice() >= name) {
                let got = format!("{:?} out of order", String::from_utf8_lossy(name));
                return Err(Error::malformed(what, "xattr name", "names in ascending order", got));
            }
            pairs.push((name.to_vec(), value.to_vec()));
        }
        Ok(Xattrs(pairs))
    }

    /// The serialised `a(ayay)`.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = ArrayWriter::default();
        for (name, value) in &self.0 {
            let mut name = name.clone();
            name.push(0);
            writer.push(1, &frame::join_tuple(&[(BYTES, &name), (BYTES, value)]));
        }
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_bytes_libostree_writes() {
        let xattrs = Xattrs::from_unsorted(vec![
            (b"user.zeta".into(), b"1".into()),
            (b"user.alpha".into(), b"22".into()),
        ]);
        let bytes = b"user.alpha\x0022\x0buser.zeta\x001\x0a\x0e\x1a";
        assert_eq!(xattrs.encode(), bytes);
        assert_eq!(Xattrs::decode("test", bytes), Ok(xattrs));
    }

    #[test]
    fn refuses_bad_names_and_order() {
        let pair = |name: &[u8]| frame::join_tuple(&[(BYTES, name), (BYTES, b"v")]);
        for names in
            [vec![&b"no-nul"[..]], vec![b"\0"], vec![b"b\0", b"a\0"], vec![b"a\0", b"a\0"], vec![b"a\0b\0"]]
        {
            let mut writer = ArrayWriter::default();
            names.iter().for_each(|name| writer.push(1, &pair(name)));
            assert!(Xattrs::decode("test", &writer.finish()).is_err(), "{names:?}");
        }
    }
}
