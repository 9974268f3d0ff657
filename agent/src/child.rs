//! Other programs, started with the environment of this one: `posix_spawn` alone, since what the standard library has
//! for this (changed environments, pipes, a fallback by `fork`) is about 12 KB more of the device program, by its symbols.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// A program that runs. Dropping it leaves it alone.
#[derive(Debug)]
pub struct Child(Pid);

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Killed,
}

impl Child {
    /// Starts a program; one without a slash in its name is looked for in `PATH`.
    pub fn start(program: &Path, args: &[&Path]) -> io::Result<Child> {
        spawn(program, args, &PosixSpawnFileActions::init()?, PosixSpawnFlags::empty())
    }

    /// The same in a process group of its own, with nothing to read and its output on standard error.
    pub fn start_apart(program: &Path, args: &[&Path]) -> io::Result<Child> {
        let nothing = File::open("/dev/null")?;
        let mut files = PosixSpawnFileActions::init()?;
        files.add_dup2(nothing.as_raw_fd(), 0)?;
        files.add_dup2(2, 1)?;
        spawn(program, args, &files, PosixSpawnFlags::POSIX_SPAWN_SETPGROUP)
    }

    /// Waits for its end.
    pub fn wait(&self) -> io::Result<End> {
        loop {
            if let Some(end) = self.poll(WaitPidFlag::empty())? {
                return Ok(end);
            }
        }
    }

    /// Its end, if it has come.
    pub fn try_wait(&self) -> io::Result<Option<End>> {
        self.poll(WaitPidFlag::WNOHANG)
    }

    /// Kills its process group, and the process itself, which may have left it.
    pub fn kill_group(&self) {
        let _ = killpg(self.0, Signal::SIGKILL);
        let _ = kill(self.0, Signal::SIGKILL);
    }

    fn poll(&self, flags: WaitPidFlag) -> io::Result<Option<End>> {
        match waitpid(self.0, Some(flags)) {
            Ok(WaitStatus::Exited(_, code)) => Ok(Some(End::Code(code))),
            Ok(WaitStatus::Signaled(..)) => Ok(Some(End::Killed)),
            Ok(_) | Err(nix::Error::EINTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn spawn(
    program: &Path,
    args: &[&Path],
    files: &PosixSpawnFileActions,
    flags: PosixSpawnFlags,
) -> io::Result<Child> {
    let mut attributes = PosixSpawnAttr::init()?;
    // this program ignores SIGPIPE, as every Rust program does; others do not expect that
    let mut defaults = SigSet::empty();
    defaults.add(Signal::SIGPIPE);
    attributes.set_sigdefault(&defaults)?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_flags(
        flags | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK,
    )?;
    let name = c_string(program.as_os_str().as_bytes().to_vec())?;
    let mut argv = vec![name.clone()];
    for arg in args {
        argv.push(c_string(arg.as_os_str().as_bytes().to_vec())?);
    }
    let mut environment = Vec::new();
    for (key, value) in std::env::vars_os() {
        let mut variable = key.into_vec();
        variable.push(b'=');
        variable.extend(value.into_vec());
        environment.push(c_string(variable)?);
    }
    Ok(Child(posix_spawnp(&name, files, &attributes, &argv, &environment)?))
}

fn c_string(bytes: Vec<u8>) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Child {
        Child::start_apart("sh".as_ref(), &["-c".as_ref(), script.as_ref()]).unwrap()
    }

    #[test]
    fn says_how_a_program_ended() {
        for (script, end) in [("exit 0", End::Code(0)), ("exit 7", End::Code(7)), ("kill -9 $$", End::Killed)]
        {
            assert_eq!(sh(script).wait().unwrap(), end, "{script}");
        }
        let status = Child::start("sh".as_ref(), &["-c".as_ref(), "exit 3".as_ref()]).unwrap().wait();
        assert_eq!(status.unwrap(), End::Code(3));
    }

    #[test]
    fn says_why_a_program_did_not_start() {
        let error = Child::start("/nowhere/program".as_ref(), &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn gives_the_environment_nothing_to_read_and_signals_as_they_were() {
        let path = std::env::var("PATH").unwrap();
        for script in [
            format!("test \"$PATH\" = '{path}'"),
            "read line; test $? -ne 0".into(),
            "test $(cut -d' ' -f5 /proc/$$/stat) = $$".into(),
            "kill -PIPE $$".into(),
        ] {
            let end = sh(&script).wait().unwrap();
            let wanted = if script.starts_with("kill") { End::Killed } else { End::Code(0) };
            assert_eq!(end, wanted, "{script}");
        }
    }

    #[test]
    fn a_group_is_killed_as_a_whole() {
        let child = sh("sleep 600 & wait");
        assert_eq!(child.try_wait().unwrap(), None);
        child.kill_group();
        assert_eq!(child.wait().unwrap(), End::Killed);
    }
}
