//! Becoming root in a user namespace, for users who are not root.
//!
//! ```text
//! 0          -> the user's own id
//! 1 .. COUNT -> the user's subordinate ids, from /etc/subuid and /etc/subgid
//! ```
//!
//! Writing such a map is allowed only to `newuidmap` and `newgidmap` of the parent namespace, so a child waits there
//! until this process has left it.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, User, setgroups, setresgid, setresuid};

/// Ids that packages may use beside 0.
const NEEDED: u64 = 65535;

/// Makes this process root in its own user and mount namespace; does nothing if it is root.
///
/// Must be called while the process has one thread.
pub fn become_root() -> Result<()> {
    let (uid, gid) = (Uid::effective(), Gid::effective());
    if uid.is_root() {
        return Ok(());
    }
    let user = User::from_uid(uid).ok().flatten().map(|user| user.name);
    let uids = subordinate("/etc/subuid", uid.as_raw(), user.as_deref())?;
    let gids = subordinate("/etc/subgid", uid.as_raw(), user.as_deref())?;
    let pid = std::process::id();
    let script = format!(
        "read go && newuidmap {pid} 0 {uid} 1 {} && newgidmap {pid} 0 {gid} 1 {}",
        uids.map_arguments(),
        gids.map_arguments()
    );
    let mut helper = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("sh")?;
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).context(
        "no user namespace: expected that this kernel lets users make one (user.max_user_namespaces)",
    )?;
    helper.stdin.take().context("sh has no input")?.write_all(b"go\n").context("sh")?;
    let output = helper.wait_with_output().context("sh")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(127) {
            bail!(
                "newuidmap and newgidmap are missing, install uidmap (Debian) or shadow-utils: {}",
                text.trim()
            );
        }
        bail!("newuidmap refused the map of user {uid}: {}", text.trim());
    }
    let root = (Uid::from_raw(0), Gid::from_raw(0));
    setresgid(root.1, root.1, root.1).context("group 0 in the user namespace")?;
    setgroups(&[]).context("groups in the user namespace")?;
    setresuid(root.0, root.0, root.0).context("user 0 in the user namespace")
}

/// One line of /etc/subuid or /etc/subgid.
#[derive(Debug, PartialEq)]
struct Range {
    start: u64,
    count: u64,
}

impl Range {
    fn map_arguments(&self) -> String {
        format!("1 {} {}", self.start, self.count)
    }
}

fn subordinate(file: &str, uid: u32, name: Option<&str>) -> Result<Range> {
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        other => other.with_context(|| file.to_string())?,
    };
    find_range(&text, uid, name).with_context(|| {
        let who = name.map_or_else(|| uid.to_string(), str::to_string);
        format!(
            "{file}: expected a range of {NEEDED} or more subordinate ids for user {who}, got none; a line like \
             {who}:100000:65536 gives one, as does being root"
        )
    })
}

fn find_range(text: &str, uid: u32, name: Option<&str>) -> Option<Range> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (who, start, count) = (fields.next()?, fields.next()?, fields.next()?);
        let own = Some(who) == name || who == uid.to_string();
        let range = Range { start: start.trim().parse().ok()?, count: count.trim().parse().ok()? };
        (own && range.count >= NEEDED).then_some(range)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_own_range() {
        let text = "# c\nother:100000:65536\nme:200000:10\nme:300000:65536\n1000:400000:65536\nbad\n";
        assert_eq!(find_range(text, 1000, Some("me")), Some(Range { start: 300000, count: 65536 }));
        assert_eq!(find_range(text, 1000, None), Some(Range { start: 400000, count: 65536 }));
        assert_eq!(find_range(text, 7, Some("nobody")), None);
    }
}
