//! The account databases that Debian's base-passwd writes on first install.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::deb::{Entry, Kind};

/// Path, text and mode of `/etc/{passwd,group,shadow,gshadow}`, from base-passwd's master files.
///
/// The password field moves to the shadow files; no account can log in with a password.
pub fn databases(files: &BTreeMap<String, Entry>) -> Result<Vec<(String, String, u16)>> {
    let passwd = master(files, "/usr/share/base-passwd/passwd.master")?;
    let group = master(files, "/usr/share/base-passwd/group.master")?;
    let shadow = passwd.lines().map(|line| format!("{}:*:19000:0:99999:7:::\n", name(line))).collect();
    let gshadow = group.lines().map(|line| format!("{}:*::\n", name(line))).collect();
    Ok(vec![
        ("/etc/passwd".to_owned(), shadowed(passwd), 0o644),
        ("/etc/group".to_owned(), shadowed(group), 0o644),
        ("/etc/shadow".to_owned(), shadow, 0o600),
        ("/etc/gshadow".to_owned(), gshadow, 0o600),
    ])
}

/// `user(NAME)` and `group(NAME)` for what the package's own `/etc/passwd` and `/etc/group` hold.
pub fn names(files: &BTreeMap<String, Entry>) -> Vec<String> {
    let mut names = Vec::new();
    for (path, kind) in [("/etc/passwd", "user"), ("/etc/group", "group")] {
        let text = master(files, path).unwrap_or_default();
        names.extend(text.lines().map(|line| format!("{kind}({})", name(line))));
    }
    names
}

fn master<'a>(files: &'a BTreeMap<String, Entry>, path: &str) -> Result<&'a str> {
    match files.get(path).map(|entry| &entry.kind) {
        Some(Kind::File(body)) => Ok(std::str::from_utf8(body)?),
        _ => bail!("{path}: base-passwd has no such file"),
    }
}

fn name(line: &str) -> &str {
    line.split(':').next().unwrap_or_default()
}

/// The lines with `x` as password.
fn shadowed(text: &str) -> String {
    let line = |line: &str| {
        let mut fields: Vec<&str> = line.split(':').collect();
        if let Some(password) = fields.get_mut(1) {
            *password = "x";
        }
        fields.join(":") + "\n"
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn moves_passwords_to_the_shadow_file() {
        assert_eq!(super::shadowed("root::0:0:root:/root:/bin/bash\nbin:*:2:2::/bin:/no\n"), {
            "root:x:0:0:root:/root:/bin/bash\nbin:x:2:2::/bin:/no\n"
        });
    }
}
