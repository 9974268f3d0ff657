//! efibootmgr and efivar against this crate: they read and write a folder that stands for efivarfs.
#![allow(clippy::disallowed_types, reason = "the tools are programs")]

mod common;

use common::Random;
use rootling_boot::efi::{self, DevicePath, Firmware, LoadOption, Node, Number, Variable};
use rootling_boot::sdboot;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs a tool on a folder instead of the firmware.
fn run(dir: &Path, name: &str, args: &[&str]) -> String {
    let output = Command::new(name)
        .args(args)
        .env("LIBEFIVAR_OPS", "efivarfs")
        .env("EFIVARFS_PATH", format!("{}/", dir.display()))
        .output()
        .unwrap_or_else(|e| panic!("{name}: {e}; install it with: apt-get install {name}"));
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

fn write(dir: &Path, name: &str, data: &[u8]) {
    fs::write(dir.join(name), Variable { attributes: efi::ATTRIBUTES, data }.encode()).unwrap();
}

fn firmware(dir: &Path) -> Firmware {
    let read = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let files: BTreeMap<String, Vec<u8>> =
        read.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect();
    Firmware::decode(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))).unwrap()
}

const GUID: [u8; 16] = [0x78, 0x56, 0x34, 0x12, 0xcd, 0xab, 0x01, 0xef, 1, 2, 3, 4, 5, 6, 7, 8];

fn option(name: &str) -> LoadOption {
    LoadOption::new(name, DevicePath::file(2, 0x800, 0x1000, GUID, "/EFI/Linux/b.efi"), "quiet rw")
}

#[test]
fn efibootmgr_reads_our_load_options() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &Number(0).variable(), &option("Rootling a").encode().unwrap());
    write(dir.path(), &Number(0xb0a).variable(), &option("Rootling ä").encode().unwrap());
    write(dir.path(), &efi::global("BootOrder"), &efi::encode_numbers(&[Number(0xb0a), Number(0)]));
    let shown = run(dir.path(), "efibootmgr", &["-v"]);
    for line in [
        "BootOrder: 0B0A,0000",
        "Boot0000* Rootling a\tHD(2,GPT,12345678-abcd-ef01-0102-030405060708,0x800,0x1000)/File(\\EFI\\Linux\\b.efi)",
        "Boot0B0A* Rootling",
    ] {
        assert!(shown.contains(line), "no {line:?} in:\n{shown}");
    }
}

#[test]
fn we_read_what_efibootmgr_writes() {
    let dir = tempfile::tempdir().unwrap();
    for number in [0, 1, 2] {
        write(dir.path(), &Number(number).variable(), &option(&format!("o{number}")).encode().unwrap());
    }
    write(dir.path(), &efi::global("BootOrder"), &efi::encode_numbers(&[Number(0)]));
    run(dir.path(), "efibootmgr", &["-o", "0002,0000,0001"]);
    run(dir.path(), "efibootmgr", &["-n", "0001"]);
    let there = firmware(dir.path());
    assert_eq!((there.order.clone(), there.next), (vec![Number(2), Number(0), Number(1)], Some(Number(1))));
    assert_eq!(there.option(Number(1)), Some(&option("o1")));
    // an inactive entry
    run(dir.path(), "efibootmgr", &["-b", "0002", "-A"]);
    let there = firmware(dir.path());
    assert_eq!(there.option(Number(2)).map(|option| option.attributes & efi::ACTIVE), Some(0));
}

#[test]
fn efivar_shows_a_one_shot_entry_as_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let data = efi::text::encode("ostree-7.conf");
    let bytes = Variable { attributes: efi::ATTRIBUTES, data: &data }.encode();
    fs::write(dir.path().join(sdboot::variable::one_shot_name()), &bytes).unwrap();
    let shown =
        run(dir.path(), "efivar", &["-p", "-n", &format!("{}-LoaderEntryOneShot", sdboot::variable::GUID)]);
    assert!(shown.contains("Non-Volatile") && shown.contains("6f 00 73 00 74 00 72 00"), "{shown}");
    assert_eq!(sdboot::variable::text(&bytes), "ostree-7.conf");
}

/// systemd's own stub with sections added, as `ukify` makes a unified kernel image.
#[test]
fn a_unified_kernel_image_is_told_by_its_sections() {
    let (dir, stub) = (tempfile::tempdir().unwrap(), "/usr/lib/systemd/boot/efi/linuxx64.efi.stub");
    assert!(Path::new(stub).exists(), "{stub}: apt-get install systemd-boot-efi");
    let part = dir.path().join("part");
    fs::write(&part, [7; 5000]).unwrap();
    let with = |sections: &[&str]| {
        let image = dir.path().join("image.efi");
        let mut command = Command::new("objcopy");
        for (place, name) in sections.iter().enumerate() {
            command.arg("--add-section").arg(format!("{name}={}", part.display()));
            command.arg("--change-section-vma").arg(format!("{name}={:#x}", 0x200_0000 + place * 0x10_0000));
        }
        let output = command.arg(stub).arg(&image).output().expect("apt-get install binutils");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let bytes = fs::read(image).unwrap();
        efi::has_initrd(&bytes[..efi::HEAD])
    };
    assert!(with(&[".linux", ".initrd"]) && with(&[".osrel", ".cmdline", ".linux", ".initrd"]));
    assert!(!with(&[".linux"]) && !with(&[]));
}

/// A loop device that goes with its guard: libefivar takes a disk by its node only.
struct Loop(String);

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", &self.0]).output();
    }
}

/// A disk with the partition of [`option`] as its second.
fn disk(dir: &Path) -> Loop {
    let (file, script) = (dir.join("disk"), dir.join("script"));
    fs::File::create(&file).unwrap().set_len(8 << 20).unwrap();
    let parts = "label: gpt\nfirst-lba: 64\nstart=64, size=64\n\
                 start=2048, size=4096, uuid=12345678-ABCD-EF01-0102-030405060708\n";
    fs::write(&script, parts).unwrap();
    let mut sfdisk = Command::new("sfdisk");
    sfdisk.args(["-q", "--no-reread", "--no-tell-kernel"]).arg(&file);
    let made = sfdisk.stdin(fs::File::open(&script).unwrap()).status();
    assert!(made.expect("apt-get install fdisk").success());
    let shown = Command::new("losetup").args(["-f", "--show"]).arg(&file).output();
    let shown = shown.expect("apt-get install mount");
    let why = String::from_utf8_lossy(&shown.stderr);
    assert!(shown.status.success(), "a loop device for efibootmgr's disk, as root: {why}");
    Loop(String::from_utf8(shown.stdout).unwrap().trim().to_owned())
}

#[test]
fn we_read_the_load_option_that_efibootmgr_creates() {
    let dir = tempfile::tempdir().unwrap();
    let (variables, disk) = (dir.path().join("variables"), disk(dir.path()));
    fs::create_dir(&variables).unwrap();
    let file = ["-c", "-d", &disk.0, "-p", "2", "-l", r"\EFI\Linux\b.efi"];
    for (label, arguments) in [("Rootling a", "quiet rw"), ("no arguments", "")] {
        let shown = run(&variables, "efibootmgr", &[&file[..], &["-L", label, "-u", arguments]].concat());
        let there = firmware(&variables);
        let number = *there.order.first().unwrap_or_else(|| panic!("efibootmgr created nothing:\n{shown}"));
        let created = there.option(number).unwrap();
        let ours =
            LoadOption::new(label, DevicePath::file(2, 0x800, 0x1000, GUID, "/EFI/Linux/b.efi"), arguments);
        assert_eq!((&created.description, &created.path), (&ours.description, &ours.path), "{shown}");
        // efibootmgr puts no NUL behind the arguments
        let data = ours.data.strip_suffix(&[0, 0]).unwrap_or_default();
        assert_eq!((created.attributes, &created.data[..]), (ours.attributes, data));
        let bytes = fs::read(variables.join(number.variable())).unwrap();
        assert_eq!(created.encode().unwrap(), Variable::decode(&bytes).unwrap().data);
    }
}

#[test]
fn mutated_variables_are_read_or_refused() {
    let seed = Variable { attributes: 7, data: &option("Rootling").encode().unwrap() }.encode();
    let mut random = Random(2);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..10000 {
        let bytes = random.mutate(&seed);
        let Ok(variable) = Variable::decode(&bytes) else { continue };
        match LoadOption::decode(variable.data) {
            Ok(option) => {
                assert_eq!(option.encode().unwrap(), variable.data);
                let _ = option.path.0.iter().filter(|node| matches!(node, Node::File(_))).count();
                read += 1;
            }
            Err(_) => refused += 1,
        }
        let _ = sdboot::variable::is_boot_of(&bytes, "ostree-7");
        let _ = efi::decode_numbers(&bytes);
    }
    assert!(read > 1000 && refused > 1000, "{read} read, {refused} refused");
}
