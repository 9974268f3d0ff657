//! Whether the kernel puts a program at another address each time.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// So many starts at one address are no accident.
const STARTS: usize = 4;

/// What a pipe holds.
const PIPE: usize = 1 << 16;

/// What says whether the kernel does so at all.
const SETTING: &str = "/proc/sys/kernel/randomize_va_space";

/// An error if a program, which has to print something, lies at the same address at each start.
pub fn differs(program: &Path) -> Result<()> {
    let setting = fs::read_to_string(SETTING).with_context(|| format!("read {SETTING}"))?;
    ensure!(setting.trim() != "0", "{SETTING}: expected 1 or 2, got 0: all programs lie at one address");
    let addresses = (0..STARTS).map(|_| address(program)).collect::<Result<BTreeSet<_>>>()?;
    ensure!(addresses.len() > 1, "{}: at {addresses:?} at each of {STARTS} starts", program.display());
    Ok(())
}

/// Where it lies, looked at while it waits to print into a pipe that is full.
fn address(program: &Path) -> Result<String> {
    let (reader, mut writer) = std::io::pipe()?;
    writer.write_all(&[0; PIPE])?;
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| program.display().to_string())?;
    let (maps, name) = (format!("/proc/{}/maps", child.id()), fs::canonicalize(program)?);
    let name = name.to_str().with_context(|| format!("{}: expected a name in UTF-8", name.display()))?;
    let is_own = |line: &&str| line.ends_with(name);
    // the child is told to be there before the kernel has put the program there
    let found = loop {
        let told = fs::read_to_string(&maps).unwrap_or_default();
        let own = told.lines().find(is_own).and_then(|line| line.split('-').next());
        if own.is_some() || child.try_wait()?.is_some() {
            break own.map(str::to_owned);
        }
        std::thread::yield_now();
    };
    drop((reader, command));
    child.wait()?;
    found.with_context(|| format!("{name}: ended without printing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_that_of_the_program_itself() {
        // in a folder whose name has a space; the tests themselves, which complain of the argument
        let folder = std::env::temp_dir().join(format!("aslr {}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let copy = folder.join("a program");
        // by another process: a child of a test beside would hold the copy open for writing, and it would not start
        let cp = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&copy).status();
        assert!(cp.unwrap().success());
        let found = address(&copy);
        fs::remove_dir_all(&folder).unwrap();
        assert!(usize::from_str_radix(&found.unwrap(), 16).unwrap() > 0);
    }
}
