//! A foreign program at work: it pulls two commits from nginx, by HTTP and by HTTPS, deploys them and says its status.
//!
//! The trees come from the real `ostree`; the program runs under the emulator of its target, as root.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::bench::nginx::Nginx;
use crate::machines::recipe::Set;
use crate::machines::targets::{LOADERS, Target};
use crate::run::output;
use crate::{place, tools};

/// What the bed is made and served with.
pub const TOOLS: &[tools::Tool] = &[("ostree", "ostree"), ("nginx", "nginx-light"), ("openssl", "openssl")];

/// What is followed.
pub const REF: &str = "os/main";

/// The Raspberry Pi's firmware, by its name; the feature is called otherwise.
const PI: &str = "raspberry-pi";

/// A repo, served.
pub struct Bed {
    dir: std::path::PathBuf,
    server: Nginx,
}

impl Bed {
    /// Makes the repo with one commit and starts the server.
    pub fn make() -> Result<Bed> {
        let dir = place::target().join("cross/smoke");
        forget(&dir)?;
        let (repo, keys) = (dir.join("repo"), dir.join("keys"));
        fs::create_dir_all(&keys)?;
        output(Command::new("ostree").args(["init", "--mode=archive", "--repo"]).arg(&repo))?;
        certificates(&keys)?;
        let server = Nginx::start(&repo, &dir.join("nginx"), Some(&keys))?;
        Ok(Bed { dir, server })
    }

    /// Installs one commit and upgrades to the next; each is in the status and in the boot entries afterwards.
    pub fn update(&self, target: &Target, cpu: Option<&str>, program: &Path, set: Set) -> Result<()> {
        let sysroot = self.dir.join("sysroot");
        forget(&sysroot)?;
        let run = |args: &[&str]| {
            let mut command = target.run(cpu, program);
            output(command.arg("--sysroot").arg(&sysroot).args(args))
        };
        let first = commit(&self.dir, 1)?;
        let (url, ca) = match set {
            Set::Tls => {
                (&self.server.secure, format!("--set=tls-ca-path={}/keys/ca.pem", self.dir.display()))
            }
            _ => (&self.server.url, "--set=branches=os/main".to_owned()),
        };
        run(&["init", "smoke"])?;
        run(&["remote", "add", "origin", url, "--no-sign-verify", &ca])?;
        run(&["pull", "origin", REF])?;
        run(&["deploy", &format!("origin:{REF}")])?;
        let second = commit(&self.dir, 2)?;
        run(&["upgrade"])?;
        let status = run(&["status"])?;
        for commit in [first, second] {
            ensure!(status.contains(&commit), "status: expected {commit}, got {status}");
        }
        let entries =
            fs::read_dir(sysroot.join("boot/loader/entries")).context("boot/loader/entries")?.count();
        ensure!(entries == 2, "boot/loader/entries: expected 2 entries, got {entries}");
        let built = run(&["boot", "status"])?;
        for loader in ["efi", PI].into_iter().chain(LOADERS) {
            let has = built.lines().any(|line| {
                line.strip_prefix("boot loaders in this build: ")
                    .is_some_and(|l| l.split(' ').any(|l| l == loader))
            });
            ensure!(has == target.has(feature(loader)), "{loader}: expected {}, got {built}", target.loaders);
            if !has {
                refuses(&sysroot, loader, &run)?;
            }
        }
        forget(&sysroot)
    }
}

/// Commits a small tree that can be deployed to `repo` in a folder; the checksum.
pub fn commit(dir: &Path, version: u32) -> Result<String> {
    let tree = dir.join("tree");
    let modules = tree.join("usr/lib/modules/6.1.0");
    let folders = ["usr/etc", "boot", "sysroot", "var", "proc", "dev", "sys", "run", "tmp"];
    folders.iter().try_for_each(|folder| fs::create_dir_all(tree.join(folder)))?;
    fs::create_dir_all(&modules)?;
    fs::write(modules.join("vmlinuz"), format!("kernel {version}"))?;
    fs::write(modules.join("initramfs.img"), "initramfs")?;
    fs::write(tree.join("usr/lib/os-release"), "NAME=Smoke\nPRETTY_NAME=\"Smoke\"\nID=smoke\n")?;
    fs::write(tree.join("usr/large"), vec![b'x'; 300_000])?;
    let mut command = Command::new("ostree");
    command.arg("commit").arg("--repo").arg(dir.join("repo")).args(["-b", REF, "--owner-uid=0"]);
    command.args(["--owner-gid=0", &format!("--timestamp=@{version}")]);
    Ok(output(command.arg(format!("--tree=dir={}", tree.display())))?.trim().to_owned())
}

/// The feature that has a loader.
fn feature(loader: &str) -> &str {
    match loader {
        PI => "pi",
        other => other,
    }
}

/// A loader that is not in the program is refused by its name, asked for or found, and nothing is written.
fn refuses(sysroot: &Path, loader: &str, run: &dyn Fn(&[&str]) -> Result<String>) -> Result<()> {
    let (trace, text) = match loader {
        "grub" => ("boot/grub/grub.cfg", "# Written by rootling\n"),
        "systemd-boot" => ("boot/efi/loader/entries/ostree-1.conf", "title x\n"),
        "u-boot" => ("etc/fw_env.config", "/boot/uboot.env 0 0x2000\n"),
        "extlinux" => ("boot/extlinux/extlinux.conf", "default x\n"),
        PI => ("ostree/links/x", ""),
        _ => ("efi/EFI/rootling/os", "x"),
    };
    let want = format!("without the feature {}", feature(loader));
    let refused = |args: &[&str]| {
        let error = run(args).err().map(|error| error.to_string()).unwrap_or_default();
        ensure!(error.contains(&want), "{args:?}, {loader}: expected a refusal, got {error:?}");
        Ok(())
    };
    refused(&["boot", "install", loader])?;
    let places = match loader {
        // the running system's own folder, which is a deployment here
        "u-boot" => deployments(sysroot)?.into_iter().map(|tree| tree.join(trace)).collect(),
        PI => [trace, "proc/device-tree/chosen/bootloader/partition"].map(|at| sysroot.join(at)).into(),
        _ => vec![sysroot.join(trace)],
    };
    for path in &places {
        fs::create_dir_all(path.parent().context("a path without a folder")?)?;
        match loader {
            "extlinux" => std::os::unix::fs::symlink("../loader/extlinux.conf", path)?,
            _ => fs::write(path, text)?,
        }
    }
    let list = sysroot.join("boot/loader");
    let before = fs::read_link(&list)?;
    for args in [&["status"][..], &["rollback"], &["cleanup"]] {
        refused(args)?;
    }
    ensure!(fs::read_link(&list)? == before, "{loader}: the list of boot entries has changed");
    places.iter().try_for_each(fs::remove_file)?;
    if trace.contains("/loader/") || matches!(loader, "efi" | PI) {
        for path in &places {
            fs::remove_dir_all(path.parent().context("a path without a folder")?)?;
        }
    }
    Ok(())
}

/// The folders of deployments.
fn deployments(sysroot: &Path) -> Result<Vec<std::path::PathBuf>> {
    let all = fs::read_dir(sysroot.join("ostree/deploy/smoke/deploy"))?;
    let paths = all.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|path| path.is_dir()).collect())
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = forget(&self.dir);
    }
}

/// Removes a folder with deployments, which are immutable.
pub fn forget(dir: &Path) -> Result<()> {
    if dir.exists() {
        let _ = output(Command::new("chattr").args(["-R", "-f", "-i"]).arg(dir));
        fs::remove_dir_all(dir).with_context(|| format!("remove {}", dir.display()))?;
    }
    Ok(())
}

/// A CA, and a certificate by it for 127.0.0.1.
fn certificates(dir: &Path) -> Result<()> {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    fs::write(dir.join("server.ext"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")?;
    for line in [
        format!("req -x509 {key} -keyout ca.key -out ca.pem -days 30 -subj /CN=ca"),
        format!("req {key} -keyout server.key -out server.csr -subj /CN=server"),
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile server.ext \
         -out server.pem"
            .to_owned(),
    ] {
        output(Command::new("openssl").args(line.split_whitespace()).current_dir(dir))?;
    }
    Ok(())
}
