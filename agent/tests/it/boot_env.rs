//! U-Boot's environment in a file on a partition of its own: durable before anything counts on it.

use std::fs;
use std::process::Command;

use crate::boot_trial::{deployed, tool, write};
use crate::fixture::{Fixture, text};
use crate::sysroot::{Device, bootable};

/// Where nothing but the configuration of the environment leads to.
const FIRMWARE: &str = "uboot";

/// What the agent asks of the kernel while it arms, in order; `refused` is a call that fails, as on an older kernel.
fn calls(device: &Device<'_>, refused: Option<&str>) -> Vec<String> {
    let log = device.root.join("calls");
    let inject = refused.map(|call| format!("-e inject={call}:error=EINVAL")).unwrap_or_default();
    let script = format!(
        "mount -t tmpfs none {FIRMWARE} && cp uboot.env {FIRMWARE} &&
        strace -f -qq -y -e trace=rename,renameat,renameat2,syncfs,fsync {inject} -o {} {} --sysroot . upgrade --tries=2 &&
        fw_printenv -c fw_env.config bootlimit && ls {FIRMWARE}",
        log.display(),
        env!("CARGO_BIN_EXE_rootling")
    );
    let mut command = Command::new("unshare");
    let output = command.args(["-m", "sh", "-ec", &script]).current_dir(&device.root).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}; apt-get install strace libubootenv-tool");
    assert!(said.ends_with("bootlimit=2\nuboot.env\n"), "{said}");
    fs::read_to_string(log).unwrap().lines().map(String::from).collect()
}

fn device(fixture: &Fixture) -> Device<'_> {
    let (device, first) = deployed(fixture);
    let (env, variables) = (device.root.join("uboot.env"), fixture.dir.path().join("variables"));
    fs::create_dir(device.root.join(FIRMWARE)).unwrap();
    fs::write(&variables, "altbootcmd=run second\n").unwrap();
    tool("mkenvimage", "u-boot-tools", &["-s", "0x2000", "-o", text(&env), text(&variables)]);
    let config = format!("/{FIRMWARE}/uboot.env 0 0x2000\n");
    fs::write(device.root.join("fw_env.config"), config.trim_start_matches('/')).unwrap();
    write(&device.tree(&first).join("etc/fw_env.config"), &config);
    device.boots(&first);
    bootable(fixture, 2, 3000);
    device
}

/// Places of calls that have all of these words.
fn places(calls: &[String], words: &[&str]) -> Vec<usize> {
    let has = |line: &String| words.iter().all(|word| line.contains(word));
    (0..calls.len()).filter(|at| has(&calls[*at])).collect()
}

#[test]
fn an_environment_on_a_partition_of_its_own_is_durable_before_the_list_changes() {
    let fixture = Fixture::unsigned();
    let device = device(&fixture);
    let calls = calls(&device, None);
    let (written, folder) = (places(&calls, &["fsync", "uboot.env.rootling-tmp>"]), format!("/{FIRMWARE}>"));
    let exchanged = places(&calls, &["renameat2", "uboot.env.rootling-tmp"]);
    let synced = places(&calls, &["syncfs", &folder]);
    let list = places(&calls, &["renameat2", "\"./boot/loader\""]);
    let all = format!("{}\n{written:?} {exchanged:?} {synced:?} {list:?}", calls.join("\n"));
    assert!(written.len() == 1 && exchanged.len() == 1 && list.len() == 1, "{all}");
    let between = |from: usize, to: usize| synced.iter().any(|at| (from..to).contains(at));
    assert!(written[0] < exchanged[0] && between(written[0], exchanged[0]), "not before its name: {all}");
    assert!(exchanged[0] < list[0] && between(exchanged[0], list[0]), "not before the list: {all}");
}

/// What is renamed over is freed once nobody has it open; on FAT its name may lead to it until the folder is written.
#[test]
fn an_environment_that_cannot_be_exchanged_is_durable_before_the_old_one_is_freed() {
    let fixture = Fixture::unsigned();
    let device = device(&fixture);
    let calls = calls(&device, Some("renameat2"));
    let renamed = places(&calls, &["rename(", "uboot.env.rootling-tmp"]);
    let all = calls.join("\n");
    assert_eq!(renamed.len(), 1, "{all}");
    let next = &calls[renamed[0] + 1];
    assert!(next.contains("syncfs") && next.contains(&format!("/{FIRMWARE}>")), "{next} in {all}");
}
