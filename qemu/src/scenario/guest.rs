//! The systems of a guest: commits of one ref, each good or with a fault of its own.
//!
//! ```text
//! FOLDER/repo       an archive repo with all commits; each is bound to the ref
//! FOLDER/commits    lines "NAME CHECKSUM", ascending by time: good-1 panics failed-check dead-agent good-2 good-3
//! FOLDER/key, .pub  what signs them; without, nothing is verified
//! FOLDER/tls        server.pem and server.key for 10.0.2.2, by a CA that all systems have; without, HTTP is plain
//! ```
//! `cargo xtask guest` makes such a folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::host;

/// The CA, in a system.
const CA: &str = "/usr/share/guest/ca.pem";

/// The folder.
#[derive(Debug, Clone)]
pub struct Guest {
    folder: PathBuf,
    commits: Vec<(String, String)>,
    /// The ref that all commits are bound to.
    pub name: String,
    /// The public key.
    pub key: Option<String>,
}

impl Guest {
    /// Reads the folder.
    pub fn open(folder: &Path, name: &str) -> Result<Guest> {
        let list = folder.join("commits");
        let text = fs::read_to_string(&list).with_context(|| format!("read {}", list.display()))?;
        let key = fs::read_to_string(folder.join("key.pub")).ok().map(|key| key.trim().to_owned());
        Ok(Guest { folder: folder.to_owned(), commits: parse(&text), name: name.to_owned(), key })
    }

    /// The commit of a name.
    pub fn commit(&self, name: &str) -> Result<&str> {
        let found = self.commits.iter().find(|(known, _)| known == name);
        let found = found.with_context(|| {
            let known: Vec<&str> = self.commits.iter().map(|(name, _)| name.as_str()).collect();
            format!("{}: expected a commit {name}, got {}", self.folder.display(), known.join(" "))
        })?;
        Ok(&found.1)
    }

    /// What the device verifies by.
    pub fn policy(&self) -> String {
        match &self.key {
            Some(key) => format!("--sign-verify=ed25519=inline:{key}"),
            None => "--no-sign-verify".into(),
        }
    }

    /// As [`Guest::policy`], with where a system finds the CA.
    pub fn flags(&self) -> String {
        let policy = self.policy();
        if self.tls().is_some() { format!("{policy} --set=tls-ca-path={CA}") } else { policy }
    }

    /// The folder of the server's certificate.
    pub fn tls(&self) -> Option<PathBuf> {
        // nginx reads names as its own folder's
        let folder = std::path::absolute(self.folder.join("tls")).ok()?;
        folder.join("server.pem").exists().then_some(folder)
    }

    /// A repo of its own, which shares files with the folder's.
    pub fn copy(&self, path: &Path) -> Result<Repo> {
        let mut copy = host::command("cp");
        host::output(copy.arg("-al").arg(self.folder.join("repo")).arg(path))?;
        Ok(Repo { path: path.to_owned(), guest: self.clone() })
    }
}

/// A repo that serves one scenario.
#[derive(Debug)]
pub struct Repo {
    /// Its folder.
    pub path: PathBuf,
    guest: Guest,
}

impl Repo {
    /// The ref that devices follow.
    pub fn name(&self) -> &str {
        &self.guest.name
    }

    /// Has the ref name a commit; answers its checksum.
    pub fn publish(&self, compose: &Path, name: &str) -> Result<String> {
        let commit = self.guest.commit(name)?;
        let file = self.path.join("refs/heads").join(&self.guest.name);
        // not the file that is shared
        let draft = self.path.join("ref.tmp");
        fs::write(&draft, format!("{commit}\n")).with_context(|| format!("write {}", draft.display()))?;
        fs::rename(&draft, &file).with_context(|| format!("rename to {}", file.display()))?;
        for old in ["summary", "summary.sig"] {
            fs::remove_file(self.path.join(old)).ok();
        }
        let mut summary = host::command(compose);
        summary.arg("summary").arg("--repo").arg(&self.path);
        let key = self.guest.folder.join("key");
        if key.exists() {
            summary.arg("--key-file").arg(key);
        }
        host::output(&mut summary)?;
        Ok(commit.to_owned())
    }
}

fn parse(text: &str) -> Vec<(String, String)> {
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs.map(|(name, commit)| (name.to_owned(), commit.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_commit_is_named_with_those_that_are_there() {
        let commits = parse("good-1 aa\npanics bb\nnonsense\n");
        let guest = Guest { folder: "/g".into(), commits, name: "guest/x".into(), key: None };
        assert_eq!(guest.commit("panics").unwrap(), "bb");
        let error = guest.commit("good-2").unwrap_err().to_string();
        assert_eq!(error, "/g: expected a commit good-2, got good-1 panics");
    }

    #[test]
    fn only_a_guest_with_certificates_is_served_with_tls() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("commits"), "good-1 aa\n").unwrap();
        let guest = Guest::open(dir.path(), "guest/x").unwrap();
        assert_eq!((guest.tls(), guest.flags().as_str()), (None, "--no-sign-verify"));
        fs::create_dir(dir.path().join("tls")).unwrap();
        fs::write(dir.path().join("tls/server.pem"), "").unwrap();
        assert_eq!(guest.flags(), format!("--no-sign-verify --set=tls-ca-path={CA}"));
    }

    #[test]
    fn publishing_leaves_the_shared_repo_alone() {
        let dir = tempfile::tempdir().unwrap();
        let shared = dir.path().join("repo/refs/heads/guest/x");
        fs::create_dir_all(shared.parent().unwrap()).unwrap();
        fs::write(&shared, "aa\n").unwrap();
        fs::write(dir.path().join("commits"), "good-1 aa\ngood-2 bb\n").unwrap();
        let guest = Guest::open(dir.path(), "guest/x").unwrap();
        let repo = guest.copy(&dir.path().join("copy")).unwrap();
        assert_eq!(repo.publish(Path::new("true"), "good-2").unwrap(), "bb");
        assert_eq!(fs::read_to_string(&shared).unwrap(), "aa\n");
        assert_eq!(fs::read_to_string(dir.path().join("copy/refs/heads/guest/x")).unwrap(), "bb\n");
    }
}
