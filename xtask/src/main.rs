//! The one command for people: `cargo xtask demo` shows the main job, `cargo xtask test` is everything CI runs.
//!
//! | module | what it does |
//! |---|---|
//! | [`demo`] | the main job, on real packages |
//! | [`check`], [`mod@test`] | the checks, quick and whole |
//! | [`mod@bench`] | side by side with ostree, and static deltas with all others |
//! | [`cross`], [`smoke`], [`aslr`], [`emulated`], [`machines`] | static programs for other machines, an update by each, their addresses, tests there, and the recipe of the folder cross |
//! | [`qemu`] | real boots with real boot loaders |
//! | [`uboot`] | the boot loader that the emulated ARM machines count with |
//! | [`size`], [`ship`], [`deps`], [`loaders`] | bytes of the device program |
//! | [`guest`] | systems for virtual machines |
//! | [`fuzz`], [`golden`] | libFuzzer, and vectors made by the real ostree |
//! | [`replay`] | the power cut at every write |
//! | [`rules`] | agents with the prediction rules of one architecture alone |
//! | [`older`] | an earlier agent on what today's left, and the other way round |
//! | [`tidy`] | rules about the tree that the compiler does not know |
//! | [`run`], [`measure`], [`place`], [`tools`], [`archive`] | child processes, where things lie, what must be installed and from where |

mod archive;
mod aslr;
mod bench;
mod check;
mod cross;
mod demo;
mod deps;
mod emulated;
mod fuzz;
mod golden;
mod guest;
mod loaders;
#[path = "../../cross/mod.rs"]
mod machines;
mod measure;
mod older;
mod place;
mod qemu;
mod replay;
mod rules;
mod run;
mod ship;
mod size;
mod smoke;
mod sys;
mod test;
mod tidy;
mod tools;
mod uboot;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
cargo xtask demo                 the main job on real packages, a few minutes
cargo xtask test                 everything CI runs
cargo xtask check                its quick part: format, lints, unit tests, tidy, documentation
cargo xtask tidy                 rules about the tree alone
cargo xtask bench [ROUNDS]       side by side with ostree, into docs/benchmarks.md
cargo xtask bench delta [CORPUS]...
                                 static deltas beside other methods, into docs/benchmarks-delta.md
cargo xtask bench delta packages ARCH NAME...
                                 the same for packages of Debian's of your own choice, into no document
cargo xtask size [--shipping]    how large the device program is, against its budget; the shipping profile alone
cargo xtask size --beside        the programs that CI judges beside it: prepare-root, and all of aarch64 and armv7
cargo xtask cross TARGET|all     static programs for other machines, against cross/size-budget.toml
cargo xtask cross TARGET|all --stock the same by a stock rustup target: sizes are reported, not judged
cargo xtask cross TARGET --tests test suites of the device's crates, on another processor
cargo xtask cross TARGET --loaders what each boot loader costs the device program
cargo xtask cross deltas [TARGET] golden deltas, decoded on processors of every kind
cargo xtask guest TARGET         a small system for virtual machines, into target/guest/TARGET
cargo xtask qemu PATH...|ci|all  boots updates that work and updates that fail under QEMU
cargo xtask qemu debian          the same on Debian: systemd, 12,000 files, TLS, memory of an upgrade
cargo xtask uboot arm64|arm      a U-Boot for QEMU that counts boots, from Debian's source
cargo xtask deps                 what each crate costs the device program
cargo xtask fuzz [TARGET|all] [SECONDS]
                                 libFuzzer on one decoder or all, 60 seconds each
cargo xtask golden [--save]      remake the golden vectors with the real ostree and compare
cargo xtask replay [--full | --fat | --busy | --without fsync|flush|freeze|exchange]
                                 the power cut at every write of an update; busy: while another program writes
                                 to /boot; fat: what systemd-boot and U-Boot find there; without: the judge has to find it
cargo xtask replay --own-boot [--busy | --without fsync|flush|freeze]
                                 the same with /boot on a disk of its own, as many states as with --full
cargo xtask older REVISION       the agent of an earlier commit takes over from today's, and the other way round
cargo xtask rules [FEATURE]      agents with the prediction rules of one architecture, at a delta for four
cargo xtask kills COUNT          kill -9 at so many points of an upgrade by delta
cargo xtask testbed              RPMs made from Debian's packages, in two states
";

fn main() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // without the backtrace that anyhow's Debug would add
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["demo"] => demo::demo(),
        ["check"] => check::check(),
        ["test"] => test::test(),
        ["tidy"] => tidy::tidy(),
        ["bench"] => bench::bench(5),
        ["bench", "delta", "packages", arch, names @ ..] if !names.is_empty() => {
            bench::delta::packages(arch, names)
        }
        ["bench", "delta", corpora @ ..] => bench::delta::bench(corpora),
        ["bench", rounds] => {
            bench::bench(rounds.parse().with_context(|| format!("rounds: {rounds:?} is not a number"))?)
        }
        ["size"] => size::size(),
        ["size", "--shipping"] => size::shipping().map(drop),
        ["size", "--beside"] => size::beside(|_| true),
        ["cross", "deltas"] => cross::deltas(None),
        ["cross", "deltas", name] => cross::deltas(Some(name)),
        ["cross", name, "--tests"] => cross::tests(name),
        ["cross", name, "--loaders"] => loaders::loaders(name),
        ["cross", name, "--stock"] => cross::cross(name, true),
        ["cross", name] => cross::cross(name, false),
        ["guest", name] => guest::guest(name).map(drop),
        ["qemu", paths @ ..] if !paths.is_empty() => qemu::qemu(paths),
        ["uboot", arch] => uboot::uboot(arch).map(|path| println!("{}", path.display())),
        ["deps"] => deps::deps(),
        ["golden"] => golden::golden(false),
        ["golden", "--save"] => golden::golden(true),
        ["kills", count] => {
            test::kills(count.parse().with_context(|| format!("kills: {count:?} is not a number"))?)
        }
        ["replay"] => replay::replay(None),
        ["replay", "--full"] => replay::replay(Some("full")),
        ["replay", "--fat"] => replay::fat(),
        ["replay", "--busy"] => replay::replay(Some("busy")),
        ["replay", "--own-boot"] => replay::replay(Some("own-boot")),
        ["replay", "--own-boot", "--busy"] => replay::replay(Some("own-boot-busy")),
        ["replay", "--own-boot", "--without", what @ ("fsync" | "flush" | "freeze")] => {
            replay::replay(Some(&format!("own-boot-{what}")))
        }
        ["replay", "--without", what @ ("fsync" | "flush" | "freeze" | "exchange")] => {
            replay::replay(Some(what))
        }
        ["rules"] => rules::rules(None),
        ["rules", features] => rules::rules(Some(features)),
        ["older", revision] => older::older(revision),
        ["testbed"] => test::prepare_testbed(),
        ["fuzz"] => fuzz::fuzz(None, 60),
        ["fuzz", target] => fuzz::fuzz(Some(target), 60),
        ["fuzz", target, seconds] => {
            let seconds = seconds.parse().with_context(|| format!("seconds: {seconds:?} is not a number"))?;
            fuzz::fuzz((*target != "all").then_some(*target), seconds)
        }
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        other => bail!("cargo xtask {}: not known\n{USAGE}", other.join(" ")),
    }
}
