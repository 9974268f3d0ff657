//! More old files for a new one of which its own old file has too little, as when libraries were joined or pieces moved from one
//! to another.
//!
//! Only for files that still take many inserted bytes and differences. Another old file is taken if the tokens get smaller once
//! packed, its path in the header included, so each further one has paid for itself; the result is decoded before it counts.

use super::coding::{Ordered, coded};
use super::likeness::{Index, runs};
use super::sources::Old;
use super::tree::{Objects, Options, Workers};
use super::{Coded, pack};
use crate::error::{Error, Result};
use crate::group::Group;
use crate::header::SOURCES;
use crate::io::ReadAt;
use crate::tree::{Base, MAX_SOURCES};
use rootling_object::Checksum;
use std::sync::Mutex;

/// Fewest bytes inserted or wrong in a file that is looked at again.
const WORTH: usize = 2 << 10;
/// And which part of the file they are at least: coding it takes time by its length.
const PART: u64 = 64;
/// How many of the old files are tried that have the most of what the file's sources have not.
const TRIES: usize = 2;
/// As which part of what is inserted or wrong that must count.
const SHARE: usize = 8;
/// Most bytes of old files together.
const MOST: u64 = 1 << 30;

/// Tries more old files where that may be worth it.
pub(super) fn improve(
    objects: &dyn Objects,
    old: &Old,
    all: &mut [Ordered],
    options: &Options,
    workers: &dyn Workers,
) -> Result<()> {
    let large: Vec<&mut Ordered> =
        all.iter_mut().filter(|object| object.coded.as_ref().is_some_and(is_large)).collect();
    if options.profile < SOURCES || large.is_empty() || old.paths.is_empty() {
        return Ok(());
    }
    let search = Search::new(objects, old, options, workers)?;
    let large: Vec<Mutex<&mut Ordered>> = large.into_iter().map(Mutex::new).collect();
    let failed = Mutex::new(None);
    workers.each(large.len(), &|at| {
        let object = &mut *large[at].lock().expect("no worker panics");
        if let Err(error) = search.improve(object) {
            failed.lock().expect("no worker panics").get_or_insert(error);
        }
    });
    failed.into_inner().expect("no worker panics").map_or(Ok(()), Err)
}

/// Bytes inserted or wrong.
fn missed(coded: &Coded) -> usize {
    coded.inserts.len() + coded.values.len()
}

fn is_large(coded: &Coded) -> bool {
    missed(coded) >= WORTH && missed(coded) as u64 >= coded.size / PART
}

/// All old files, ascending by path.
struct Search<'a> {
    objects: &'a dyn Objects,
    old: &'a Old,
    options: &'a Options,
    files: Vec<(&'a String, &'a Checksum)>,
    index: Index,
}

impl<'a> Search<'a> {
    fn new(
        objects: &'a dyn Objects,
        old: &'a Old,
        options: &'a Options,
        workers: &dyn Workers,
    ) -> Result<Search<'a>> {
        let mut files: Vec<_> = old.paths.iter().map(|(checksum, path)| (path, checksum)).collect();
        files.sort_unstable();
        let done = Mutex::new(Vec::with_capacity(files.len()));
        workers.each(files.len(), &|at| {
            let found = objects.content(files[at].1).map(|(_, bytes)| (at, runs(&bytes)));
            done.lock().expect("no worker panics").push(found);
        });
        let mut done =
            done.into_inner().expect("no worker panics").into_iter().collect::<Result<Vec<_>>>()?;
        done.sort_unstable_by_key(|(at, _)| *at);
        let done: Vec<Vec<u64>> = done.into_iter().map(|(_, runs)| runs).collect();
        Ok(Search { objects, old, options, files, index: Index::new(&done) })
    }

    /// Gives `object` the sources that make it smallest.
    fn improve(&self, object: &mut Ordered) -> Result<()> {
        let Some(first) = object.coded.clone() else { return Ok(()) };
        let mut best = self.choice(object.sources.clone(), first);
        let new = self.objects.content(&object.checksum)?.1;
        while best.sources.len() < MAX_SOURCES && is_large(&best.coded) {
            let Some(better) = self.better(object, &new, &best)? else { break };
            best = better;
        }
        let Some((first, more)) = best.sources.split_first().filter(|_| best.sources != object.sources)
        else {
            return Ok(());
        };
        self.check(object, &new, &best)?;
        if object.sources.first() != Some(first) {
            object.source = Base::Path(self.old.paths[first].clone());
        }
        object.more = more.iter().map(|source| self.old.paths[source].clone()).collect();
        (object.sources, object.coded) = (best.sources, Some(best.coded));
        Ok(())
    }

    /// The same with one more source, if that makes it smaller.
    fn better(&self, object: &Ordered, new: &[u8], best: &Choice) -> Result<Option<Choice>> {
        let numbers = 0..self.files.len();
        let used: Vec<usize> =
            numbers.filter(|number| best.sources.contains(self.files[*number].1)).collect();
        let alike = self.index.alike(new, &used).into_iter();
        let enough = alike.filter(|(_, bytes)| *bytes >= (WORTH / 2).max(missed(&best.coded) / SHARE));
        for (file, _) in enough.take(TRIES) {
            let mut sources = best.sources.clone();
            sources.push(*self.files[file].1);
            if self.length(&sources)? > MOST {
                continue;
            }
            let mut choice = self.coded(object, sources.clone())?;
            if let [first, second] = sources[..] {
                // which one is predicted matters
                let other = self.coded(object, vec![second, first])?;
                choice = if other.bytes < choice.bytes { other } else { choice };
            }
            if choice.bytes < best.bytes {
                return Ok(Some(choice));
            }
        }
        Ok(None)
    }

    fn coded(&self, object: &Ordered, sources: Vec<Checksum>) -> Result<Choice> {
        let coded = coded(self.objects, &sources, &object.checksum, self.options.profile)?;
        Ok(self.choice(sources, coded))
    }

    fn choice(&self, sources: Vec<Checksum>, coded: Coded) -> Choice {
        let packed = pack(self.options.backend, [&coded]).bytes.len();
        let paths = sources.iter().skip(1).map(|source| self.old.paths[source].len());
        Choice { bytes: packed + paths.sum::<usize>(), sources, coded }
    }

    fn length(&self, sources: &[Checksum]) -> Result<u64> {
        sources.iter().try_fold(0u64, |sum, source| Ok(sum.saturating_add(self.objects.described(source)?.1)))
    }

    /// Decodes a choice.
    fn check(&self, object: &Ordered, new: &[u8], choice: &Choice) -> Result<()> {
        let packed = pack(self.options.backend, [&choice.coded]);
        let old = choice.sources.iter().map(|source| {
            let file: Box<dyn ReadAt> = Box::new(self.objects.content(source)?.1);
            Ok(file)
        });
        let old = old.collect::<Result<Vec<_>>>()?;
        let mut made = Vec::new();
        let mut group = Group::open(self.options.backend, &packed.header, &packed.bytes, u64::MAX)?;
        group.next_file(&old, choice.coded.size, &mut made)?;
        group.end()?;
        if made != new {
            return Err(Error::malformed("new delta", "object", &object.checksum, "other bytes"));
        }
        Ok(())
    }
}

/// Sources, and what a file takes with them.
struct Choice {
    sources: Vec<Checksum>,
    coded: Coded,
    /// Of its tokens when packed alone, and of the paths of further sources.
    bytes: usize,
}
