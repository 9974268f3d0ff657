//! `Boot####`: something the firmware can boot.
//!
//! ```text
//! u32 attributes (1: active)   u16 length of the device path   UTF-16 description, NUL   device path   optional data
//! ```
//! Source: UEFI specification 3.1.3. Optional data are the arguments: UTF-16 for a kernel or unified kernel image.

use super::device_path::DevicePath;
use super::text;
use crate::Result;
use crate::cursor::Cursor;
use crate::error::Error;

const WHAT: &str = "efi load option";
/// The attribute of an entry that takes part in the boot order.
pub const ACTIVE: u32 = 1;

/// A load option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOption {
    /// A bit field.
    pub attributes: u32,
    /// What the firmware's menu shows.
    pub description: String,
    /// What to boot.
    pub path: DevicePath,
    /// Further paths, which firmware may put behind the first; kept as they are.
    pub further_paths: Vec<u8>,
    /// Arguments for it.
    pub data: Vec<u8>,
}

impl LoadOption {
    /// An active option that boots a file with arguments.
    pub fn new(description: &str, path: DevicePath, arguments: &str) -> LoadOption {
        let data = if arguments.is_empty() { Vec::new() } else { text::encode(arguments) };
        LoadOption {
            attributes: ACTIVE,
            description: description.into(),
            path,
            further_paths: Vec::new(),
            data,
        }
    }

    /// Reads the data of the variable.
    pub fn decode(bytes: &[u8]) -> Result<LoadOption> {
        let mut cursor = Cursor::new(WHAT, bytes);
        let attributes = cursor.u32("4 bytes of attributes")?;
        let length = cursor.u16("2 bytes of device path length")?;
        let (description, rest) = text::split(cursor.rest())?;
        let mut cursor = Cursor::new(WHAT, rest);
        let paths = cursor.take("a device path of the given length", length.into())?;
        let (first, further_paths) = paths.split_at_checked(end_of_first(paths)?).unwrap_or((paths, &[]));
        Ok(LoadOption {
            attributes,
            description,
            path: DevicePath::decode(first)?,
            further_paths: further_paths.to_vec(),
            data: cursor.rest().to_vec(),
        })
    }

    /// The data of the variable.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let path = [self.path.encode()?, self.further_paths.clone()].concat();
        let length = u16::try_from(path.len());
        let length =
            length.map_err(|_| Error::NoRoom { what: WHAT, limit: u16::MAX.into(), needs: path.len() })?;
        let mut bytes = self.attributes.to_le_bytes().to_vec();
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend(text::encode(&self.description));
        bytes.extend(path);
        bytes.extend_from_slice(&self.data);
        Ok(bytes)
    }
}

/// How long the first path is, its end node included.
fn end_of_first(paths: &[u8]) -> Result<usize> {
    let mut cursor = Cursor::new(WHAT, paths);
    let mut read: usize = 0;
    loop {
        let (kind, _) = (cursor.u8("a node's type")?, cursor.u8("a node's subtype")?);
        let length = cursor.u16("a node's length")?;
        let data = length.checked_sub(4);
        let data =
            data.ok_or_else(|| Error::malformed(WHAT, "a length of 4 at least", length.to_string()))?;
        cursor.take("the bytes of a node", data.into())?;
        read = read.saturating_add(length.into());
        if kind == 0x7f {
            return Ok(read);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option() -> LoadOption {
        LoadOption::new("Rootling b", DevicePath::file(1, 2048, 4096, [7; 16], "/EFI/Linux/b.efi"), "quiet")
    }

    #[test]
    fn reads_what_it_writes() {
        for mut option in [option(), LoadOption::new("", DevicePath(vec![]), "")] {
            assert_eq!(LoadOption::decode(&option.encode().unwrap()).unwrap(), option);
            option.further_paths = DevicePath(vec![]).encode().unwrap();
            assert_eq!(LoadOption::decode(&option.encode().unwrap()).unwrap(), option);
        }
        assert_eq!(option().path.file_name(), Some("\\EFI\\Linux\\b.efi"));
    }

    #[test]
    fn refuses_every_cut() {
        let mut bytes = option();
        bytes.data.clear();
        let bytes = bytes.encode().unwrap();
        for end in 0..bytes.len() {
            assert!(LoadOption::decode(&bytes[..end]).is_err(), "{end} of {}", bytes.len());
        }
    }
}
