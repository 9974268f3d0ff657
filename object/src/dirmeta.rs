//! Dirmeta objects: owner, mode and extended attributes of a directory.

use crate::cursor::Cursor;
use crate::error::{Error, Result};
use crate::variant::frame;
use crate::xattrs::Xattrs;

/// `S_IFMT`.
pub const MODE_TYPE: u32 = 0o170_000;
/// `S_IFDIR`.
pub const MODE_DIRECTORY: u32 = 0o040_000;

/// A dirmeta: `(uuua(ayay))`, the three numbers big endian.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 4 | uid |
/// | 4 | 4 | gid |
/// | 8 | 4 | mode with `S_IFDIR` |
/// | 12 | rest | xattrs |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirMeta {
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Mode with its file type bits.
    pub mode: u32,
    /// Extended attributes.
    pub xattrs: Xattrs,
}

impl DirMeta {
    /// Reads and checks a dirmeta object.
    pub fn decode(bytes: &[u8]) -> Result<DirMeta> {
        let meta = decode_owner_mode("dirmeta", bytes)?;
        if meta.mode & !0o7777 != MODE_DIRECTORY {
            return Err(Error::malformed("dirmeta", "mode", "a directory", format_args!("{:o}", meta.mode)));
        }
        Ok(meta)
    }

    /// The object's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(12);
        for field in [self.uid, self.gid, self.mode] {
            bytes.extend_from_slice(&field.to_be_bytes());
        }
        bytes.extend(self.xattrs.encode());
        bytes
    }
}

/// `(uuua(ayay))`, which dirmeta objects share with the `user.ostreemeta` attribute of bare-user repos.
pub(crate) fn decode_owner_mode(what: &'static str, bytes: &[u8]) -> Result<DirMeta> {
    frame::tuple(what, bytes, [frame::U32, frame::U32, frame::U32, frame::BYTES])?;
    let mut cursor = Cursor::new(what, bytes);
    let (uid, gid, mode) = (cursor.u32_be("uid")?, cursor.u32_be("gid")?, cursor.u32_be("mode")?);
    Ok(DirMeta { uid, gid, mode, xattrs: Xattrs::decode(what, cursor.rest())? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Checksum;

    #[test]
    fn matches_the_object_libostree_writes() {
        let meta = DirMeta { uid: 0, gid: 0, mode: 0o40755, xattrs: Xattrs::default() };
        let bytes = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0xed];
        assert_eq!(meta.encode(), bytes);
        assert_eq!(DirMeta::decode(&bytes), Ok(meta));
        assert!(Checksum::of(&bytes).to_string().starts_with("446a0ef1"));
    }

    #[test]
    fn refuses_modes_that_are_no_directory() {
        for mode in [0o100644u32, 0o755, 0o120777, 0o140755, 0o1_040755] {
            let bytes = DirMeta { uid: 0, gid: 0, mode, xattrs: Xattrs::default() }.encode();
            assert!(DirMeta::decode(&bytes).is_err(), "{mode:o}");
        }
        assert!(DirMeta::decode(&[0; 11]).is_err());
    }
}
