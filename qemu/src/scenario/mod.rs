//! What is tried on a machine: each scenario is one list of steps with what must be seen after each.

mod fat_env;
mod full_disk;
pub mod guest;
mod kind;
mod memory;
mod serve;
mod stage;
mod steps;
mod take_over;
mod watchdog;

pub use kind::{ALL, Scenario};

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::image::{self, By, disk::Sizes};
use crate::machine::command::{Accel, Console, Options, copy, variables};
use crate::machine::{Machine, Moment};
use crate::path;
use guest::Guest;
use stage::Stage;

/// What every image starts with.
const BASE: &str = "good-1";

/// What every scenario of one run shares.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The systems.
    pub guest: Guest,
    /// The program of the build host.
    pub compose: PathBuf,
    /// The device program, built for this machine.
    pub agent: PathBuf,
    /// A U-Boot that counts boots, for the paths that need one.
    pub uboot: Option<PathBuf>,
    /// How large the disk's parts are.
    pub sizes: Sizes,
    /// Memory of the guest in MiB.
    pub memory: u32,
    /// What runs the processor.
    pub accel: Accel,
    /// Every write to the disk is logged.
    pub log_writes: bool,
    /// Everything that is made.
    pub folder: PathBuf,
}

/// How one scenario went.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Where.
    pub path: path::Path,
    /// What.
    pub scenario: Scenario,
    /// Why it failed.
    pub fault: Option<String>,
    /// From the start of QEMU to the end.
    pub wall_s: f64,
    /// Processor seconds of QEMU.
    pub cpu_s: f64,
    /// What happened when.
    pub timeline: Vec<Moment>,
    /// Everything that came out of the serial port.
    pub log: PathBuf,
}

/// Runs scenarios on one path, told of as each ends; its images are made once.
pub fn run(
    setting: &Setting,
    path: path::Path,
    scenarios: &[Scenario],
    tell: &mut dyn FnMut(Outcome) -> Result<()>,
) -> Result<()> {
    let other = scenarios.iter().find(|scenario| !scenario.fits(path));
    ensure!(other.is_none(), "scenario {}: not for the path {path}", other.map_or("", |other| other.name()));
    let folder = setting.folder.join(path.to_string().replace('/', "-"));
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let origin = setting.guest.copy(&folder.join("base"))?;
    origin.publish(&setting.compose, BASE)?;
    let image = |by: By| {
        let disk = folder.join(format!("base-{}.img", by.name()));
        if disk.exists() {
            return Ok(disk);
        }
        image::make(&image::Options {
            path,
            by,
            repo: origin.path.clone(),
            name: setting.guest.name.clone(),
            disk: disk.clone(),
            agent: setting.agent.clone(),
            url: "http://10.0.2.2/".into(),
            policy: setting.guest.policy(),
            kargs: ["quiet", "loglevel=3"].map(String::from).into(),
            sizes: setting.sizes,
        })
        .map(|()| disk)
    };
    for scenario in scenarios {
        tell(one(setting, path, *scenario, &folder, &image(scenario.by())?)?)?;
    }
    Ok(())
}

fn one(
    setting: &Setting,
    path: path::Path,
    scenario: Scenario,
    folder: &Path,
    disk: &Path,
) -> Result<Outcome> {
    let folder = folder.join(scenario.name());
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let repo = setting.guest.copy(&folder.join("repo"))?;
    let own = folder.join("disk.img");
    copy(disk, &own)?;
    let log = folder.join("serial.log");
    let options = Options {
        path,
        disk: own.clone(),
        memory: scenario.memory(path).unwrap_or(setting.memory),
        accel: setting.accel,
        uboot: setting.uboot.clone(),
        console: Console::Plain,
        writes: setting.log_writes.then(|| folder.join("writes")),
        second: scenario.has_env().then(|| fat_env::disk(&folder)).transpose()?,
        watchdog: scenario == Scenario::Watchdog,
    };
    let served = serve::serve(&repo.path, setting.guest.tls().as_deref(), &folder)?;
    let base = repo.publish(&setting.compose, BASE)?;
    let begin = Instant::now();
    let memory = options.memory;
    let machine = Machine::start(options, log.clone())?;
    let mut stage = Stage {
        machine,
        repo,
        base,
        url: served.url.clone(),
        compose: setting.compose.clone(),
        agent: setting.agent.clone(),
        policy: setting.guest.flags(),
        path,
        has_boot: setting.sizes.has_boot(),
        memory,
    };
    let result = steps::play(scenario, &mut stage);
    let (cpu_s, timeline) = stage.machine.finish();
    drop(served);
    let fault = result.err().map(|error| format!("{error:#}"));
    if fault.is_none() {
        // what failed is kept to look at
        fs::remove_file(&own).ok();
        fs::remove_dir_all(folder.join("repo")).ok();
        fs::remove_dir_all(folder.join("nginx")).ok();
        fs::remove_file(variables(&own)).ok();
    }
    let wall_s = begin.elapsed().as_secs_f64();
    Ok(Outcome { path, scenario, fault, wall_s, cpu_s, timeline, log })
}
