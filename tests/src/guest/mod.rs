//! Guest systems for virtual machines: small trees of busybox, a kernel and the device programs, composed by
//! `rootling-compose` from RPMs as any other tree.
//!
//! ```text
//! DIR/packages/        RPMs: kernel-core and busybox-static out of Debian's packages, and those of `packages`
//! DIR/repodata/        their metadata
//! DIR/manifests/       a treefile for each commit, and the .repo file
//! DIR/repo/            the published repo: one ref `guest/TARGET`, signed commits, a summary
//! DIR/key, key.pub     the signing key, kept from run to run
//! DIR/commits          NAME CHECKSUM of each commit, oldest first
//! DIR/tls/             a CA and a server's certificate for 10.0.2.2, kept too; there for Debian only, which has the CA
//! ```
//!
//! | commit | what becomes of it |
//! |---|---|
//! | `good-1`, `good-2`, `good-3` | boots, and passes its checks; `good-3` has another initramfs |
//! | `panics` | its init ends, which is a kernel panic |
//! | `failed-check` | boots; a required check fails |
//! | `dead-agent` | boots; the agent is no program |
//! | `watched`, `watched-dead` | as `good-1` and `dead-agent`, with a kernel that has a watchdog; on PCs only |
//!
//! Beside these there is Debian out of the test bed, with systemd and 12,000 files: `good-1` is its earlier state, `good-2`
//! (and `good-3`, the same) the later one, and `failed-check` has a unit before `boot-complete.target` that fails.
//!
//! The ref ends at `good-3`. Times rise along the list, so that each commit is newer than what a device falls back to;
//! who serves the repo moves the ref of a copy to the commit that is wanted.

mod debian;
mod packages;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::testbed::kernel::NAME as KERNEL;
use crate::testbed::{AptRoot, Arch, Compression, State, write_repodata};

/// Time of the first commit in seconds since 1970; each of the others is an hour later.
const FIRST: u64 = 1_750_000_000;

/// What a guest is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// The machine.
    pub arch: Arch,
    /// The machine's name among the device programs: `x86_64`, `aarch64`, `armv7`.
    pub target: String,
    /// `rootling` for that machine.
    pub agent: PathBuf,
    /// `rootling-prepare-root` for that machine.
    pub prepare_root: PathBuf,
    /// `rootling-compose` for this one.
    pub compose: PathBuf,
    /// Where all of it goes.
    pub dir: PathBuf,
    /// Where Debian's packages are kept.
    pub debs: PathBuf,
    /// The test bed, for Debian in place of busybox.
    pub testbed: Option<PathBuf>,
}

/// One commit: its name, the packages that only it has, and more lines of its treefile.
struct Made {
    name: &'static str,
    kernel: &'static str,
    packages: &'static str,
    lines: &'static str,
}

const MADE: Made = Made { name: "", kernel: KERNEL, packages: "guest-init, rootling", lines: "" };
/// The driver of the watchdog is loaded before anything of the system runs.
const WATCHED: Made = Made { kernel: packages::WATCHED, lines: "initramfs-modules: [i6300esb]\n", ..MADE };

const COMMITS: [Made; 8] = [
    Made { name: "good-1", ..MADE },
    Made { name: "panics", packages: "guest-init-ends, rootling", ..MADE },
    Made { name: "failed-check", packages: "guest-init, rootling, guest-check-fails", ..MADE },
    Made { name: "dead-agent", packages: "guest-init, rootling-dead", ..MADE },
    Made { name: "watched-dead", packages: "guest-init, rootling-dead", ..WATCHED },
    Made { name: "watched", ..WATCHED },
    Made { name: "good-2", ..MADE },
    Made { name: "good-3", lines: "initramfs-compression: zstd\n", ..MADE },
];

impl Options {
    /// A watchdog is there for PCs only.
    fn commits(&self) -> Vec<&'static Made> {
        let all: &[Made] = if self.testbed.is_some() { &debian::COMMITS } else { &COMMITS };
        all.iter().filter(|made| made.kernel == KERNEL || self.arch == Arch::Amd64).collect()
    }
}

/// Makes the repo and all before it; answers each commit's name and checksum.
pub fn make(options: &Options) -> Result<Vec<(String, String)>> {
    fs::create_dir_all(&options.dir).with_context(|| format!("create {}", options.dir.display()))?;
    let dir = options.dir.canonicalize()?;
    for old in ["packages", "repodata", "manifests", "repo"] {
        match fs::remove_dir_all(dir.join(old)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).context(old),
            _ => {}
        }
    }
    fs::create_dir_all(dir.join("packages"))?;
    let apt = AptRoot::create(&dir.join("apt"), &options.debs, options.arch, State::Base)?;
    let names: Vec<&str> = options.commits().iter().map(|made| made.name).collect();
    let packages = match options.testbed {
        Some(_) => debian::packages(&apt, options, &dir.join("tls"))?,
        None => packages::all(&apt, options, &names)?,
    };
    for package in packages {
        let metadata = &package.metadata;
        let name = format!("{}-{}.rpm", metadata.get_name()?, metadata.get_arch()?);
        package.write_file(dir.join("packages").join(name))?;
    }
    write_repodata(&dir, Compression::default())?;
    let manifests = dir.join("manifests");
    fs::create_dir_all(&manifests)?;
    let repo = format!("[guest]\nname=Guest\nbaseurl=file://{}\nenabled=1\ngpgcheck=0\n", dir.display());
    fs::write(manifests.join("guest.repo"), repo)?;
    compose(options, &["init", "--repo", path(&dir.join("repo"))?])?;
    let (secret, public) = (dir.join("key"), dir.join("key.pub"));
    if !secret.exists() {
        compose(options, &["keygen", "--secret", path(&secret)?, "--public", path(&public)?])?;
    }
    let (mut commits, mut list) = (Vec::new(), String::new());
    for (index, made) in options.commits().iter().enumerate() {
        let checksum = commit(options, &dir, made, FIRST + 3600 * index as u64)
            .with_context(|| format!("guest {} {}", options.target, made.name))?;
        writeln!(list, "{} {checksum}", made.name)?;
        commits.push((made.name.to_owned(), checksum));
    }
    if options.testbed.is_some() {
        writeln!(list, "good-3 {}", commits.last().context("no commits")?.1)?;
    }
    compose(options, &["summary", "--repo", path(&dir.join("repo"))?, "--key-file", path(&secret)?])?;
    fs::write(dir.join("commits"), list)?;
    Ok(commits)
}

/// Composes and signs one; the checksum.
fn commit(options: &Options, dir: &Path, made: &Made, timestamp: u64) -> Result<String> {
    let treefile = dir.join(format!("manifests/{}.yaml", made.name));
    let text = match &options.testbed {
        Some(testbed) => debian::treefile(made, &testbed.canonicalize()?, options),
        None => self::treefile(made, &options.target),
    };
    fs::write(&treefile, text)?;
    let (repo, cache, written) = (dir.join("repo"), dir.join("cache"), dir.join("commit"));
    let (repo, timestamp) = (path(&repo)?, timestamp.to_string());
    fs::create_dir_all(&cache)?;
    compose(
        options,
        &[
            "tree",
            "--quiet",
            "--force-nocache",
            "--arch",
            &options.target,
            "--timestamp",
            &timestamp,
            "--repo",
            repo,
            "--cachedir",
            path(&cache)?,
            "--write-commitid-to",
            path(&written)?,
            path(&treefile)?,
        ],
    )?;
    let checksum = fs::read_to_string(&written)?.trim().to_owned();
    ensure!(checksum.len() == 64, "expected a checksum, got {checksum:?}");
    compose(options, &["sign", "--repo", repo, "--key-file", path(&dir.join("key"))?, &checksum])?;
    Ok(checksum)
}

fn treefile(made: &Made, target: &str) -> String {
    let Made { name, kernel, packages, lines } = made;
    format!(
        "ref: guest/{target}\nrepos: [guest]\npackages: [guest-base, {kernel}, busybox-static, guest-release-{name}, {packages}]\n\
         recommends: false\ndocumentation: false\ntmp-is-dir: true\ninitramfs: rootling\n{lines}\
         add-commit-metadata: {{version: {name}}}\n"
    )
}

fn compose(options: &Options, words: &[&str]) -> Result<()> {
    let mut command = Command::new(&options.compose);
    let output = command.args(words).env_remove("SOURCE_DATE_EPOCH").output();
    let output = output.with_context(|| format!("start {}", options.compose.display()))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("rootling-compose {}: {}\n{}", words.join(" "), output.status, errors.trim());
    }
    Ok(())
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{}: not UTF-8", path.display()))
}
