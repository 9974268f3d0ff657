//! Agents with the prediction rules of one architecture: of a delta with programs for four, each takes what it can predict, refuses the
//! others by their machine before it fetches them, and brings those loose.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::bench::nginx::Nginx;
use crate::run::{cargo, output, run, step};
use crate::smoke::{REF, forget};
use crate::{place, tools};

#[allow(dead_code, reason = "the tests of the decoder have more")]
#[path = "../../delta/tests/it/arm_program.rs"]
mod arm_program;
#[allow(dead_code, reason = "likewise")]
#[path = "../../delta/tests/it/elf.rs"]
mod elf;

use arm_program::Sort;
use elf::Machine;

const TOOLS: &[tools::Tool] =
    &[("ostree", "ostree"), ("nginx", "nginx-light"), ("chattr", "e2fsprogs"), tools::BUILD[0]];

/// The features, each with the ELF machines that it predicts; the last has them all.
const FEATURES: &[(&str, &[u16])] = &[
    ("x86", &[62]),
    ("i386", &[3, 62]),
    ("aarch64", &[183]),
    ("arm", &[40]),
    ("i386,aarch64,arm", &[3, 40, 62, 183]),
];

/// An old and a new program of each machine; for Arm one by the rules of profile 1 and one by those of profile 3.
fn programs() -> [(u16, [Vec<u8>; 2]); 5] {
    let library = |machine| [&[][..], &[3, 200]].map(|grown| elf::library(machine, 400, grown));
    [
        (62, library(Machine::X86)),
        (3, library(Machine::I386)),
        (183, library(Machine::Aarch64)),
        (40, library(Machine::Thumb)),
        (40, [None, Some(60)].map(|every| arm_program::program(false, Sort::Literals(false), every))),
    ]
}

/// Plays it with the agents of all features, or of one.
pub fn rules(only: Option<&str>) -> Result<()> {
    let chosen: Vec<_> =
        FEATURES.iter().filter(|(features, _)| only.is_none_or(|only| only == *features)).collect();
    ensure!(!chosen.is_empty(), "rules: expected one of {FEATURES:?}");
    step("tools", || tools::ensure(&[TOOLS]))?;
    step("what makes deltas", crate::run::programs)?;
    let bed = Bed::make()?;
    for (features, own) in chosen {
        let agent = step(&format!("an agent with {features}"), || build(&bed, features))?;
        step(&format!("a delta by {features} alone"), || bed.pull(&agent, own))?;
    }
    println!(
        "agents with the rules of one architecture take from a delta what is theirs, and the rest loose"
    );
    Ok(())
}

/// Puts the program where the next one does not replace it.
fn build(bed: &Bed, features: &str) -> Result<PathBuf> {
    run(&mut cargo(&format!(
        "build -q -p rootling --bin rootling --no-default-features --features {features}"
    )))?;
    let agent = bed.dir.join("rootling");
    fs::copy(place::program("debug", "rootling"), &agent)?;
    Ok(agent)
}

/// A served repo with two commits and the delta between them, in groups of one file.
struct Bed {
    dir: PathBuf,
    commits: Vec<String>,
    server: Nginx,
}

impl Bed {
    fn make() -> Result<Bed> {
        let dir = place::target().join("rules");
        forget(&dir)?;
        let (repo, tree) = (dir.join("repo"), dir.join("tree"));
        fs::create_dir_all(tree.join("usr/lib"))?;
        output(Command::new("ostree").args(["init", "--mode=archive", "--repo"]).arg(&repo))?;
        let mut commits = Vec::new();
        for version in 0..2 {
            for (number, (machine, versions)) in programs().iter().enumerate() {
                let path = tree.join(format!("usr/lib/program-{number}-of-{machine}"));
                fs::write(path, &versions[version])?;
            }
            let mut commit = Command::new("ostree");
            commit.args(["commit", "-b", REF, "--owner-uid=0", "--owner-gid=0"]).arg("--repo").arg(&repo);
            commit.arg(format!("--timestamp=@{}", version + 1)).arg(format!("--tree=dir={}", tree.display()));
            commits.push(output(&mut commit)?.trim().to_owned());
        }
        let mut make = Command::new(place::program("debug", "rootling-compose"));
        make.args(["delta", "make", "--quiet", "--no-cache", "--profile", "3", "--group-tokens", "1"]);
        output(make.args(["--from", &commits[0], "--to", &commits[1]]).arg("--repo").arg(&repo))?;
        let server = Nginx::start(&repo, &dir.join("nginx"), None)?;
        Ok(Bed { dir, commits, server })
    }

    /// Has the ref name a commit that is there.
    fn point(&self, commit: &str) -> Result<()> {
        let repo = self.dir.join("repo");
        output(Command::new("ostree").args(["reset", REF, commit]).arg("--repo").arg(repo)).map(drop)
    }

    /// Follows the delta and judges what was said of each group.
    fn pull(&self, agent: &Path, own: &[u16]) -> Result<()> {
        let sysroot = self.dir.join("sysroot");
        forget(&sysroot)?;
        let run = |args: &[&str]| said(Command::new(agent).arg("--sysroot").arg(&sysroot).args(args));
        run(&["init", "os"])?;
        run(&["remote", "add", "origin", &self.server.url, "--no-sign-verify"])?;
        let [old, new] = &self.commits[..] else { anyhow::bail!("two commits") };
        self.point(old)?;
        run(&["pull", "origin", REF])?;
        self.point(new)?;
        let told = run(&["pull", "origin", REF])?;
        let foreign: Vec<u16> =
            programs().iter().map(|(machine, _)| *machine).filter(|machine| !own.contains(machine)).collect();
        let refused: Vec<&str> = told.lines().filter(|line| line.starts_with("group ")).collect();
        let by_name = |(line, machine): (&&str, &u16)| line.contains(&format!("ELF machine {machine};"));
        ensure!(
            refused.len() == foreign.len() && refused.iter().zip(&foreign).all(by_name),
            "expected the groups of the machines {foreign:?} refused by name, and no others, got {told}"
        );
        run(&["fsck"])?;
        Ok(())
    }
}

/// All that a command says; failing is an error.
fn said(command: &mut Command) -> Result<String> {
    let line = crate::run::line(command);
    let output = command.output().with_context(|| format!("start {line}"))?;
    let told =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    ensure!(output.status.success(), "{line}: {}\n{told}", output.status);
    Ok(told)
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = forget(&self.dir);
    }
}
