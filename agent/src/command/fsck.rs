//! `fsck`, and what libostree has no command for: `fsck --repair`.

use rootling_object::{Checksum, ObjectKind, ObjectName};
use rootling_store::fsck::{self, Report};
use rootling_store::{Repo, Transaction};

use super::Scene;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::pull::admit::Rules;
use crate::pull::{Pull, open};
use crate::text::{printable, size};

/// Threads that read and hash.
const THREADS: usize = 2;

pub fn run(scene: &Scene<'_>, repair: bool) -> Result<Exit> {
    let repo = Repo::open(&scene.repo_path())?;
    scene.screen.phase("checking objects");
    let report = fsck::fsck(&repo, None, THREADS)?;
    tell(scene, &report);
    if report.is_clean() {
        return Ok(Exit::Ok);
    }
    if !repair {
        return Err(Error::corrupt(format_args!(
            "{}: {} broken or missing objects; rootling fsck --repair fetches them again",
            repo.path().display(),
            report.problems.len()
        )));
    }
    scene.screen.phase("repairing");
    let mut sources = Sources { scene, repo: &repo, open: Vec::new() };
    // ascending, as the report is
    let owners: Vec<(ObjectName, Checksum)> =
        report.problems.iter().map(|problem| (problem.object, problem.commit)).collect();
    let mut failed = None;
    let replaced = fsck::repair(&repo, report, THREADS, &mut |transaction, object| {
        // objects found only after a directory was replaced belong to one of the same commits
        let found = owners.binary_search_by_key(object, |(object, _)| *object).unwrap_or(0);
        let commit = owners.get(found).map(|(_, commit)| *commit);
        sources.bring(transaction, object, commit).map_err(|error| {
            let reason = error.to_string();
            failed.get_or_insert(error);
            rootling_store::Error::refused(reason)
        })
    });
    match (replaced, failed) {
        (_, Some(error)) => Err(error),
        (replaced, None) => {
            scene.screen.say(&format!("{} objects replaced; all is in order", replaced?));
            Ok(Exit::Ok)
        }
    }
}

fn tell(scene: &Scene<'_>, report: &Report) {
    for commit in &report.partial {
        scene.screen.say(&format!("commit {commit}: not complete, left out"));
    }
    for problem in &report.problems {
        let path = printable(&problem.path);
        scene.screen.say(&format!(
            "{} ({path} of commit {}): {}",
            problem.object,
            problem.commit,
            printable(&problem.error.to_string())
        ));
    }
    scene.screen.say(&format!(
        "{} commits, {} objects, {} read",
        report.commits,
        report.objects,
        size(report.bytes)
    ));
}

/// The remotes that broken commits came from.
struct Sources<'a> {
    scene: &'a Scene<'a>,
    repo: &'a Repo,
    open: Vec<(String, Pull<'a>)>,
}

impl Sources<'_> {
    fn bring(
        &mut self,
        transaction: &Transaction<'_>,
        object: &ObjectName,
        commit: Option<Checksum>,
    ) -> Result<()> {
        let commit = commit.unwrap_or(object.checksum);
        let remote = self.remote_of(&commit)?;
        let pull = self.pull(&remote)?;
        match object.kind {
            ObjectKind::File => pull.source.content(transaction, &object.checksum),
            ObjectKind::CommitMeta => {
                if let Some(detached) = pull.source.detached(&object.checksum)? {
                    transaction.write_detached(&object.checksum, &detached);
                }
                Ok(())
            }
            kind => {
                let bytes = pull.source.metadata(kind, &object.checksum)?;
                transaction.write_metadata(kind, &bytes, Some(&object.checksum))?;
                Ok(())
            }
        }
    }

    /// The remote whose ref names the commit; deployed commits are named by the ref they were pulled as.
    fn remote_of(&self, commit: &Checksum) -> Result<String> {
        let refs = self.repo.list_refs()?;
        let named = refs.iter().find(|(refspec, target)| target == commit && refspec.remote.is_some());
        let any = || refs.iter().find(|(refspec, _)| refspec.remote.is_some());
        match named.or_else(any).and_then(|(refspec, _)| refspec.remote.clone()) {
            Some(remote) => Ok(remote),
            None => Err(Error::corrupt(format_args!(
                "commit {commit}: expected a remote to repair it from, got none"
            ))),
        }
    }

    fn pull(&mut self, remote: &str) -> Result<&Pull<'_>> {
        if !self.open.iter().any(|(name, _)| name == remote) {
            let (sysroot, patience) = (&self.scene.global.sysroot, &self.scene.patience);
            let (_, pull) =
                open::remote(self.repo, sysroot, remote, Rules::default(), patience, self.scene.screen)?;
            self.open.push((remote.to_owned(), pull));
        }
        let pull = self.open.iter().find(|(name, _)| name == remote).map(|(_, pull)| pull);
        pull.ok_or_else(|| Error::bug(format_args!("a pull that was just opened is gone")))
    }
}
