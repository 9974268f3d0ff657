//! From a downloaded group to content objects that hash to their names.

use crate::ENABLED;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::group::Group;
use crate::header::Header;
use crate::image;
use crate::io::{ReadAt, Sink};
use crate::num::{index, wide};
use crate::tree::{Plan, PlannedObject};
use rootling_object::{Checksum, Hasher};

/// Where old content comes from; the caller implements it over its store.
pub trait OldContent {
    /// Opens the content of an old object for random access.
    fn open(&self, checksum: &Checksum) -> Result<Box<dyn ReadAt + '_>>;
}

/// Where new content goes; the caller implements it over its store.
pub trait NewContent {
    /// Starts an object, out of sight of all readers; what was started and not finished is dropped.
    fn begin(&mut self, object: &PlannedObject) -> Result<()>;
    /// The next bytes of its content.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
    /// It hashed to its name: make it visible.
    fn finish(&mut self, object: &PlannedObject) -> Result<()>;
}

/// Verifies and decodes group `number`, whose downloaded bytes are `bytes`.
///
/// `budget` is the memory in bytes that decoding may take. Objects made before an error stay; the error names the
/// first that could not be made.
#[expect(clippy::too_many_arguments, reason = "each is another thing that the caller owns")]
#[inline(never)]
pub fn apply_group(
    header: &Header,
    backend: Backend,
    plan: &Plan,
    number: usize,
    bytes: &dyn ReadAt,
    budget: u64,
    old: &dyn OldContent,
    new: &mut dyn NewContent,
) -> Result<()> {
    if !ENABLED {
        return Error::none();
    }
    let Some(group) = header.groups.get(number) else {
        return Err(Error::count("delta: group", wide(header.groups.len()), "groups at most", wide(number)));
    };
    verify(bytes, group.size(), Checksum(group.checksum))?;
    let mut group = Group::open(backend, group, bytes, budget)?;
    for object in plan.objects.get(header.objects_of(number)).unwrap_or(&[]) {
        let made = make(&mut group, object, old, new);
        made.map_err(|err| err.of_object(number, &object.checksum))?;
    }
    group.end()
}

/// Makes the symlinks, which need no group.
pub fn apply_symlinks(plan: &Plan, new: &mut dyn NewContent) -> Result<()> {
    if !ENABLED {
        return Error::none();
    }
    for object in plan.objects.iter().filter(|object| object.size.is_none()) {
        new.begin(object)?;
        check(object, object.header.hasher())?;
        new.finish(object)?;
    }
    Ok(())
}

/// The ELF machine of an old object whose references a delta of `profile` may predict, though this build cannot: a delta does not
/// say which architectures it is about, and no part of it that needs such an object has to be fetched.
pub fn missing_machine(old: &dyn OldContent, source: &Checksum, profile: u32) -> Option<u16> {
    if image::is_complete(profile) {
        return None;
    }
    image::missing_machine(&*old.open(source).ok()?, profile)
}

fn make(
    group: &mut Group<'_>,
    object: &PlannedObject,
    old: &dyn OldContent,
    new: &mut dyn NewContent,
) -> Result<()> {
    let mut files = Vec::new();
    for source in &object.sources {
        files.push(old.open(source)?);
    }
    new.begin(object)?;
    let mut sink = Hashing { hasher: object.header.hasher(), new };
    group.next_file(&files, object.size.unwrap_or(0), &mut sink)?;
    let Hashing { hasher, new } = sink;
    check(object, hasher)?;
    new.finish(object)
}

fn check(object: &PlannedObject, hasher: Hasher) -> Result<()> {
    let got = hasher.finish();
    if got != object.checksum {
        return Err(Error::malformed("object", "checksum", &object.checksum, &got));
    }
    Ok(())
}

/// Bytes of a group that are hashed at a time.
const CHUNK: u64 = 16 << 10;

fn verify(bytes: &dyn ReadAt, size: u64, expected: Checksum) -> Result<()> {
    if bytes.size() != size {
        return Err(Error::count("group: length", size, "bytes", bytes.size()));
    }
    let (mut hasher, mut at, mut buffer) = (Hasher::new(), 0u64, Vec::new());
    while at < size {
        buffer.resize(index(size.saturating_sub(at).min(CHUNK)), 0);
        bytes.read_at(at, &mut buffer)?;
        hasher.update(&buffer);
        at = at.saturating_add(wide(buffer.len()));
    }
    let got = hasher.finish();
    if got != expected {
        return Err(Error::malformed("group", "checksum", &expected, &got));
    }
    Ok(())
}

/// Hashes what passes.
struct Hashing<'a> {
    hasher: Hasher,
    new: &'a mut dyn NewContent,
}

impl Sink for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.new.write(bytes)
    }
}
