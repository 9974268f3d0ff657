//! Targets for rootling-boot: texts that a person or another tool may have edited.

use rootling_boot::efi::{self, DevicePath, Firmware, LoadOption, Number, Variable};
use rootling_boot::grub::GrubEnv;
use rootling_boot::loader::{Kind, TrialId};
use rootling_boot::menu::Item;
use rootling_boot::pi::{self, Autoboot, Booted};
use rootling_boot::sdboot::{CountedName, LoaderConf, variable};
use rootling_boot::uboot::{EnvConfig, Environment, Extlinux, Flags, Vars, crc32};
use rootling_boot::{BootLink, Entry, EntryName, KernelArgs, KernelFiles, OsRelease};
use rootling_object::Checksum;

use crate::{Target, text};

pub const TARGETS: &[Target] = &[
    Target { name: "boot_entry", run: boot_entry, seeds: || vec![ENTRY.to_vec()] },
    Target { name: "entry_name", run: entry_name, seeds: seeds_entry_name },
    Target {
        name: "kargs",
        run: kargs,
        seeds: || vec![b"root=LABEL=x rw console=tty0 dyndbg=\"file a +p\"".to_vec()],
    },
    Target { name: "bootlink", run: bootlink, seeds: seeds_bootlink },
    Target {
        name: "os_release",
        run: os_release,
        seeds: || vec![b"ID=debian\nPRETTY_NAME=\"Debian 12\"\n".to_vec()],
    },
    Target { name: "grubenv", run: grubenv, seeds: || vec![GrubEnv::default().encode().unwrap()] },
    Target { name: "uboot_env", run: uboot_env, seeds: seeds_uboot_env },
    Target { name: "loader_text", run: loader_text, seeds: seeds_loader_text },
    Target { name: "pi_autoboot", run: pi_autoboot, seeds: seeds_pi_autoboot },
    Target { name: "pi_config", run: pi_config, seeds: seeds_pi_config },
    Target { name: "efi_variable", run: efi_variable, seeds: seeds_efi_variable },
];

const ENTRY: &[u8] = b"title Debian 12 (ostree:0)\nversion 1\noptions root=/dev/vda rw ostree=/ostree/boot.1/os/ab/0\nlinux /ostree/os-ab/vmlinuz\ninitrd /ostree/os-ab/initrd\n";

fn boot_entry(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let entry = Entry::parse(text);
    let written = entry.to_string();
    let again = Entry::parse(&written);
    assert_eq!(again.to_string(), written);
    for key in ["title", "version", "options", "linux"] {
        assert_eq!(again.get(key), entry.get(key));
    }
}

fn entry_name(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Some(name) = EntryName::parse(text) {
        let written = name.to_string();
        assert_eq!(EntryName::parse(&written).map(|again| again.to_string()), Some(written));
    }
}

fn kargs(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let args = KernelArgs::parse(text);
    let again = KernelArgs::parse(&args.to_string());
    assert_eq!(again, args);
    let _ = BootLink::of(&args);
}

fn bootlink(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(link) = BootLink::parse(text) {
        assert!(!link.path().split('/').any(|part| part == ".."), "{text:?}");
        let again = BootLink::parse(&format!("/{}", link.path().trim_start_matches('/')));
        assert_eq!(again.map(|again| again.path()).ok(), Some(link.path()));
    }
    if let Ok(Some(path)) = rootling_boot::bootlink::link_path(&KernelArgs::parse(text)) {
        assert!(path.starts_with("ostree/") && !path.split('/').any(|part| part == ".."), "{text:?}");
    }
}

fn os_release(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let release = OsRelease::parse(text);
    let _ = (release.title(), release.get("ID"));
}

fn seeds_entry_name() -> Vec<Vec<u8>> {
    ["ostree-2.conf", "ostree-1-os.conf", "ostree-2+3-1.conf", "ostree-1-os+3.conf"]
        .map(|s| s.as_bytes().to_vec())
        .into()
}

fn seeds_bootlink() -> Vec<Vec<u8>> {
    let sum = "ab".repeat(32);
    let texts = [format!("/ostree/boot.1/os/{sum}/0"), format!("ostree=/ostree/links/{sum}.0")];
    texts.map(String::into_bytes).into()
}

fn grubenv(data: &[u8]) {
    if let Ok(env) = GrubEnv::decode(data) {
        assert_eq!(env.encode().unwrap(), data);
        let _ = env.get("rootling_try");
    }
}

fn uboot_env(data: &[u8]) {
    if let Ok(vars) = Vars::decode(data) {
        let written = vars.encode(data.len() + 2).unwrap();
        assert_eq!(Vars::decode(&written).as_ref(), Ok(&vars));
    }
    // a good checksum, so that what is behind it is read
    let copy = [&crc32(data).to_le_bytes()[..], &[1], data].concat();
    let _ = Environment::decode(data);
    if let Ok(env) = Environment::decode_two(&copy, &vec![0; copy.len()], Flags::Increment) {
        let _ = env.encode(&env.vars, Flags::Increment);
    }
}

fn loader_text(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let _ = (EnvConfig::parse(text), TrialId::parse(text), Kind::parse(text), Extlinux::parse(text).chosen());
    LoaderConf::parse(text).pins_another("ostree-1");
    if let Some(name) = CountedName::parse(text) {
        assert_eq!(CountedName::parse(&name.to_string()), Some(name));
    }
}

fn pi_autoboot(data: &[u8]) {
    let Some(Ok(autoboot)) = text(data).map(Autoboot::parse) else { return };
    assert_eq!(autoboot.encode().unwrap(), data);
    let numbers = (autoboot.partition(false), autoboot.partition(true));
    if let Ok(assigned) = autoboot.assign(7, 8) {
        assert_eq!((assigned.partition(false), assigned.partition(true)), (Ok(7), Ok(8)));
        let (Ok(boot), Ok(tried)) = numbers else { panic!("{autoboot:?}: two numbers that were none") };
        assert!(assigned.assign(boot, tried).is_ok());
    }
}

fn pi_config(data: &[u8]) {
    let Some(base) = text(data) else { return };
    let _ = pi::deployment(base);
    let item = pi_item();
    let written = pi::config(base, &item);
    assert_eq!(pi::deployment(&written), Some(item.deployment.as_str()));
    assert_eq!(pi::config(&written, &item), written, "{base:?}");
}

/// A deployment with all that a board boots.
fn pi_item() -> Item {
    let files = [("vmlinuz", false), ("initramfs.img", false), ("dtb", true)];
    Item {
        stateroot: "os".into(),
        deployment: format!("{}.0", "ab".repeat(32)),
        bootcsum: Checksum([7; 32]),
        version: None,
        os_title: "OS".into(),
        kernel: KernelFiles::find("6.1", files),
        entry: Entry::parse("options root=/dev/mmcblk0p3\n"),
        entry_name: None,
    }
}

fn efi_variable(data: &[u8]) {
    let _ =
        Firmware::decode([(efi::global("BootOrder").as_str(), data), (Number(1).variable().as_str(), data)]);
    let _ = Number::parse(&String::from_utf8_lossy(data));
    let _ = (
        variable::is_boot_of(data, "ostree-7"),
        efi::has_initrd(data),
        efi::text::decode(data),
        Booted::decode(data, data),
    );
    if let Ok(numbers) = efi::decode_numbers(data) {
        assert_eq!(efi::encode_numbers(&numbers), data);
    }
    if let Ok(path) = DevicePath::decode(data) {
        assert_eq!(path.encode().unwrap(), data);
    }
    let Ok(variable) = Variable::decode(data) else { return };
    assert_eq!(variable.encode(), data);
    if let Ok(option) = LoadOption::decode(variable.data) {
        assert_eq!(option.encode().unwrap(), variable.data);
    }
}

fn seeds_uboot_env() -> Vec<Vec<u8>> {
    vec![b"bootcount=1\0bootlimit=3\0upgrade_available=1\0\0\0\0".to_vec()]
}

fn seeds_loader_text() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 4] = [
        b"/dev/mtd0 0x0 0x4000 0x10000\n/dev/mtd0 -0x8000 0x4000\n",
        b"default ostree-*\ntimeout 3\n",
        b"default a\nlabel a\n kernel /k\n append x\n",
        b"ostree-7+02-01.conf",
    ];
    texts.map(<[u8]>::to_vec).into()
}

fn seeds_pi_autoboot() -> Vec<Vec<u8>> {
    vec![
        Autoboot::new(2, 3).encode().unwrap(),
        b"boot_partition=2\r\n[tryboot]\r\nboot_partition=3\r\n".to_vec(),
    ]
}

fn seeds_pi_config() -> Vec<Vec<u8>> {
    let board = "dtparam=audio=on\n[pi4]\narm_boost=1\nkernel=old.img\n";
    vec![board.into(), pi::config(board, &pi_item()).into_bytes()]
}

fn seeds_efi_variable() -> Vec<Vec<u8>> {
    let option = LoadOption::new("b", DevicePath::file(1, 2048, 4096, [7; 16], "/EFI/Linux/b.efi"), "quiet");
    let (option, path) = (option.encode().unwrap(), option.path.encode().unwrap());
    let text = efi::text::encode("\\loader\\entries\\a+1-1.conf");
    let file = |data: &[u8]| Variable { attributes: 7, data }.encode();
    vec![file(&option), file(&text), path]
}
