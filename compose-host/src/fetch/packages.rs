//! Downloads many packages with a few connections.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};

use super::{Cache, Expected, Source};

/// Connections at once.
const CONNECTIONS: usize = 4;

/// One package to get.
pub struct Wanted<'a> {
    /// Its name, for errors.
    pub nevra: String,
    /// Where from.
    pub source: &'a Source,
    /// A URL in place of the source's own.
    pub base: Option<&'a str>,
    /// Path below the URL.
    pub location: &'a str,
    /// Checksum and size.
    pub expected: Expected,
}

/// Gets all packages; the paths come in the order of `wanted`.
///
/// `progress` is called after each package with the number done so far.
pub fn fetch_packages(
    wanted: &[Wanted],
    cache: &Cache,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Vec<PathBuf>> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<PathBuf>>>> = Mutex::new(wanted.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS.min(wanted.len()) {
            scope.spawn(|| {
                while let Some((index, item)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    wanted.get(index).map(|item| (index, item))
                } {
                    let result =
                        cache.package(item.source, item.base, item.location, &item.expected).with_context(
                            || format!("package {} of repository {:?}", item.nevra, item.source.id()),
                        );
                    let failed = result.is_err();
                    results.lock().expect("no thread panics with the lock held")[index] = Some(result);
                    if failed {
                        next.store(wanted.len(), Ordering::Relaxed);
                        return;
                    }
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                }
            });
        }
    });
    let results = results.into_inner().expect("no thread panics with the lock held");
    let mut paths = Vec::new();
    let mut unfinished = false;
    for result in results {
        match result {
            Some(result) => paths.push(result?),
            None => unfinished = true,
        }
    }
    assert!(!unfinished, "a package is left out only after another has failed");
    Ok(paths)
}
