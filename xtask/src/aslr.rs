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

/// An error if a program, which has to print something, lies at the same address at each start; nothing is said of a kernel that is
/// told to put all programs at one.
pub fn differs(program: &Path) -> Result<()> {
    const SETTING: &str = "/proc/sys/kernel/randomize_va_space";
    if fs::read_to_string(SETTING).is_ok_and(|setting| setting.trim() == "0") {
        eprintln!("   {}: addresses not looked at, {SETTING} is 0", program.display());
        return Ok(());
    }
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
    let is_own = |line: &&str| Path::new(line.split_whitespace().last().unwrap_or_default()) == name;
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
    found.with_context(|| format!("{}: ended without printing", name.display()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_program_lies_elsewhere_each_time() {
        // the tests themselves, which complain of the argument
        super::differs(&std::env::current_exe().unwrap()).unwrap();
    }
}
