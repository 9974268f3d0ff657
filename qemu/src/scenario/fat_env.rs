//! U-Boot's environment as a file on a FAT: replaced by the agent in a guest, whose kernel has a driver for it.
//!
//! The device is a folder of the guest; its FAT is a disk of its own, mounted at `boot/firmware` as boards have it. A write
//! behind the file system says in the log of the disk's writes where an operation begins and where the agent was done.
//! What a loss of power in between leaves is judged by `fat env` of the tests.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::stage::Stage;
use crate::host;
use crate::image::disk::{Part, fat};
use crate::machine::command::{Second, copy};

/// What strace saw in the guest.
const TRACE: &str = "/run/trace";
/// What the guest does.
const SCRIPT: &str = include_str!("fat_env.sh");
/// Bytes of the FAT; marks come after it.
const FAT: u64 = 32 << 20;
/// Bytes of the disk.
const DISK: u64 = FAT + (1 << 20);
/// Other files of the partition, so that the old name and the new one lie in two sectors of the folder.
const OTHERS: usize = 14;
/// The environment before: two deployments that boot, nothing on trial.
const ENV: &str = "altbootcmd=run second\nbootcmd=run first\nbootcount=0\nbootlimit=3\nupgrade_available=0\n";

/// The disk, and a copy of it as it is before all.
pub fn disk(folder: &Path) -> Result<Second> {
    let from = folder.join("env");
    fs::create_dir_all(&from).with_context(|| format!("create {}", from.display()))?;
    let text = folder.join("env.txt");
    fs::write(&text, ENV).with_context(|| format!("write {}", text.display()))?;
    let mut make = host::command("mkenvimage");
    host::output(make.args(["-s", "0x2000", "-o"]).arg(from.join("uboot.env")).arg(&text))?;
    for number in 0..OTHERS {
        fs::write(from.join(format!("x{number:02}.dtb")), vec![7; 9000])?;
    }
    let (base, disk) = (folder.join("env-base.img"), folder.join("env.img"));
    let file = File::create(&base).with_context(|| format!("create {}", base.display()))?;
    file.set_len(DISK).with_context(|| format!("make {} longer", base.display()))?;
    fat(&base, Part { start: 0, length: FAT }, "FIRMWARE", &from)?;
    copy(&base, &disk)?;
    Ok(Second { disk, writes: folder.join("env-writes") })
}

/// Plays it; `renamed`: the kernel says that it cannot exchange two names.
pub fn play(stage: &mut Stage, renamed: bool) -> Result<()> {
    fs::write(stage.repo.path.join("fat-env.sh"), SCRIPT).context("write the script of the guest")?;
    let url = stage.url.clone();
    stage.machine.expect(&format!("wget -q -O /run/fat-env {url}fat-env.sh"), 0)?;
    let run = fetch(stage)?;
    let agent = match renamed {
        false => format!("{run}rootling"),
        true => format!(
            "{run}strace -f -qq -A -o {TRACE} -e trace=renameat2 -e inject=renameat2:error=ENOSYS {run}rootling"
        ),
    };
    stage.machine.expect(&format!("export AGENT='{agent}'"), 0)?;
    let script = |words: &str| format!("sh /run/fat-env {words}");
    let (name, policy, base) = (stage.repo.name().to_owned(), stage.policy.clone(), stage.base.clone());
    stage.machine.expect(&script(&format!("install {url} {name} {base} '{policy}'")), 0)?;

    let second = stage.publish("good-2")?;
    stage.machine.expect(&script("logged upgrade upgrade"), 0)?;
    stage.machine.expect(&script(&format!("runs {second}")), 0)?;
    stage.machine.expect(&script("logged confirm boot confirm"), 0)?;
    stage.publish("good-3")?;
    stage.machine.expect(&script("agent upgrade"), 0)?;
    // what U-Boot has counted when it boots the second deployment again, which runs already
    stage.machine.expect(&script("setenv bootcount 4"), 0)?;
    let said = stage.machine.expect(&script("logged fall-back boot confirm"), 0)?;
    ensure!(said.iter().any(|line| line.contains("fell back")), "boot confirm: {said:?}");
    if renamed {
        stage.machine.expect(&format!("grep -q 'uboot.env.*EXCHANGE.*INJECTED' {TRACE}"), 0)?;
    }
    Ok(())
}

/// Brings programs of this machine to the guest, whose own agent knows no loader but its own; answers what a command
/// begins with there.
fn fetch(stage: &mut Stage) -> Result<String> {
    let programs = [host::file(&["/usr/bin/strace"], "strace")?, stage.agent.clone()];
    let mut list = host::command("ldd");
    let libraries = host::output(list.args(&programs))?;
    let paths = || libraries.split_whitespace().filter(|word| word.starts_with('/') && !word.ends_with(':'));
    let loader = paths().find_map(|path| path.rsplit('/').next().filter(|name| name.starts_with("ld-")));
    let loader = loader.context("ldd names no loader of programs")?;
    let mut pack = host::command("tar");
    pack.arg("-chf").arg(stage.repo.path.join("programs.tar")).args(["--transform", "s|.*/||", "-P"]);
    host::output(pack.args(&programs).args(paths().collect::<BTreeSet<_>>()))?;
    let unpack = format!("mkdir /run/p && wget -q -O - {}programs.tar | busybox tar -xC /run/p", stage.url);
    stage.machine.expect(&unpack, 0)?;
    Ok(format!("/run/p/{loader} --library-path /run/p /run/p/"))
}
