//! Treefiles and `.repo` files beside the repositories.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::convert::rpm_arch;
use super::lists::Lists;
use super::{Arch, State};

/// Writes `top/manifest/`: `os.yaml`, and the treefile and `.repo` file of `state`.
pub fn write(arch: Arch, state: State, top: &Path) -> Result<()> {
    let folder = top.join("manifest");
    fs::create_dir_all(&folder)?;
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let packages = Lists::load()?.os.iter().map(|name| format!("  - {name}\n")).collect::<String>();
    fs::write(folder.join("os.yaml"), operating_system(&release, rpm_arch(arch.debian())?, &packages))?;
    let name = state.name();
    let only = if state == State::Base { "syn-gone" } else { "syn-added" };
    let treefile = format!("include: os.yaml\nrepos:\n  - testbed-{name}\npackages:\n  - {only}\n");
    fs::write(folder.join(format!("{name}.yaml")), treefile)?;
    let repo = format!(
        "[testbed-{name}]\nname=Test bed, {name}\nbaseurl=file://{}\nenabled=1\ngpgcheck=0\n",
        top.join(name).display()
    );
    Ok(fs::write(folder.join(format!("testbed-{name}.repo")), repo)?)
}

fn operating_system(release: &str, basearch: &str, packages: &str) -> String {
    let value = |key: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map_or("unknown", |value| value.trim_matches('"')).to_owned()
    };
    include_str!("os.yaml")
        .replace("{codename}", &value("VERSION_CODENAME"))
        .replace("{releasever}", &value("VERSION_ID"))
        .replace("{basearch}", basearch)
        .replace("{packages}\n", packages)
}

#[cfg(test)]
mod tests {
    #[test]
    fn fills_in_the_release() {
        let release = "VERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";
        let text = super::operating_system(release, "x86_64", "  - systemd\n");
        assert!(text.contains("ref: debian/bookworm/x86_64/minimal\nreleasever: \"12\"\n"), "{text}");
        assert!(text.ends_with("  - syn-down\n  - systemd\n"), "{text}");
    }
}
