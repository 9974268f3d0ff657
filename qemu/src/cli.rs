//! The command line.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use rootling_compose::serve::Server;

use crate::image::{self, By, disk::Sizes};
use crate::machine::accel;
use crate::machine::command::{Accel, Console, Options, command};
use crate::path::Path;
use crate::report;
use crate::scenario::guest::Guest;
use crate::scenario::{self, Scenario, Setting};

/// Boots images under QEMU with real boot loaders, and runs scenarios on them.
#[derive(Debug, Parser)]
#[command(version)]
struct Typed {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a bootable disk from a repo; needs no root but for the owners of files.
    Image(ImageArgs),
    /// Boots a disk with its serial port on this terminal; Ctrl-C ends it.
    Run(RunArgs),
    /// Runs scenarios on paths and writes a report; exits with 1 if one failed.
    Validate(ValidateArgs),
    /// Lists paths and scenarios.
    List,
}

#[derive(Debug, Args)]
struct ImageArgs {
    /// x86_64, aarch64 or armv7.
    #[arg(long)]
    arch: String,
    /// grub, grub-efi, systemd-boot, u-boot or extlinux.
    #[arg(long)]
    loader: String,
    /// The repo's folder.
    #[arg(long)]
    repo: PathBuf,
    /// What is deployed.
    #[arg(long = "ref")]
    name: String,
    /// Where the device looks for updates.
    #[arg(long, default_value = "http://10.0.2.2:8080/")]
    url: String,
    /// The public key that commits must be signed with [default: nothing is verified].
    #[arg(long)]
    key: Option<PathBuf>,
    /// A kernel argument; may be repeated.
    #[arg(long)]
    karg: Vec<String>,
    /// MiB of the root.
    #[arg(long, default_value_t = 768)]
    root_size: u64,
    /// MiB of a partition for /boot [default: a folder of the root].
    #[arg(long, default_value_t = 0, hide_default_value = true, value_parser = mib())]
    boot_size: u64,
    /// MiB of the FAT partition.
    #[arg(long, default_value_t = 96)]
    esp_size: u64,
    /// The device program, built for this machine [default: rootling beside this program].
    #[arg(long)]
    agent: Option<PathBuf>,
    /// The disk.
    #[arg(short, long)]
    output: PathBuf,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// x86_64, aarch64 or armv7.
    #[arg(long)]
    arch: String,
    /// grub, grub-efi, systemd-boot, u-boot or extlinux.
    #[arg(long)]
    loader: String,
    /// The disk, which is written; variables of UEFI are kept beside it.
    disk: PathBuf,
    /// A shell by hand: what is typed goes to the guest, Ctrl-C too; Ctrl-A X ends it.
    #[arg(long)]
    shell: bool,
    /// A folder that the guest sees at http://10.0.2.2:PORT/.
    #[arg(long)]
    serve: Option<PathBuf>,
    /// PORT of that.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    #[command(flatten)]
    machine: MachineArgs,
}

#[derive(Debug, Args)]
struct ValidateArgs {
    /// Scenarios, or all.
    #[arg(required = true)]
    scenarios: Vec<String>,
    /// A path, PATH:SCENARIO,SCENARIO for its own scenarios, or all, each with the scenarios that it can show; may be repeated.
    #[arg(long = "path", required = true)]
    paths: Vec<String>,
    /// The folder with the guest of an architecture, as cargo xtask guest makes it: ARCH=FOLDER; may be repeated.
    #[arg(long = "guest", required = true)]
    guests: Vec<String>,
    /// U-Boot that counts boots: ARCH=FILE; may be repeated.
    #[arg(long = "uboot")]
    uboots: Vec<String>,
    /// The device program, built for this machine [default: rootling beside this program].
    #[arg(long)]
    agent: Option<PathBuf>,
    /// MiB of the root.
    #[arg(long, default_value_t = 768)]
    root_size: u64,
    /// MiB of a partition for /boot [default: a folder of the root].
    #[arg(long, default_value_t = 0, hide_default_value = true, value_parser = mib())]
    boot_size: u64,
    /// Log every write to the disk into OUTPUT/PATH/SCENARIO/writes, over restarts of the guest too.
    #[arg(long)]
    log_writes: bool,
    /// Everything that is made, and the report.
    #[arg(short, long, default_value = "target/qemu")]
    output: PathBuf,
    #[command(flatten)]
    machine: MachineArgs,
}

#[derive(Debug, Args)]
struct MachineArgs {
    /// What runs the processor.
    #[arg(long, value_enum, default_value_t = AccelArg::Auto)]
    accel: AccelArg,
    /// MiB of memory.
    #[arg(long, default_value_t = 512)]
    memory: u32,
    /// A U-Boot that counts boots, for `run`.
    #[arg(long)]
    bios: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AccelArg {
    /// KVM where a probe shows that it runs guests.
    Auto,
    /// QEMU itself.
    Tcg,
    /// KVM, whatever a probe would say.
    Kvm,
}

/// Parses and performs.
pub fn run() -> Result<ExitCode> {
    match Typed::parse().command {
        Command::Image(args) => make(args),
        Command::Run(args) => boot(args),
        Command::Validate(args) => validate(args),
        Command::List => {
            crate::path::PATHS.iter().for_each(|path| println!("{path}"));
            scenario::ALL.iter().for_each(|scenario| println!("{}", scenario.name()));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn make(args: ImageArgs) -> Result<ExitCode> {
    rootling_compose::userns::become_root()?;
    let policy = match &args.key {
        None => "--no-sign-verify".into(),
        Some(key) => {
            let text = std::fs::read_to_string(key).with_context(|| format!("read {}", key.display()))?;
            format!("--sign-verify=ed25519=inline:{}", text.trim())
        }
    };
    image::make(&image::Options {
        path: Path::new(&args.arch, &args.loader)?,
        by: By::Agent,
        repo: args.repo,
        name: args.name,
        disk: args.output,
        agent: beside(args.agent, "rootling")?,
        url: args.url,
        policy,
        kargs: args.karg,
        sizes: Sizes { esp: args.esp_size, boot: args.boot_size, root: args.root_size },
    })?;
    Ok(ExitCode::SUCCESS)
}

fn boot(args: RunArgs) -> Result<ExitCode> {
    let path = Path::new(&args.arch, &args.loader)?;
    if let Some(folder) = &args.serve {
        let server = Server::bind(folder, SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)), |_| {})?;
        std::thread::spawn(move || server.run());
    }
    let options = Options {
        path,
        disk: args.disk,
        memory: args.machine.memory,
        accel: args.machine.accel(path),
        uboot: args.machine.bios,
        console: if args.shell { Console::Terminal } else { Console::Plain },
        writes: None,
        second: None,
        watchdog: false,
    };
    let mut qemu = command(&options)?;
    let status = qemu.status().with_context(|| format!("start {}", crate::host::line(&qemu)))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn validate(args: ValidateArgs) -> Result<ExitCode> {
    let mut outcomes = Vec::new();
    // what an earlier run left says nothing of this one, whatever ends it
    std::fs::create_dir_all(&args.output).with_context(|| format!("create {}", args.output.display()))?;
    report::write(&args.output, &outcomes)?;
    for (path, own) in paths(&args.paths)? {
        let arch = path.arch.name();
        let guest = pick(&args.guests, arch).with_context(|| format!("no --guest for {arch}"))?;
        let setting = Setting {
            guest: Guest::open(guest.as_ref(), &format!("guest/{arch}"))?,
            compose: beside(None, "rootling-compose")?,
            agent: beside(args.agent.clone(), "rootling")?,
            uboot: pick(&args.uboots, arch).map(PathBuf::from),
            sizes: Sizes { esp: 96, boot: args.boot_size, root: args.root_size },
            memory: args.machine.memory,
            accel: args.machine.accel(path),
            log_writes: args.log_writes,
            folder: std::path::absolute(&args.output)?,
        };
        let mut wanted = own.map_or_else(|| scenarios(&args.scenarios, path), Ok)?;
        if args.paths.iter().any(|name| name == "all") {
            wanted.retain(|scenario| scenario.fits(path));
        }
        scenario::run(&setting, path, &wanted, &mut |outcome| {
            println!("{}", report::line(&outcome));
            outcomes.push(outcome);
            report::write(&args.output, &outcomes)
        })?;
    }
    print!("{}", report::text(&outcomes).lines().last().map(|line| format!("{line}\n")).unwrap_or_default());
    println!("report: {}", args.output.join("index.html").display());
    let failed = outcomes.iter().any(|outcome| outcome.fault.is_some());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The scenarios of these names; all are those that the path can show.
fn scenarios(names: &[String], path: Path) -> Result<Vec<Scenario>> {
    if names.iter().any(|name| name == "all") {
        return Ok(scenario::ALL.iter().copied().filter(|scenario| scenario.fits(path)).collect());
    }
    names.iter().map(|name| name.parse()).collect()
}

/// Paths, each with scenarios of its own or without.
fn paths(names: &[String]) -> Result<Vec<(Path, Option<Vec<Scenario>>)>> {
    if names.iter().any(|name| name == "all") {
        return Ok(crate::path::PATHS.iter().map(|path| (*path, None)).collect());
    }
    let one = |name: &String| match name.split_once(':') {
        None => Ok((name.parse()?, None)),
        Some((path, own)) => {
            let (path, own): (Path, Vec<String>) =
                (path.parse()?, own.split(',').map(String::from).collect());
            Ok((path, Some(scenarios(&own, path)?)))
        }
    };
    names.iter().map(one).collect()
}

/// The value for an architecture among ARCH=VALUE.
fn pick<'a>(values: &'a [String], arch: &str) -> Option<&'a str> {
    values
        .iter()
        .filter_map(|value| value.split_once('='))
        .find(|(name, _)| *name == arch)
        .map(|(_, value)| value)
}

/// A program that was given, else the one in the folder of this program.
fn beside(given: Option<PathBuf>, name: &str) -> Result<PathBuf> {
    match given {
        Some(given) => Ok(given),
        None => Ok(std::env::current_exe().context("where is this program?")?.with_file_name(name)),
    }
}

/// MiB of a partition, up to a TiB: its bytes can be counted.
fn mib() -> RangedU64ValueParser {
    value_parser!(u64).range(..=1 << 20)
}

impl MachineArgs {
    fn accel(&self, path: Path) -> Accel {
        match self.accel {
            AccelArg::Auto => accel::choose(path.arch),
            AccelArg::Tcg => Accel::Tcg,
            AccelArg::Kvm => Accel::Kvm,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_bring_its_scenarios() {
        let names = ["x86_64/grub".to_owned(), "armv7/u-boot:panic,upgrade".to_owned()];
        let found = paths(&names).unwrap();
        assert_eq!(found[0].1, None);
        assert_eq!(found[1].1, Some(vec![Scenario::Panic, Scenario::Upgrade]));
        assert!(paths(&["x86_64/grub:nonsense".into()]).is_err());
        let every = |name: &str| paths(&[format!("{name}:all")]).unwrap()[0].1.clone().unwrap();
        assert_eq!(every("x86_64/grub"), scenario::ALL);
        assert!(!every("armv7/u-boot").contains(&Scenario::TakeOver));
        assert_eq!(paths(&["all".into()]).unwrap().len(), crate::path::PATHS.len());
        assert_eq!(pick(&names, "x86_64/grub"), None);
        assert_eq!(pick(&["a=1".into(), "b=r:x=y".into()], "b"), Some("r:x=y"));
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Typed::command().debug_assert();
    }
}
