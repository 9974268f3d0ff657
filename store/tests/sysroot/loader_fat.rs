//! systemd-boot on a folder that stands for its FAT partition: no symlinks in it, and kernels of its own.
//!
//! The loader is played by renames, as systemd-boot 252 does them; a check that knows none of the code follows each
//! entry to its kernel and its deployment.

use crate::loader::Device;
use rootling_boot::loader::{Outcome, Trial};
use rootling_object::Hasher;
use rootling_store::sysroot::loader::Loader;
use std::fs;
use std::os::unix::fs::symlink;

const ENTRIES: &str = "efi/loader/entries";

fn device() -> Device {
    let device = Device::new(Some("systemd-boot"));
    fs::create_dir_all(device.path(ENTRIES)).unwrap();
    fs::write(device.path(ENTRIES).join("a-other.conf"), "title other\nlinux /other\n").unwrap();
    let loader = device.open(0).loader().unwrap().clone();
    device.lock(0).install(loader, 0).unwrap();
    device
}

/// Which commit each entry boots, by file name; every one has to lead to its kernel and its deployment.
fn entries(device: &Device) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for file in fs::read_dir(device.path(ENTRIES)).unwrap() {
        let file = file.unwrap();
        let (name, text) =
            (file.file_name().into_string().unwrap(), fs::read_to_string(file.path()).unwrap());
        assert!(file.file_type().unwrap().is_file(), "{name} is no file");
        if !name.starts_with("ostree-") {
            continue;
        }
        let value = |key: &str| text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' ')).unwrap();
        let option = value("options").split(' ').find_map(|o| o.strip_prefix("ostree=/")).unwrap();
        let mut hasher = Hasher::new();
        for key in ["linux", "initrd"] {
            hasher.update(&fs::read(device.path("efi").join(&value(key)[1..])).unwrap());
        }
        assert!(option.contains(&hasher.finish().to_string()), "{name}: {option}");
        let tree = fs::canonicalize(device.path(option)).unwrap();
        let tree = tree.file_name().unwrap().to_str().unwrap();
        let place = device.commits.iter().position(|c| tree.starts_with(&c.to_string())).unwrap();
        found.push((name, place));
    }
    found.sort();
    found
}

fn rename(device: &Device, from: &str, to: &str) {
    fs::rename(device.path(ENTRIES).join(from), device.path(ENTRIES).join(to)).unwrap();
}

fn names(list: &[(&str, usize)]) -> Vec<(String, usize)> {
    list.iter().map(|(name, place)| (name.to_string(), *place)).collect()
}

#[test]
fn a_partition_that_has_the_loader_and_no_entries_yet_is_taken_into_use() {
    let device = Device::new(Some("systemd-boot"));
    fs::create_dir_all(device.path("efi/EFI/systemd")).unwrap();
    let loader = device.open(0).loader().unwrap().clone();
    device.lock(0).install(loader, 0).unwrap();
    assert_eq!(entries(&device), names(&[("ostree-1.conf", 0)]));
}

#[test]
fn a_counted_entry_is_tried_and_confirmed() {
    let device = device();
    assert_eq!(entries(&device), names(&[("ostree-1.conf", 0)]));
    assert!(!device.path("boot/loader").exists(), "one list only");
    device.deploy(0, 1, 3).unwrap();
    assert_eq!(entries(&device), names(&[("ostree-1.conf", 0), ("ostree-2+03-00.conf", 1)]));
    let text = fs::read_to_string(device.path(ENTRIES).join("ostree-2+03-00.conf")).unwrap();
    assert!(text.contains(" panic=10"), "{text}");
    assert_eq!(device.state(0).outcome, Outcome::NotTriedYet);
    rename(&device, "ostree-2+03-00.conf", "ostree-2+02-01.conf");
    let state = device.state(1);
    assert_eq!(
        (state.outcome, state.trial, state.armed.unwrap().tries),
        (Outcome::OnTrial, Trial::Left(2), 3)
    );
    device.lock(1).confirm().unwrap();
    assert_eq!(entries(&device), names(&[("ostree-1.conf", 0), ("ostree-2.conf", 1)]));
    assert_eq!(device.state(1).armed, None);

    device.deploy(1, 2, 2).unwrap();
    assert_eq!(
        entries(&device),
        names(&[("ostree-1.conf", 0), ("ostree-2.conf", 1), ("ostree-3+02-00.conf", 2)])
    );
    let versions: Vec<_> = device.open(1).deployments().iter().map(|d| d.checksum).collect();
    assert_eq!(versions, [device.commits[2], device.commits[1], device.commits[0]]);
    assert!(device.path(ENTRIES).join("a-other.conf").exists());
}

#[test]
fn the_last_try_confirms_what_runs() {
    for (tries, armed, last) in
        [(3, "ostree-2+03-00.conf", "ostree-2+00-03.conf"), (1, "ostree-2+01-00.conf", "ostree-2+00-01.conf")]
    {
        let device = device();
        device.deploy(0, 1, tries).unwrap();
        rename(&device, armed, last);
        let state = device.state(1);
        assert_eq!((state.outcome, state.trial), (Outcome::OnTrial, Trial::Spent));
        device.lock(1).confirm().unwrap();
        assert_eq!(entries(&device), names(&[("ostree-1.conf", 0), ("ostree-2.conf", 1)]));
        let first = device.open(1).deployments()[0].checksum;
        assert_eq!((first, device.state(1).armed), (device.commits[1], None), "boots from now on");
    }
}

#[test]
fn an_entry_without_tries_left_is_taken_off() {
    let device = device();
    device.deploy(0, 1, 2).unwrap();
    rename(&device, "ostree-2+02-00.conf", "ostree-2+00-02.conf");
    let state = device.state(0);
    assert_eq!((state.outcome, state.trial), (Outcome::FellBack, Trial::Spent));
    assert_eq!(device.lock(0).fall_back().unwrap().checksum, device.commits[0]);
    assert_eq!(entries(&device), names(&[("ostree-1.conf", 0)]));
    device.lock(0).cleanup(Default::default()).unwrap();
    assert_eq!(fs::read_dir(device.path("efi/ostree")).unwrap().count(), 1, "its kernel went too");
}

#[test]
fn going_back_makes_a_new_first_entry() {
    let device = device();
    device.deploy(0, 1, 1).unwrap();
    device.lock(1).confirm().unwrap();
    device.lock(1).rollback("os").unwrap();
    assert_eq!(entries(&device), names(&[("ostree-2.conf", 1), ("ostree-3.conf", 0)]));
    device.lock(0).undeploy(1).unwrap();
    device.lock(0).cleanup(Default::default()).unwrap();
    assert_eq!(entries(&device), names(&[("ostree-3.conf", 0)]));
}

#[test]
fn a_rename_that_was_cut_and_a_pinned_default() {
    let device = device();
    device.deploy(0, 1, 3).unwrap();
    let text = fs::read_to_string(device.path(ENTRIES).join("ostree-2+03-00.conf")).unwrap();
    fs::write(device.path(ENTRIES).join("ostree-2.conf"), text).unwrap();
    assert_eq!(device.open(1).deployments().len(), 2, "one file under two names");
    device.deploy(1, 2, 3).unwrap();
    assert_eq!(
        entries(&device),
        names(&[("ostree-1.conf", 0), ("ostree-2.conf", 1), ("ostree-3+03-00.conf", 2)])
    );

    let pinned = self::device();
    fs::write(pinned.path("efi/loader/loader.conf"), "timeout 3\ndefault a-other.conf\n").unwrap();
    let error = pinned.deploy(0, 1, 3).unwrap_err().to_string();
    assert!(error.contains("loader.conf default"), "{error}");
    assert_eq!(entries(&pinned), names(&[("ostree-1.conf", 0)]));
}

#[test]
fn a_partition_where_nobody_looks_for_the_list_is_refused() {
    let mut device = device();
    fs::create_dir_all(device.path("mnt/esp/loader/entries")).unwrap();
    for loader in [Some("systemd-boot"), None] {
        device.settings.loader = loader.map(String::from);
        let mut detect = |partition: &str| {
            device.settings.partition = Some(partition.into());
            Loader::detect(&device.path(""), &device.path(""), &device.settings)
        };
        for partition in ["mnt/esp", "", "boot/../efi"] {
            let error = detect(partition).unwrap_err().to_string();
            assert!(error.contains("mounted at boot, efi, boot/efi") && error.contains(partition), "{error}");
        }
        assert!(detect("efi").unwrap().is_some());
    }
}

#[test]
fn an_entry_that_the_firmware_chooses_stands_in_the_way() {
    let device = device();
    let variables = device.path("sys/firmware/efi/efivars");
    fs::create_dir_all(&variables).unwrap();
    let variable = variables.join("LoaderEntryDefault-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f");
    let set = |pattern: &str| {
        let text = pattern.encode_utf16().chain([0]).flat_map(u16::to_le_bytes);
        fs::write(&variable, [7, 0, 0, 0].into_iter().chain(text).collect::<Vec<u8>>()).unwrap();
    };
    set("ostree-1.conf");
    let error = device.deploy(0, 1, 3).unwrap_err().to_string();
    assert!(error.contains("LoaderEntryDefault") && error.contains("ostree-1.conf"), "{error}");
    assert_eq!(entries(&device), names(&[("ostree-1.conf", 0)]));
    set("ostree-*");
    device.deploy(0, 1, 3).unwrap();
    set("ostree-1.conf");
    device.lock(1).confirm().unwrap();
    assert_eq!(entries(&device), names(&[("ostree-1.conf", 0), ("ostree-2.conf", 1)]));
}

#[test]
fn a_place_with_links_is_no_partition_and_stays_as_it_is() {
    for linked in [None, Some("boot")] {
        let mut device = Device::new(Some("systemd-boot"));
        let place = if linked.is_some() { "efi" } else { "boot" };
        if let Some(to) = linked {
            symlink(to, device.path(place)).unwrap();
        }
        device.settings.partition = Some(place.into());
        let root = device.path("");
        let detected = Loader::detect(&root, &root, &device.settings);
        let refused = detected.and_then(|loader| device.lock(0).install(loader.unwrap(), 0));
        assert!(
            refused.is_err_and(|error| error
                .to_string()
                .contains(&format!("{place}/loader: expected a folder")))
        );
        device.settings = Default::default();
        assert_eq!(device.list(), [0]);
    }
}

#[test]
fn the_settings_are_those_of_the_partition_that_has_the_loader() {
    let mut device = Device::new(Some("systemd-boot"));
    device.settings.partition = Some("boot/efi".into());
    for folder in ["efi/EFI/systemd", "efi/loader", "boot/efi/loader"] {
        fs::create_dir_all(device.path(folder)).unwrap();
    }
    let loader = device.open(0).loader().unwrap().clone();
    device.lock(0).install(loader, 0).unwrap();
    fs::write(device.path("efi/loader/loader.conf"), "default windows.conf\n").unwrap();
    let error = device.deploy(0, 1, 3).unwrap_err().to_string();
    assert!(error.contains("loader.conf default"), "{error}");
    fs::rename(device.path("efi/loader/loader.conf"), device.path("boot/efi/loader/loader.conf")).unwrap();
    device.deploy(0, 1, 3).unwrap();
}

#[test]
fn what_comes_first_on_either_partition_stands_in_the_way() {
    for (file, text, is_first) in [
        ("efi/EFI/Linux/Vendor-1.EFI", "MZ", true),
        ("efi/EFI/Linux/arch.efi", "MZ", true),
        ("efi/EFI/Linux/vendor-1+0-3.efi", "MZ", false),
        ("efi/EFI/Linux/vendor-1.txt", "", false),
        ("boot/efi/EFI/Linux/vendor-1+2.efi", "MZ", true),
        ("boot/efi/loader/entries/vendor.conf", "title x\n", true),
        ("boot/efi/loader/entries/a.conf", "sort-key z\n", true),
        ("boot/efi/loader/entries/a.conf", "title x\n", false),
        ("boot/efi/loader/entries/vendor+0-3.conf", "title x\n", false),
        // of another installation: ours gets a higher number
        ("boot/efi/loader/entries/ostree-7.conf", "title x\n", false),
    ] {
        let device = device();
        let path = device.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        let deployed = device.deploy(0, 1, 3).map(drop).map_err(|error| error.to_string());
        match is_first {
            false => assert_eq!(deployed, Ok(()), "{file}"),
            true => {
                let told = deployed.expect_err(file);
                assert!(told.contains("the new one first in order"), "{told}");
                assert_eq!(entries(&device), names(&[("ostree-1.conf", 0)]));
                // one that is not chosen from does not matter
                fs::write(device.path("efi/loader/loader.conf"), "default ostree-*\n").unwrap();
                device.deploy(0, 1, 3).unwrap();
                device.lock(1).confirm().unwrap();
            }
        }
    }
}

#[test]
fn a_partition_that_is_seen_at_two_places_is_one() {
    let device = device();
    fs::create_dir_all(device.path("boot")).unwrap();
    symlink("../efi", device.path("boot/efi")).unwrap();
    device.deploy(0, 1, 3).unwrap();
    assert_eq!(entries(&device).len(), 2);
    assert!(device.path(ENTRIES).join("ostree-2+03-00.conf").exists());
}

#[test]
fn the_note_is_there_before_the_entry_and_gone_before_the_confirm() {
    let note = |device: &Device| fs::read_to_string(device.path("ostree/rootling-trial")).ok();
    let device = self::device();
    // where a folder of refs would have to be
    let refs = ["0/0", "0/1", "1/0", "1/1"].map(|sub| device.path("ostree/repo/refs/heads/ostree").join(sub));
    let free: Vec<_> = refs.iter().filter(|sub| !sub.exists()).collect();
    for sub in &free {
        fs::create_dir_all(sub.parent().unwrap()).unwrap();
        fs::write(sub, format!("{}\n", device.commits[0])).unwrap();
    }
    device.deploy(0, 1, 3).unwrap_err();
    assert_eq!(entries(&device), names(&[("ostree-1.conf", 0)]));
    assert!(note(&device).is_some_and(|note| note.starts_with(&device.commits[1].to_string())));
    free.iter().for_each(|sub| fs::remove_file(sub).unwrap());
    device.deploy(0, 1, 3).unwrap();
    // nothing can be renamed to this name
    fs::create_dir(device.path(ENTRIES).join("ostree-2.conf")).unwrap();
    device.lock(1).confirm().unwrap_err();
    assert_eq!(note(&device), None);
    assert_eq!(device.state(1).outcome, Outcome::OnTrial);
}
