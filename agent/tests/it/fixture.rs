//! Small repos made by the real `ostree`, and the agent's side of a pull.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use rootling::error::Result;
use rootling::progress::{Screen, Style};
use rootling::pull::admit::Rules;
use rootling::pull::open::{self, Patience};
use rootling::pull::{Pull, Pulled};
use rootling::transport::Limits;
use rootling::transport::retry::Retry;
use rootling_object::{Checksum, Dict, ObjectKind, ObjectName, RefName};
use rootling_store::{Repo, RepoMode};
use rootling_trust::SecretKey;
use tempfile::TempDir;

use crate::server::Server;

pub const REF: &str = "os/main";

/// A repo to pull from, a server before it, and a repo to pull into.
pub struct Fixture {
    pub dir: TempDir,
    pub server: Server,
    pub remote: PathBuf,
    pub repo: Repo,
}

impl Fixture {
    /// One commit on `os/main`, served; `config` is the body of the remote's group, without its url.
    pub fn new(config: &str) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let remote = dir.path().join("remote");
        ostree(&["init", "--mode=archive", "--repo", text(&remote)]);
        let fixture =
            Fixture { server: Server::start(&remote), repo: create(&dir.path().join("repo")), remote, dir };
        fixture.configure(config);
        fixture.commit(REF, 1, 1000);
        fixture
    }

    pub fn unsigned() -> Fixture {
        Fixture::new("sign-verify=false")
    }

    /// Writes the remote's group anew.
    pub fn configure(&self, config: &str) {
        let path = self.dir.path().join("repo/config");
        let old = fs::read_to_string(&path).unwrap();
        let core = old.split("[remote").next().unwrap();
        let url = &self.server.url;
        fs::write(&path, format!("{core}[remote \"origin\"]\nurl={url}\n{config}\n")).unwrap();
    }

    /// A commit with a few files, one in a folder, one large; `state` makes them differ.
    pub fn commit(&self, name: &str, state: u8, timestamp: u64) -> Checksum {
        self.commit_with(name, state, timestamp, &[])
    }

    pub fn commit_with(&self, name: &str, state: u8, timestamp: u64, more: &[&str]) -> Checksum {
        let tree = self.dir.path().join("tree");
        let _ = fs::remove_dir_all(&tree);
        fs::create_dir_all(tree.join("usr/share/deep")).unwrap();
        fs::write(tree.join("usr/hello"), format!("hello {state}\n")).unwrap();
        fs::write(tree.join("usr/same"), "the same in every state\n").unwrap();
        fs::write(tree.join("usr/again"), "the same in every state\n").unwrap();
        fs::write(tree.join("usr/empty"), "").unwrap();
        // noise, so that it does not compress away
        let mut seed = u32::from(state) + 1;
        let noise: Vec<u8> = (0..200_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        fs::write(tree.join("usr/share/deep/large"), noise).unwrap();
        std::os::unix::fs::symlink("hello", tree.join("usr/link")).unwrap();
        let (time, tree) = (format!("--timestamp=@{timestamp}"), format!("--tree=dir={}", text(&tree)));
        let mut args = vec!["commit", "--repo", text(&self.remote), "-b", name, &time, &tree];
        args.extend(["--owner-uid=0", "--owner-gid=0", "-s", "a state"]);
        args.extend(more);
        Checksum::parse_hex(ostree(&args).trim()).unwrap()
    }

    /// Where an object of the remote lies.
    pub fn object(&self, kind: ObjectKind, checksum: &Checksum) -> PathBuf {
        self.remote.join("objects").join(ObjectName::new(kind, *checksum).path("filez"))
    }

    /// Adds a signature to a commit of the remote.
    pub fn sign(&self, commit: &Checksum, key: &SecretKey) {
        let bytes = fs::read(self.object(ObjectKind::Commit, commit)).unwrap();
        let path = self.object(ObjectKind::CommitMeta, commit);
        let mut detached = match fs::read(&path) {
            Ok(bytes) => Dict::decode("detached", &bytes).unwrap(),
            Err(_) => Dict::new(),
        };
        rootling_trust::sign_commit(&bytes, key, &mut detached).unwrap();
        fs::write(path, detached.encode()).unwrap();
    }

    pub fn pull(&self) -> Result<Pulled> {
        self.pull_with(REF, Rules::default())
    }

    pub fn pull_with(&self, name: &str, rules: Rules) -> Result<Pulled> {
        let screen = Screen::new(Some(Style::Quiet));
        self.open(rules, &screen)?.fetch(&RefName::parse(name).unwrap())
    }

    pub fn open<'a>(&'a self, rules: Rules, screen: &'a Screen) -> Result<Pull<'a>> {
        open::remote(&self.repo, &self.dir.path().join("sysroot"), "origin", rules, &hasty(), screen)
            .map(|(_, pull)| pull)
    }

    /// What `ostree fsck` says about the repo that was pulled into.
    pub fn check(&self) {
        ostree(&["fsck", "--repo", text(self.repo.path())]);
    }

    /// Whether the repo has no ref and no complete commit: what a failed pull must leave.
    pub fn is_untouched(&self) -> bool {
        let commits =
            self.repo.list_objects().unwrap().into_iter().filter(|name| name.kind == ObjectKind::Commit);
        let whole = commits.filter(|name| !self.repo.is_partial(&name.checksum)).count();
        self.repo.list_refs().unwrap().is_empty() && whole == 0
    }
}

/// Short time-outs, and no pause between attempts.
pub fn hasty() -> Patience {
    let limits = Limits {
        stall: Duration::from_millis(300),
        head: Duration::from_millis(600),
        low_speed_bytes: 1000,
        low_speed_time: Duration::from_millis(300),
        connections: 3,
        ..Limits::default()
    };
    Patience { limits, retry: Retry { attempts: 3, pause: |_| {}, ..Retry::default() } }
}

/// An empty repo; power does not fail during these tests, so it does not sync.
pub fn create(path: &Path) -> Repo {
    let config = Repo::create(path, RepoMode::BareUser).unwrap().path().join("config");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}fsync=false\n")).unwrap();
    Repo::open(path).unwrap()
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs `ostree`, which must succeed; returns what it printed.
pub fn ostree(args: &[&str]) -> String {
    let output = try_ostree(args);
    assert!(output.status.success(), "ostree {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub fn try_ostree(args: &[&str]) -> Output {
    let run = Command::new("ostree").args(args).output();
    run.unwrap_or_else(|error| {
        panic!("ostree, the oracle of these tests, is missing (apt-get install ostree): {error}")
    })
}
