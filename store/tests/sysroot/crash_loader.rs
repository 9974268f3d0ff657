//! GRUB's and U-Boot's paths killed at every system call that changes the disk: what would they boot then?
//!
//! The answer is worked out here from `grub.cfg` and `grubenv`, or from `uEnv.txt` and what `fw_printenv` says, by none
//! of the store's code. The confirmed system boots,
//! or the new one with its tries counted; and once a try is confirmed or taken back, never the other one again.

use crate::bootcheck::Bootable;
use crate::crash::{kill_and_judge, two};
use crate::fixture::{Fixture, PATIENCE};
use rootling_object::Checksum;
use rootling_store::sysroot::loader::{Loader, Settings};
use rootling_store::sysroot::{Locked, Sysroot};
use std::fs;
use std::path::Path;

/// What GRUB boots: the entry's place, and the state of its trial.
fn choice(sysroot: &Path) -> (usize, Option<String>) {
    let menu = fs::read_to_string(sysroot.join("boot/loader/grub.cfg")).unwrap();
    let env = fs::read(sysroot.join("boot/grub/grubenv")).unwrap();
    assert_eq!(env.len(), 1024);
    let env = String::from_utf8(env).unwrap();
    let tried = env.lines().find_map(|line| line.strip_prefix("rootling_try="));
    let Some(trial) = menu.lines().find_map(|line| line.strip_prefix("set rootling_trial=")) else {
        return (0, None);
    };
    let state = tried.and_then(|tried| tried.strip_prefix(trial)?.strip_prefix(':'));
    match state {
        Some(state) if state != "0" => (0, Some(state.to_string())),
        _ => (1, None),
    }
}

fn lock(sysroot: &Path) -> Locked {
    let loader = Loader::detect(sysroot, sysroot, &Settings::default()).unwrap();
    Sysroot::open(sysroot).unwrap().with_loader(loader).lock(PATIENCE).unwrap()
}

/// Versions 2 and 1, the first of them to be armed.
fn prepare(fixture: &Fixture) -> [Checksum; 2] {
    let [one, two] = two(fixture, "kernel two");
    lock(&fixture.path()).install(crate::loader::named(&fixture.path(), "grub"), 0).unwrap();
    fixture_deploy(fixture, &two);
    [one, two]
}

fn fixture_deploy(fixture: &Fixture, commit: &Checksum) {
    use rootling_object::Refspec;
    use rootling_store::sysroot::{DeployOptions, Origin};
    let mut locked = lock(&fixture.path());
    let verified = crate::fixture::verified(locked.repo(), commit);
    let options = DeployOptions::new("os", Origin::new(&Refspec::parse("origin:os/main").unwrap()));
    locked.deploy(&verified, &options).unwrap();
}

fn armed(fixture: &Fixture) -> [Checksum; 2] {
    let commits = prepare(fixture);
    lock(&fixture.path()).arm(3, false).unwrap();
    commits
}

fn is(boots: &[Bootable], place: usize, version: &str) -> bool {
    boots[place].title.starts_with(&format!("Test OS {version} "))
}

#[test]
fn arming() {
    let kills = kill_and_judge("arm", 12, prepare, &|sysroot, boots| match choice(sysroot) {
        // as it was: nothing on trial yet, and the default boots as it did before
        (0, None) => assert!(!fs::exists(sysroot.join("boot/loader/rootling-trial")).unwrap()),
        (0, Some(left)) => assert!(is(boots, 0, "2") && left == "3" && boots[0].options.contains("quiet")),
        (place, _) => assert!(is(boots, place, "1"), "{boots:#?}"),
    });
    assert!(kills > 12, "{kills} kills");
}

#[test]
fn confirming() {
    let kills = kill_and_judge("confirm", 12, armed, &|sysroot, boots| {
        let (place, state) = choice(sysroot);
        assert!(is(boots, place, "2"), "{boots:#?}");
        assert!(matches!(state.as_deref(), None | Some("3" | "good")), "{state:?}");
    });
    assert!(kills > 12, "{kills} kills");
}

#[test]
fn falling_back() {
    let kills = kill_and_judge("fall-back", 12, armed, &|sysroot, boots| {
        let (place, state) = choice(sysroot);
        match state.as_deref() {
            Some("3") => assert!(is(boots, place, "2")),
            state => assert!(state.is_none() && is(boots, place, "1"), "{state:?} {boots:#?}"),
        }
    });
    assert!(kills > 12, "{kills} kills");
}

/// What U-Boot boots, the start of a title, and whether it counts.
fn uboot_choice(sysroot: &Path, boots: &[Bootable]) -> (String, bool) {
    let config = sysroot.join("theirs");
    fs::write(&config, format!("{} 0 0x2000\n", sysroot.join("boot/uboot-0.env").display())).unwrap();
    let print = |name: &str| {
        let args = ["-c", config.to_str().unwrap(), "-n", name];
        crate::loader::tool("fw_printenv", "libubootenv-tool", &args).trim().to_string()
    };
    let number = |name: &str| print(name).parse::<u32>().unwrap();
    let counts = number("upgrade_available") == 1;
    let uenv = fs::read_to_string(sysroot.join("boot/loader/uEnv.txt")).unwrap();
    let second = counts && number("bootcount") > number("bootlimit");
    let key = if second { "bootargs2=" } else { "bootargs=" };
    let args = uenv.lines().find_map(|line| line.strip_prefix(key)).expect("an entry to boot");
    let link = args.split(' ').find_map(|arg| arg.strip_prefix("ostree=/")).unwrap();
    let tree = fs::canonicalize(sysroot.join(link)).unwrap();
    let is = |b: &&Bootable| fs::canonicalize(sysroot.join(&b.path)).unwrap() == tree;
    let title = &boots.iter().find(is).expect("a deployment of the list").title;
    (title.split(" (").next().unwrap().to_string(), counts)
}

fn with_uboot(fixture: &Fixture) -> [Checksum; 2] {
    let [one, two] = two(fixture, "kernel two");
    crate::loader::uboot(&fixture.path(), 1);
    let mut locked = lock(&fixture.path());
    let loader = locked.loader().unwrap().clone();
    locked.install(loader, 0).unwrap();
    drop(locked);
    fixture_deploy(fixture, &two);
    lock(&fixture.path()).arm(3, false).unwrap();
    [one, two]
}

#[test]
fn falling_back_with_u_boot() {
    let kills = kill_and_judge("fall-back", 12, with_uboot, &|sysroot, boots| {
        let (title, counts) = uboot_choice(sysroot, boots);
        assert!(title == "Test OS 1" || title == "Test OS 2" && counts, "{title}, counts: {counts}");
    });
    assert!(kills > 12, "{kills} kills");
}
