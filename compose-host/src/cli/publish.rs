//! `commit`, `sign`, `summary` and `keygen`.

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Args;
use rootling_object::commit::key;
use rootling_object::{Commit, Dict, ObjectKind, Refspec, Value};
use rootling_store::tree::{StatCache, TreeOptions, commit_dir, write_commit};
use rootling_trust::{SecretKey, sign_commit, sign_summary};

use crate::compose::writable_repo;

/// The typed arguments of `commit`.
#[derive(Debug, Args)]
pub(super) struct CommitArgs {
    /// The folder.
    dir: PathBuf,
    /// The repo's folder.
    #[arg(long)]
    repo: PathBuf,
    /// The ref that names the commit.
    #[arg(long = "ref", alias = "branch")]
    reference: String,
    /// First line of the message.
    #[arg(long, default_value = "")]
    subject: String,
    /// The commit's time in seconds since 1970 [default: now].
    #[arg(long)]
    timestamp: Option<u64>,
    /// Adds a string to the commit's metadata.
    #[arg(long, value_name = "KEY=VALUE")]
    add_metadata_string: Vec<String>,
    /// Makes a commit without a parent.
    #[arg(long)]
    no_parent: bool,
    /// Gives everything to user and group 0.
    #[arg(long)]
    root_owner: bool,
}

/// Commits a folder; the text is the checksum.
pub(super) fn commit(args: CommitArgs) -> Result<String> {
    let refspec = Refspec::parse(&args.reference)?;
    let repo = writable_repo(&args.repo)?;
    let mut metadata = Dict::new();
    metadata.set(key::REF_BINDING, Value::strv([args.reference.as_str()]));
    for text in &args.add_metadata_string {
        let Some((name, value)) = text.split_once('=') else {
            bail!("--add-metadata-string: expected KEY=VALUE, got {text:?}")
        };
        metadata.set(name, Value::str(value));
    }
    let parent = if args.no_parent { None } else { repo.read_ref(&refspec)? };
    let transaction = repo.transaction()?;
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let owner = args.root_owner.then_some((0, 0));
    let cache = stat_cache(&args.repo)?;
    let options = TreeOptions { owner, threads, cache: Some(&cache), ..TreeOptions::default() };
    let tree = commit_dir(&transaction, &args.dir, &options)?;
    let commit = Commit {
        metadata,
        parent,
        subject: args.subject,
        body: String::new(),
        timestamp: args.timestamp.map_or_else(now, Ok)?,
        root_tree: tree.tree,
        root_meta: tree.meta,
    };
    let checksum = write_commit(&transaction, &commit)?;
    transaction.set_ref(&refspec, Some(checksum));
    transaction.commit()?;
    cache.save()?;
    Ok(format!("{checksum}\n"))
}

/// What files had when they were last committed to this repo; libostree leaves `tmp/cache` alone.
fn stat_cache(repo: &Path) -> Result<StatCache> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(StatCache::open(&repo.join("tmp/cache/rootling-stat"), i128::try_from(now.as_nanos())?)?)
}

/// Signs a commit; the text is its checksum.
pub(super) fn sign(repo: &Path, key_file: &Path, revision: &str) -> Result<String> {
    let key = secret_key(key_file)?;
    let repo = writable_repo(repo)?;
    let checksum = repo.resolve(revision)?;
    let bytes = repo.load_metadata(ObjectKind::Commit, &checksum)?;
    let mut detached = repo.load_detached(&checksum)?.unwrap_or_default();
    sign_commit(&bytes, &key, &mut detached)?;
    let transaction = repo.transaction()?;
    transaction.write_detached(&checksum, &detached);
    transaction.commit()?;
    Ok(format!("{checksum}\n"))
}

/// Writes the summary, signed if there are keys.
pub(super) fn summary(repo: &Path, key_files: &[PathBuf]) -> Result<String> {
    let keys = key_files.iter().map(|file| secret_key(file)).collect::<Result<Vec<_>>>()?;
    let repo = writable_repo(repo)?;
    let mut summary = repo.make_summary(now()?)?;
    crate::delta::ostree::name_in(&repo, &mut summary.metadata)?;
    let bytes = summary.encode();
    let mut signatures = Dict::new();
    for key in &keys {
        sign_summary(&bytes, key, &mut signatures)?;
    }
    repo.write_summary(&bytes, (!keys.is_empty()).then_some(&signatures))?;
    Ok(format!("{} refs\n", summary.refs.len()))
}

/// Makes a key pair.
pub(super) fn keygen(secret: &Path, public: &Path) -> Result<String> {
    let mut seed = [0; 32];
    let mut random = std::fs::File::open("/dev/urandom").context("/dev/urandom")?;
    random.read_exact(&mut seed).context("/dev/urandom")?;
    let key = SecretKey::from_seed(&seed);
    write_new(secret, 0o600, &key.to_base64())?;
    write_new(public, 0o644, &key.public().to_string())?;
    Ok(format!("{}\n", key.public()))
}

fn write_new(path: &Path, mode: u32, line: &str) -> Result<()> {
    let what = || path.display().to_string();
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).with_context(what)?;
    file.write_all(format!("{line}\n").as_bytes()).with_context(what)
}

fn secret_key(path: &Path) -> Result<SecretKey> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    SecretKey::parse_base64(text.trim()).with_context(|| format!("{}", path.display()))
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs())
}
