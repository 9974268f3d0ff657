//! A command in a memory cgroup of its own, in which the page cache counts too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A group that ends with the value.
#[derive(Debug)]
pub struct Cgroup {
    dir: PathBuf,
    names: &'static Names,
}

/// What the two versions of the kernel's interface call things.
#[derive(Debug)]
struct Names {
    version: u8,
    limit: &'static str,
    peak: &'static str,
}

const V1: Names = Names { version: 1, limit: "memory.limit_in_bytes", peak: "memory.max_usage_in_bytes" };
const V2: Names = Names { version: 2, limit: "memory.max", peak: "memory.peak" };

impl Cgroup {
    /// A group of at most `limit` bytes.
    pub fn new(limit: u64) -> Result<Cgroup> {
        let root = Path::new("/sys/fs/cgroup");
        let unified = fs::read_to_string(root.join("cgroup.controllers"));
        let (parent, names) = match unified {
            Ok(text) if text.split_whitespace().any(|name| name == "memory") => (root.to_owned(), &V2),
            _ if root.join("memory").join(V1.limit).exists() => (root.join("memory"), &V1),
            _ => bail!("{}: expected a memory cgroup of version 1 or 2, got none", root.display()),
        };
        let dir = parent.join(format!("rootling-bench-{}", std::process::id()));
        fs::create_dir(&dir).with_context(|| format!("create {}", dir.display()))?;
        let group = Cgroup { dir, names };
        let place = group.dir.join(names.limit);
        fs::write(&place, limit.to_string()).with_context(|| format!("write {}", place.display()))?;
        Ok(group)
    }

    /// The same command, inside.
    pub fn inside(&self, command: &Command) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo $$ >\"$0\" && exec \"$@\""]).arg(self.dir.join("cgroup.procs"));
        shell.arg(command.get_program()).args(command.get_args());
        shell
    }

    /// The most memory that was in use, page cache included.
    pub fn peak(&self) -> Result<u64> {
        let place = self.dir.join(self.names.peak);
        let text = fs::read_to_string(&place).with_context(|| format!("read {}", place.display()))?;
        text.trim().parse().with_context(|| format!("{}: {text:?} is no number", place.display()))
    }

    /// Of the kernel's interface.
    pub fn version(&self) -> u8 {
        self.names.version
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // one that cannot be removed is empty and harms nobody
        let _ = fs::remove_dir(&self.dir);
    }
}
