//! A sysroot as the real `ostree admin` lays it out, and GRUB's menu for it by ostree's own generator.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Options, REMOTE, STATEROOT};
use crate::host;

/// What `grub-mkconfig` writes before the entries, as far as an image needs it.
const HEAD: &str = "set default=0\nset timeout=0\nmenuentry_id_option=--id\nfunction load_video { true; }\n";

/// Lays out the sysroot and deploys.
pub fn deploy(options: &Options, sysroot: &Path) -> Result<()> {
    let Options { repo, name, url, .. } = options;
    let at = sysroot.to_str().context("sysroot: expected a name in UTF-8")?;
    let own = format!("--repo={at}/ostree/repo");
    let ostree = |args: &[&str]| host::output(host::command("ostree").args(args)).map(drop);
    fs::create_dir_all(sysroot).with_context(|| format!("create {at}"))?;
    ostree(&["admin", "init-fs", "--modern", at])?;
    ostree(&["admin", "os-init", STATEROOT, "--sysroot", at])?;
    ostree(&["config", &own, "set", "sysroot.bootloader", "none"])?;
    if !options.sizes.has_boot() {
        // loaders see /boot as a folder of the root
        ostree(&["config", &own, "set", "sysroot.bootprefix", "true"])?;
    }
    let mut remote = vec!["remote", "add", &own, REMOTE, url, "--no-gpg-verify"];
    let key =
        options.policy.split_once("inline:").map(|(_, key)| format!("--set=verification-ed25519-key={key}"));
    if let Some(key) = &key {
        remote.extend(["--set=sign-verify=ed25519", key]);
    }
    ostree(&remote)?;
    let repo = repo.canonicalize().with_context(|| format!("repo {}", repo.display()))?;
    let repo = repo.to_str().context("repo: expected a name in UTF-8")?;
    ostree(&["pull-local", &own, "--remote", REMOTE, repo, name])?;
    let (refspec, kargs) = (format!("{REMOTE}:{name}"), options.karg_flags());
    let mut args = vec!["admin", "deploy", "--sysroot", at, "--os", STATEROOT, &refspec];
    args.extend(kargs.iter().map(String::as_str));
    ostree(&args)
}

/// Writes `/boot/grub/grub.cfg` as `grub-mkconfig` with ostree's script does.
pub fn grub_menu(options: &Options, sysroot: &Path) -> Result<()> {
    let prefixed = |text: &str| match options.sizes.has_boot() {
        true => text.to_owned(),
        false => prefixed(text),
    };
    let mut generate = host::command("ostree");
    generate.args(["admin", "instutil", "grub2-generate", "--sysroot"]).arg(sysroot);
    generate.env("GRUB2_BOOT_DEVICE_ID", "").env("GRUB2_PREPARE_ROOT_CACHE", "");
    let menu = prefixed(&host::output(&mut generate)?);
    let config = sysroot.join("boot/grub/grub.cfg");
    fs::create_dir_all(sysroot.join("boot/grub")).context("create boot/grub")?;
    fs::write(&config, format!("{HEAD}{menu}")).with_context(|| format!("write {}", config.display()))?;
    let entries = sysroot.join("boot/loader/entries");
    for entry in fs::read_dir(&entries).with_context(|| format!("list {}", entries.display()))? {
        let path = entry?.path();
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        fs::write(&path, prefixed(&text)).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// As an ostree writes it that knows `sysroot.bootprefix`; 2022.7 does not.
fn prefixed(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let boots = line.starts_with("linux ") || line.starts_with("initrd ");
        lines.push(if boots { line.replacen(" /ostree/", " /boot/ostree/", 1) } else { line.to_owned() });
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_paths_that_the_loader_opens_get_the_prefix() {
        let text = "title /ostree/x\nlinux /ostree/g-1/vmlinuz ostree=/ostree/boot.1/g/1/0\ninitrd /boot/ostree/g-1/i\n";
        let want = "title /ostree/x\nlinux /boot/ostree/g-1/vmlinuz ostree=/ostree/boot.1/g/1/0\ninitrd /boot/ostree/g-1/i\n";
        assert_eq!(super::prefixed(text), want);
    }
}
