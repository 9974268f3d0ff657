//! The steps of [`compose`](super::compose), in its order.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rootling_object::commit::key;
use rootling_object::{Checksum, Commit, Dict, Refspec};
use rootling_store::Repo;
use rootling_store::archive::Libdeflate;
use rootling_store::tree::{TreeOptions, commit_dir, write_commit};

use super::{Committed, Options};
use crate::arch::Arch;
use crate::fetch::{Cache, Expected, Source, Wanted, fetch_packages};
use crate::lock::Lock;
use crate::manifest::Manifest;
use crate::postprocess;
use crate::repo::{self, Loaded, RepoConfig, RepoVars};
use crate::solve::{self, Request};
use crate::unpack::{self, PackageFile, UnpackOptions, Unpacked};

type Say<'a> = &'a (dyn Fn(&str) + Sync);

/// The repositories a manifest names; their metadata is read only when it is needed.
pub(super) struct Repos {
    configs: Vec<RepoConfig>,
    arch: Arch,
    cache: Cache,
}

impl Repos {
    /// Reads the `.repo` files beside the manifest and its includes.
    pub(super) fn read(manifest: &Manifest, arch: Arch, cachedir: &Path) -> Result<Repos> {
        let vars = RepoVars {
            basearch: arch.base.into(),
            arch: arch.arch.into(),
            releasever: manifest.releasever.clone(),
        };
        let mut all: Vec<RepoConfig> = Vec::new();
        for dir in &manifest.repo_dirs {
            for config in repo::read_dir(dir, &vars)? {
                if let Some(first) = all.iter().find(|known| known.id == config.id) {
                    bail!(
                        "{}: repository {:?} a second time, first at {}",
                        config.origin,
                        config.id,
                        first.origin
                    );
                }
                all.push(config);
            }
        }
        if manifest.repos.is_empty() {
            bail!("the manifest names no repository, expected \"repos\"");
        }
        for name in &manifest.repos {
            let Some(config) = all.iter().find(|config| config.id == *name) else {
                let known: Vec<_> = all.iter().map(|config| config.id.as_str()).collect();
                bail!(
                    "repository {name:?} of the manifest is in no .repo file beside it, which name: {}",
                    known.join(", ")
                )
            };
            config.check()?;
        }
        // dnf's order, which is that of the files, and not that of the manifest
        all.retain(|config| manifest.repos.contains(&config.id));
        Ok(Repos { configs: all, arch, cache: Cache::new(cachedir)? })
    }

    fn load(&self, say: Say) -> Result<Loaded> {
        say(&format!("reading {} repositories", self.configs.len()));
        repo::load(self.configs.clone(), self.arch.packages, &self.cache)
    }
}

/// Finds the packages.
pub(super) fn solve(manifest: &Manifest, repos: &mut Repos, say: Say) -> Result<Lock> {
    let mut loaded = repos.load(say)?;
    say(&format!("solving {} names among {} packages", manifest.packages.len(), loaded.pool.packages.len()));
    let request = Request {
        packages: &manifest.packages,
        exclude: &manifest.exclude_packages,
        recommends: manifest.recommends,
    };
    let ids = solve::solve(&mut loaded, &request, &repos.cache)?;
    Lock::new(manifest, &loaded.pool, &ids)
}

/// Takes the packages from a lock file.
pub(super) fn locked(path: &Path, manifest: &Manifest, repos: &mut Repos, say: Say) -> Result<Lock> {
    let mut lock = Lock::read(path, manifest)?;
    if !lock.is_complete() {
        let loaded = repos.load(say)?;
        lock.complete(&loaded.pool).with_context(|| format!("lock file {}", path.display()))?;
    }
    Ok(lock)
}

/// Replaces a file whole.
pub(crate) fn write_file(path: &Path, text: &str) -> Result<()> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let what = || path.display().to_string();
    let mut file = tempfile::NamedTempFile::new_in(dir).with_context(what)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).with_context(what)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(mode).with_context(what)?;
    file.persist(path).with_context(what)?;
    Ok(())
}

/// Opens the repo the commit goes to.
pub(super) fn open_repo(options: &Options) -> Result<Repo> {
    let Some(path) = &options.repo else { bail!("no repo given, expected --repo") };
    writable_repo(path)
}

/// Opens a repo that can compress new objects.
pub(crate) fn writable_repo(path: &Path) -> Result<Repo> {
    let repo = Repo::open(path).with_context(|| {
        format!("repo {}: cannot be opened, `rootling-compose init --repo` makes one", path.display())
    })?;
    Ok(repo.with_deflate(Box::new(Libdeflate)))
}

/// The commit the ref names now.
pub(super) struct Previous(Option<(Checksum, Commit)>);

/// Looks for the previous commit.
pub(super) fn previous(repo: &Repo, manifest: &Manifest) -> Result<Previous> {
    let Some(reference) = &manifest.reference else { return Ok(Previous(None)) };
    match repo.read_ref(&Refspec::parse(reference)?)? {
        Some(checksum) => Ok(Previous(Some((checksum, repo.load_commit(&checksum)?)))),
        None => Ok(Previous(None)),
    }
}

impl Previous {
    /// Its checksum if it holds the tree of these inputs.
    pub(super) fn holding(&self, inputhash: &str) -> Option<Checksum> {
        let (checksum, commit) = self.0.as_ref()?;
        (commit.metadata.str(key::INPUTHASH) == Some(inputhash)).then_some(*checksum)
    }

    /// Its version.
    pub(super) fn version(&self) -> Option<&str> {
        self.0.as_ref()?.1.version()
    }

    /// Its checksum.
    pub(super) fn checksum(&self) -> Option<Checksum> {
        Some(self.0.as_ref()?.0)
    }
}

/// Gets all packages into the cache.
pub(super) fn fetch(lock: &Lock, repos: &Repos, say: Say) -> Result<Vec<PackageFile>> {
    let sources = repos.configs.iter().map(Source::new).collect::<Result<Vec<_>>>()?;
    let mut wanted = Vec::new();
    for package in &lock.packages {
        let nevra = package.nevra();
        let place = package.place.as_ref().with_context(|| format!("package {nevra} has no place"))?;
        let Some(source) = sources.iter().find(|source| source.id() == place.repo) else {
            bail!("package {nevra} is from repository {:?}, which the manifest does not name", place.repo)
        };
        let expected = Expected { digest: package.digest.clone(), size_bytes: Some(place.size_bytes) };
        wanted.push(Wanted {
            nevra,
            source,
            base: place.base.as_deref(),
            location: &place.location,
            expected,
        });
    }
    let bytes: u64 = wanted.iter().filter_map(|one| one.expected.size_bytes).sum();
    say(&format!("fetching {} packages, {} MB", wanted.len(), bytes / 1_000_000));
    let paths = fetch_packages(&wanted, &repos.cache, &|_| {})?;
    Ok(paths
        .into_iter()
        .zip(&lock.packages)
        .map(|(path, package)| PackageFile {
            path,
            nevra: package.nevra(),
            digest: (package.digest.kind == "sha256").then(|| package.digest.hex.clone()),
        })
        .collect())
}

/// A new folder that is removed at the end.
pub(super) fn work_dir(cachedir: &Path) -> Result<tempfile::TempDir> {
    let work = tempfile::Builder::new().prefix("work-").tempdir_in(cachedir);
    work.with_context(|| format!("{}", cachedir.display()))
}

/// Unpacks into `root`, which is made.
pub(super) fn unpack(root: &Path, files: &[PackageFile], manifest: &Manifest, say: Say) -> Result<Unpacked> {
    say(&format!("unpacking {} packages", files.len()));
    std::fs::create_dir(root).with_context(|| format!("{}", root.display()))?;
    let options = UnpackOptions { documentation: manifest.documentation, ignore_devices: false };
    unpack::unpack_all(root, files, &options)
}

/// Makes the installed root into a tree.
pub(super) fn postprocess(
    root: &Path,
    manifest: &Manifest,
    timestamp: u64,
    say: Say,
) -> Result<postprocess::Outcome> {
    say("postprocessing");
    let add_files = manifest
        .add_files
        .iter()
        .map(|file| Ok((absolute(&file.source)?, file.dest.clone())))
        .collect::<Result<Vec<_>>>()?;
    let options = postprocess::Options {
        units: manifest.units.clone(),
        default_target: manifest.default_target.clone(),
        add_files,
        remove_files: manifest.remove_files.clone(),
        uncompress: manifest.uncompress.clone(),
        tmp_is_dir: manifest.tmp_is_dir,
        no_initramfs: manifest.no_initramfs,
        initramfs: manifest.initramfs.clone(),
        machineid_compat: manifest.machineid_compat,
        scripts: manifest.postprocess.clone(),
        timestamp,
    };
    postprocess::run(root, &options)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{}", path.display()))
}

/// Commits the tree, binds the ref, and makes both durable.
pub(super) fn commit(
    repo: &Repo,
    root: &Path,
    manifest: &Manifest,
    metadata: Dict,
    parent: Option<Checksum>,
    timestamp: u64,
    say: Say,
) -> Result<Committed> {
    say("committing");
    let transaction = repo.transaction()?;
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let tree = commit_dir(&transaction, root, &TreeOptions { threads, ..TreeOptions::default() })?;
    let version = metadata.str(key::VERSION).map(str::to_string);
    let commit = Commit {
        metadata,
        parent,
        subject: version.clone().unwrap_or_default(),
        body: String::new(),
        timestamp,
        root_tree: tree.tree,
        root_meta: tree.meta,
    };
    let checksum = write_commit(&transaction, &commit)?;
    if let Some(reference) = &manifest.reference {
        transaction.set_ref(&Refspec::parse(reference)?, Some(checksum));
    }
    let stats = transaction.commit()?;
    Ok(Committed {
        commit: checksum,
        reference: manifest.reference.clone(),
        version,
        packages: 0,
        new_objects: stats.objects,
        warnings: Vec::new(),
    })
}
