//! Firmware on a folder that stands for efivarfs: it uses up BootNext, then goes through BootOrder.
//!
//! What it boots is followed from the bytes of the variable to the kernel on the ESP and through the link to the
//! deployment; `efibootmgr` says the same of the variables.

use crate::fixture::Tree;
use crate::loader::{Device, tool};
use rootling_boot::efi::{Firmware, LoadOption, global};
use rootling_boot::loader::{Outcome, Trial};
use rootling_object::Hasher;
use rootling_store::sysroot::loader::{Loader, Settings, Try};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

const VARS: &str = "sys/firmware/efi/efivars";

/// An ESP, and variables of firmware that has one entry of its own.
pub fn board(sysroot: &Path) {
    let vars = sysroot.join(VARS);
    fs::create_dir_all(&vars).unwrap();
    fs::create_dir_all(sysroot.join("efi/EFI/BOOT")).unwrap();
    let device = fs::metadata(sysroot.join("efi")).unwrap().dev();
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let sys = sysroot.join(format!("sys/dev/block/{major}:{minor}"));
    fs::create_dir_all(&sys).unwrap();
    fs::write(sys.join("uevent"), "DEVNAME=vda1\nDEVTYPE=partition\nPARTN=1\n").unwrap();
    for (name, text) in [("partition", "1\n"), ("start", "2048\n"), ("size", "4096\n")] {
        fs::write(sys.join(name), text).unwrap();
    }
    let links = sysroot.join("dev/disk/by-partuuid");
    fs::create_dir_all(&links).unwrap();
    let uuid = links.join("12345678-abcd-ef01-0102-030405060708");
    std::os::unix::fs::symlink("../../vda1", uuid).unwrap();
    let setup = LoadOption::new("Setup", rootling_boot::efi::DevicePath(vec![]), "");
    let setup = [&[7, 0, 0, 0][..], &setup.encode().unwrap()].concat();
    fs::write(vars.join(global("Boot0000")), setup).unwrap();
    fs::write(vars.join(global("BootOrder")), [7, 0, 0, 0, 0, 0]).unwrap();
}

fn firmware(sysroot: &Path) -> Firmware {
    let files = fs::read_dir(sysroot.join(VARS)).unwrap().map(|entry| entry.unwrap());
    let files: Vec<_> = files
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    Firmware::decode(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))).unwrap()
}

/// Boots: the name of the deployment's folder, and its arguments.
pub fn boot(sysroot: &Path) -> (String, String) {
    let there = firmware(sysroot);
    let _ = fs::remove_file(sysroot.join(VARS).join(global("BootNext")));
    would_boot(sysroot, &there)
}

fn would_boot(sysroot: &Path, there: &Firmware) -> (String, String) {
    let numbers = there.next.into_iter().chain(there.order.clone());
    let option = numbers.filter_map(|number| there.option(number)).find(|o| o.path.file_name().is_some());
    let option = option.expect("an entry with a file");
    let args: Vec<u16> =
        option.data.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    let args = String::from_utf16(&args).unwrap();
    let args = args.strip_suffix('\0').unwrap().to_string();
    let value = |key: &str| args.split(' ').find_map(|arg| arg.strip_prefix(key)).unwrap_or_default();
    let mut hasher = Hasher::new();
    for file in
        [option.path.file_name().unwrap(), value("initrd=")].into_iter().filter(|file| !file.is_empty())
    {
        let path = sysroot.join("efi").join(&file.replace('\\', "/")[1..]);
        hasher.update(&fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    }
    let link = value("ostree=/");
    assert!(link.contains(&hasher.finish().to_string()), "{args}");
    let tree = fs::canonicalize(sysroot.join(link)).unwrap_or_else(|error| panic!("{link}: {error}"));
    (tree.file_name().unwrap().to_str().unwrap().to_string(), args)
}

fn boots(device: &Device) -> usize {
    let (tree, _) = boot(&device.path(""));
    device.commits.iter().position(|commit| tree.starts_with(&commit.to_string())).unwrap()
}

/// A device that runs the first commit from firmware.
fn device() -> Device {
    let mut device = Device::new(Some("efi"));
    board(&device.path(""));
    let loader = device.open(0).loader().unwrap().clone();
    device.lock(0).install(loader, 0).unwrap();
    // found from now on
    device.settings = Settings::default();
    assert_eq!(boots(&device), 0);
    device
}

fn order(device: &Device) -> Vec<String> {
    let there = firmware(&device.path(""));
    let name = |number| there.option(number).map(|option| option.description.clone()).unwrap_or("?".into());
    let place = |name: String| device.commits.iter().position(|c| name == format!("Rootling {c}.0"));
    there.order.iter().map(|n| name(*n)).map(|n| place(n.clone()).map_or(n, |p| p.to_string())).collect()
}

#[test]
fn bootnext_is_tried_and_bootorder_confirms() {
    let device = device();
    device.deploy(0, 1, 1).unwrap();
    assert_eq!(order(&device), ["0", "1", "Setup"]);
    let state = device.state(0);
    assert_eq!((state.outcome, state.trial), (Outcome::NotTriedYet, Trial::Left(1)));
    let shown = Command::new("efibootmgr")
        .arg("-v")
        .env("LIBEFIVAR_OPS", "efivarfs")
        .env("EFIVARFS_PATH", format!("{}/", device.path(VARS).display()))
        .output()
        .expect("apt-get install efibootmgr");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let next = firmware(&device.path("")).next.unwrap();
    let place = "HD(1,GPT,12345678-abcd-ef01-0102-030405060708,0x800,0x1000)/File(\\EFI\\rootling\\os-";
    let line = format!("Boot{next}* Rootling {}.0\t{place}", device.commits[1]);
    assert!(shown.contains(&line) && shown.contains(&format!("BootNext: {next}")), "{line}\n{shown}");

    let (_, args) = boot(&device.path(""));
    assert!(args.contains(" rootling.trial panic=10 "), "{args}");
    let state = device.state(1);
    assert_eq!((state.outcome, state.trial), (Outcome::OnTrial, Trial::Spent));
    // as the kernel shows a variable, where the file system can
    let order_file = device.path(VARS).join(global("BootOrder"));
    let _ = Command::new("chattr").arg("+i").arg(order_file).output();
    device.lock(1).confirm().unwrap();
    assert_eq!((boots(&device), boots(&device)), (1, 1));
    assert!(!boot(&device.path("")).1.contains("rootling.trial"));
    assert_eq!((order(&device), device.state(1).armed), (vec!["1".into(), "0".into(), "Setup".into()], None));

    device.deploy(1, 2, 1).unwrap();
    device.lock(1).cleanup(Default::default()).unwrap();
    assert_eq!((boots(&device), boots(&device)), (2, 1));
    let options = firmware(&device.path("")).options.len();
    assert_eq!(options, order(&device).len(), "nothing is left over");
}

#[test]
fn what_is_not_confirmed_is_left_by_itself() {
    let device = device();
    device.deploy(0, 1, 1).unwrap();
    assert_eq!((boots(&device), boots(&device)), (1, 0));
    assert_eq!(device.state(0).outcome, Outcome::FellBack);
    device.lock(0).fall_back().unwrap();
    device.lock(0).cleanup(Default::default()).unwrap();
    assert_eq!((boots(&device), order(&device)), (0, vec!["0".into(), "Setup".into()]));
    assert_eq!(fs::read_dir(device.path("efi/EFI/rootling")).unwrap().count(), 1, "its kernel went too");
    // taken back before it was tried
    device.deploy(0, 2, 1).unwrap();
    device.lock(0).fall_back().unwrap();
    assert_eq!(boots(&device), 0);
}

#[test]
fn more_tries_than_one_are_refused_and_a_rollback_is_followed() {
    let device = device();
    let error = device.deploy(0, 1, 2).unwrap_err().to_string();
    assert!(error.contains("has one try only, asked for 2"), "{error}");
    assert_eq!((order(&device), device.list()), (vec!["0".into(), "Setup".into()], vec![0]));
    device.deploy_as(0, 1, Try::Keep).unwrap();
    assert_eq!((boots(&device), boots(&device)), (1, 1));
    device.lock(1).rollback("os").unwrap();
    assert_eq!(boots(&device), 0);
    device.lock(0).set_default(&device.open(0).deployments()[1].clone()).unwrap();
    device.lock(0).arm(3, true).unwrap();
    assert_eq!(device.state(0).outcome, Outcome::NotTriedYet, "one of three left is none that failed");
    assert_eq!((boots(&device), boots(&device)), (1, 0));
}

#[test]
fn what_the_firmware_drops_or_reorders_is_written_again() {
    let device = device();
    device.deploy(0, 1, 1).unwrap();
    assert_eq!(boots(&device), 1);
    device.lock(1).confirm().unwrap();
    let good = order(&device);
    let there = firmware(&device.path(""));
    let vars = device.path(VARS);
    for number in [there.order[0], there.order[1]] {
        fs::remove_file(vars.join(number.variable())).unwrap();
        device.lock(1).settle().unwrap();
        assert_eq!((boots(&device), order(&device)), (1, good.clone()));
    }
    fs::write(vars.join(global("BootOrder")), [7, 0, 0, 0, 0, 0]).unwrap();
    device.lock(1).settle().unwrap();
    assert_eq!(order(&device), good);
    let before = firmware(&device.path(""));
    device.lock(1).settle().unwrap();
    assert_eq!(firmware(&device.path("")), before, "nothing to do");

    // while it runs on trial, a dropped entry is no confirm; before its try, it is armed again
    device.deploy(1, 2, 1).unwrap();
    let next = firmware(&device.path("")).next.unwrap();
    fs::remove_file(vars.join(next.variable())).unwrap();
    let state = device.state(1);
    assert_eq!((state.outcome, state.trial), (Outcome::NotTriedYet, Trial::None));
    assert_eq!(device.state(2).trial, Trial::Spent);
    device.lock(1).cleanup(Default::default()).unwrap();
    assert_eq!((boots(&device), boots(&device)), (2, 1));
}

#[test]
fn without_variables_nothing_is_written() {
    let device = device();
    let outline =
        || tool("find", "findutils", &[device.path("").to_str().unwrap(), "-not", "-path", "*/sys/*"]);
    let before = outline();
    fs::rename(device.path(VARS), device.path("sys/away")).unwrap();
    for exists in [false, true] {
        if exists {
            fs::create_dir(device.path(VARS)).unwrap();
        }
        for name in [None, Some("efi".to_string())] {
            let settings = Settings { loader: name, ..Settings::default() };
            let error =
                Loader::detect(&device.path(""), &device.path(""), &settings).unwrap_err().to_string();
            assert!(error.contains("efivarfs") && error.contains(VARS), "{error}");
        }
    }
    assert_eq!(outline(), before);
    let none = Settings { loader: Some("none".into()), ..Settings::default() };
    assert!(Loader::detect(&device.path(""), &device.path(""), &none).unwrap().is_none());
}

/// Arms version 2, which boots already, with version 1 to fall back to; killed at every call that changes the disk.
#[test]
fn arming_killed_anywhere_tries_the_new_one_once_or_not_at_all() {
    let lock = |path: &Path, name: Option<&str>| {
        let settings = Settings { loader: name.map(String::from), ..Settings::default() };
        let loader = Loader::detect(path, path, &settings).unwrap();
        rootling_store::sysroot::Sysroot::open(path).unwrap().with_loader(loader)
    };
    let prepare = |fixture: &crate::fixture::Fixture| {
        let commits = crate::crash::two(fixture, "kernel two");
        fixture.deploy(&commits[1]);
        board(&fixture.path());
        let mut locked = lock(&fixture.path(), Some("efi")).lock(crate::fixture::PATIENCE).unwrap();
        let loader = locked.loader().unwrap().clone();
        locked.install(loader, 0).unwrap();
        commits
    };
    let kills = crate::crash::kill_and_judge("arm", 24, prepare, &|sysroot, boots| {
        for file in fs::read_dir(sysroot.join(VARS)).unwrap() {
            // efivarfs has no variable before it is written
            let path = file.unwrap().path();
            if fs::metadata(&path).unwrap().len() == 0 {
                fs::remove_file(path).unwrap();
            }
        }
        let there = firmware(sysroot);
        let (first, args) = would_boot(sysroot, &there);
        let second = would_boot(sysroot, &Firmware { next: None, ..there.clone() }).0;
        let is = |tree: &str, place: usize| boots[place].path.ends_with(tree);
        match sysroot.join("boot/loader/rootling-trial").exists() {
            false => assert!((is(&first, 0) || is(&first, 1)) && !args.contains("rootling.trial")),
            true => {
                assert!(is(&second, 1), "{second}");
                assert!(is(&first, 1) || there.next.is_some() && args.contains("rootling.trial"), "{args}");
            }
        }
    });
    assert!(kills > 12, "{kills} kills");
}

/// A full ESP, in the namespace that `mounts` makes.
pub fn full(dir: &Path) {
    let fixture = crate::fixture::Fixture::at(dir);
    let path = fixture.path();
    let commit = |version: &str, size: usize| {
        let kernel = version.repeat(size);
        fixture.commit(&crate::fixture::Tree { version, kernel: &kernel, files: &[] })
    };
    let [one, two] = [commit("1", 1), commit("2", 3 << 20)];
    fixture.deploy(&one);
    board(&path);
    let lock = |name: Option<&str>| {
        let settings = Settings { loader: name.map(String::from), ..Settings::default() };
        let loader = Loader::detect(&path, &path, &settings).unwrap();
        fixture.open().with_loader(loader).lock(crate::fixture::PATIENCE).unwrap()
    };
    let mut locked = lock(Some("efi"));
    let loader = locked.loader().unwrap().clone();
    locked.install(loader, 0).unwrap();
    drop(locked);
    let before = firmware(&path);
    let mut locked = lock(None);
    let commit = crate::fixture::verified(locked.repo(), &two);
    let refspec = rootling_object::Refspec::parse("origin:os/main").unwrap();
    let mut options =
        rootling_store::sysroot::DeployOptions::new("os", rootling_store::sysroot::Origin::new(&refspec));
    options.trial = Try::Arm { tries: 1, anyway: false };
    let error = locked.deploy(&commit, &options).unwrap_err();
    assert!(
        matches!(error.kind(), rootling_store::ErrorKind::NoSpace { path, .. } if path.ends_with("efi")),
        "{error}"
    );
    assert_eq!(firmware(&path), before);
    assert!(boot(&path).0.starts_with(&one.to_string()));
    assert_eq!(fs::read_dir(path.join("efi/EFI/rootling")).unwrap().count(), 1);
}

/// A kernel with its initramfs in it: it is not told of another one, and that does not fill the ESP.
#[test]
fn a_unified_kernel_brings_its_initramfs() {
    let device = device();
    let image =
        [&b"MZ"[..], &[0; 0x3a], &[0x40, 0, 0, 0], b"PE\0\0", &[0, 0, 1], &[0; 17], b".initrd\0", &[0; 32]]
            .concat();
    let image = String::from_utf8(image).unwrap();
    let commit = device.fixture.commit(&Tree { version: "2", kernel: &image, files: &[] });
    let device = Device { commits: [device.commits[0], commit, device.commits[2]], ..device };
    device.deploy(0, 1, 1).unwrap();
    let there = firmware(&device.path(""));
    let option = there.option(there.next.unwrap()).unwrap();
    let args = rootling_boot::efi::text::decode(&option.data).unwrap();
    assert!(
        args.contains("ostree=/ostree/") && !args.contains("initrd=") && !args.contains("init="),
        "{args}"
    );
    let kernel = option.path.file_name().unwrap().replace('\\', "/");
    let folder = device.path("efi").join(kernel[1..].rsplit_once('/').unwrap().0);
    let names: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["vmlinuz-6.1"]);
}
