//! Devices right before each operation, and what the operation may leave.

use super::disk::Layout;
use super::etc;
use super::loader::Loader;
use crate::common::device::{Publisher, REF, must, rootling, write_os};
use crate::common::{ostree, run};
use rootling_tests::writes::image::Image;
use std::fs;
use std::ops::RangeInclusive;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the agent does while the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Pull, deploy, arm.
    Upgrade,
    /// What runs on trial has proved itself.
    Confirm,
    /// What was tried has failed, and the loader went back.
    FallBack,
    /// By hand, to the confirmed system before.
    Rollback,
    /// At the shutdown after an upgrade: `/etc` is merged again.
    Finalize,
}

/// A device with what it follows.
pub struct Scene {
    pub op: Op,
    pub loader: Loader,
    pub base: Image,
    /// Commits of versions 1 to 3; the last is published now.
    pub versions: [String; 3],
}

impl Op {
    pub const ALL: [Op; 5] = [Op::Upgrade, Op::Confirm, Op::FallBack, Op::Rollback, Op::Finalize];

    /// The agent's arguments.
    pub fn args(self) -> &'static [&'static str] {
        match self {
            Op::Upgrade => &["upgrade"],
            Op::Confirm | Op::FallBack => &["boot", "confirm"],
            Op::Rollback => &["rollback"],
            Op::Finalize => &["finalize"],
        }
    }
}

impl Scene {
    /// Which of the versions a commit is.
    pub fn version(&self, commit: &str) -> Result<usize, String> {
        let at = self.versions.iter().position(|version| version == commit);
        at.map(|at| at + 1).ok_or_else(|| format!("another commit: {commit}"))
    }

    /// How many rounds of edits the `/etc` of a version has to have: those of what it came from, and its own.
    pub fn rounds(&self, version: usize) -> RangeInclusive<usize> {
        match (self.op, version) {
            // it never came so far that somebody worked on it
            (_, 1) | (Op::FallBack, 2) => 1..=1,
            (Op::Finalize, 2) => 3..=3,
            (Op::Finalize, _) => 2..=3,
            _ => 2..=2,
        }
    }

    /// Whether this commit may be chosen so, with what it would fall back to, and whether it is the choice of after the operation; `done`:
    /// what is mounted is as after it.
    pub fn allows(
        &self,
        commit: &str,
        counted: bool,
        fallback: Option<&str>,
        done: bool,
    ) -> Result<bool, String> {
        // between U-Boot's counter and the list it is the old system that is counted, with the one before it
        if let Some(other) = fallback
            && self.version(other)? + 1 != self.version(commit)?
        {
            return Err(format!("it would fall back to {other}"));
        }
        match (self.op, self.version(commit)?, counted) {
            (Op::Upgrade, 2, _) => Ok(false),
            (Op::Upgrade, 3, true) => Ok(true),
            (Op::Confirm, 2, counted) => Ok(!counted),
            // the loader went back before, and goes on counting until the operation is done
            (Op::FallBack, 1, counted) => Ok(done && !counted),
            (Op::Finalize, 3, true) => Ok(done),
            (Op::Rollback, version @ (1 | 2), false) => Ok(version == 1),
            (op, version, counted) => {
                Err(format!("{op:?}: version {version} would boot, counted: {counted}"))
            }
        }
    }
}

/// All of them, each with a disk of its own.
pub fn scenes(layout: &Layout, loader: Loader, publisher: &Publisher, folder: &Path) -> Vec<Scene> {
    let (disks, tree) = (folder.join("base"), folder.join("tree"));
    fs::create_dir_all(&disks).unwrap();
    let publish = |version: u32| {
        write_os(&tree, version, 60);
        etc::defaults(&tree, version);
        if loader == Loader::UBoot {
            fs::write(tree.join("usr/etc/fw_env.config"), "/boot/uboot.env 0 0x2000\n").unwrap();
        }
        publisher.publish(&tree, &version.to_string(), u64::from(version) * 60).to_string()
    };
    // the disk after some work on the one before it
    let next = |disk: Option<&Image>, work: &dyn Fn(&Path)| {
        match disk {
            Some(disk) => layout.save(disk, &disks),
            None => layout.make(&disks),
        }
        let at = folder.join("work");
        let mounted = layout.mount(&disks, &at).unwrap();
        work(&at);
        drop(mounted);
        layout.read(&disks)
    };
    let one = publish(1);
    let first = next(None, &|at| install(publisher, loader, layout, at, &one));
    let two = publish(2);
    let armed = next(Some(&first), &|at| drop(must(&mut rootling(at, &["upgrade"]))));
    let on_trial = next(Some(&armed), &|at| {
        boot(at, &two);
        etc::edit(&deployment(at, &two).join("etc"), 2);
    });
    let failed = next(Some(&armed), &|at| use_up(loader, at, &two));
    let confirmed = next(Some(&on_trial), &|at| drop(must(&mut rootling(at, Op::Confirm.args()))));
    let versions = [one, two, publish(3)];
    let edited = next(Some(&confirmed), &|at| {
        must(&mut rootling(at, Op::Upgrade.args()));
        etc::edit(&deployment(at, &versions[1]).join("etc"), 3);
    });
    let disks = [
        (Op::Upgrade, confirmed.clone()),
        (Op::Confirm, on_trial),
        (Op::FallBack, failed),
        (Op::Rollback, confirmed),
        (Op::Finalize, edited),
    ];
    disks.into_iter().map(|(op, base)| Scene { op, loader, base, versions: versions.clone() }).collect()
}

fn install(publisher: &Publisher, loader: Loader, layout: &Layout, at: &Path, version: &str) {
    must(&mut rootling(at, &["init", "os"]));
    if !layout.own_boot {
        // one file system for all, as the loader sees it
        ostree(&at.join("ostree/repo"), &["config", "set", "sysroot.bootprefix", "true"]);
    }
    let trust = format!("--sign-verify=ed25519=inline:{}", publisher.key());
    must(&mut rootling(at, &["remote", "add", &trust, "origin", &publisher.server.url]));
    must(&mut rootling(at, &["pull", "origin", REF]));
    must(&mut rootling(at, &["deploy", &format!("origin:{REF}"), "--karg=root=LABEL=x"]));
    let name = match loader {
        Loader::Grub => "grub",
        Loader::UBoot => {
            let text = at.join("root/environment");
            fs::write(&text, "altbootcmd=run second\nbootcmd=run first\nbootlimit=1\n").unwrap();
            run(Command::new("mkenvimage")
                .args(["-s", "0x2000", "-o"])
                .arg(at.join("boot/uboot.env"))
                .arg(text));
            "u-boot"
        }
    };
    must(&mut rootling(at, &["boot", "install", name]));
    boot(at, version);
    etc::edit(&deployment(at, version).join("etc"), 1);
}

fn deployment(at: &Path, version: &str) -> PathBuf {
    at.join(format!("ostree/deploy/os/deploy/{version}.0"))
}

/// From now on this version runs.
pub fn boot(at: &Path, version: &str) {
    let place = at.join("proc/1");
    fs::create_dir_all(&place).unwrap();
    let _ = fs::remove_file(place.join("root"));
    symlink(format!("../../ostree/deploy/os/deploy/{version}.0"), place.join("root")).unwrap();
}

/// The loader has tried this version as often as it may.
fn use_up(loader: Loader, at: &Path, version: &str) {
    match loader {
        Loader::Grub => {
            let state = format!("rootling_try={version}.0:0");
            run(Command::new("grub-editenv").arg(at.join("boot/grub/grubenv")).args(["set", &state]));
        }
        Loader::UBoot => {
            let config = at.join("root/fw_env.config");
            fs::write(&config, format!("{} 0 0x2000\n", at.join("boot/uboot.env").display())).unwrap();
            run(Command::new("fw_setenv").arg("-c").arg(config).args(["bootcount", "4"]));
        }
    }
}
