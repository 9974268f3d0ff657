//! Boot loaders on a sysroot in a folder, judged by their own tools: GRUB itself, and U-Boot's `fw_printenv`.

use crate::bootcheck;
use crate::fixture::{Fixture, PATIENCE, Tree, verified};
use rootling_boot::loader::{Outcome, Trial};
use rootling_object::{Checksum, Refspec};
use rootling_store::Result;
use rootling_store::sysroot::loader::{BootState, Loader, Settings, Try};
use rootling_store::sysroot::{DeployOptions, Deployed, Locked, Origin, Running, Sysroot};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn tool(name: &str, package: &str, args: &[&str]) -> String {
    let output = Command::new(name).args(args).output();
    let output = output.unwrap_or_else(|e| panic!("{name}: {e}; apt-get install {package}"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{name} {args:?}: {text}");
    text
}

/// A loader that is asked for by its name.
pub fn named(sysroot: &Path, name: &str) -> Loader {
    let settings = Settings { loader: Some(name.into()), ..Settings::default() };
    Loader::detect(sysroot, sysroot, &settings).unwrap().unwrap()
}

/// A sysroot with deployments of versions 1 and 2 to come, as the running system of a deployment sees it.
pub struct Device {
    pub fixture: Fixture,
    pub commits: [Checksum; 3],
    pub settings: Settings,
}

impl Device {
    pub fn new(loader: Option<&str>) -> Device {
        let fixture = Fixture::new();
        let commits = ["1", "2", "3"].map(|v| fixture.commit(&Tree { version: v, kernel: v, files: &[] }));
        fixture.deploy(&commits[0]);
        let settings = Settings { loader: loader.map(String::from), ..Settings::default() };
        Device { fixture, commits, settings }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.fixture.path().join(name)
    }

    pub fn open(&self, booted: usize) -> Sysroot {
        let path = self.fixture.path();
        let sysroot = self.fixture.open();
        let tree = sysroot.deployments().iter().find(|d| d.checksum == self.commits[booted]).unwrap();
        let root = fs::metadata(sysroot.deployment_path(tree)).unwrap();
        let running = Running {
            cmdline: "ostree=x".into(),
            root: (root.dev(), root.ino()),
            run_dir: self.fixture.dir.path().join("run"),
        };
        let loader = Loader::detect(&path, &path, &self.settings).unwrap();
        Sysroot::open_running(&path, running).unwrap().with_loader(loader)
    }

    pub fn lock(&self, booted: usize) -> Locked {
        self.open(booted).lock(PATIENCE).unwrap()
    }

    pub fn deploy(&self, booted: usize, new: usize, tries: u32) -> Result<Deployed> {
        self.deploy_as(booted, new, Try::Arm { tries, anyway: false })
    }

    pub fn deploy_as(&self, booted: usize, new: usize, trial: Try) -> Result<Deployed> {
        let mut locked = self.lock(booted);
        let commit = verified(locked.repo(), &self.commits[new]);
        let mut options = DeployOptions::new("os", Origin::new(&Refspec::parse("origin:os/main").unwrap()));
        options.trial = trial;
        locked.deploy(&commit, &options)
    }

    pub fn state(&self, booted: usize) -> BootState {
        self.open(booted).boot_state().unwrap().unwrap()
    }

    /// The list, as a check that knows none of the code reads it.
    pub fn list(&self) -> Vec<usize> {
        let boots = bootcheck::check(&self.fixture.path()).unwrap();
        let place = |commit: &str| self.commits.iter().position(|c| c.to_string() == commit).unwrap();
        boots.iter().map(|b| place(&b.commit)).collect()
    }

    fn install_grub(&self) {
        let mut locked = self.lock(0);
        locked.install(named(&self.path(""), "grub"), 0).unwrap();
    }
}

/// A disk with this `/boot`, on which GRUB itself counts.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    fn new(boot: &Path) -> Disk {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).unwrap();
        tool("cp", "coreutils", &["-a", boot.to_str().unwrap(), tree.to_str().unwrap()]);
        let custom = "if [ -z \"${run_entry}\" ]; then\necho \"CHOSE ${default}\"\nexit\nfi\n";
        fs::write(tree.join("boot/grub/custom.cfg"), custom).unwrap();
        let image = dir.path().join("disk.img");
        let features = "^metadata_csum_seed,^orphan_file";
        let (tree, image) = (tree.to_str().unwrap(), image.to_str().unwrap());
        tool("mke2fs", "e2fsprogs", &["-q", "-t", "ext4", "-O", features, "-d", tree, image, "8M"]);
        fs::write(dir.path().join("map"), format!("(hd0) {image}\n")).unwrap();
        Disk { dir }
    }

    /// Which entry GRUB chooses.
    fn boot(&self) -> char {
        let map = self.dir.path().join("map");
        let args = ["120", "grub-emu", "-m", map.to_str().unwrap(), "-r", "hd0", "-d", "/boot/grub"];
        let output = Command::new("timeout").args(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let chose = text.split("CHOSE ").nth(1).and_then(|rest| rest.chars().next());
        chose.unwrap_or_else(|| panic!("grub-emu (apt-get install grub-emu) said {text}"))
    }

    /// The environment block as GRUB left it.
    fn grubenv(&self, to: &Path) {
        let (image, dump) = (self.dir.path().join("disk.img"), self.dir.path().join("grubenv"));
        let request = format!("dump /boot/grub/grubenv {}", dump.display());
        tool("debugfs", "e2fsprogs", &["-R", &request, image.to_str().unwrap()]);
        fs::copy(dump, to).unwrap();
    }
}

#[test]
fn grub_tries_what_is_armed_and_falls_back() {
    let device = Device::new(None);
    device.install_grub();
    let disk = Disk::new(&device.path("boot"));
    assert_eq!(disk.boot(), '0');
    device.deploy(0, 1, 2).unwrap();
    let env = device.path("boot/grub/grubenv");
    let before = fs::metadata(&env).unwrap().ino();
    assert_eq!(device.state(0).outcome, Outcome::NotTriedYet);
    assert_eq!(device.list(), [1, 0]);
    let menu = device.path("boot/loader/grub.cfg");
    tool("grub-script-check", "grub-common", &[menu.to_str().unwrap()]);
    assert!(fs::read_to_string(&menu).unwrap().contains("panic=10"), "a panic ends the try");

    let disk = Disk::new(&device.path("boot"));
    assert_eq!(disk.boot(), '0');
    disk.grubenv(&env);
    let state = device.state(1);
    assert_eq!((state.outcome, state.trial), (Outcome::OnTrial, Trial::Left(1)));
    assert_eq!([disk.boot(), disk.boot(), disk.boot()], ['0', '1', '1'], "two tries, then the confirmed one");
    disk.grubenv(&env);
    assert_eq!(device.state(0).outcome, Outcome::FellBack);

    assert_eq!(device.lock(0).fall_back().unwrap().checksum, device.commits[0]);
    assert_eq!(device.list(), [0]);
    assert_eq!(Disk::new(&device.path("boot")).boot(), '0');
    assert_eq!(device.state(0).armed, None);
    assert_eq!(fs::metadata(&env).unwrap().ino(), before, "written over in place");
    let listed = tool("grub-editenv", "grub-common", &[env.to_str().unwrap(), "list"]);
    assert!(listed.contains(&format!("rootling_try={}.0:0\n", device.commits[1])), "{listed}");
}

#[test]
fn grub_boots_what_is_confirmed_whatever_the_environment_says() {
    let device = Device::new(None);
    device.install_grub();
    device.deploy(0, 1, 3).unwrap();
    device.lock(1).confirm().unwrap();
    assert_eq!((device.list(), device.state(1).armed), (vec![1, 0], None));
    fs::write(device.path("boot/grub/grubenv"), vec![b'#'; 1024]).unwrap();
    let disk = Disk::new(&device.path("boot"));
    assert_eq!([disk.boot(), disk.boot()], ['0', '0']);
}

#[test]
fn installing_a_loader_proves_nothing() {
    let device = Device::new(None);
    device.install_grub();
    device.deploy(0, 1, 3).unwrap();
    for loader in ["grub", "extlinux"] {
        let error = device.lock(0).install(named(&device.path(""), loader), 0).unwrap_err().to_string();
        assert!(error.contains(&format!("{}.0 is on trial", device.commits[1])), "{error}");
    }
    assert_eq!((device.list(), device.state(0).outcome), (vec![1, 0], Outcome::NotTriedYet));
    device.lock(1).confirm().unwrap();
    device.lock(1).install(named(&device.path(""), "grub"), 0).unwrap();
}

#[test]
fn grub_keeps_a_trial_through_other_changes_and_ends_it_with_a_rollback() {
    let device = Device::new(None);
    device.install_grub();
    device.deploy(0, 1, 3).unwrap();
    device.lock(0).cleanup(Default::default()).unwrap();
    device.lock(0).set_pinned(1, true).unwrap();
    assert_eq!(device.state(1).outcome, Outcome::OnTrial);
    device.lock(0).rollback("os").unwrap();
    assert_eq!((device.list(), device.state(0).armed), (vec![0, 1], None));
    let disk = Disk::new(&device.path("boot"));
    assert_eq!([disk.boot(), disk.boot()], ['0', '0']);
    // what is fallen back to is the running system, whatever else is on the list
    device.deploy(0, 1, 3).unwrap();
    device.lock(0).set_pinned(0, true).unwrap();
    device.deploy(0, 2, 3).unwrap();
    assert_eq!(device.list()[..2], [2, 0]);
    // without a deployment to fall back to there is no trial
    let single = Device::new(None);
    single.install_grub();
    assert!(single.lock(0).arm(3, true).unwrap_err().to_string().contains("fall back to"));
}

#[test]
fn a_damaged_grubenv_stops_an_upgrade_before_it_changes_anything() {
    let device = Device::new(None);
    device.install_grub();
    for damage in [&b"short"[..], &[0; 1024], &[b'#'; 2000]] {
        fs::write(device.path("boot/grub/grubenv"), damage).unwrap();
        let error = device.deploy(0, 1, 3).unwrap_err().to_string();
        assert!(error.contains("grubenv: expected"), "{error}");
        assert_eq!(device.list(), [0]);
    }
}

#[test]
fn greenboots_variables_are_set_before_the_list_changes() {
    let device = Device::new(None);
    let env = device.path("boot/grub2/grubenv");
    fs::create_dir(env.parent().unwrap()).unwrap();
    let env = env.to_str().unwrap();
    tool("grub-editenv", "grub-common", &[env, "create"]);
    tool("grub-editenv", "grub-common", &[env, "set", "boot_success=1", "saved_entry=x"]);
    device.deploy(0, 1, 3).unwrap();
    let listed = || tool("grub-editenv", "grub-common", &[env, "list"]);
    assert_eq!(listed(), "boot_success=0\nboot_counter=3\nsaved_entry=x\n");
    assert_eq!(device.state(1).outcome, Outcome::OnTrial);
    tool("grub-editenv", "grub-common", &[env, "set", "boot_counter=-1"]);
    assert_eq!(device.state(0).outcome, Outcome::FellBack);
    device.lock(0).fall_back().unwrap();
    assert_eq!((listed().as_str(), device.list()), ("boot_success=1\nsaved_entry=x\n", vec![0]));
    // a cut after the counter was written, before the list
    tool("grub-editenv", "grub-common", &[env, "set", "boot_success=0", "boot_counter=3"]);
    device.lock(0).settle().unwrap();
    assert_eq!(listed(), "boot_success=1\nsaved_entry=x\n");

    // what is done stays done, whatever became of the block
    device.deploy_as(0, 1, Try::Keep).unwrap();
    fs::write(device.path("boot/grub2/grub.cfg"), "if [ -n \"${boot_counter}\" ]; then").unwrap();
    fs::write(env, [0; 1024]).unwrap();
    device.lock(0).rollback("os").unwrap();
    device.lock(0).cleanup(Default::default()).unwrap();
    assert_eq!(device.list(), [0, 1]);
}

/// An environment in files, in place of the memory of a board.
pub fn uboot(folder: &Path, copies: usize) -> PathBuf {
    fs::create_dir_all(folder.join("etc")).unwrap();
    let (source, image) = (folder.join("source"), folder.join("image"));
    fs::write(&source, "altbootcmd=run second\nbootcmd=run first\nbootlimit=1\n").unwrap();
    let mut args = vec!["-s", "0x2000", "-o", image.to_str().unwrap(), source.to_str().unwrap()];
    if copies == 2 {
        args.insert(0, "-r");
    }
    tool("mkenvimage", "u-boot-tools", &args);
    let (mut ours, mut theirs) = (String::new(), String::new());
    for copy in 0..copies {
        let name = format!("boot/uboot-{copy}.env");
        fs::copy(&image, folder.join(&name)).unwrap();
        ours += &format!("/{name} 0 0x2000\n");
        theirs += &format!("{} 0 0x2000\n", folder.join(&name).display());
    }
    fs::write(folder.join("etc/fw_env.config"), ours).unwrap();
    let config = folder.join("theirs");
    fs::write(&config, theirs).unwrap();
    config
}

#[test]
fn u_boots_own_tools_agree_about_the_environment() {
    for copies in [1, 2] {
        let device = Device::new(None);
        let config = uboot(&device.path(""), copies);
        let config = config.to_str().unwrap();
        let print = |name: &str| tool("fw_printenv", "libubootenv-tool", &["-c", config, "-n", name]);
        let loader = Loader::detect(&device.path(""), &device.path(""), &device.settings).unwrap().unwrap();
        device.lock(0).install(loader, 0).unwrap();
        device.deploy(0, 1, 3).unwrap();
        let values = ["upgrade_available", "bootcount", "bootlimit"].map(print);
        assert_eq!(values.map(|v| v.trim().to_string()), ["1", "0", "3"]);
        assert_eq!(print("bootcmd").trim(), "run first", "others stay");
        let uenv = fs::read_to_string(device.path("boot/uEnv.txt")).unwrap();
        assert!(uenv.contains("bootargs2=") && uenv.contains(" panic=10\n"), "{uenv}");
        assert_eq!(device.state(1).outcome, Outcome::OnTrial);

        // the board boots three times, then altbootcmd
        tool("fw_setenv", "libubootenv-tool", &["-c", config, "bootcount", "4"]);
        assert_eq!((device.state(0).outcome, device.state(0).trial), (Outcome::FellBack, Trial::Spent));
        device.lock(0).fall_back().unwrap();
        assert_eq!((device.list(), print("upgrade_available").trim()), (vec![0], "0"));
        let uenv = fs::read_to_string(device.path("boot/uEnv.txt")).unwrap();
        assert!(!uenv.contains("panic="), "{uenv}");
        let value = |name: &str| uenv.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        assert_eq!(value("kernel_image="), value("kernel_image2="), "altbootcmd boots the good one too");

        device.deploy(0, 2, 1).unwrap();
        device.lock(2).confirm().unwrap();
        assert_eq!((print("upgrade_available").trim(), print("bootcount").trim()), ("0", "0"));
        assert_eq!((device.list(), device.state(2).armed), (vec![2, 0], None));
    }
}

#[test]
fn a_u_boot_that_cannot_fall_back_or_is_damaged_is_refused() {
    let device = Device::new(Some("u-boot"));
    let config = uboot(&device.path(""), 2);
    let config = config.to_str().unwrap();
    tool("fw_setenv", "libubootenv-tool", &["-c", config, "altbootcmd"]);
    assert!(device.deploy(0, 1, 3).unwrap_err().to_string().contains("u-boot without altbootcmd: does not"));
    tool("fw_setenv", "libubootenv-tool", &["-c", config, "altbootcmd", "run second"]);
    fs::write(device.path("boot/uboot-0.env"), [0; 0x2000]).unwrap();
    fs::write(device.path("boot/uboot-1.env"), [0; 0x2000]).unwrap();
    let error = device.deploy(0, 1, 3).unwrap_err().to_string();
    assert!(error.contains("one good copy of two"), "{error}");
    fs::write(device.path("boot/uboot-1.env"), [0; 7]).unwrap();
    assert!(device.deploy(0, 1, 3).unwrap_err().to_string().contains("expected 8192 bytes"));
    assert_eq!(device.list(), [0]);
}

#[test]
fn extlinux_gets_its_menu_and_no_trial_unless_told_so() {
    let device = Device::new(None);
    device.lock(0).install(named(&device.path(""), "extlinux"), 0).unwrap();
    assert!(device.deploy(0, 1, 3).unwrap_err().to_string().contains("does not count boots"));
    assert_eq!(device.list(), [0]);
    device.lock(0).cleanup(Default::default()).unwrap();
    device.deploy_as(0, 1, Try::Arm { tries: 1, anyway: true }).unwrap();
    let menu = fs::read_to_string(device.path("boot/extlinux/extlinux.conf")).unwrap();
    let first = menu.split("\nlabel ").nth(1).unwrap();
    assert!(first.contains("Test OS 2") && first.contains("panic=10"), "{menu}");
    assert_eq!(device.state(1).outcome, Outcome::OnTrial);
}

#[test]
fn extlinux_keeps_its_menu_beside_an_environment_that_is_out_of_reach() {
    let mut device = Device::new(None);
    device.lock(0).install(named(&device.path(""), "extlinux"), 0).unwrap();
    let menu = device.path("boot/extlinux/extlinux.conf");
    fs::create_dir_all(device.path("etc")).unwrap();
    for (place, config) in ["/dev/mtd1 0 0x4000 0x4000\n", "/boot/none.env 0 0x2000\n"].iter().enumerate() {
        fs::write(device.path("etc/fw_env.config"), config).unwrap();
        device.deploy_as(0, place + 1, Try::Keep).unwrap();
        let first = fs::read_to_string(&menu).unwrap();
        let first = first.split("\nlabel ").nth(1).unwrap();
        assert!(first.contains(&format!("Test OS {}", place + 2)), "{first}");
    }
    let before = device.list();
    device.settings.loader = Some("none".into());
    let error = device.lock(0).rollback("os").unwrap_err().to_string();
    assert!(error.contains("boot/extlinux/extlinux.conf"), "{error}");
    assert_eq!(device.list(), before);
    assert!(menu.exists(), "what boots is still there");
}

#[test]
fn a_loader_that_nobody_knows_is_refused_by_name() {
    let device = Device::new(Some("lilo"));
    let detect = |settings: &Settings| Loader::detect(&device.path(""), &device.path(""), settings);
    let error = detect(&device.settings).unwrap_err().to_string();
    assert!(error.contains("lilo") && error.contains("u-boot"), "{error}");
    assert!(detect(&Settings::default()).unwrap().is_none());
    let named = |name: &str| Settings { loader: Some(name.into()), ..Settings::default() };
    assert!(detect(&named("efi")).unwrap_err().to_string().contains("efi"));
    // on flash that nobody knows: refused where it is asked for, else left alone
    fs::create_dir_all(device.path("etc")).unwrap();
    for flash in ["/dev/ubi0_0", "/dev/mtdblock1"] {
        fs::write(device.path("etc/fw_env.config"), format!("{flash} 0 0x4000 0x4000\n")).unwrap();
        assert!(detect(&Settings::default()).unwrap().is_none());
        let error = detect(&named("u-boot")).unwrap_err().to_string();
        assert!(error.contains(&format!("flash ({flash})")), "{error}");
    }
    assert!(detect(&named("greenboot")).unwrap_err().to_string().contains("boot_success"));
    assert!(detect(&named("none")).unwrap().is_none());
}
