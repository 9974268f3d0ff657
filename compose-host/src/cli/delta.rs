//! `rootling-compose delta`.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use rootling_delta::Backend;
use rootling_delta::header::PROFILE;
use rootling_delta::list::Entry;
use rootling_delta::make::ostree;
use rootling_object::Checksum;
use rootling_store::Repo;

use crate::compose::{writable_repo, write_file};
use crate::delta::cache::Cache;
use crate::delta::make::{Options, Outcome, make, short};
use crate::delta::opened::Opened;
use crate::delta::pairs::{Pair, Wanted, pairs};
use crate::delta::report::{Report, STREAMS};
use crate::delta::workers::Threads;
use crate::delta::{apply, lists, picture};

/// Static deltas of a repo.
#[derive(Debug, Subcommand)]
pub(super) enum Delta {
    /// Makes deltas, decodes them again, and offers them to devices.
    Make(MakeArgs),
    /// Lists the deltas of a repo.
    List {
        /// The repo's folder.
        #[arg(long)]
        repo: PathBuf,
    },
    /// Shows what a delta changes and where its bytes are.
    Show(OneArgs),
    /// Decodes deltas and compares every object with its name.
    Verify {
        /// The repo's folder.
        #[arg(long)]
        repo: PathBuf,
        /// Only deltas to this revision.
        #[arg(long)]
        to: Option<String>,
    },
    /// Removes deltas to commits that are gone, and files that no list names.
    Prune {
        /// The repo's folder.
        #[arg(long)]
        repo: PathBuf,
        /// Also removes deltas to commits that no ref names now.
        #[arg(long)]
        tips: bool,
    },
    /// Applies a delta in a file to a repo that has the commit it starts from.
    Apply {
        /// The repo's folder.
        #[arg(long)]
        repo: PathBuf,
        /// The ref that names the new commit.
        #[arg(long = "ref")]
        reference: Option<String>,
        /// The delta.
        file: PathBuf,
    },
}

/// The typed arguments of `delta make`.
#[derive(Debug, Args)]
pub(super) struct MakeArgs {
    /// The repo's folder.
    #[arg(long)]
    repo: PathBuf,
    /// Where from: ref or checksum [default: the parent].
    #[arg(long, requires = "to")]
    from: Option<String>,
    /// From nothing.
    #[arg(long, requires = "to", conflicts_with = "from")]
    empty: bool,
    /// Where to: ref or checksum.
    #[arg(long)]
    to: Option<String>,
    /// To what each ref names, from as many commits before it.
    #[arg(long, value_name = "N", conflicts_with_all = ["to", "matrix"])]
    last: Option<usize>,
    /// To what each ref names, from every commit in the history of any ref.
    #[arg(long, conflicts_with = "to")]
    matrix: bool,
    /// Who reads it: Rootling's own devices, or those with libostree too (run `summary` afterwards).
    #[arg(long, default_value = "rootling")]
    format: Format,
    /// With --format ostree: a file of more bytes that no patch helps is fetched by itself; 0: none is.
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20)]
    min_fallback_size: u64,
    /// The coder: lzma for the smallest, deflate for the fastest.
    #[arg(long, default_value = "lzma")]
    backend: Coder,
    /// Bytes of tokens that make a group: smaller groups cost bytes and are sooner safe from a reboot.
    #[arg(long, default_value_t = 1 << 20)]
    group_tokens: usize,
    /// The highest profile that the devices have, as `rootling version` says: 2 predicts 32-bit x86 too, by agents built with the
    /// feature i386; 3 makes a file from up to four old ones, and predicts more of 32-bit Arm.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(PROFILE)))]
    profile: u32,
    /// Makes also what is there already.
    #[arg(long)]
    again: bool,
    /// Threads [default: one for each core].
    #[arg(long)]
    threads: Option<usize>,
    /// Keeps coded pairs of files here [default: tmp/cache/rootling-deltas in the repo].
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Neither reads nor writes coded pairs.
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
    /// Writes where the bytes went: JSON to FILE, a picture to FILE.svg; not of format ostree.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// No progress.
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Rootling,
    Ostree,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Coder {
    Lzma,
    Deflate,
}

/// Names one delta of a repo.
#[derive(Debug, Args)]
pub(super) struct OneArgs {
    /// The repo's folder.
    #[arg(long)]
    repo: PathBuf,
    /// Where from: ref or checksum [default: from nothing].
    #[arg(long)]
    from: Option<String>,
    /// Where to: ref or checksum.
    #[arg(long)]
    to: String,
    /// Also prints each file.
    #[arg(long)]
    files: bool,
}

/// Does what was typed.
pub(super) fn run(delta: Delta) -> Result<String> {
    match delta {
        Delta::Make(args) => run_make(args),
        Delta::List { repo } => list(&Repo::open(&repo)?),
        Delta::Show(args) => show(&args),
        Delta::Verify { repo, to } => verify(&Repo::open(&repo)?, to.as_deref()),
        Delta::Prune { repo, tips } => {
            let repo = Repo::open(&repo)?;
            let mut pruned = lists::prune(&repo, tips)?;
            pruned.gone += crate::delta::ostree::prune(&repo)?;
            Ok(format!(
                "removed: {} of commits that are gone, {} of commits that no ref names, {} that no list names\n",
                pruned.gone, pruned.stale, pruned.unnamed
            ))
        }
        Delta::Apply { repo, reference, file } => {
            let opened = Opened::open(&file)?;
            Ok(format!("{}\n", apply::apply(&writable_repo(&repo)?, &opened, reference.as_deref())?))
        }
    }
}

fn run_make(args: MakeArgs) -> Result<String> {
    let wanted = match (args.to, args.from, args.last) {
        (Some(to), _, _) if args.empty => Wanted::Empty { to },
        (Some(to), from, _) => Wanted::One { from, to },
        (None, _, Some(count)) => Wanted::Last(count),
        _ if args.matrix => Wanted::Matrix,
        _ => bail!("delta make needs one of --to, --last, --matrix"),
    };
    let repo = Repo::open(&args.repo)?;
    if args.format == Format::Ostree {
        let options = ostree::Options { fallback: args.min_fallback_size, ..ostree::Options::default() };
        let pairs = pairs(&repo, &wanted)?;
        let threads = Threads::new(args.threads, "coding files", args.quiet);
        return pairs.iter().map(|pair| make_ostree(&repo, pair, &options, &threads)).collect();
    }
    let cache = match (args.cache, args.no_cache) {
        (_, true) => None,
        (Some(folder), _) => Some(Cache::new(folder)),
        (None, _) => Some(Cache::of_repo(&args.repo)),
    };
    let backend = match args.backend {
        Coder::Lzma => Backend::Lzma,
        Coder::Deflate => Backend::Deflate,
    };
    let (group_tokens, profile) = (args.group_tokens, args.profile);
    let options = Options {
        threads: args.threads,
        backend,
        group_tokens,
        profile,
        cache: cache.map(|cache| cache.of_profile(profile)),
        again: args.again,
        quiet: args.quiet,
    };
    let (mut text, mut reports) = (String::new(), Vec::new());
    for pair in pairs(&repo, &wanted)? {
        match make(&repo, &pair, &options)? {
            Outcome::Present(entry) => writeln!(text, "{} is there already", line(&pair.to, &entry))?,
            Outcome::Made(report) => {
                text += &summary(&report);
                reports.push(*report);
            }
        }
    }
    if let Some((hits, misses)) = options.cache.as_ref().map(Cache::counts) {
        writeln!(text, "{misses} pairs of files coded, {hits} taken from the cache")?;
    }
    if let Some(path) = args.report {
        let json: Vec<_> = reports.iter().map(Report::to_json).collect();
        write_file(&path, &(serde_json::to_string_pretty(&json).context("report as JSON")? + "\n"))?;
        let mut picture = path.into_os_string();
        picture.push(".svg");
        write_file(picture.as_ref(), &picture::svg(&reports))?;
    }
    Ok(text)
}

fn make_ostree(repo: &Repo, pair: &Pair, options: &ostree::Options, threads: &Threads) -> Result<String> {
    let made = crate::delta::ostree::make(repo, pair, options, threads)?;
    Ok(format!(
        "{} -> {}: {} bytes in {} parts, {} files by patches, {} objects by themselves\n",
        start(made.from.as_ref()),
        short(&made.to),
        made.total,
        made.parts,
        made.patches,
        made.fallbacks
    ))
}

fn summary(report: &Report) -> String {
    let percent = (report.total * 1000).checked_div(report.loose).unwrap_or(0);
    format!(
        "{} -> {}: {} bytes in {} groups, {}.{} % of {} bytes in {} loose objects\n",
        start(report.from.as_ref()),
        short(&report.to),
        report.total,
        report.groups,
        percent / 10,
        percent % 10,
        report.loose,
        report.loose_objects
    )
}

fn start(from: Option<&Checksum>) -> String {
    from.map_or("nothing".to_owned(), short)
}

fn line(to: &Checksum, entry: &Entry) -> String {
    let from = entry.from.map_or("nothing".to_owned(), |from| from.to_string());
    format!("{from} -> {to}: {} bytes, header {}, profile {}", entry.total, entry.head, entry.profile)
}

fn list(repo: &Repo) -> Result<String> {
    let own = lists::all(repo)?.into_iter().map(|(to, entry)| line(&to, &entry) + "\n");
    let others = crate::delta::ostree::all(repo)?.into_iter();
    let others = others.map(|(from, to, _)| {
        let from = from.map_or("nothing".to_owned(), |from| from.to_string());
        format!("{from} -> {to}: format ostree\n")
    });
    Ok(own.chain(others).collect())
}

fn show(args: &OneArgs) -> Result<String> {
    let repo = Repo::open(&args.repo)?;
    let to = repo.resolve(&args.to)?;
    let from = args.from.as_deref().map(|from| repo.resolve(from)).transpose()?;
    let entry = lists::read(&repo, &to)?.into_iter().find(|entry| entry.from == from);
    let entry = entry
        .with_context(|| format!("{} -> {}: there is no such delta", start(from.as_ref()), short(&to)))?;
    let opened = Opened::open(&lists::place(&repo, &to, &entry))?;
    apply::check_to(&opened, &to)?;
    let header = &opened.header;
    let mut text = line(&to, &entry) + "\n";
    writeln!(
        text,
        "back end: {:?}, memory of the largest group: {}",
        opened.prelude.backend,
        header.memory(opened.prelude.backend)
    )?;
    writeln!(
        text,
        "changed directories: {}, content objects: {}, groups: {}",
        header.dirs.len(),
        header.objects.len(),
        header.groups.len()
    )?;
    for (at, name) in STREAMS.iter().enumerate() {
        let streams = header.groups.iter().map(|group| group.streams[at]);
        let (packed, raw) = streams.fold((0, 0), |sum, stream| (sum.0 + stream.packed, sum.1 + stream.raw));
        writeln!(text, "{name}: {packed} bytes, {raw} once decoded")?;
    }
    if args.files {
        for object in &header.objects {
            write!(text, "{} {:?} from {:?}", Checksum(object.checksum), object.size, object.source)?;
            object.more.iter().try_for_each(|path| write!(text, " and {path:?}"))?;
            text.push('\n');
        }
    }
    Ok(text)
}

fn verify(repo: &Repo, to: Option<&str>) -> Result<String> {
    let only = to.map(|to| repo.resolve(to)).transpose()?;
    let mut text = String::new();
    let threads = Threads::new(None, "verifying", false);
    for (to, entry) in lists::all(repo)?.iter().filter(|(to, _)| only.is_none_or(|only| only == *to)) {
        let path = lists::place(repo, to, entry);
        let opened = Opened::open(&path)?;
        apply::check_to(&opened, to)?;
        if opened.entry != *entry {
            bail!("{}: expected {entry:?} as its list says, got {:?}", path.display(), opened.entry);
        }
        let (_, made) = apply::verify(repo, &opened, &threads).with_context(|| path.display().to_string())?;
        writeln!(text, "{}: {} objects, {} bytes", line(to, entry), made.objects, made.bytes)?;
    }
    Ok(text)
}
