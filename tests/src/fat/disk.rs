//! A disk with a FAT and a root partition, read by mtools and by the kernel.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};

use crate::held::is_held;

/// Partitions begin at a whole MiB.
const BLOCK: u64 = 1 << 20;

/// One partition, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub start: u64,
    pub length: u64,
}

/// A FAT in a file.
pub struct Fat {
    pub file: PathBuf,
    pub part: Part,
}

/// A state in a file.
pub struct Disk {
    pub fat: Fat,
    pub root: Part,
    /// Where the root is mounted.
    pub at: PathBuf,
}

/// Nothing was found out about the disk: a program is missing, or a loop device is held.
#[derive(Debug)]
pub struct NoVerdict(String);

impl fmt::Display for NoVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no verdict: {}", self.0)
    }
}

impl std::error::Error for NoVerdict {}

/// Where the FAT and the root partition lie, by their names.
pub fn parts(disk: &Path) -> Result<(Part, Part)> {
    let table = said(Command::new("sfdisk").arg("-d").arg(disk))?;
    let find = |name: &str| -> Result<Part> {
        let quoted = format!("name=\"{name}\"");
        let line = table.lines().find(|line| line.contains(&quoted));
        let line = line.with_context(|| format!("no partition {name} in {table}"))?;
        let number = |key: &str| -> Result<u64> {
            let value = line.split([':', ',']).find_map(|field| field.trim().strip_prefix(key));
            let value = value.with_context(|| format!("{key} in {line}"))?;
            Ok(value.trim().parse::<u64>().with_context(|| format!("{key} in {line}"))? * 512)
        };
        Ok(Part { start: number("start=")?, length: number("size=")? })
    };
    Ok((find("ESP")?, find("ROOT")?))
}

impl Fat {
    /// The names in a folder of the FAT.
    pub fn list(&self, folder: &str) -> Result<Vec<String>> {
        let text = said(self.mtool("mdir").arg("-b").arg(format!("::{folder}")))?;
        Ok(text.lines().filter_map(|line| line.rsplit('/').next()).map(String::from).collect())
    }

    /// A file of the FAT.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        let mut command = self.mtool("mcopy");
        let output = started(command.arg(format!("::{path}")).arg("-"))?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && complaint.is_empty(), "mcopy {path}: {}", complaint.trim());
        Ok(output.stdout)
    }

    fn mtool(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.env("MTOOLS_SKIP_CHECK", "1").arg("-i");
        command.arg(format!("{}@@{}", self.file.display(), self.part.start));
        command
    }

    /// The FAT partition alone, in a file of its own, as its checker leaves it.
    pub fn repaired(&self, file: PathBuf) -> Result<Fat> {
        let count = |bytes: u64| bytes / BLOCK;
        let mut copy = Command::new("dd");
        copy.args([
            "conv=sparse",
            "status=none",
            &format!("bs={BLOCK}"),
            &format!("skip={}", count(self.part.start)),
        ]);
        copy.arg(format!("count={}", count(self.part.length))).arg(format!("if={}", self.file.display()));
        ours(said(copy.arg(format!("of={}", file.display()))))?;
        let output = started(Command::new("fsck.fat").arg("-a").arg(&file))?;
        let text = String::from_utf8_lossy(&output.stdout);
        // 1: errors were found and corrected
        ensure!(matches!(output.status.code(), Some(0 | 1)), "fsck.fat: {}\n{text}", output.status);
        Ok(Fat { file, part: Part { start: 0, ..self.part } })
    }
}

impl Disk {
    /// The commit that a link of the root's boot folder leads to; the journal is replayed for it.
    pub fn deployment(&self, link: &str) -> Result<String> {
        fs::create_dir_all(&self.at).with_context(|| format!("create {}", self.at.display()))?;
        let options = format!("loop,offset={},sizelimit={}", self.root.start, self.root.length);
        let mounted = said(Command::new("mount").args(["-o", &options]).arg(&self.fat.file).arg(&self.at));
        match mounted {
            Err(error) if is_held(&format!("{error:#}")) => return ours(Err(error)),
            mounted => mounted?,
        };
        let tree = self.at.join(link).canonicalize().with_context(|| format!("the choice {link}"));
        let whole = tree.as_ref().is_ok_and(|tree| tree.join("usr/lib/os-release").is_file());
        ours(said(Command::new("umount").arg(&self.at)))?;
        let tree = tree?;
        ensure!(whole, "{}: expected a deployment with an os-release", tree.display());
        let name = tree.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match name.split_once('.') {
            Some((commit, _)) => Ok(commit.to_owned()),
            None => bail!("{}: expected COMMIT.SERIAL", tree.display()),
        }
    }
}

fn said(command: &mut Command) -> Result<String> {
    let output = started(command)?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a program says that has to be there.
fn started(command: &mut Command) -> Result<Output> {
    let output = command.output();
    output.map_err(|error| NoVerdict(format!("start {command:?}: {error} (mtools, dosfstools)")).into())
}

/// A failure that is none of the disk's.
fn ours<T>(result: Result<T>) -> Result<T> {
    result.map_err(|error| NoVerdict(format!("{error:#}")).into())
}

#[test]
fn what_cannot_be_started_is_no_verdict() {
    let error = said(&mut Command::new("/no/such/program")).context("of a state").unwrap_err();
    assert!(error.is::<NoVerdict>(), "{error:#}");
    assert!(!said(&mut Command::new("false")).unwrap_err().is::<NoVerdict>());
}
