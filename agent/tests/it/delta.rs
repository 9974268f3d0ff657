//! Pulls by static delta, and every way in which one can be broken.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Command;

use rootling::error::Result;
use rootling::exit::Exit;
use rootling::progress::{Screen, Style};
use rootling::pull::Pulled;
use rootling::pull::admit::Rules;
use rootling::pull::delta::Mode;
use rootling::pull::open;
use rootling_delta::list::{self, Entry};
use rootling_delta::make::{Made, Objects, Options, Serial, make};
use rootling_object::{Checksum, FileHeader, ObjectKind, RefName, Refspec};
use rootling_store::lock::{FileLock, LockKind};
use rootling_store::{Repo, deltas};
use rootling_trust::SecretKey;

use crate::fixture::{Fixture, REF, hasty, ostree, text};
use crate::nginx::Nginx;
use crate::server::Act;

/// The remote's repo as the encoder sees it.
struct Served(Repo);

fn foreign<T>(result: rootling_store::Result<T>) -> rootling_delta::Result<T> {
    result.map_err(|error| rootling_delta::Error::io(error.to_string()))
}

impl Objects for Served {
    fn commit(&self, checksum: &Checksum) -> rootling_delta::Result<Vec<u8>> {
        foreign(self.0.load_metadata(ObjectKind::Commit, checksum))
    }
    fn detached(&self, checksum: &Checksum) -> rootling_delta::Result<Option<Vec<u8>>> {
        Ok(foreign(self.0.load_detached(checksum))?.map(|detached| detached.encode()))
    }
    fn dirtree(&self, checksum: &Checksum) -> rootling_delta::Result<Vec<u8>> {
        foreign(self.0.load_metadata(ObjectKind::DirTree, checksum))
    }
    fn dirmeta(&self, checksum: &Checksum) -> rootling_delta::Result<Vec<u8>> {
        foreign(self.0.load_metadata(ObjectKind::DirMeta, checksum))
    }
    fn content(&self, checksum: &Checksum) -> rootling_delta::Result<(FileHeader, Vec<u8>)> {
        let mut content = foreign(self.0.open_content(checksum))?;
        let mut bytes = Vec::new();
        content.reader.read_to_end(&mut bytes).unwrap();
        Ok((content.header, bytes))
    }
}

/// Writes a delta and adds it to its list.
pub fn publish(fixture: &Fixture, from: Option<Checksum>, to: Checksum) -> (Made, Entry, PathBuf) {
    let served = Served(Repo::open(&fixture.remote).unwrap());
    let options = Options { group_tokens: 9000, ..Options::default() };
    let made = make(&served, from, to, &options, &Serial).unwrap();
    let bytes: Vec<u8> = made.head.iter().chain(made.groups.iter().flatten()).copied().collect();
    let (checksum, head, total) = (Checksum::of(&made.head), made.head.len() as u32, bytes.len() as u64);
    let entry = Entry { from, version: 1, profile: made.header.profile, head, total, checksum };
    let path = deltas::data_path(&to, &checksum);
    deltas::write(&served.0, &path, &bytes).unwrap();
    let place = fixture.remote.join(deltas::list_path(&to));
    let mut entries = fs::read(&place).map_or(Vec::new(), |list| list::decode(&list, &to).unwrap());
    entries.push(entry);
    deltas::write(&served.0, &deltas::list_path(&to), &list::encode(&to, &entries)).unwrap();
    (made, entry, fixture.remote.join(path))
}

/// A commit of files that hardly differ from version to version but do not compress.
pub fn commit(fixture: &Fixture, version: u8, timestamp: u64) -> Checksum {
    let tree = fixture.dir.path().join("tree");
    let _ = fs::remove_dir_all(&tree);
    let dir = tree.join(format!("usr/lib/modules/6.1.{version}"));
    fs::create_dir_all(&dir).unwrap();
    for (number, size) in [90_000u32, 30_000, 12_000].into_iter().enumerate() {
        let mut seed = number as u32 + 1;
        let mut noise: Vec<u8> = (0..size)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        noise.chunks_mut(5000).for_each(|part| part[0] = version);
        fs::write(dir.join(format!("{number}.ko")), noise).unwrap();
    }
    fs::write(tree.join("usr/same"), "the same in every version\n").unwrap();
    fs::write(tree.join("usr/fresh"), vec![version; 30_000]).unwrap();
    fs::write(tree.join("usr/empty"), "").unwrap();
    std::os::unix::fs::symlink(format!("lib/modules/6.1.{version}"), tree.join("usr/link")).unwrap();
    let (time, tree) = (format!("--timestamp=@{timestamp}"), format!("--tree=dir={}", text(&tree)));
    let remote = text(&fixture.remote);
    let printed =
        ostree(&["commit", "--repo", remote, "-b", REF, &time, &tree, "--owner-uid=0", "--owner-gid=0"]);
    Checksum::parse_hex(printed.trim()).unwrap()
}

pub fn pull(fixture: &Fixture, mode: Mode) -> Result<Pulled> {
    let screen = Screen::new(Some(Style::Quiet));
    let mut pull = fixture.open(Rules::default(), &screen)?;
    pull.deltas = mode;
    pull.fetch(&RefName::parse(REF).unwrap())
}

/// A device at version 1, and a delta to version 2.
fn updated(config: &str) -> (Fixture, Checksum, Made, Entry, PathBuf) {
    let fixture = Fixture::new(config);
    let old = commit(&fixture, 1, 2000);
    pull(&fixture, Mode::Never).unwrap();
    let new = commit(&fixture, 2, 3000);
    let (made, entry, path) = publish(&fixture, Some(old), new);
    assert!(made.groups.len() >= 2, "{} groups", made.groups.len());
    fixture.server.forget();
    (fixture, new, made, entry, path)
}

fn followed() -> Refspec {
    Refspec::parse("origin:os/main").unwrap()
}

pub fn loose(fixture: &Fixture) -> usize {
    fixture.server.seen().iter().filter(|path| path.starts_with("objects/")).count()
}

#[test]
fn a_delta_brings_everything_in_far_fewer_bytes() {
    let (fixture, new, _, entry, _) = updated("sign-verify=false");
    let by_delta = pull(&fixture, Mode::Auto).unwrap();
    assert_eq!((*by_delta.commit.checksum(), loose(&fixture)), (new, 0), "{:?}", fixture.server.seen());
    let list = fs::metadata(fixture.remote.join(deltas::list_path(&new))).unwrap().len();
    assert_eq!(by_delta.bytes, entry.total + list, "header and groups once, and the list");
    let hashed = &by_delta.hashed;
    assert!(hashed.len() >= 5 && hashed.is_sorted(), "{hashed:?}");
    fixture.check();
    assert!(!fixture.repo.path().join("tmp/rootling-delta").exists());
    let (other, ..) = updated("sign-verify=false");
    let by_objects = pull(&other, Mode::Never).unwrap();
    assert!(by_delta.bytes * 10 < by_objects.bytes, "{} against {}", by_delta.bytes, by_objects.bytes);
    assert!(other.server.seen().iter().all(|path| !path.contains("deltas")));
}

#[test]
fn every_damage_ends_in_loose_objects_or_in_an_error_where_a_delta_is_required() {
    type Damage = fn(&Fixture, &Made, Entry, PathBuf);
    fn flip_at(path: &PathBuf, at: usize) {
        let mut bytes = fs::read(path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let damages: [(&str, Damage); 9] = [
        ("no file", |_, _, _, path| fs::remove_file(path).unwrap()),
        ("header", |_, made, _, path| flip_at(&path, made.head.len() - 1)),
        ("first group", |_, made, _, path| flip_at(&path, made.head.len() + 3)),
        ("last group", |_, made, entry, path| {
            assert!(made.groups.len() > 1);
            flip_at(&path, entry.total as usize - 1);
        }),
        ("cut short", |_, _, entry, path| {
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(entry.total - 5).unwrap();
        }),
        ("list of garbage", |fixture, made, _, _| {
            fs::write(fixture.remote.join(deltas::list_path(&Checksum(made.header.to))), "garbage").unwrap();
        }),
        ("list of another commit", |fixture, made, entry, _| {
            let bytes = list::encode(&Checksum([5; 32]), &[entry]);
            fs::write(fixture.remote.join(deltas::list_path(&Checksum(made.header.to))), bytes).unwrap();
        }),
        ("list that lies about the length", |fixture, made, entry, _| {
            let to = Checksum(made.header.to);
            let bytes = list::encode(&to, &[Entry { total: entry.total + 1, ..entry }]);
            fs::write(fixture.remote.join(deltas::list_path(&to)), bytes).unwrap();
        }),
        ("no Range", |fixture, _, _, _| fixture.server.always("deltas-rootling/data", Act::Whole)),
    ];
    for (name, damage) in damages {
        let (fixture, new, made, entry, path) = updated("sign-verify=false");
        damage(&fixture, &made, entry, path);
        let error = pull(&fixture, Mode::Require).expect_err(name);
        let text = error.to_string();
        assert!(text.contains("delta"), "{name}: {text}");
        assert_ne!(fixture.repo.read_ref(&followed()).unwrap(), Some(new), "{name}");
        let pulled = pull(&fixture, Mode::Auto).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(*pulled.commit.checksum(), new, "{name}");
        assert!(loose(&fixture) > 0, "{name}: nothing came loose");
        fixture.check();
    }
}

#[test]
fn a_server_that_fails_for_deltas_alone_does_not_stop_updates() {
    for (word, act) in [
        ("deltas-rootling/index", Act::Status(503)),
        ("deltas-rootling/data", Act::Status(503)),
        ("deltas-rootling/data", Act::Never),
    ] {
        let (fixture, new, ..) = updated("sign-verify=false");
        fixture.server.always(word, act.clone());
        let pulled = pull(&fixture, Mode::Auto).unwrap_or_else(|error| panic!("{word} {act:?}: {error}"));
        assert_eq!(*pulled.commit.checksum(), new);
        assert!(loose(&fixture) > 0, "{word} {act:?}: nothing came loose");
        fixture.check();
    }
}

#[test]
fn a_line_that_still_brings_something_is_not_given_up() {
    let (fixture, new, _, entry, _) = updated("sign-verify=false");
    // far more breaks than attempts
    fixture.server.always("deltas-rootling/data", Act::Truncate(60));
    let pulled = pull(&fixture, Mode::Auto).unwrap();
    assert_eq!((*pulled.commit.checksum(), loose(&fixture)), (new, 0), "{} bytes", entry.total);
    fixture.check();
}

#[test]
fn without_space_nothing_of_a_delta_is_downloaded() {
    let (fixture, new, made, ..) = updated("sign-verify=false");
    let path = fixture.repo.path().join("config");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, config.replace("[core]", "[core]\nmin-free-space-size=900000TB")).unwrap();
    let error = crowded(&fixture).expect_err("there is less than that");
    assert_eq!(error.class(), "space", "{error}");
    let asked = fixture.server.seen().iter().filter(|path| path.contains("deltas-rootling/data")).count();
    assert_eq!(asked, 0, "{} groups", made.groups.len());
    fs::write(&path, config).unwrap();
    let pulled = pull(&fixture, Mode::Require).unwrap();
    assert_eq!(*pulled.commit.checksum(), new);
}

/// A pull into the repo as its config is now.
fn crowded(fixture: &Fixture) -> Result<Pulled> {
    let (repo, screen) = (Repo::open(fixture.repo.path()).unwrap(), Screen::new(Some(Style::Quiet)));
    let sysroot = fixture.dir.path().join("sysroot");
    let (_, pull) = open::remote(&repo, &sysroot, "origin", Rules::default(), &hasty(), &screen)?;
    pull.fetch(&RefName::parse(REF).unwrap())
}

#[test]
fn a_broken_group_costs_only_its_own_objects() {
    let (fixture, _, made, entry, path) = updated("sign-verify=false");
    let mut bytes = fs::read(&path).unwrap();
    bytes[entry.total as usize - 1] ^= 1;
    fs::write(&path, bytes).unwrap();
    pull(&fixture, Mode::Auto).unwrap();
    let last = made.header.groups.last().unwrap().files as usize;
    assert_eq!(loose(&fixture), last, "{:?}", fixture.server.seen());
    fixture.check();
}

#[test]
fn what_was_downloaded_is_never_asked_for_again() {
    let (fixture, new, made, _, _) = updated("sign-verify=false");
    // seven answers end after 60 bytes, and then the server is gone: the run gives up, the next one goes on
    let run = || {
        fixture.server.behave();
        fixture.server.forget();
        fixture.server.times("deltas-rootling/data", Act::Truncate(60), 7);
        fixture.server.always("deltas-rootling/data", Act::Status(503));
        fixture.server.always("config", Act::Status(503));
        pull(&fixture, Mode::Require)
    };
    let mut answers = 0;
    while let Err(error) = run() {
        assert!(error.exit() == Exit::Network, "{error}");
        answers += 7;
        assert!(answers < 1000, "no end");
    }
    assert!(answers > 0, "one run was enough");
    answers += fixture.server.seen().iter().filter(|path| path.contains("deltas-rootling/data")).count();
    let pieces = made.groups.iter().map(Vec::len).chain([made.head.len()]);
    assert_eq!(answers, pieces.map(|bytes| bytes.div_ceil(60)).sum::<usize>(), "each byte once");
    assert_eq!(loose(&fixture), 0);
    fixture.check();
    assert_eq!(fixture.repo.read_ref(&followed()).unwrap(), Some(new));
}

#[test]
fn the_delta_with_the_fewest_bytes_is_taken_and_the_program_says_which() {
    let fixture = Fixture::unsigned();
    let first = commit(&fixture, 1, 2000);
    pull(&fixture, Mode::Never).unwrap();
    let second = commit(&fixture, 2, 3000);
    pull(&fixture, Mode::Never).unwrap();
    let elsewhere = commit(&fixture, 3, 4000);
    let new = commit(&fixture, 4, 5000);
    for from in [Some(first), Some(second), Some(elsewhere), None] {
        publish(&fixture, from, new);
    }
    let entries = fs::read(fixture.remote.join(deltas::list_path(&new))).unwrap();
    let entries = list::decode(&entries, &new).unwrap();
    let here = entries.iter().filter(|entry| entry.from == Some(first) || entry.from == Some(second));
    let best = here.min_by_key(|entry| entry.total).unwrap();
    let say = |repo: &std::path::Path, args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rootling"));
        let output = command.args(["--repo", text(repo), "pull", "origin", REF]).args(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let said = say(fixture.repo.path(), &[]);
    assert!(said.contains(&format!("by delta from {}", best.from.unwrap())), "{said}");
    // a device without anything
    let bare = fixture.dir.path().join("empty");
    let repo = crate::fixture::create(&bare);
    let config = fs::read_to_string(fixture.repo.path().join("config")).unwrap();
    fs::write(repo.path().join("config"), config).unwrap();
    let said = say(&bare, &["--require-delta"]);
    assert!(said.contains("by delta from nothing"), "{said}");
    ostree(&["fsck", "--repo", text(&bare)]);
    // one that has something else
    fs::write(fixture.remote.join(deltas::list_path(&new)), list::encode(&new, &entries[..1])).unwrap();
    assert_eq!(entries[0].from, None);
    let other = Fixture::unsigned();
    let config = fs::read_to_string(fixture.repo.path().join("config")).unwrap();
    other.pull().unwrap();
    fs::write(other.repo.path().join("config"), config).unwrap();
    let said = say(other.repo.path(), &[]);
    assert!(said.contains("by loose objects: none of the server's deltas starts"), "{said}");
}

#[test]
fn a_header_is_no_way_around_the_signature() {
    let key = SecretKey::from_seed(&[3; 32]);
    let fixture = Fixture::unsigned();
    let old = commit(&fixture, 1, 2000);
    pull(&fixture, Mode::Never).unwrap();
    fixture.configure(&format!("sign-verify=ed25519\nverification-ed25519-key={}", key.public()));
    let new = commit(&fixture, 2, 3000);
    publish(&fixture, Some(old), new);
    for mode in [Mode::Auto, Mode::Require] {
        let error = pull(&fixture, mode).unwrap_err();
        assert!(error.exit() == Exit::Untrusted, "{error}");
    }
    // signed after the delta was made: the signature comes loose, the content does not
    fixture.sign(&new, &key);
    fixture.server.forget();
    pull(&fixture, Mode::Require).unwrap();
    let seen = fixture.server.seen();
    assert_eq!(loose(&fixture), 2, "{seen:?}");
    // and one that carries its signature
    let last = commit(&fixture, 3, 4000);
    fixture.sign(&last, &key);
    publish(&fixture, Some(new), last);
    fixture.server.forget();
    pull(&fixture, Mode::Require).unwrap();
    assert_eq!(loose(&fixture), 0);
    fixture.check();
}

#[test]
fn a_real_server_answers_ranges() {
    let (fixture, new, ..) = updated("sign-verify=false");
    for (more, ranges) in [("max_ranges 0;", false), ("", true)] {
        let nginx = Nginx::start(&fixture.remote, "", more);
        let config = fixture.repo.path().join("config");
        let old = fs::read_to_string(&config).unwrap();
        let ours = old.replace(&fixture.server.url, &format!("http://127.0.0.1:{}", nginx.port));
        fs::write(&config, ours).unwrap();
        let result = pull(&fixture, Mode::Require);
        fs::write(&config, old).unwrap();
        match (ranges, result) {
            (true, Ok(pulled)) => assert_eq!(*pulled.commit.checksum(), new),
            (false, Err(error)) => assert!(error.to_string().contains("no Range"), "{error}"),
            (_, other) => panic!("{other:?}"),
        }
    }
    fixture.check();
}

#[test]
fn what_another_process_downloads_is_left_to_it() {
    let (fixture, ..) = updated("sign-verify=false");
    let folder = fixture.repo.path().join("tmp/rootling-delta");
    fs::create_dir_all(folder.join("other")).unwrap();
    let held = FileLock::try_acquire(&folder.join("lock"), LockKind::Exclusive).unwrap();
    let error = pull(&fixture, Mode::Require).unwrap_err();
    assert!(error.to_string().contains("lock"), "{error}");
    pull(&fixture, Mode::Auto).unwrap();
    assert!(folder.join("other").exists() && loose(&fixture) > 0);
    drop(held);
    fixture.check();
}
