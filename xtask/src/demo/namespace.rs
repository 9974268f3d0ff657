//! Being root for the demo: already, or in a user namespace of one's own.
//!
//! A deployment has files of several owners, so one needs root or subordinate ids.

use std::fs;
use std::process::Command;

use anyhow::{Result, bail};

use crate::{run, tools};

/// Set for the program that runs inside of the namespace.
const INSIDE: &str = "XTASK_DEMO_INSIDE";

/// Whether this process was started by [`again_inside`].
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs the demo once more, as root of a new user namespace.
pub fn again_inside() -> Result<()> {
    if is_inside() {
        bail!("inside of the user namespace this process is still not root");
    }
    check()?;
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--map-auto", "--mount", "--"]);
    run::run(command.arg(std::env::current_exe()?).arg("demo").env(INSIDE, "1"))
}

/// Says what is lacking where [`again_inside`] cannot work.
pub fn check() -> Result<()> {
    let lacking = lacking();
    if !lacking.is_empty() {
        bail!(
            "an ordinary user needs a user namespace with subordinate ids here, and lacks:\n  {}",
            lacking.join("\n  ")
        );
    }
    Ok(())
}

fn lacking() -> Vec<String> {
    let mut lacking = Vec::new();
    if !tools::there("newuidmap") {
        lacking.push("newuidmap (as root: apt-get install uidmap)".to_owned());
    }
    let user = run::output(Command::new("id").arg("-un")).unwrap_or_default();
    let (user, id) = (user.trim(), run::output(Command::new("id").arg("-u")).unwrap_or_default());
    for file in ["/etc/subuid", "/etc/subgid"] {
        let text = fs::read_to_string(file).unwrap_or_default();
        if !has_range(&text, user, id.trim()) {
            lacking.push(format!("65536 ids in {file} (as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user})"));
        }
    }
    if lacking.is_empty()
        && run::output(Command::new("unshare").args(["--user", "--map-root-user", "true"])).is_err()
    {
        lacking.push("a kernel that lets users make namespaces (sysctl user.max_user_namespaces, or a container's limits)".to_owned());
    }
    lacking
}

/// Whether a subid file gives the user at least 65536 ids.
fn has_range(text: &str, user: &str, id: &str) -> bool {
    text.lines().any(|line| {
        let mut fields = line.split(':');
        let owner = fields.next().is_some_and(|name| name == user || name == id);
        owner
            && fields
                .nth(1)
                .and_then(|count| count.trim().parse().ok())
                .is_some_and(|count: u64| count >= 65536)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn subordinate_ids_are_found_by_name_or_number() {
        for (text, found) in [
            ("ada:100000:65536\n", true),
            ("1000:100000:65536\n", true),
            ("ada:100000:1000\n", false),
            ("eve:100000:65536\n", false),
            ("", false),
        ] {
            assert_eq!(super::has_range(text, "ada", "1000"), found, "{text:?}");
        }
    }
}
