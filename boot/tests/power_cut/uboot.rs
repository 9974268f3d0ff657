//! U-Boot with bootcount in its environment, on each kind of medium.

use crate::disk::{Disk, cut_everywhere};
use crate::lists::{deployment, swap};
use rootling_boot::loader::{Change, Trial};
use rootling_boot::plan::Plan;
use rootling_boot::uboot::{self, EnvConfig, Environment, Extlinux, Flags, Medium, Vars};

const SIZE: usize = 0x400;
const FILE: &str = "boot/uboot.env";
const DEVICE: &str = "/dev/mtd0";

struct Board {
    config: Option<EnvConfig>,
    flags: Flags,
}

impl Board {
    fn file() -> Board {
        Board { config: None, flags: Flags::Increment }
    }

    fn two(flags: Flags) -> Board {
        let text = format!("{DEVICE} 0x200 {SIZE:#x}\n{DEVICE} 0x800 {SIZE:#x}\n");
        Board { config: Some(EnvConfig::parse(&text).unwrap()), flags }
    }

    fn medium(&self) -> Medium<'_> {
        match &self.config {
            None => Medium::File(FILE),
            Some(config) => Medium::Raw { config, lengths: (0x1000, 0x1000), flags: self.flags },
        }
    }

    fn env(&self, disk: &Disk) -> rootling_boot::Result<Environment> {
        match &self.config {
            None => Environment::decode(&disk.read(FILE).unwrap_or_default()),
            Some(_) => {
                let device = &disk.nodes[DEVICE];
                let crate::disk::Node::File(bytes) = device else { panic!() };
                Environment::decode_two(&bytes[0x200..][..SIZE], &bytes[0x800..][..SIZE], self.flags)
            }
        }
    }

    /// What U-Boot does: counts, saves, and chooses a deployment of uEnv.txt. It reads its environment or has none.
    fn boot(&self, disk: &mut Disk) -> String {
        let env = self.env(disk).expect("U-Boot is left without an environment");
        let mut vars = env.vars.clone();
        let mut suffix = "";
        if vars.number("upgrade_available").unwrap_or(0) != 0 {
            let count = vars.number("bootcount").unwrap_or(0) + 1;
            vars.set("bootcount", &count.to_string()).unwrap();
            if vars.number("bootlimit").is_some_and(|limit| limit > 0 && count > limit) {
                suffix = "2";
            }
            self.save(disk, &env, &vars);
        }
        let text = disk.text("boot/loader/uEnv.txt").unwrap();
        let get = |name: &str| {
            let start = format!("{name}{suffix}=");
            text.lines()
                .find_map(|line| line.strip_prefix(&start))
                .unwrap_or_else(|| panic!("no {start} in {text}"))
        };
        deployment(disk, get("kernel_image"), get("ramdisk_image"), get("bootargs"))
    }

    fn save(&self, disk: &mut Disk, env: &Environment, vars: &Vars) {
        let copy = env.encode(vars, self.flags).unwrap();
        if self.config.is_none() {
            return disk.put(FILE, copy);
        }
        let Some(crate::disk::Node::File(bytes)) = disk.nodes.get_mut(DEVICE) else { panic!() };
        let (at, old) = if env.chosen == uboot::Chosen::First { (0x800, 0x200) } else { (0x200, 0x800) };
        bytes[at..at + SIZE].copy_from_slice(&copy);
        if self.flags == Flags::Boolean {
            bytes[old + 4] = 0;
        }
    }

    fn device(&self, names: &str) -> Disk {
        let mut disk = Disk::default();
        Change::from(list(&disk, names)).steps.iter().for_each(|step| disk.apply(step));
        let mut vars = Vars::default();
        vars.set("altbootcmd", "run second").unwrap();
        let single = {
            let data = vars.encode(SIZE - 4).unwrap();
            [uboot::crc32(&data).to_le_bytes().to_vec(), data].concat()
        };
        let first = {
            let data = vars.encode(SIZE - 5).unwrap();
            [uboot::crc32(&data).to_le_bytes().to_vec(), vec![1], data].concat()
        };
        disk.put(FILE, single);
        let mut flash = vec![0xff; 0x1000];
        flash[0x200..][..SIZE].copy_from_slice(&first);
        disk.put(DEVICE, flash);
        disk
    }
}

fn list(disk: &Disk, names: &str) -> Plan {
    swap(disk, names, Some((uboot::UENV, &|entries| uboot::uenv(entries, true, "").unwrap())))
}

fn boards() -> Vec<Board> {
    vec![Board::file(), Board::two(Flags::Increment), Board::two(Flags::Boolean)]
}

#[test]
fn arming_cut_anywhere_boots_old_or_new_counted() {
    for board in boards() {
        let mut disk = board.device("az");
        let env = board.env(&disk).unwrap();
        let change = uboot::arm(&env, &board.medium(), list(&disk, "ba"), 2, false).unwrap();
        cut_everywhere(&mut disk, &change.steps, |cut, at| {
            let mut cut = cut.clone();
            let boots: String = (0..2).map(|_| board.boot(&mut cut)).collect();
            assert!(["a.0a.0", "b.0b.0"].contains(&boots.as_str()), "{at}: {boots}");
            if boots == "b.0b.0" {
                assert_eq!(
                    (board.boot(&mut cut), board.boot(&mut cut)),
                    ("a.0".into(), "a.0".into()),
                    "{at}"
                );
            } else {
                // the old system's own confirmation ends a count that was meant for the new one
                let env = board.env(&cut).unwrap();
                uboot::confirm(&env, &board.medium()).unwrap().steps.iter().for_each(|step| cut.apply(step));
                assert_eq!((0..4).map(|_| board.boot(&mut cut)).collect::<String>(), "a.0".repeat(4), "{at}");
            }
        });
        assert_eq!(uboot::trial(&board.env(&disk).unwrap()), Trial::Left(2));
    }
}

#[test]
fn the_first_update_of_a_device_leaves_something_to_boot_however_often_it_is_counted() {
    for board in boards() {
        let mut disk = board.device("a");
        let env = board.env(&disk).unwrap();
        let change = uboot::arm(&env, &board.medium(), list(&disk, "ba"), 2, false).unwrap();
        cut_everywhere(&mut disk, &change.steps, |cut, at| {
            let mut cut = cut.clone();
            let boots: String = (0..4).map(|_| board.boot(&mut cut)).collect();
            assert!(["a.0a.0a.0a.0", "b.0b.0a.0a.0"].contains(&boots.as_str()), "{at}: {boots}");
        });
    }
}

#[test]
fn confirming_and_falling_back_cut_anywhere() {
    for board in boards() {
        let mut disk = board.device("az");
        let env = board.env(&disk).unwrap();
        let change = uboot::arm(&env, &board.medium(), list(&disk, "ba"), 2, false).unwrap();
        change.steps.iter().for_each(|step| disk.apply(step));
        assert_eq!(board.boot(&mut disk), "b.0");
        let old_or_new = |cut: &Disk, at: &str| {
            let next = board.boot(&mut cut.clone());
            assert!(next == "a.0" || next == "b.0", "{at}: {next}");
        };
        let mut good = disk.clone();
        let change = uboot::confirm(&board.env(&good).unwrap(), &board.medium()).unwrap();
        cut_everywhere(&mut good, &change.steps, old_or_new);
        assert_eq!((0..4).map(|_| board.boot(&mut good)).collect::<String>(), "b.0".repeat(4));

        let change = uboot::fall_back(&board.env(&disk).unwrap(), &board.medium()).unwrap();
        cut_everywhere(&mut disk, &change.steps, old_or_new);
        assert_eq!(board.boot(&mut disk), "a.0");
        assert_eq!(uboot::trial(&board.env(&disk).unwrap()), Trial::Spent);
        cut_everywhere(&mut disk.clone(), &Change::from(list(&disk, "az")).steps, |cut, at| {
            let next = board.boot(&mut cut.clone());
            assert!(next == "a.0" || next == "z.0", "{at}: {next}");
        });
    }
}

#[test]
fn one_raw_copy_is_not_safe_which_is_why_it_is_refused() {
    let config = EnvConfig::parse(&format!("{DEVICE} 0x200 {SIZE:#x}\n")).unwrap();
    let medium = Medium::Raw { config: &config, lengths: (0x1000, 0), flags: Flags::Increment };
    let board = Board::file();
    let mut disk = board.device("az");
    let env = board.env(&disk).unwrap();
    assert!(uboot::arm(&env, &medium, list(&disk, "ba"), 2, false).is_err());
    let change = uboot::arm(&env, &medium, list(&disk, "ba"), 2, true).unwrap();
    let mut flash = vec![0; 0x1000];
    flash[0x200..][..SIZE].copy_from_slice(&disk.read(FILE).unwrap());
    disk.put(DEVICE, flash);
    let mut lost = 0;
    cut_everywhere(&mut disk, &change.steps, |cut, _| {
        let crate::disk::Node::File(bytes) = &cut.nodes[DEVICE] else { panic!() };
        lost += usize::from(Environment::decode(&bytes[0x200..][..SIZE]).is_err());
    });
    assert!(lost > 0, "a torn write of the only copy was never seen");
}

#[test]
fn extlinux_changes_with_the_list() {
    let make: &dyn Fn(&[rootling_boot::Entry]) -> String = &|entries| uboot::extlinux(entries, true, 1);
    let mut disk = Disk::default();
    Change::from(swap(&disk, "a", Some(("extlinux.conf", make))))
        .steps
        .iter()
        .for_each(|step| disk.apply(step));
    let plan = swap(&disk, "ba", Some(("extlinux.conf", make)));
    cut_everywhere(&mut disk, &Change::from(plan).steps, |cut, at| {
        let read = Extlinux::parse(&cut.text("boot/loader/extlinux.conf").unwrap());
        let label = read.chosen().unwrap();
        let get = |value: &Option<String>| value.clone().unwrap();
        let next = deployment(cut, &get(&label.kernel), &get(&label.initrd), &get(&label.append));
        assert!(next == "a.0" || next == "b.0", "{at}: {next}");
    });
    assert!(uboot::EXTLINUX_PROMISES.allow(3, false).is_err());
}
