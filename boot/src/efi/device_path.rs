//! A device path: a list of nodes, of which two kinds matter here and all others are kept as they are.
//!
//! ```text
//! every node   u8 type, u8 subtype, u16 length (this header included)
//! 4/1 (42)     u32 partition, u64 first sector, u64 sectors, 16 signature, u8 format (2 GPT), u8 signature kind (2 GUID)
//! 4/4          a file: UTF-16 with NUL, separated by backslashes
//! 7f/ff (4)    the end
//! ```
//! Source: UEFI specification 10.3.

use super::text;
use crate::Result;
use crate::cursor::Cursor;
use crate::error::Error;

const WHAT: &str = "efi device path";
const MEDIA: u8 = 4;
const HARD_DRIVE: u8 = 1;
const FILE: u8 = 4;
const END: (u8, u8) = (0x7f, 0xff);
const HEADER: u16 = 4;

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A partition of a GPT disk.
    Partition {
        /// Counted from 1.
        number: u32,
        /// Its first sector.
        start: u64,
        /// Its length in sectors.
        sectors: u64,
        /// Its PARTUUID, as on disk: the first three fields little-endian.
        guid: [u8; 16],
    },
    /// A file on the partition before it, with backslashes.
    File(String),
    /// Any other node.
    Other {
        /// Its type.
        kind: u8,
        /// Its subtype.
        subkind: u8,
        /// What comes after its header.
        data: Vec<u8>,
    },
}

/// A device path without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicePath(pub Vec<Node>);

impl DevicePath {
    /// A file on a GPT partition, in the short form that firmware finds on any disk.
    pub fn file(number: u32, start: u64, sectors: u64, guid: [u8; 16], file: &str) -> DevicePath {
        let file = format!("\\{}", file.trim_start_matches('/').replace('/', "\\"));
        DevicePath(vec![Node::Partition { number, start, sectors, guid }, Node::File(file)])
    }

    /// Reads a path that ends with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<DevicePath> {
        let mut cursor = Cursor::new(WHAT, bytes);
        let mut nodes = Vec::new();
        loop {
            let (kind, subkind) = (cursor.u8("a node's type")?, cursor.u8("a node's subtype")?);
            let length = cursor.u16("a node's length")?;
            let Some(length) = length.checked_sub(HEADER) else {
                return Err(Error::malformed(WHAT, "a length of 4 at least", length.to_string()));
            };
            let data = cursor.take("the bytes of a node", length.into())?;
            if (kind, subkind) == END {
                return match data.is_empty() && cursor.is_empty() {
                    true => Ok(DevicePath(nodes)),
                    false => Err(Error::malformed(WHAT, "nothing after the end node", "more bytes")),
                };
            }
            nodes.push(Node::decode(kind, subkind, data));
        }
    }

    /// The path with its end.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for node in &self.0 {
            let (kind, subkind, data) = node.parts();
            let length = u16::try_from(data.len()).ok().and_then(|l| l.checked_add(HEADER));
            let Some(length) = length else {
                return Err(Error::NoRoom { what: WHAT, limit: u16::MAX.into(), needs: data.len() });
            };
            bytes.extend_from_slice(&[kind, subkind]);
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(&data);
        }
        bytes.extend_from_slice(&[END.0, END.1, 4, 0]);
        Ok(bytes)
    }

    /// The file it ends at.
    pub fn file_name(&self) -> Option<&str> {
        match self.0.last() {
            Some(Node::File(name)) => Some(name),
            _ => None,
        }
    }
}

impl Node {
    /// What does not fit a known kind to the last byte stays as it is.
    fn decode(kind: u8, subkind: u8, data: &[u8]) -> Node {
        let known = match (kind, subkind) {
            (MEDIA, HARD_DRIVE) => partition(data).ok(),
            (MEDIA, FILE) => text::decode(data).ok().map(Node::File),
            _ => None,
        };
        known.filter(|node| node.parts().2 == data).unwrap_or(Node::Other {
            kind,
            subkind,
            data: data.to_vec(),
        })
    }

    fn parts(&self) -> (u8, u8, Vec<u8>) {
        match self {
            Node::Partition { number, start, sectors, guid } => {
                let mut data = number.to_le_bytes().to_vec();
                data.extend_from_slice(&start.to_le_bytes());
                data.extend_from_slice(&sectors.to_le_bytes());
                data.extend_from_slice(guid);
                data.extend_from_slice(&[2, 2]);
                (MEDIA, HARD_DRIVE, data)
            }
            Node::File(name) => (MEDIA, FILE, text::encode(name)),
            Node::Other { kind, subkind, data } => (*kind, *subkind, data.clone()),
        }
    }
}

fn partition(data: &[u8]) -> Result<Node> {
    let mut cursor = Cursor::new(WHAT, data);
    Ok(Node::Partition {
        number: cursor.u32("a partition number")?,
        start: cursor.u64("a first sector")?,
        sectors: cursor.u64("a number of sectors")?,
        guid: cursor.array("a signature")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_impossible_lengths() {
        for (bytes, reason) in [
            (&[][..], "a node's type"),
            (&[4], "a node's subtype"),
            (&[4, 4, 4], "a node's length"),
            (&[4, 4, 3, 0], "a length of 4"),
            (&[4, 4, 8, 0, 1], "the bytes of a node"),
            (&[4, 4, 4, 0], "a node's type"),
            (&[0x7f, 0xff, 4, 0, 0], "nothing after the end"),
            (&[0x7f, 0xff, 5, 0, 0], "nothing after the end"),
        ] {
            let error = DevicePath::decode(bytes).unwrap_err().to_string();
            assert!(error.contains(reason), "{bytes:?}: {error}");
        }
    }

    #[test]
    fn keeps_nodes_it_does_not_know() {
        // a hard drive with an MBR signature, an odd file name, a PCI node
        let mbr = [&[4, 1, 42, 0][..], &[1; 36], &[1, 1]].concat();
        let odd = [4, 4, 7, 0, b'a', 0, 0];
        let pci = [1, 1, 6, 0, 0, 3];
        let bytes = [&mbr[..], &odd, &pci, &[0x7f, 0xff, 4, 0]].concat();
        let path = DevicePath::decode(&bytes).unwrap();
        assert!(path.0.iter().all(|node| matches!(node, Node::Other { .. })), "{path:?}");
        assert_eq!(path.encode().unwrap(), bytes);
    }
}
