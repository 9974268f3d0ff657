//! A delta of whole trees, made, planned and applied.

use crate::repo::{At, Files, Repo, two_trees, two_trees_of_profile_2, two_trees_of_profile_3};
use rootling_delta::header::PRELUDE;
use rootling_delta::make::{Coded, Made, Objects, Options, Serial, make};
use rootling_delta::tree::Base;
use rootling_delta::{Backend, Header, Prelude, Result, apply_group, apply_symlinks, plan};
use rootling_object::{Checksum, FileHeader};
use std::sync::Mutex;

/// Fetches, checks and applies a delta as a device does; `None` if it starts from nothing.
pub fn apply(
    repo: &Repo,
    from: Option<Checksum>,
    head: &[u8],
    groups: &[Vec<u8>],
) -> Result<(Repo, Checksum)> {
    let prelude = Prelude::decode(head)?;
    let header = Header::decode(&prelude, head.get(PRELUDE..).unwrap_or(&[]), 8 << 20)?;
    let plan = plan(&header, &At(repo, from))?;
    let mut new = repo.clone();
    apply_symlinks(&plan, &mut new)?;
    for number in 0..header.groups.len() {
        let none = Vec::new();
        let bytes = groups.get(number).unwrap_or(&none);
        apply_group(&header, prelude.backend, &plan, number, bytes, 8 << 20, repo, &mut new)?;
    }
    for (checksum, bytes) in plan.dirtrees.iter().chain(&plan.dirmetas) {
        assert_eq!(new.metadata(bytes.clone()), *checksum);
    }
    Ok((new.clone(), {
        new.metadata.insert(Checksum(header.to), header.commit);
        Checksum(header.to)
    }))
}

/// A repo with the old tree only, and the delta to the new one.
pub fn delta(backend: Backend, scratch: bool) -> (Repo, Option<Checksum>, Checksum, Made) {
    delta_of(two_trees(), backend, scratch)
}

/// The same for other trees.
pub fn delta_of(
    (old, new): (Files, Files),
    backend: Backend,
    scratch: bool,
) -> (Repo, Option<Checksum>, Checksum, Made) {
    let mut device = Repo::default();
    let from = device.commit_files(&old);
    let mut host = device.clone();
    let to = host.commit_files(&new);
    let from = (!scratch).then_some(from);
    let options = Options { backend, group_tokens: 300, ..Options::default() };
    let made = make(&host, from, to, &options, &Serial).unwrap();
    if scratch {
        device = Repo::default();
    }
    (device, from, to, made)
}

#[test]
fn a_device_with_the_old_tree_makes_the_new_one() {
    for backend in [Backend::Lzma, Backend::Deflate] {
        for scratch in [false, true] {
            let (device, from, to, made) = delta(backend, scratch);
            let (mut new, got) = apply(&device, from, &made.head, &made.groups).unwrap();
            assert_eq!(got, to);
            new.metadata.insert(to, made.header.commit.clone());
            assert!(new.is_complete(&to), "{backend:?} {scratch}");
        }
    }
}

#[test]
fn a_delta_says_the_lowest_profile_that_reads_it() {
    for (trees, scratch, profile) in [
        (two_trees(), false, 1),
        (two_trees(), true, 1),
        (two_trees_of_profile_2(), false, 2),
        (two_trees_of_profile_2(), true, 1),
        (two_trees_of_profile_3(), false, 3),
        (two_trees_of_profile_3(), true, 1),
    ] {
        let (.., made) = delta_of(trees, Backend::Lzma, scratch);
        assert_eq!(made.header.profile, profile);
        let low = low_profile(scratch);
        assert_eq!(low.header.profile, 1, "for devices that have no other");
        assert_eq!(
            Header::decode(&Prelude::decode(&made.head).unwrap(), &made.head[PRELUDE..], 8 << 20),
            Ok(made.header)
        );
    }
}

/// A delta of the trees of profile 2 for devices that have profile 1.
fn low_profile(scratch: bool) -> Made {
    let (old, new) = two_trees_of_profile_2();
    let mut host = Repo::default();
    let (from, to) = (host.commit_files(&old), host.commit_files(&new));
    let options = Options { profile: 1, ..Options::default() };
    make(&host, (!scratch).then_some(from), to, &options, &Serial).unwrap()
}

#[test]
fn the_same_trees_give_the_same_delta() {
    let (.., one) = delta(Backend::Lzma, false);
    let (.., other) = delta(Backend::Lzma, false);
    assert_eq!((one.head, one.groups), (other.head, other.groups));
}

#[test]
fn sources_follow_renamed_directories_and_versions() {
    let (.., made) = delta(Backend::Lzma, false);
    assert!(made.groups.len() > 1, "several groups");
    let paths: Vec<&Base> = made.header.objects.iter().map(|object| &object.source).collect();
    assert!(paths.contains(&&Base::Path("usr/lib/libthing.so.1.2".into())), "{paths:?}");
    assert_eq!(paths.iter().filter(|base| ***base == Base::Same).count(), 5, "{paths:?}");
    let dirs: Vec<&Base> = made.header.dirs.iter().map(|dir| &dir.base).collect();
    assert!(dirs.contains(&&Base::Path("usr/lib/modules/6.1.0-53".into())), "{dirs:?}");
    let sum: usize = made.head.len() + made.groups.iter().map(Vec::len).sum::<usize>();
    assert!(sum < 4000, "{sum} bytes");
}

/// Notes the lengths of files in the order in which they are coded.
struct Watched(Repo, Mutex<Vec<u64>>);

impl Objects for Watched {
    fn commit(&self, checksum: &Checksum) -> Result<Vec<u8>> {
        self.0.commit(checksum)
    }
    fn detached(&self, checksum: &Checksum) -> Result<Option<Vec<u8>>> {
        self.0.detached(checksum)
    }
    fn dirtree(&self, checksum: &Checksum) -> Result<Vec<u8>> {
        Objects::dirtree(&self.0, checksum)
    }
    fn dirmeta(&self, checksum: &Checksum) -> Result<Vec<u8>> {
        self.0.dirmeta(checksum)
    }
    fn content(&self, checksum: &Checksum) -> Result<(FileHeader, Vec<u8>)> {
        self.0.content(checksum)
    }
    fn keep(&self, _: &[Checksum], _: &Checksum, coded: &Coded) {
        self.1.lock().unwrap().push(coded.size);
    }
}

#[test]
fn the_largest_file_is_coded_first() {
    let (old, new) = two_trees();
    let mut repo = Repo::default();
    let (from, to) = (repo.commit_files(&old), repo.commit_files(&new));
    let watched = Watched(repo, Mutex::default());
    make(&watched, Some(from), to, &Options::default(), &Serial).unwrap();
    let sizes = watched.1.into_inner().unwrap();
    assert!(sizes.len() > 5 && sizes.is_sorted_by(|one, next| one >= next), "{sizes:?}");
}
