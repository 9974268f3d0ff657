//! `rootling-compose tree`.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::{Ended, UNCHANGED};
use crate::arch::Arch;
use crate::compose::{Committed, Options, Outcome, compose, write_file};
use crate::manifest::Manifest;
use crate::userns;

/// The typed arguments.
#[derive(Debug, Args)]
pub(super) struct TreeArgs {
    /// The treefile, YAML or JSON.
    manifest: PathBuf,
    /// The repo the commit goes to.
    #[arg(long)]
    repo: Option<PathBuf>,
    /// Keeps downloads here; the tree is made here too [default: ~/.cache/rootling-compose].
    #[arg(long)]
    cachedir: Option<PathBuf>,
    /// Installs exactly the packages of this lock file.
    #[arg(long, alias = "ex-lockfile")]
    lockfile: Option<PathBuf>,
    /// Writes the solved packages to a lock file.
    #[arg(long, alias = "ex-write-lockfile-to")]
    write_lockfile_to: Option<PathBuf>,
    /// Solves and prints the packages, and ends.
    #[arg(long)]
    dry_run: bool,
    /// Prints the manifest with its includes and variables resolved, and ends.
    #[arg(long)]
    print_only: bool,
    /// Makes a commit even if nothing has changed.
    #[arg(long)]
    force_nocache: bool,
    /// Exits with 0 instead of 77 if nothing has changed.
    #[arg(long)]
    unchanged_ok: bool,
    /// Adds a string to the commit's metadata.
    #[arg(long, value_name = "KEY=VALUE")]
    add_metadata_string: Vec<String>,
    /// Writes the new commit's checksum to a file.
    #[arg(long, value_name = "FILE")]
    write_commitid_to: Option<PathBuf>,
    /// The commit's time in seconds since 1970 [default: SOURCE_DATE_EPOCH, or when the newest package was built].
    #[arg(long)]
    timestamp: Option<u64>,
    /// Makes a commit without a parent.
    #[arg(long)]
    no_parent: bool,
    /// The tree's architecture [default: this machine's]; scriptlets of another one need its emulator (binfmt_misc).
    #[arg(long)]
    arch: Option<String>,
    /// Says nothing but the result.
    #[arg(long, short)]
    quiet: bool,
}

/// Composes as typed.
pub(super) fn run(args: TreeArgs) -> Result<Ended> {
    if args.print_only {
        let manifest =
            Manifest::load(&args.manifest, arch(args.arch.as_deref())?.map_or_else(Arch::host, Ok)?.base)?;
        let text = serde_json::to_string_pretty(&manifest.to_json()).context("manifest as JSON")?;
        return Ok(Ended { text: text + "\n", code: 0 });
    }
    let (quiet, commitid, unchanged_ok) = (args.quiet, args.write_commitid_to.clone(), args.unchanged_ok);
    let options = meant(args)?;
    if !options.dry_run {
        userns::become_root()?;
    }
    let start = std::time::Instant::now();
    let say = |text: &str| {
        if !quiet {
            eprintln!("[{:6.1} s] {text}", start.elapsed().as_secs_f64());
        }
    };
    let (text, code, commit) = match compose(&options, &say)? {
        Outcome::Solved(lock) => {
            let lines = lock.packages.iter().map(|package| package.nevra() + "\n");
            (lines.collect(), 0, None)
        }
        Outcome::Unchanged(commit) => {
            say("no changes since the previous commit, --force-nocache makes a new one all the same");
            (format!("{commit}\n"), if unchanged_ok { 0 } else { UNCHANGED }, None)
        }
        Outcome::Committed(committed) => {
            committed.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
            (summary(&committed), 0, Some(committed.commit))
        }
    };
    if let (Some(path), Some(commit)) = (commitid, commit) {
        write_file(&path, &format!("{commit}\n"))?;
    }
    Ok(Ended { text, code })
}

fn summary(committed: &Committed) -> String {
    let mut text = format!("commit:   {}\n", committed.commit);
    for (name, value) in [("ref:     ", &committed.reference), ("version: ", &committed.version)] {
        if let Some(value) = value {
            writeln!(text, "{name} {value}").expect("writing to a String does not fail");
        }
    }
    text + &format!("packages: {}\nobjects:  {} new\n", committed.packages, committed.new_objects)
}

fn meant(args: TreeArgs) -> Result<Options> {
    let mut metadata = Vec::new();
    for text in &args.add_metadata_string {
        let Some((key, value)) = text.split_once('=') else {
            bail!("--add-metadata-string: expected KEY=VALUE, got {text:?}")
        };
        metadata.push((key.to_string(), value.to_string()));
    }
    let cachedir = match args.cachedir {
        Some(dir) => dir,
        None => {
            default_cachedir().context("no --cachedir given, and neither XDG_CACHE_HOME nor HOME is set")?
        }
    };
    let timestamp = match (args.timestamp, std::env::var("SOURCE_DATE_EPOCH")) {
        (Some(timestamp), _) => Some(timestamp),
        (None, Ok(text)) => {
            let number = text
                .parse()
                .with_context(|| format!("SOURCE_DATE_EPOCH: expected a number, got {text:?}"))?;
            Some(number)
        }
        (None, Err(_)) => None,
    };
    Ok(Options {
        manifest: args.manifest,
        repo: args.repo,
        cachedir,
        lockfile: args.lockfile,
        write_lockfile_to: args.write_lockfile_to,
        dry_run: args.dry_run,
        force_nocache: args.force_nocache,
        metadata,
        timestamp,
        no_parent: args.no_parent,
        arch: arch(args.arch.as_deref())?,
    })
}

fn arch(name: Option<&str>) -> Result<Option<Arch>> {
    name.map(|name| Arch::named(name).context("--arch")).transpose()
}

fn default_cachedir() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join("rootling-compose"))
}
