//! Files made from several old ones.

use crate::elf::{Machine, Random, library};
use crate::repo::{At, Files, Repo, two_trees, two_trees_of_profile_3};
use crate::tree::{apply, delta_of};
use rootling_delta::header::PRELUDE;
use rootling_delta::make::{Made, Options, Serial, code_from, make, pack};
use rootling_delta::tree::{Base, Change, Object};
use rootling_delta::{Backend, ErrorKind, Group, Header, OldContent, Prelude, ReadAt, Result, plan};
use rootling_object::Checksum;

/// A delta of `trees` for readers of `profile`, applied.
fn made(trees: &(Files, Files), profile: u32) -> Made {
    let mut device = Repo::default();
    let from = device.commit_files(&trees.0);
    let mut host = device.clone();
    let to = host.commit_files(&trees.1);
    let options = Options { profile, ..Options::default() };
    let made = make(&host, Some(from), to, &options, &Serial).unwrap();
    let (mut new, got) = apply(&device, Some(from), &made.head, &made.groups).unwrap();
    assert_eq!(got, to);
    new.metadata.insert(to, made.header.commit.clone());
    assert!(new.is_complete(&to));
    made
}

fn bytes(made: &Made) -> usize {
    made.head.len() + made.groups.iter().map(Vec::len).sum::<usize>()
}

/// Number of sources of the file at a path.
fn sources(made: &Made, path: &str) -> usize {
    made.files.iter().find(|file| file.path == path).unwrap().sources
}

/// Old files a to d, of 6000 bytes that do not compress; the new tree as `new` says.
fn trees(new: &dyn Fn(&[Vec<u8>]) -> Files) -> (Files, Files) {
    let mut random = Random(11);
    let old: Vec<Vec<u8>> =
        (0..4).map(|_| (0..6000).map(|_| random.next().to_le_bytes()[3]).collect()).collect();
    let named = ["a", "b", "c", "d"].iter().zip(&old);
    let files = named.map(|(name, bytes)| (format!("usr/lib/lib{name}.so"), bytes.clone())).collect();
    (files, new(&old))
}

#[test]
fn a_file_joined_from_two_to_four_is_made_from_all_of_them() {
    for count in 2..=4 {
        let joined = trees(&|old| {
            let mut joined = old[..count].concat();
            joined[7000] ^= 1;
            Files::from([("usr/lib/liba.so".into(), joined)])
        });
        let (low, high) = (made(&joined, 2), made(&joined, 3));
        assert_eq!((low.header.profile, sources(&low, "usr/lib/liba.so")), (1, 1));
        assert_eq!((high.header.profile, sources(&high, "usr/lib/liba.so")), (3, count));
        assert_eq!(high.header.objects[0].source, Base::Same);
        let saved = bytes(&low) - bytes(&high);
        assert!(saved > 5800 * (count - 1), "{count}: {} against {}", bytes(&high), bytes(&low));
    }
}

#[test]
fn a_piece_that_moved_to_another_file_is_found_there() {
    let moved = trees(&|old| {
        let with = [&old[1][..2000], &old[0][1000..5000], &old[1][2000..]].concat();
        let without = [&old[0][..1000], &old[0][5000..]].concat();
        Files::from([("usr/lib/liba.so".into(), without), ("usr/lib/libb.so".into(), with)])
    });
    let (low, high) = (made(&moved, 2), made(&moved, 3));
    assert_eq!((sources(&high, "usr/lib/liba.so"), sources(&high, "usr/lib/libb.so")), (1, 2));
    assert!(bytes(&high) + 3800 < bytes(&low), "{} against {}", bytes(&high), bytes(&low));
}

#[test]
fn a_file_of_another_name_is_found_by_what_is_in_it() {
    let renamed = trees(&|old| Files::from([("opt/omega".into(), [&old[2][..], &old[3]].concat())]));
    let (low, high) = (made(&renamed, 2), made(&renamed, 3));
    assert_eq!((sources(&low, "opt/omega"), sources(&high, "opt/omega")), (0, 2));
    assert!(bytes(&high) + 11_000 < bytes(&low), "{} against {}", bytes(&high), bytes(&low));
}

#[test]
fn the_references_of_the_first_are_predicted_beside_the_others() {
    let random = Random(12).bytes(9000);
    let old = library(Machine::X86, 400, &[]);
    let new = [library(Machine::X86, 400, &[3, 200]), random[1000..8000].to_vec()].concat();
    let files = |old: Vec<u8>| Files::from([("usr/lib/liba.so".into(), old)]);
    let (mut before, after) = (files(old), files(new));
    before.insert("usr/share/data".into(), random);
    let made = made(&(before, after), 3);
    let file = &made.files[0];
    assert_eq!(
        (file.sources, made.header.objects[0].more.as_slice()),
        (2, &["usr/share/data".to_owned()][..])
    );
    assert!(file.tokens[2] + file.tokens[3] < 200, "{:?}: corrections and inserted bytes", file.tokens);
}

#[test]
fn without_a_gain_there_is_one_source_and_an_older_profile_reads_it() {
    let (low, high) = (made(&two_trees(), 1), made(&two_trees(), 3));
    assert_eq!(high.header.profile, 1);
    assert!((low.head, low.groups) == (high.head, high.groups));
}

/// The error of planning what `change` makes of a good header.
fn refused(change: &dyn Fn(&mut Header, usize)) -> String {
    let (device, from, _, made) = delta_of(two_trees_of_profile_3(), Backend::Lzma, false);
    let mut header = made.header;
    let at = header.objects.iter().position(|object| object.more.len() == 3).unwrap();
    change(&mut header, at);
    let head = header.encode(Backend::Lzma);
    let prelude = Prelude::decode(&head).unwrap();
    let read = Header::decode(&prelude, &head[PRELUDE..], 8 << 20).unwrap();
    assert_eq!(read, header, "read as it was written");
    let error = plan(&read, &At(&device, from)).map(|_| ()).unwrap_err().to_string();
    let name = Checksum(header.objects[at].checksum).to_string();
    assert!(error.contains(&name), "{error} names object {name}");
    error
}

#[test]
fn hostile_lists_of_sources_are_refused_by_the_name_of_their_object() {
    let expected = "expected one made from up to four different old files";
    type Change = fn(&mut Header, usize);
    let changes: [(&str, Change); 7] = [
        ("five", |header, at| header.objects[at].more.push("usr/bin/tool".into())),
        ("the first again", |header, at| header.objects[at].more[1] = "usr/lib/joined.so".into()),
        ("one twice", |header, at| header.objects[at].more[2] = header.objects[at].more[0].clone()),
        ("equal files", |header, at| {
            header.objects[at].more = vec!["usr/share/same".into(), "var/same".into()]
        }),
        ("none there", |header, at| header.objects[at].more[0] = "usr/lib/none".into()),
        ("a directory", |header, at| header.objects[at].more[0] = "usr/lib".into()),
        ("no first", |header, at| header.objects[at].source = Base::Nothing),
    ];
    for (name, change) in changes {
        let error = refused(&change);
        assert!(error.contains(expected), "{name}: {error}");
    }
}

#[test]
fn an_object_is_not_made_from_itself() {
    let (mut old, new) = two_trees_of_profile_3();
    old.insert("var/twin".into(), new["usr/lib/joined.so"].clone());
    let (device, from, _, made) = delta_of((old, new), Backend::Lzma, false);
    let mut header = made.header;
    let edits = header.dirs.iter_mut().flat_map(|dir| &mut dir.edits);
    let edit = edits.into_iter().find(|edit| edit.change == Change::Old("var/twin".into())).unwrap();
    edit.change = Change::Object(header.objects.len() as u32);
    let twin = device.content.iter().find(|(_, (_, bytes))| bytes.len() == 24_000).unwrap().0;
    let more = vec!["usr/share/same".to_owned(), "var/twin".into()];
    let header_of = header.objects.last().unwrap().header;
    let object = Object { checksum: twin.0, header: header_of, size: Some(24_000), source: Base::Same, more };
    header.objects.push(object);
    header.profile = 3;
    let error = plan(&header, &At(&device, from)).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(&twin.to_string()) && error.contains("four different old files"), "{error}");
    header.objects.last_mut().unwrap().more.pop();
    plan(&header, &At(&device, from)).unwrap();
}

#[test]
fn a_lower_profile_has_no_such_list() {
    let (.., made) = delta_of(two_trees_of_profile_3(), Backend::Lzma, false);
    for profile in [1, 2] {
        let header = Header { profile, ..made.header.clone() };
        let head = header.encode(Backend::Lzma);
        let read = Header::decode(&Prelude::decode(&head).unwrap(), &head[PRELUDE..], 8 << 20).unwrap();
        assert!(read.objects.iter().all(|object| object.more.is_empty()));
    }
}

/// A repo whose old objects say that they are as long as `size` makes of their length.
struct Says<'a>(&'a Repo, fn(u64) -> u64);

impl OldContent for Says<'_> {
    fn open(&self, checksum: &Checksum) -> Result<Box<dyn ReadAt + '_>> {
        let file = self.0.open(checksum)?;
        let size = self.1(file.size());
        Ok(Box::new(Long { file, size }))
    }
}

struct Long<'a> {
    file: Box<dyn ReadAt + 'a>,
    size: u64,
}

impl ReadAt for Long<'_> {
    fn size(&self) -> u64 {
        self.size
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        self.file.read_at(offset, into)
    }
}

#[test]
fn copies_past_the_last_source_and_lengths_that_overflow_are_errors_of_the_object() {
    let (device, from, _, made) = delta_of(two_trees_of_profile_3(), Backend::Lzma, false);
    let plan = plan(&made.header, &At(&device, from)).unwrap();
    let number = (0..made.groups.len())
        .find(|number| {
            plan.objects[made.header.objects_of(*number)].iter().any(|object| object.sources.len() == 4)
        })
        .unwrap();
    let decode = |old: &dyn OldContent| {
        let (header, group) = (&made.header, &made.groups[number]);
        let mut new = device.clone();
        rootling_delta::apply_group(header, Backend::Lzma, &plan, number, group, 8 << 20, old, &mut new)
    };
    decode(&Says(&device, |size| size)).unwrap();
    type Length = fn(u64) -> u64;
    let cases: [(Length, &str); 2] = [
        (|size| size - 1, "copies: end in the old file"),
        // four of them make 0 modulo 2^64
        (|_| 1 << 62, "file length"),
    ];
    for (says, reason) in cases {
        let error = decode(&Says(&device, says)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Object { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{reason}: {error}");
    }
    let last = plan.objects.iter().find_map(|object| object.sources.get(3)).unwrap();
    let mut without = device.clone();
    without.content.remove(last);
    let error = decode(&without).unwrap_err().to_string();
    assert!(error.starts_with(&format!("group {number}: object ")) && error.contains("no object"), "{error}");
}

#[test]
fn any_files_in_any_number_give_any_file() {
    let mut random = Random(13);
    let pool =
        [library(Machine::X86, 40, &[]), library(Machine::I386, 30, &[]), random.bytes(3000), Vec::new()];
    for turn in 0..60 {
        let old: Vec<Vec<u8>> = (0..turn % 5).map(|_| pool[random.below(4) as usize].clone()).collect();
        let mut new = old.concat();
        let by = random.below(new.len() as u64 + 1) as usize;
        new.rotate_left(by);
        new.truncate(20_000);
        let old: Vec<&[u8]> = old.iter().map(Vec::as_slice).collect();
        let coded = code_from(&old, &new, 3).unwrap();
        let packed = pack(Backend::Deflate, [&coded]);
        let mut group = Group::open(Backend::Deflate, &packed.header, &packed.bytes, 8 << 20).unwrap();
        let old: Vec<Box<dyn ReadAt + '_>> = old.into_iter().map(|old| Box::new(old) as _).collect();
        let mut made = Vec::new();
        group.next_file(&old, new.len() as u64, &mut made).unwrap();
        assert!(made == new, "turn {turn}");
    }
}
