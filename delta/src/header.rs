//! The header of a delta: everything that must be checked before a group is fetched.
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 7 | `RLDELTA` |
//! | 7 | 1 | version of this layout, 1 |
//! | 8 | 1 | back end, of the header's own stream too: 0 LZMA, 1 deflate |
//! | 9 | 3 | zero |
//! | 12 | 4 | packed length of the header, little-endian |
//! | 16 | 4 | its length once decoded |
//! | 20 | | the packed [`Header`] in postcard; then the groups in order |

use crate::ENABLED;
use crate::backend::{self, Backend, Stream, StreamHeader};
use crate::codec;
use crate::error::{Error, Result};
use crate::group::GroupHeader;
use crate::num::{array_at, index, le32_at, wide};
use crate::tree::{Dir, Object};

/// The first seven bytes of every delta.
pub const MAGIC: &[u8; 7] = b"RLDELTA";
/// Version of the layout of prelude and header. Raised when older readers must refuse.
pub const VERSION: u8 = 1;
/// The highest profile, the version of objects and prediction rules, that is read; of some machines only another build has the rules
/// ([`missing_machine`](crate::missing_machine)). Raised with any change to them.
pub const PROFILE: u32 = 3;
/// The first profile in which an object may have several sources.
pub(crate) const SOURCES: u32 = 3;
/// Length of the bytes before the packed header.
pub const PRELUDE: usize = 20;
/// Largest header once decoded, in bytes. Changing it does not break the format.
pub const MAX_HEADER: u32 = 4 << 20;

/// What stands in the first [`PRELUDE`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prelude {
    /// The coder of all streams.
    pub backend: Backend,
    /// The header's own stream.
    pub header: StreamHeader,
}

impl Prelude {
    /// Reads and bounds the first bytes of a delta.
    pub fn decode(bytes: &[u8]) -> Result<Prelude> {
        if !ENABLED {
            return Error::none();
        }
        let Some(bytes) = bytes.first_chunk::<PRELUDE>() else {
            return Err(Error::count("delta prelude: length", wide(PRELUDE), "bytes", wide(bytes.len())));
        };
        if !bytes.starts_with(MAGIC) {
            return Err(Error::fixed("delta prelude: magic: expected RLDELTA, got other bytes"));
        }
        let [version, backend, padding @ ..]: [u8; 5] = array_at(bytes, 7);
        if version != VERSION {
            return Err(Error::unsupported("delta version", u64::from(version)));
        }
        let backend = match backend {
            0 => Backend::Lzma,
            1 => Backend::Deflate,
            number => return Err(Error::unsupported("back end", u64::from(number))),
        };
        if padding != [0; 3] {
            return Err(Error::fixed("delta prelude: padding: expected zero, got other bytes"));
        }
        let (packed, raw) = (le32_at(bytes, 12), le32_at(bytes, 16));
        if raw > MAX_HEADER || packed > MAX_HEADER {
            let got = u64::from(raw.max(packed));
            return Err(Error::limit("delta header", u64::from(MAX_HEADER), got));
        }
        let header = StreamHeader { packed: u64::from(packed), raw: u64::from(raw) };
        Ok(Prelude { backend, header })
    }

    /// Offset of the first group.
    pub fn groups_at(&self) -> u64 {
        self.header.packed.saturating_add(wide(PRELUDE))
    }

    /// The bytes that [`Prelude::decode`] reads.
    #[cfg(feature = "make")]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let backend = if self.backend == Backend::Lzma { 0 } else { 1 };
        bytes.extend([VERSION, backend, 0, 0, 0]);
        for length in [self.header.packed, self.header.raw] {
            bytes.extend(crate::num::low32(length).to_le_bytes());
        }
        bytes
    }
}

/// What a delta changes, and where its groups are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Version of objects and prediction rules, the lowest that reads this delta.
    pub profile: u32,
    /// The commit that the delta starts from; `None` if from nothing.
    pub from: Option<[u8; 32]>,
    /// The commit that it leads to.
    pub to: [u8; 32],
    /// The new commit object.
    pub commit: Vec<u8>,
    /// Its detached metadata, an encoded `a{sv}`.
    pub detached: Option<Vec<u8>>,
    /// New dirmeta objects.
    pub dirmetas: Vec<Vec<u8>>,
    /// Headers of new content objects, in the form that is hashed but without its 8-byte prefix, each once.
    pub file_headers: Vec<Vec<u8>>,
    /// Changed directories, each before those inside it; the first is the root.
    pub dirs: Vec<Dir>,
    /// New content objects: symlinks first, then those of the groups in order.
    pub objects: Vec<Object>,
    /// The groups in the order in which they follow the header.
    pub groups: Vec<GroupHeader>,
}

impl Header {
    /// Unpacks and reads the header whose packed form is `bytes`, within `budget` bytes of memory.
    #[inline(never)]
    pub fn decode(prelude: &Prelude, bytes: &[u8], budget: u64) -> Result<Header> {
        if !ENABLED {
            return Error::none();
        }
        let working = backend::memory(prelude.backend, prelude.header.raw)
            .saturating_add(prelude.header.raw.saturating_mul(2))
            .saturating_add(prelude.header.packed);
        if working > budget {
            return Err(Error::limit("memory of the header", budget, working));
        }
        if wide(bytes.len()) != prelude.header.packed {
            return Err(Error::count(
                "delta header: length",
                prelude.header.packed,
                "bytes",
                wide(bytes.len()),
            ));
        }
        let mut stream = Stream::open(prelude.backend, "delta header", &bytes, 0, prelude.header);
        let header = codec::decode(&mut stream, budget.saturating_sub(working))?;
        header.check()?;
        Ok(header)
    }

    /// Checks what can be checked without any old object.
    fn check(&self) -> Result<()> {
        if self.profile > PROFILE || self.profile == 0 {
            return Err(Error::unsupported("profile", u64::from(self.profile)));
        }
        if rootling_object::Checksum::of(&self.commit).0 != self.to {
            return Err(Error::fixed("delta header: commit: expected the commit it names, got another"));
        }
        let files: u64 = self.groups.iter().map(|group| u64::from(group.files)).sum();
        let with_content = self.objects.iter().filter(|object| object.size.is_some()).count();
        if files != wide(with_content) {
            return Err(Error::count("delta header: groups", wide(with_content), "files", files));
        }
        let headers = wide(self.file_headers.len());
        match self.objects.iter().find(|object| u64::from(object.header) >= headers) {
            Some(object) => Err(Error::count(
                "delta header: object",
                headers,
                "file headers at most",
                object.header.into(),
            )),
            None => Ok(()),
        }
    }

    /// Most memory in bytes that opening any group takes.
    pub fn memory(&self, backend: Backend) -> u64 {
        self.groups.iter().map(|group| group.memory(backend)).max().unwrap_or(0)
    }

    /// Numbers of the objects that group `number` holds.
    pub fn objects_of(&self, number: usize) -> std::ops::Range<usize> {
        let files = |group: &GroupHeader| index(u64::from(group.files));
        let symlinks = self.objects.iter().filter(|object| object.size.is_none()).count();
        let before = self.groups.iter().take(number).map(files).fold(symlinks, usize::saturating_add);
        let own = self.groups.get(number).map(files).unwrap_or(0);
        before..before.saturating_add(own)
    }

    /// Offset and length of group `number` in the delta.
    pub fn range_of(&self, prelude: &Prelude, number: usize) -> (u64, u64) {
        let before = self.groups.iter().take(number).map(GroupHeader::size);
        let start = before.fold(prelude.groups_at(), u64::saturating_add);
        (start, self.groups.get(number).map_or(0, GroupHeader::size))
    }

    /// The header before it is packed.
    #[cfg(feature = "make")]
    pub fn encode_raw(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The prelude and packed header.
    #[cfg(feature = "make")]
    pub fn encode(&self, backend: Backend) -> Vec<u8> {
        let raw = self.encode_raw();
        let packed = backend::pack(backend, &raw);
        let header = StreamHeader { packed: wide(packed.len()), raw: wide(raw.len()) };
        let mut bytes = Prelude { backend, header }.encode();
        bytes.extend(packed);
        bytes
    }
}
