//! What is tried on a machine: each scenario is one list of steps with what must be seen after each.

pub mod guest;
mod steps;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rootling_compose::serve::Server;

use crate::image::{self, disk::Sizes};
use crate::machine::command::{Accel, Options, copy};
use crate::machine::{Machine, Moment};
use crate::path;
use guest::{Guest, Repo};

/// What every image starts with.
const BASE: &str = "good-1";
/// Seconds until a guest on trial that was not confirmed reboots; enough for an emulated machine on a busy host.
const DEADLINE: &str = "guest.deadline=60";

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// A good update is tried, confirmed and stays.
    Upgrade,
    /// An update whose kernel panics.
    Panic,
    /// An update that boots and fails a health check.
    FailedCheck,
    /// An update in which the device program does not start.
    DeadAgent,
    /// Back to the previous system by hand.
    Rollback,
    /// An old system, a newer one, and one newer still.
    Chain,
    /// The power goes in the middle of updates.
    PowerCut,
}

/// In the order of the report.
pub const ALL: &[Scenario] = &[
    Scenario::Upgrade,
    Scenario::Panic,
    Scenario::FailedCheck,
    Scenario::DeadAgent,
    Scenario::Rollback,
    Scenario::Chain,
    Scenario::PowerCut,
];

impl Scenario {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Upgrade => "upgrade",
            Scenario::Panic => "panic",
            Scenario::FailedCheck => "failed-check",
            Scenario::DeadAgent => "dead-agent",
            Scenario::Rollback => "rollback",
            Scenario::Chain => "chain",
            Scenario::PowerCut => "power-cut",
        }
    }
}

impl FromStr for Scenario {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Scenario> {
        let found = ALL.iter().find(|scenario| scenario.name() == text);
        let Some(found) = found else {
            let names: Vec<&str> = ALL.iter().map(|scenario| scenario.name()).collect();
            bail!("scenario {text:?}: expected one of {}", names.join(" "));
        };
        Ok(*found)
    }
}

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

/// A machine on a fresh copy of the path's image, with a repo of its own.
pub struct Stage {
    /// The machine.
    pub machine: Machine,
    /// What it updates from.
    pub repo: Repo,
    /// The commit of the image.
    pub base: String,
    /// The repo's address, as the guest sees it.
    pub url: String,
    /// The program of the build host.
    pub compose: PathBuf,
    /// What the guest verifies by.
    pub policy: String,
    /// The path.
    pub path: path::Path,
    /// To start the machine again.
    pub options: Options,
    /// The serial port's log.
    pub log: PathBuf,
}

/// Runs scenarios on one path; its image is made once.
pub fn run(
    setting: &Setting,
    path: path::Path,
    scenarios: &[Scenario],
    tell: &mut dyn FnMut(&Outcome),
) -> Result<Vec<Outcome>> {
    let folder = setting.folder.join(path.to_string().replace('/', "-"));
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let origin = setting.guest.copy(&folder.join("base"))?;
    origin.publish(&setting.compose, BASE)?;
    let disk = folder.join("base.img");
    image::make(&image::Options {
        path,
        repo: origin.path.clone(),
        name: setting.guest.name.clone(),
        disk: disk.clone(),
        agent: setting.agent.clone(),
        url: "http://10.0.2.2/".into(),
        policy: setting.guest.policy(),
        kargs: ["quiet", "loglevel=3", DEADLINE].map(String::from).into(),
        sizes: Sizes { esp: 96, root: 768 },
    })?;
    let mut outcomes = Vec::new();
    for scenario in scenarios {
        let outcome = one(setting, path, *scenario, &folder, &disk)?;
        tell(&outcome);
        outcomes.push(outcome);
    }
    Ok(outcomes)
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
        memory: setting.memory,
        accel: setting.accel,
        uboot: setting.uboot.clone(),
        writes: setting.log_writes.then(|| folder.join("writes")),
        folder: folder.clone(),
    };
    let server = Server::bind(&repo.path, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), |_| {})?;
    let url = format!("http://10.0.2.2:{}/", server.address()?.port());
    std::thread::spawn(move || server.run());
    let base = repo.publish(&setting.compose, BASE)?;
    let begin = Instant::now();
    let machine = Machine::start(&options, &log)?;
    let mut stage = Stage {
        machine,
        repo,
        base,
        url,
        compose: setting.compose.clone(),
        policy: setting.guest.policy(),
        path,
        options,
        log: log.clone(),
    };
    let result = steps::play(scenario, &mut stage);
    let (cpu_s, timeline) = stage.machine.finish();
    let fault = result.err().map(|error| format!("{error:#}"));
    if fault.is_none() {
        // what failed is kept to look at
        fs::remove_file(&own).ok();
        fs::remove_dir_all(folder.join("repo")).ok();
        fs::remove_file(folder.join("efivars.fd")).ok();
    }
    let wall_s = begin.elapsed().as_secs_f64();
    Ok(Outcome { path, scenario, fault, wall_s, cpu_s, timeline, log })
}
