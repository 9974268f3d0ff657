//! Commit objects.

use crate::checksum::Checksum;
use crate::error::{Error, Result};
use crate::variant::Dict;
use crate::variant::frame::{self, BYTES, U64, VARIANT};

/// Metadata keys of OSTree and rpm-ostree that Rootling reads or writes.
pub mod key {
    /// `s`: version for people.
    pub const VERSION: &str = "version";
    /// `as`: the refs this commit may be bound to; a pull of another ref refuses it.
    pub const REF_BINDING: &str = "ostree.ref-binding";
    /// `s`: the collection this commit belongs to.
    pub const COLLECTION_BINDING: &str = "ostree.collection-binding";
    /// `s`: kernel version.
    pub const LINUX: &str = "ostree.linux";
    /// `b`: has a kernel.
    pub const BOOTABLE: &str = "ostree.bootable";
    /// `a(sssss)`: packages, see [`crate::pkglist`].
    pub const PKGLIST: &str = "rpmostree.rpmdb.pkglist";
    /// `s`: checksum over all that went into a compose.
    pub const INPUTHASH: &str = "rpmostree.inputhash";
    /// `aay` in detached metadata: ed25519 signatures over the commit's bytes.
    pub const SIGNATURES: &str = "ostree.sign.ed25519";
}

/// A commit: `(a{sv}aya(say)sstayay)`.
///
/// | member | field |
/// |---|---|
/// | `a{sv}` | metadata, in the writer's order |
/// | `ay` | parent, 32 bytes or none |
/// | `a(say)` | related objects, always empty |
/// | `s` | subject |
/// | `s` | body |
/// | `t` | time of the commit in seconds, big endian |
/// | `ay` | root dirtree |
/// | `ay` | root dirmeta |
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Metadata, in the writer's order.
    pub metadata: Dict,
    /// The commit before this one.
    pub parent: Option<Checksum>,
    /// First line of the message.
    pub subject: String,
    /// Rest of the message.
    pub body: String,
    /// Seconds since 1970.
    pub timestamp: u64,
    /// The dirtree of `/`.
    pub root_tree: Checksum,
    /// The dirmeta of `/`.
    pub root_meta: Checksum,
}

const WHAT: &str = "commit";
const LAYOUT: [frame::Member; 8] = [VARIANT, BYTES, BYTES, BYTES, BYTES, U64, BYTES, BYTES];

impl Commit {
    /// Reads and checks a commit object.
    pub fn decode(bytes: &[u8]) -> Result<Commit> {
        let [metadata, parent, related, subject, body, timestamp, root_tree, root_meta] =
            frame::tuple(WHAT, bytes, LAYOUT)?;
        if !related.is_empty() {
            return Err(Error::malformed(
                WHAT,
                "related objects",
                "none",
                format_args!("{} bytes", related.len()),
            ));
        }
        let timestamp = <[u8; 8]>::try_from(timestamp)
            .map_err(|_| Error::malformed(WHAT, "timestamp", "8 bytes", timestamp.len()))?;
        let checksum = |field: &'static str, bytes: &[u8]| {
            Checksum::from_slice(bytes)
                .map_err(|_| Error::malformed(WHAT, field, "32 bytes", format_args!("{} bytes", bytes.len())))
        };
        Ok(Commit {
            metadata: Dict::decode(WHAT, metadata)?,
            parent: if parent.is_empty() { None } else { Some(checksum("parent", parent)?) },
            subject: frame::string(WHAT, "subject", subject)?.to_owned(),
            body: frame::string(WHAT, "body", body)?.to_owned(),
            timestamp: u64::from_be_bytes(timestamp),
            root_tree: checksum("root dirtree", root_tree)?,
            root_meta: checksum("root dirmeta", root_meta)?,
        })
    }

    /// The object's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let parts: [&[u8]; 8] = [
            &self.metadata.encode(),
            self.parent.as_ref().map_or(&[], |parent| parent.0.as_slice()),
            &[],
            &frame::string_bytes(&self.subject),
            &frame::string_bytes(&self.body),
            &self.timestamp.to_be_bytes(),
            &self.root_tree.0,
            &self.root_meta.0,
        ];
        let members: Vec<_> = LAYOUT.into_iter().zip(parts).collect();
        frame::join_tuple(&members)
    }

    /// The version for people, if the commit names one.
    pub fn version(&self) -> Option<&str> {
        self.metadata.str(key::VERSION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variant::Value;

    fn example() -> Commit {
        let mut metadata = Dict::new();
        metadata.set(key::VERSION, Value::str("1.0"));
        metadata.set(key::REF_BINDING, Value::strv(["os/main"]));
        metadata.set(key::BOOTABLE, Value::Bool(true));
        Commit {
            metadata,
            parent: Some(Checksum::of(b"parent")),
            subject: "subject".into(),
            body: String::new(),
            timestamp: 1_700_000_000,
            root_tree: Checksum::of(b"tree"),
            root_meta: Checksum::of(b"meta"),
        }
    }

    #[test]
    fn goes_there_and_back() {
        let orphan = Commit { parent: None, metadata: Dict::new(), ..example() };
        for commit in [example(), orphan] {
            let bytes = commit.encode();
            let back = Commit::decode(&bytes).unwrap();
            assert_eq!(back, commit);
            assert_eq!(back.encode(), bytes);
        }
    }

    #[test]
    fn refuses_every_truncation() {
        let bytes = example().encode();
        for end in 0..bytes.len() {
            assert!(Commit::decode(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn refuses_a_parent_of_the_wrong_length() {
        let mut bytes = example().encode();
        bytes.truncate(0);
        let parts: [&[u8]; 8] = [&[], &[1; 16], &[], b"\0", b"\0", &[0; 8], &[0; 32], &[0; 32]];
        bytes.extend(frame::join_tuple(&LAYOUT.into_iter().zip(parts).collect::<Vec<_>>()));
        assert!(Commit::decode(&bytes).unwrap_err().to_string().contains("parent"));
    }
}
