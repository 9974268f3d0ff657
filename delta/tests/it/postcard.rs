//! The header's bytes against the `postcard` crate, field by field as `docs/formats/static-delta.md` lists them.

use crate::tree::delta;
use rootling_delta::tree::{Base, Change, Meta};
use rootling_delta::{Backend, Header};
use serde::Serialize;

/// Checksum, number of files, packed and decoded length of each stream.
type TheirGroup = ([u8; 32], u32, [(u64, u64); 4]);

#[derive(Serialize)]
struct TheirHeader<'a> {
    profile: u32,
    from: Option<[u8; 32]>,
    to: [u8; 32],
    commit: &'a Vec<u8>,
    detached: &'a Option<Vec<u8>>,
    dirmetas: &'a Vec<Vec<u8>>,
    file_headers: &'a Vec<Vec<u8>>,
    dirs: Vec<TheirDir>,
    objects: Vec<TheirObject>,
    groups: Vec<TheirGroup>,
}

/// Before profile 3, and since.
#[derive(Serialize)]
#[serde(untagged)]
enum TheirObject {
    One([u8; 32], u32, Option<u64>, TheirBase),
    Several([u8; 32], u32, Option<u64>, TheirBase, Vec<String>),
}

#[derive(Serialize)]
struct TheirDir {
    base: TheirBase,
    edits: Vec<(String, TheirChange)>,
}

#[derive(Serialize)]
enum TheirBase {
    Same,
    Nothing,
    Path(String),
}

#[derive(Serialize)]
enum TheirChange {
    Remove,
    Object(u32),
    Old(String),
    Dir(TheirMeta),
}

#[derive(Serialize)]
enum TheirMeta {
    Same,
    New(u32),
    Old([u8; 32]),
}

fn base(ours: &Base) -> TheirBase {
    match ours {
        Base::Same => TheirBase::Same,
        Base::Nothing => TheirBase::Nothing,
        Base::Path(path) => TheirBase::Path(path.clone()),
    }
}

fn change(ours: &Change) -> TheirChange {
    match ours {
        Change::Remove => TheirChange::Remove,
        Change::Object(number) => TheirChange::Object(*number),
        Change::Old(path) => TheirChange::Old(path.clone()),
        Change::Dir(Meta::Same) => TheirChange::Dir(TheirMeta::Same),
        Change::Dir(Meta::New(number)) => TheirChange::Dir(TheirMeta::New(*number)),
        Change::Dir(Meta::Old(checksum)) => TheirChange::Dir(TheirMeta::Old(*checksum)),
    }
}

fn theirs(header: &Header) -> Vec<u8> {
    let Header { profile, from, to, commit, detached, dirmetas, file_headers, dirs, objects, groups } =
        header;
    let dirs = dirs.iter().map(|dir| TheirDir {
        base: base(&dir.base),
        edits: dir.edits.iter().map(|edit| (edit.name.clone(), change(&edit.change))).collect(),
    });
    let objects = objects.iter().map(|object| {
        let source = base(&object.source);
        match *profile {
            0..=2 => TheirObject::One(object.checksum, object.header, object.size, source),
            _ => {
                TheirObject::Several(object.checksum, object.header, object.size, source, object.more.clone())
            }
        }
    });
    let groups = groups
        .iter()
        .map(|group| (group.checksum, group.files, group.streams.map(|stream| (stream.packed, stream.raw))));
    let header = TheirHeader {
        profile: *profile,
        from: *from,
        to: *to,
        commit,
        detached,
        dirmetas,
        file_headers,
        dirs: dirs.collect(),
        objects: objects.collect(),
        groups: groups.collect(),
    };
    postcard::to_allocvec(&header).unwrap()
}

#[test]
fn the_header_is_what_postcard_writes() {
    for scratch in [false, true] {
        let (.., mut made) = delta(Backend::Lzma, scratch);
        let names = ["usr/lib/a.so", "", &"long".repeat(40)].map(str::to_owned);
        for (object, count) in made.header.objects.iter_mut().zip((0..=3).cycle()) {
            object.more = names[..count].to_vec();
        }
        for long in [0, 2, 3, 0x80, u32::MAX] {
            made.header.profile = long;
            made.header.groups[0].files = long;
            made.header.groups[0].streams[3].raw = u64::from(long) << 32 | 0x7f;
            assert_eq!(made.header.encode_raw(), theirs(&made.header), "from nothing: {scratch}, {long}");
        }
    }
}
