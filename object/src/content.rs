//! Content objects: files and symlinks, with the three headers that stand before or beside their bytes.
//!
//! | where | bytes |
//! |---|---|
//! | what is hashed | BE32 length of header, 4 zero bytes, header `(uuuusa(ayay))`, file bytes |
//! | `.filez` in an archive repo | BE32 length of header, 4 zero bytes, header `(tuuuusa(ayay))`, raw deflate of the file bytes |
//! | `user.ostreemeta` in a bare-user repo | `(uuua(ayay))` |
//!
//! The numbers are big endian: size (`t`), then uid, gid, mode, rdev (always 0); then the target of a symlink
//! (empty for a file) and the xattrs.

use crate::checksum::Hasher;
use crate::cursor::Cursor;
use crate::dirmeta::{DirMeta, MODE_TYPE, decode_owner_mode};
use crate::error::{Error, Result};
use crate::variant::frame::{self, BYTES, U32, U64};
use crate::xattrs::Xattrs;

/// `S_IFREG`.
pub const MODE_REGULAR: u32 = 0o100_000;
/// `S_IFLNK`.
pub const MODE_SYMLINK: u32 = 0o120_000;
/// Bytes of the length field and its padding before a header.
pub const PREFIX_SIZE: usize = 8;
/// Longest header that is read, in bytes: xattrs of Linux hold at most 64 KiB each.
pub const MAX_HEADER_SIZE: u32 = 4 << 20;

/// Everything about a file but its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHeader {
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Mode with its file type bits, regular or symlink.
    pub mode: u32,
    /// What a symlink points to; `None` for a regular file.
    pub target: Option<String>,
    /// Extended attributes.
    pub xattrs: Xattrs,
}

impl FileHeader {
    /// Whether this is a symlink.
    pub fn is_symlink(&self) -> bool {
        self.mode & MODE_TYPE == MODE_SYMLINK
    }

    /// A hash that has taken the header in the form that is hashed; the file's bytes come next.
    pub fn hasher(&self) -> Hasher {
        let mut hasher = Hasher::new();
        hasher.update(&self.encode_hashed());
        hasher
    }

    /// The prefix and header that are hashed before the file's bytes.
    pub fn encode_hashed(&self) -> Vec<u8> {
        self.encode(None)
    }

    /// The prefix and header of a `.filez` whose file has `size` bytes.
    pub fn encode_archive(&self, size: u64) -> Vec<u8> {
        self.encode(Some(size.to_be_bytes()))
    }

    /// Both forms: with the size they are one member longer.
    fn encode(&self, size: Option<[u8; 8]>) -> Vec<u8> {
        let [uid, gid, mode] = [self.uid, self.gid, self.mode].map(u32::to_be_bytes);
        let target = frame::string_bytes(self.target.as_deref().unwrap_or(""));
        let xattrs = self.xattrs.encode();
        let fields: [(frame::Member, &[u8]); 6] =
            [(U32, &uid), (U32, &gid), (U32, &mode), (U32, &[0; 4]), (BYTES, &target), (BYTES, &xattrs)];
        let size = size.as_ref().map(|size| (U64, size.as_slice()));
        prefixed(frame::join_tuple(&size.into_iter().chain(fields).collect::<Vec<_>>()))
    }

    /// Reads the 8 bytes before a header and returns its length in bytes.
    pub fn decode_prefix(bytes: &[u8]) -> Result<u32> {
        let mut cursor = Cursor::new(WHAT, bytes);
        let length = cursor.u32_be("header length")?;
        let padding = cursor.u32_be("padding")?;
        cursor.end()?;
        if length > MAX_HEADER_SIZE {
            return Err(Error::malformed(
                WHAT,
                "header length",
                format_args!("at most {MAX_HEADER_SIZE} bytes"),
                length,
            ));
        }
        if padding != 0 {
            return Err(Error::malformed(WHAT, "padding", "0", padding));
        }
        Ok(length)
    }

    /// Reads the header of a `.filez` (without its prefix): the header and the size of the file in bytes.
    pub fn decode_archive(bytes: &[u8]) -> Result<(FileHeader, u64)> {
        let [_, _, _, _, _, target, xattrs] =
            frame::tuple(WHAT, bytes, [U64, U32, U32, U32, U32, BYTES, BYTES])?;
        let mut cursor = Cursor::new(WHAT, bytes);
        let size = cursor.u64_be("size")?;
        let header = decode_fields(&mut cursor, target, xattrs)?;
        if header.is_symlink() && size != 0 {
            return Err(Error::malformed(WHAT, "size of a symlink", "0", size));
        }
        Ok((header, size))
    }

    /// Reads the header in the form that is hashed (without its prefix).
    pub fn decode_hashed(bytes: &[u8]) -> Result<FileHeader> {
        let [_, _, _, _, target, xattrs] = frame::tuple(WHAT, bytes, [U32, U32, U32, U32, BYTES, BYTES])?;
        decode_fields(&mut Cursor::new(WHAT, bytes), target, xattrs)
    }

    /// The `user.ostreemeta` attribute of this file in a bare-user repo.
    pub fn encode_ostreemeta(&self) -> Vec<u8> {
        DirMeta { uid: self.uid, gid: self.gid, mode: self.mode, xattrs: self.xattrs.clone() }.encode()
    }

    /// Reads `user.ostreemeta`; the target of a symlink is in the file's bytes and stays to be filled in.
    pub fn decode_ostreemeta(bytes: &[u8]) -> Result<FileHeader> {
        let DirMeta { uid, gid, mode, xattrs } = decode_owner_mode("user.ostreemeta", bytes)?;
        let header = FileHeader { uid, gid, mode, target: None, xattrs };
        check_mode("user.ostreemeta", mode)?;
        Ok(header)
    }
}

const WHAT: &str = "file header";

fn prefixed(header: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(header.len().saturating_add(PREFIX_SIZE));
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend(header);
    bytes
}

fn check_mode(what: &'static str, mode: u32) -> Result<()> {
    match mode & !0o7777 {
        MODE_REGULAR | MODE_SYMLINK => Ok(()),
        _ => Err(Error::malformed(what, "mode", "a regular file or a symlink", format_args!("{mode:o}"))),
    }
}

fn decode_fields(cursor: &mut Cursor<'_>, target: &[u8], xattrs: &[u8]) -> Result<FileHeader> {
    let (uid, gid, mode) = (cursor.u32_be("uid")?, cursor.u32_be("gid")?, cursor.u32_be("mode")?);
    let rdev = cursor.u32_be("rdev")?;
    check_mode(WHAT, mode)?;
    if rdev != 0 {
        return Err(Error::malformed(WHAT, "rdev", "0", rdev));
    }
    let target = frame::string(WHAT, "symlink target", target)?;
    let target = match (mode & MODE_TYPE == MODE_SYMLINK, target) {
        (true, "") => return Err(Error::malformed(WHAT, "symlink target", "a path", "nothing")),
        (true, target) => Some(target.to_owned()),
        (false, "") => None,
        (false, _) => return Err(Error::malformed(WHAT, "symlink target", "none for a regular file", "one")),
    };
    Ok(FileHeader { uid, gid, mode, target, xattrs: Xattrs::decode(WHAT, xattrs)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: String = text.split_whitespace().collect();
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    }

    fn file(mode: u32, target: Option<&str>) -> FileHeader {
        FileHeader { uid: 0, gid: 0, mode, target: target.map(str::to_owned), xattrs: Xattrs::default() }
    }

    #[test]
    fn matches_the_headers_libostree_writes() {
        let regular = file(0o100644, None);
        let symlink = file(0o120777, Some("hello"));
        assert_eq!(regular.encode_hashed(), hex("0000001200000000 0000000000000000 000081a4 00000000 00 11"));
        let hashed = hex("0000001700000000 0000000000000000 0000a1ff 00000000 68656c6c6f00 16");
        assert_eq!(symlink.encode_hashed(), hashed);
        assert_eq!(FileHeader::decode_hashed(&hashed[8..]), Ok(symlink.clone()));
        let filez = regular.encode_archive(1);
        assert_eq!(filez, hex("0000001a00000000 0000000000000001 0000000000000000 000081a4 00000000 00 19"));
        assert_eq!(FileHeader::decode_prefix(&filez[..8]), Ok(0x1a));
        assert_eq!(FileHeader::decode_archive(&filez[8..]), Ok((regular, 1)));
    }

    #[test]
    fn ostreemeta_goes_there_and_back() {
        let xattrs = Xattrs(vec![(b"user.a".into(), b"1".into())]);
        let header = FileHeader { uid: 5, gid: 6, mode: 0o104755, target: None, xattrs };
        assert_eq!(FileHeader::decode_ostreemeta(&header.encode_ostreemeta()), Ok(header));
    }

    #[test]
    fn refuses_impossible_files() {
        let device = file(0o020600, None).encode_archive(0);
        let linked_file = file(0o100644, Some("x")).encode_archive(0);
        let unlinked_link = file(0o120777, None).encode_archive(0);
        let sized_link = file(0o120777, Some("x")).encode_archive(7);
        let mut with_rdev = file(0o100644, None).encode_archive(0);
        with_rdev[8 + 8 + 15] = 1;
        for bytes in [device, linked_file, unlinked_link, sized_link, with_rdev] {
            assert!(FileHeader::decode_archive(&bytes[8..]).is_err(), "{bytes:02x?}");
        }
        assert!(FileHeader::decode_prefix(&hex("0000001a00000001")).is_err());
        assert!(FileHeader::decode_prefix(&hex("ffffffff00000000")).is_err());
    }
}
