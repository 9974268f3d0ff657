//! A cpio archive in the form that the kernel unpacks: newc, magic `070701`.
//!
//! 13 fields of 8 hex digits (ino mode uid gid nlink mtime size devmajor devminor rdevmajor rdevminor namesize check),
//! the name with NUL, the data; each of the last two is padded to 4 bytes, and the whole to 512.
//! Source: `Documentation/driver-api/early-userspace/buffer-format.rst` of Linux.

use std::collections::BTreeSet;

const FOLDER: u32 = 0o040_755;
const DEVICE: u32 = 0o020_000;
const BLOCK: usize = 512;

/// An archive that grows; all belongs to root, and its times are 0.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    seen: BTreeSet<String>,
    inode: u32,
}

impl Archive {
    /// Adds a folder and those above it, once.
    pub fn folder(&mut self, path: &str) {
        if path.is_empty() || !self.seen.insert(path.to_owned()) {
            return;
        }
        self.above(path);
        self.entry(path, FOLDER, (0, 0), &[]);
    }

    /// Adds a file, once.
    pub fn file(&mut self, path: &str, bytes: &[u8], permissions: u32) {
        if self.seen.insert(path.to_owned()) {
            self.above(path);
            self.entry(path, 0o100_000 | permissions, (0, 0), bytes);
        }
    }

    /// Adds a character device.
    pub fn device(&mut self, path: &str, permissions: u32, numbers: (u32, u32)) {
        self.above(path);
        self.entry(path, DEVICE | permissions, numbers, &[]);
    }

    /// The whole archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.inode = u32::MAX;
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
        self.bytes
    }

    fn above(&mut self, path: &str) {
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.folder(folder);
        }
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), bytes: &[u8]) {
        self.inode = self.inode.wrapping_add(1);
        let links = if mode & 0o170_000 == 0o040_000 { 2 } else { 1 };
        let (size, name_size) = (length(bytes.len()), length(path.len() + 1));
        let (ino, major, minor) = (self.inode, device.0, device.1);
        let fields = [ino, mode, 0, 0, links, 0, size, 0, 0, major, minor, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("no program or module has 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn cpio_lists_what_was_added() {
        let mut archive = Archive::default();
        archive.file("init", b"program", 0o755);
        archive.file("usr/lib/a", b"12345", 0o644);
        archive.file("usr/lib/b", b"", 0o644);
        archive.file("usr/lib/b", b"again", 0o644);
        archive.device("dev/console", 0o600, (5, 1));
        let bytes = archive.finish();
        assert!(bytes.len().is_multiple_of(BLOCK));
        let mut child = Command::new("cpio")
            .args(["-t", "-v", "--numeric-uid-gid", "--quiet"])
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cpio: {e}; install it with: apt-get install cpio"));
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let expected = [
            "-rwxr-xr-x 1 0 0 7 Jan 1 1970 init",
            "drwxr-xr-x 2 0 0 0 Jan 1 1970 usr",
            "drwxr-xr-x 2 0 0 0 Jan 1 1970 usr/lib",
            "-rw-r--r-- 1 0 0 5 Jan 1 1970 usr/lib/a",
            "-rw-r--r-- 1 0 0 0 Jan 1 1970 usr/lib/b",
            "drwxr-xr-x 2 0 0 0 Jan 1 1970 dev",
            "crw------- 1 0 0 5, 1 Jan 1 1970 dev/console",
        ];
        assert_eq!(lines, expected);
    }
}
