//! Both commits in a repo behind a web server, our deltas and libostree's, and the clients that follow it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::figures::{Figures, Spent};
use super::trees::Scene;
use crate::bench::nginx::Nginx;
use crate::bench::side;
use crate::run::output;

/// The ref of both commits.
const REF: &str = "bench/os";

/// A signed repo with two commits, and what follows it.
#[derive(Debug)]
pub struct Published<'a> {
    scene: &'a Scene,
    agent: &'a Path,
    compose: &'a Path,
    repo: PathBuf,
    device: PathBuf,
    client: PathBuf,
    /// Old and new.
    commits: [String; 2],
    _server: Nginx,
}

impl Published<'_> {
    /// Commits the old tree, sets up the clients with it, and commits the new one.
    pub fn new<'a>(scene: &'a Scene, agent: &'a Path, compose: &'a Path) -> Result<Published<'a>> {
        let dir = &scene.dir;
        let (repo, device, client) = (dir.join("repo"), dir.join("device"), dir.join("client"));
        let compose_on = |args: &[&str]| {
            let mut command = Command::new(compose);
            output(command.args(args).arg("--repo").arg(&repo))
        };
        compose_on(&["init"])?;
        let (secret, public) = (dir.join("secret.key"), dir.join("public.key"));
        let mut keygen = Command::new(compose);
        output(keygen.arg("keygen").arg("--secret").arg(&secret).arg("--public").arg(&public))?;
        let commit = |tree: &Path, time: &str| {
            let tree = text(tree)?;
            compose_on(&["commit", tree, "--ref", REF, "--root-owner", "--timestamp", time])?;
            compose_on(&["sign", "--key-file", text(&secret)?, REF])?;
            compose_on(&["summary"])?;
            let mut parse = Command::new("ostree");
            Ok(output(parse.args(["rev-parse", REF, "--repo"]).arg(&repo))?.trim().to_owned())
        };
        let old: Result<String> = commit(&scene.old, "1700000000");
        let old = old?;
        let server = Nginx::start(&repo, &dir.join("nginx"), None)?;
        let key = fs::read_to_string(&public)?;
        let signed = format!("--sign-verify=ed25519=inline:{}", key.trim());
        fs::create_dir_all(&device)?;
        for args in [
            &["init", "os"][..],
            &["remote", "add", "origin", &server.url, &signed],
            &["pull", "origin", REF],
            &["deploy", &format!("origin:{REF}"), "--karg=root=LABEL=x"],
        ] {
            output(rootling(agent, &device).args(args))?;
        }
        let ostree = |args: &[&str]| output(Command::new("ostree").args(args).arg("--repo").arg(&client));
        ostree(&["init", "--mode=bare"])?;
        ostree(&["remote", "add", "--no-gpg-verify", "--no-sign-verify", "origin", &server.url])?;
        ostree(&["pull", "origin", REF])?;
        let new = commit(&scene.new, "1700000060")?;
        Ok(Published { scene, agent, compose, repo, device, client, commits: [old, new], _server: server })
    }

    /// Our delta by one of the two coders.
    pub fn ours(&self, method: &str, backend: &str) -> Result<Figures> {
        let place = self.repo.join("deltas-rootling");
        side::remove(&place)?;
        let mut make = Command::new(self.compose);
        make.args([
            "delta",
            "make",
            "--quiet",
            "--no-cache",
            "--backend",
            backend,
            "--profile",
            "3",
            "--from",
            &self.commits[0],
        ]);
        let encode = Spent::of(make.args(["--to", &self.commits[1]]).arg("--repo").arg(&self.repo))?;
        let bytes = files(&place.join("data"))?;
        let device = self.device_copy()?;
        let decode = Spent::of(rootling(self.agent, &device).args(PULL))?;
        Ok(Figures { method: method.to_owned(), bytes, encode, decode })
    }

    /// `ostree static-delta generate` with its defaults, and `ostree pull` of it.
    pub fn theirs(&self) -> Result<Figures> {
        let [old, new] = &self.commits;
        let mut generate = Command::new("ostree");
        generate.args(["static-delta", "generate", "--from", old, "--to", new, "--repo"]).arg(&self.repo);
        let encode = Spent::of(&mut generate)?;
        let mut show = Command::new("ostree");
        show.args(["static-delta", "show", &format!("{old}-{new}"), "--repo"]).arg(&self.repo);
        let said = output(&mut show)?;
        let parts = files(&self.repo.join("deltas"))?;
        output(Command::new("ostree").args(["summary", "-u", "--repo"]).arg(&self.repo))?;
        let mut pull = Command::new("ostree");
        pull.args(["pull", "--require-static-deltas", "origin", REF, "--repo"]).arg(&self.client);
        let decode = Spent::of(&mut pull)?;
        output(Command::new("ostree").args(["fsck", "--quiet", "--repo"]).arg(&self.client))?;
        Ok(Figures { method: "ostree".to_owned(), bytes: parts + fallback(&said)?, encode, decode })
    }

    /// A device at the old version, in place of the last one.
    pub fn device_copy(&self) -> Result<PathBuf> {
        let copy = self.scene.dir.join("copy");
        side::remove(&copy)?;
        output(Command::new("cp").arg("-a").arg(&self.device).arg(&copy))?;
        Ok(copy)
    }
}

/// What is measured as decoding: fetch, decode, verify and keep, without a deployment.
pub const PULL: [&str; 4] = ["pull", "--require-delta", "origin", REF];

/// The device program on a device.
pub fn rootling(agent: &Path, device: &Path) -> Command {
    let mut command = Command::new(agent);
    command.arg("--sysroot").arg(device).arg("--quiet");
    command
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the path is not UTF-8")
}

/// Bytes of all files below a folder.
fn files(folder: &Path) -> Result<u64> {
    let listing = output(Command::new("find").arg(folder).args(["-type", "f", "-printf", "%s\n"]))?;
    Ok(listing.lines().filter_map(|line| line.parse::<u64>().ok()).sum())
}

/// Bytes of the objects that libostree's delta leaves to be fetched loose.
fn fallback(said: &str) -> Result<u64> {
    let line = said.lines().find_map(|line| line.strip_prefix("Total Fallback Size: "));
    let number = line.and_then(|line| line.split(' ').next()?.parse().ok());
    number.with_context(|| format!("static-delta show: expected \"Total Fallback Size\", got {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fallback_objects_are_counted() {
        assert_eq!(fallback("Number of parts: 1\nTotal Fallback Size: 4711 (4.7 kB)\n").unwrap(), 4711);
        assert!(fallback("Number of parts: 1\n").is_err());
    }
}
