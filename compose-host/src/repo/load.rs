//! Loads the metadata of all repositories into a pool.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::pool::Excluded;
use super::repomd::{Record, Repomd};
use super::{Pool, RepoConfig, Sym, filelists, in_primary, primary};
use crate::fetch::{Cache, Source, decompress};

/// Metadata that repomd.xml leaves open is bounded by this, in bytes.
const MAX_OPEN: u64 = 8 << 30;
/// A repomd.xml is never larger than this, in bytes.
const MAX_REPOMD: u64 = 16 << 20;

/// A pool with what is needed to read more of the repositories later.
pub struct Loaded {
    /// The packages.
    pub pool: Pool,
    sources: Vec<Source>,
    repomds: Vec<Repomd>,
}

impl Loaded {
    /// The connections, in the order of [`Pool::repos`].
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }
}

/// Reads repomd.xml and primary.xml of every repository, best priority first.
pub fn load(mut repos: Vec<RepoConfig>, arches: &[&str], cache: &Cache) -> Result<Loaded> {
    repos.sort_by_key(|repo| (repo.priority, repo.cost));
    let mut loaded = Loaded { pool: Pool::default(), sources: Vec::new(), repomds: Vec::new() };
    for config in repos {
        let id = config.id.clone();
        load_one(&mut loaded, config, arches, cache).with_context(|| format!("repository {id:?}"))?;
    }
    Ok(loaded)
}

fn load_one(loaded: &mut Loaded, config: RepoConfig, arches: &[&str], cache: &Cache) -> Result<()> {
    let source = Source::new(&config)?;
    let bytes = source.read("repodata/repomd.xml", MAX_REPOMD)?;
    let repomd = Repomd::parse(&bytes[..]).context("repodata/repomd.xml")?;
    let Some(record) = repomd.get("primary") else {
        bail!("repodata/repomd.xml lists no primary, only: {}", repomd.kinds().join(", "))
    };
    let input = open(&source, record, cache)?;
    let index = loaded.pool.repos.len();
    let first = loaded.pool.packages.len();
    loaded.pool.repos.push(config);
    primary::read(&mut loaded.pool, index, input, arches).with_context(|| record.location.clone())?;
    exclude(&mut loaded.pool, index, first);
    loaded.sources.push(source);
    loaded.repomds.push(repomd);
    Ok(())
}

/// Marks what the repository's own `excludepkgs` and `includepkgs` take out.
fn exclude(pool: &mut Pool, repo: usize, first: usize) {
    let config = pool.repos[repo].clone();
    if config.excludepkgs.is_empty() && config.includepkgs.is_empty() {
        return;
    }
    for index in first..pool.packages.len() {
        let id = index as super::PackageId;
        let matches = |patterns: &[String]| {
            patterns.iter().any(|pattern| crate::solve::matches_spec(pool, id, pattern))
        };
        let out =
            matches(&config.excludepkgs) || !(config.includepkgs.is_empty() || matches(&config.includepkgs));
        if out {
            pool.packages[index].excluded = Some(Excluded::Repo);
        }
    }
}

/// Adds from filelists.xml of every repository the paths that something in the pool asks for, or `more` does.
pub fn load_filelists(loaded: &mut Loaded, more: &[String], cache: &Cache) -> Result<()> {
    let wanted = wanted_paths(&loaded.pool, more);
    for index in 0..loaded.repomds.len() {
        let Loaded { pool, sources, repomds, .. } = &mut *loaded;
        let id = pool.repos[index].id.clone();
        // a repository without filelists has no file that primary.xml does not list
        let Some(record) = repomds[index].get("filelists") else { continue };
        let input = open(&sources[index], record, cache).with_context(|| format!("repository {id:?}"))?;
        filelists::read(pool, index, input, &wanted)
            .with_context(|| format!("repository {id:?}: {}", record.location))?;
    }
    Ok(())
}

/// Every path in a dependency that primary.xml does not answer.
fn wanted_paths(pool: &Pool, more: &[String]) -> HashSet<String> {
    let mut wanted: HashSet<String> = more.iter().cloned().collect();
    let mut add = |name: Sym| {
        let text = pool.text(name);
        if text.starts_with('/') && !in_primary(text) {
            wanted.insert(text.to_string());
        }
    };
    for package in &pool.packages {
        for list in [&package.requires, &package.conflicts, &package.recommends, &package.supplements] {
            list.iter().for_each(|dependency| add(dependency.name));
        }
    }
    pool.rich.values().flatten().for_each(|rich| rich.each_name(&mut add));
    wanted
}

fn open(source: &Source, record: &Record, cache: &Cache) -> Result<BufReader<Box<dyn Read>>> {
    let path = cache.metadata(source, &record.location, &record.expected)?;
    let limit = record.open_size_bytes.unwrap_or(MAX_OPEN).min(MAX_OPEN);
    open_file(&path, &record.location, limit)
}

fn open_file(path: &Path, name: &str, limit: u64) -> Result<BufReader<Box<dyn Read>>> {
    let file = File::open(path).with_context(|| format!("{}", path.display()))?;
    let reader = decompress(BufReader::with_capacity(1 << 16, file), name)?;
    // one byte more than announced makes the XML end too late or not parse, never fills the memory
    Ok(BufReader::with_capacity(1 << 18, Box::new(reader.take(limit))))
}
