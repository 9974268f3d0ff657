//! Side by side with ostree, in one run, interleaved: the table in docs/benchmarks.md.
//!
//! Both sides keep their default durability. The device program is the one that ships: static, size-optimised.

pub mod delta;
pub mod nginx;
mod side;
mod table;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::measure::{Cost, disk_usage, successful};
use crate::run::{cargo, output, run, step};
use crate::{place, size, test, tools};
use nginx::Nginx;
use side::{Paths, Side};
use table::{Row, table};

/// Measures everything `rounds` times and writes the table.
pub fn bench(rounds: usize) -> Result<()> {
    ensure!(tools::root(), "the benchmark commits files of several owners: it needs root");
    tools::ensure(&[tools::BUILD, tools::COMPOSE, tools::ORACLES])?;
    let paths = prepare()?;
    let mut rows = Vec::new();
    let archives = step("commit", || commits(&paths, rounds, &mut rows))?;
    step("pull and deploy", || devices(&paths, rounds, &mut rows))?;
    let text = report(&paths, rounds, &rows, archives)?;
    fs::write(place::root().join("docs/benchmarks.md"), &text)?;
    println!("{text}");
    for side in SIDES {
        side::remove(&paths.archive(side))?;
        side::remove(&paths.sysroot(side))?;
    }
    side::remove(&paths.done())
}

/// Programs, and the tree: state 1 of the test bed, composed and checked out.
fn prepare() -> Result<Paths> {
    let agent = step("device program", || size::stock(true))?;
    step("programs of the build host", || run(&mut cargo("build -q --profile host -p rootling-compose")))?;
    step("test bed", test::prepare_testbed)?;
    let dir = place::root().join("target/bench");
    let paths =
        Paths { tree: dir.join("tree"), agent, compose: place::program("host", "rootling-compose"), dir };
    if !paths.tree.exists() {
        step("tree", || compose_tree(&paths))?;
    }
    Ok(paths)
}

fn compose_tree(paths: &Paths) -> Result<()> {
    let (repo, manifest) = (paths.dir.join("source"), place::testbed().join("amd64/manifest/base.yaml"));
    side::remove(&repo)?;
    fs::create_dir_all(&paths.dir)?;
    run(Command::new(&paths.compose).arg("init").arg("--repo").arg(&repo))?;
    let mut command = Command::new(&paths.compose);
    command.arg("tree").arg(manifest).arg("--repo").arg(&repo).arg("--cachedir").arg(paths.dir.join("cache"));
    run(&mut command)?;
    let refs = output(Command::new("ostree").arg("refs").arg(format!("--repo={}", repo.display())))?;
    let name = refs.lines().next().context("nothing was composed")?;
    let mut checkout = Command::new("ostree");
    checkout.arg("checkout").arg(format!("--repo={}", repo.display())).arg(name).arg(&paths.tree);
    run(&mut checkout)
}

const SIDES: [Side; 2] = [Side::Rootling, Side::Ostree];

fn push(row: &mut Row, side: Side, mut command: Command) -> Result<()> {
    // nobody pays for what another wrote before
    output(&mut Command::new("sync"))?;
    let cost = successful(&mut command)?;
    eprintln!("   {}, {side:?}: {:.2} s", row.name, cost.wall.as_secs_f64());
    match side {
        Side::Rootling => row.ours.push(cost),
        Side::Ostree => row.theirs.push(cost),
    }
    Ok(())
}

/// First commit and commit of the unchanged tree; returns the bytes of both archives.
fn commits(paths: &Paths, rounds: usize, rows: &mut Vec<Row>) -> Result<[u64; 2]> {
    let mut first = Row { name: "commit to archive", target: Some(1.0 / 3.0), ..Row::default() };
    let mut again = Row { name: "commit the unchanged tree again", target: Some(0.05), ..Row::default() };
    for _ in 0..rounds {
        for side in SIDES {
            side::empty_archive(paths, side)?;
            push(&mut first, side, side::commit(paths, side))?;
            push(&mut again, side, side::commit(paths, side))?;
        }
    }
    let sums = SIDES.map(|side| {
        output(
            Command::new("ostree")
                .args(["rev-parse", side::REF])
                .arg(format!("--repo={}", paths.archive(side).display())),
        )
    });
    let [ours, theirs] = sums;
    let (ours, theirs) = (ours?, theirs?);
    eprintln!("   commits: {} {}", ours.trim(), theirs.trim());
    let sizes = SIDES.map(|side| disk_usage(&paths.archive(side).join("objects")));
    let [ours, theirs] = sizes;
    let archives = [ours?, theirs?];
    again.syncs = Some(syncs(paths, side::commit)?);
    for side in SIDES {
        side::empty_archive(paths, side)?;
    }
    first.syncs = Some(syncs(paths, side::commit)?);
    rows.extend([first, again]);
    Ok(archives)
}

fn devices(paths: &Paths, rounds: usize, rows: &mut Vec<Row>) -> Result<()> {
    // both fetch from the same repo, which ostree made
    let server = Nginx::start(&paths.archive(Side::Ostree), &paths.dir.join("nginx"), None)?;
    let mut pull = Row { name: "full pull over HTTP", target: Some(0.5), ..Row::default() };
    let mut deploy = Row { name: "deploy", target: Some(0.5), ..Row::default() };
    let mut check = Row { name: "verification of older objects before it", ..Row::default() };
    let mut verify = Row { name: "verify all objects (fsck)", ..Row::default() };
    for round in 0..=rounds {
        for side in SIDES {
            side::empty_sysroot(paths, side, &server.url)?;
        }
        if round == rounds {
            pull.syncs = Some(syncs(paths, side::pull)?);
            deploy.syncs = Some(syncs(paths, side::deploy)?);
            break;
        }
        for side in SIDES {
            push(&mut pull, side, side::pull(paths, side))?;
            push(&mut deploy, side, side::deploy(paths, side))?;
            push(&mut verify, side, side::verify(paths, side))?;
        }
    }
    for cost in &mut deploy.ours {
        let elapsed = verification(&cost.stdout)?;
        check.ours.push(Cost { wall: elapsed, ..Cost::default() });
        cost.wall = cost.wall.saturating_sub(elapsed);
    }
    rows.extend([pull, deploy, check, verify]);
    Ok(())
}

/// What the device program says its verification took: `verified N older objects, SIZE, in SECONDS s`.
fn verification(said: &str) -> Result<Duration> {
    let line = said.lines().find(|line| line.starts_with("verified ") && line.contains(" older objects"));
    let seconds = line.and_then(|line| line.rsplit_once(" in ")?.1.strip_suffix(" s")?.parse().ok());
    Ok(Duration::from_secs_f64(seconds.with_context(|| format!("no time of the verification in {said:?}"))?))
}

/// Counts the sync calls of one run of each side.
fn syncs(paths: &Paths, job: fn(&Paths, Side) -> Command) -> Result<[u64; 2]> {
    let mut counts = [0, 0];
    for (side, count) in SIDES.into_iter().zip(&mut counts) {
        let log = paths.dir.join("strace.txt");
        let command = job(paths, side);
        let mut strace = Command::new("strace");
        strace.args([
            "-f",
            "-qq",
            "-e",
            "trace=fsync,fdatasync,syncfs,sync,sync_file_range,msync",
            "-e",
            "signal=none",
            "-o",
        ]);
        strace.arg(&log).arg(command.get_program()).args(command.get_args());
        successful(&mut strace)?;
        let text = fs::read_to_string(&log)?;
        *count =
            text.lines().filter(|line| line.contains("sync") && !line.contains("resumed>")).count() as u64;
    }
    Ok(counts)
}

fn report(paths: &Paths, rounds: usize, rows: &[Row], archives: [u64; 2]) -> Result<String> {
    let files = output(Command::new("sh").arg("-c").arg(r#"find "$0" ! -type d | wc -l"#).arg(&paths.tree))?;
    let bytes = disk_usage(&paths.tree)?;
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let about = output(Command::new("ostree").arg("--version"))?;
    let version = about
        .lines()
        .find_map(|line| line.trim().strip_prefix("Version: "))
        .unwrap_or("?")
        .trim_matches('\'');
    let load: PathBuf = "/proc/loadavg".into();
    let load = fs::read_to_string(load)?;
    let [ours, theirs] = archives;
    Ok(format!(
        "# Side by side with ostree\n\n\
         Repeat with `cargo xtask bench` (as root). Written by that command; the numbers are of one machine and one run,\n\
         the ratios are what counts. Each side {rounds} times, in turns, medians; fsync on, warm cache, {cpus} processors,\n\
         load average at the end {load}; ostree {version}; nginx on 127.0.0.1.\n\n\
         The tree: {files} files and symlinks, {bytes} bytes, composed from the test bed. Device program: static build of the\n\
         release profile by the stock toolchain. Pull and deploy are two processes, so what is deployed was not hashed by the\n\
         process that deploys it, and `rootling deploy` verifies it first, on a line of its own; `ostree admin deploy`\n\
         verifies nothing. Nothing is removed while something is measured, and all is synced before it.\n\n\
         {}\n\
         Archive size: rootling {} bytes, ostree {} bytes, ratio {:.4} (asked: at most 1.01).\n",
        table(rows),
        place::grouped(ours),
        place::grouped(theirs),
        ours as f64 / theirs as f64,
        files = place::grouped(files.trim().parse().unwrap_or(0)),
        bytes = place::grouped(bytes),
        load = load.split(' ').next().unwrap_or_default(),
    ))
}
