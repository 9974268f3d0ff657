//! In which boots the watchdog is started. Its device is a plain file here, which takes no time: that is told. What a driver
//! answers is a library's word, loaded before the C library.

use crate::world::{Disk, boot, cmdline};
use rootling_boot::sdboot::variable::GUID;
use std::fs;
use std::path::Path;
use std::process::Command;

const STARTED: &str = "set the time of /dev/watchdog: Inappropriate ioctl for device";

/// Boots with a folder of firmware that a script makes; the watchdog's trace, once the system has started all the same.
fn booted(arguments: &str, firmware: &str) -> String {
    let disk = Disk::make("");
    let mount = format!(
        "mount -t ramfs none root
        cp -a disk/. root
        mkdir root/dev root/sys
        mount -t tmpfs none root/dev
        mount -t tmpfs none root/sys
        touch root/dev/watchdog
        {firmware}"
    );
    let out =
        boot(disk.dir(), &format!("{} {arguments}\n", cmdline().trim_end()), &mount, "cat usr/marker; echo");
    assert!(out.contains("pid 1 single\ntree\n") && out.contains("exit status: 0"), "{out}");
    out
}

#[test]
fn it_is_started_on_a_try_alone() {
    let count = format!(
        "mkdir -p root/sys/firmware/efi/efivars
        mount -t tmpfs none root/sys/firmware/efi/efivars
        touch root/sys/firmware/efi/efivars/LoaderBootCountPath-{GUID}"
    );
    let other = count.replace("BootCountPath", "Info");
    let no_variables = "mkdir -p root/sys/firmware/efi";
    for (arguments, firmware, want) in [
        ("rootling.watchdog=60 rootling.trial", ":", true),
        ("rootling.watchdog=60 rootling.trial", &other, true),
        ("rootling.watchdog=60", &count, true),
        ("rootling.watchdog=60", no_variables, true),
        ("rootling.watchdog=60", &other, false),
        ("rootling.watchdog=60", ":", false),
        ("rootling.watchdog=0 rootling.trial", &count, false),
        ("rootling.trial", &count, false),
    ] {
        let out = booted(arguments, firmware);
        assert_eq!(out.matches(STARTED).count(), usize::from(want), "{arguments}, {firmware}: {out}");
        assert_eq!(out.contains("rootling-prepare-root: "), want, "{arguments}, {firmware}: {out}");
    }
}

#[test]
fn the_variables_may_come_with_the_modules_of_an_initramfs() {
    // opening this one waits, so that a start that comes too early is told
    let waits = "mkfifo root/dev/watchdog; (sleep 100; echo waited; : < root/dev/watchdog) &";
    let takes_no_time = "touch root/dev/watchdog";
    for (watchdog, come, started) in [
        (waits, "mount -t tmpfs none $vars", false),
        (takes_no_time, &format!("mount -t tmpfs none $vars; touch $vars/LoaderBootCountPath-{GUID}"), true),
        (takes_no_time, ":", true),
    ] {
        let dir = tempfile::tempdir().unwrap();
        // whoever reads the list waits for what comes behind `exec`
        let mount = format!(
            "mount -t tmpfs none root
            vars=root/sys/firmware/efi/efivars
            mkdir -p root/dev root/sys root/lib/rootling
            ln -s run/host/lib64 root
            for folder in /usr/lib/*-linux-*; do ln -s /run/host/lib/${{folder##*/}} root/lib; done
            mount -t tmpfs none root/dev
            mount -t tmpfs none root/sys
            mkdir -p $vars
            {watchdog}
            mkfifo root/lib/rootling/modules.load
            (exec 3> root/lib/rootling/modules.load; {come}) &"
        );
        let arguments = format!("root=/dev/nothing rootwait=0 rootling.watchdog=60 {}", cmdline());
        let out = boot(dir.path(), &arguments, &mount, "");
        assert!(out.contains("rootling-prepare-root: rebooting\nsignal: 1 (SIGHUP)"), "{come}: {out}");
        assert_eq!(out.matches(STARTED).count(), usize::from(started), "{come}: {out}");
        assert!(!out.contains("waited"), "{come}: started before the modules were loaded: {out}");
    }
}

#[test]
fn one_that_is_not_there_is_told() {
    let out = booted("rootling.watchdog=60 rootling.trial", "rm root/dev/watchdog");
    assert_eq!(out.matches("open /dev/watchdog: No such file").count(), 1, "{out}");
}

/// A driver that takes at most 16 seconds, and whose options are those of `struct watchdog_info`.
const DRIVER: &str = "int ioctl(int fd, unsigned long request, void *to) {
    if (request == 0xc0045706ul) { if (*(int *)to > 16) *(int *)to = 16; return 0; }
    if (request == 0x80285700ul) { __builtin_memset(to, 0, 40); *(unsigned *)to = OPTIONS; return 0; }
    return -1;
}";

/// Makes the library in a folder; the script that has the program load it.
fn driver(dir: &Path, options: &str) -> String {
    let (source, library) = (dir.join("driver.c"), dir.join("driver.so"));
    fs::write(&source, DRIVER.replace("OPTIONS", options)).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    let made = cc.status().unwrap_or_else(|e| panic!("cc: {e}; install it with: apt-get install gcc"));
    assert!(made.success());
    format!("cp {} root/driver.so\nexport LD_PRELOAD=/driver.so", library.display())
}

const SHORT: &str = "/dev/watchdog resets after 16 s, not after 60 s\n";
const STOPS: &str = "/dev/watchdog stops when it is closed";

#[test]
fn what_the_driver_makes_of_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    for (seconds, options, told) in
        [("60", "0x8180", &[SHORT][..]), ("16", "0x8180", &[]), ("5", "0x8080", &[STOPS])]
    {
        let driver = driver(dir.path(), options);
        let out = booted(&format!("rootling.watchdog={seconds} rootling.trial"), &driver);
        for line in [SHORT, STOPS] {
            assert_eq!(out.matches(line).count(), usize::from(told.contains(&line)), "{line}: {out}");
        }
        assert_eq!(out.matches("rootling-prepare-root: ").count(), told.len(), "{out}");
    }
}

#[test]
fn it_is_started_before_the_modules_are_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let mount = format!(
        "mount -t tmpfs none root
        mkdir -p root/dev root/sys root/lib/rootling
        ln -s run/host/bin run/host/lib64 root
        for folder in /usr/lib/*-linux-*; do ln -s /run/host/lib/${{folder##*/}} root/lib; done
        mount -t tmpfs none root/dev
        mount -t tmpfs none root/sys
        touch root/dev/watchdog
        echo /lib/modules/none.ko > root/lib/rootling/modules.load
        {}",
        driver(dir.path(), "0x8180")
    );
    let arguments = format!("root=/dev/nothing rootwait=0 rootling.watchdog=60 rootling.trial {}", cmdline());
    let out = boot(dir.path(), &arguments, &mount, "");
    let place = |what: &str| out.find(what).unwrap_or_else(|| panic!("no {what:?} in {out}"));
    assert!(place(SHORT) < place("open /lib/modules/none.ko: No such file"), "{out}");
    assert_eq!(out.matches(SHORT).count(), 1, "{out}");
}
