//! From the groups of a delta to objects in a transaction.

use rootling_delta::{Plan, PlannedObject, apply_group, apply_symlinks, missing_machine, plan};
use rootling_object::{Checksum, ObjectKind, ObjectName};
use rootling_store::Transaction;

use super::objects::{New, Old};
use super::parts::{Group, Piece};
use super::{BUDGET, Brought, Opened};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::progress::Count;
use crate::pull::Pull;
use crate::pull::source::Server;

/// After so many bytes of objects they are made durable, and the groups they came from are dropped.
const CHECKPOINT: u64 = 64 << 20;

/// Makes all objects it can; the texts say which groups could not be used.
#[inline(never)]
pub(super) fn apply(
    pull: &Pull<'_>,
    server: &Server,
    transaction: &Transaction<'_>,
    opened: &Opened,
) -> Result<(Brought, Vec<String>)> {
    let header = &opened.header;
    let root = match header.from {
        Some(from) => {
            let commit = pull.repo.load_commit(&Checksum(from))?;
            Some((commit.root_tree, commit.root_meta))
        }
        None => None,
    };
    let old = Old { repo: pull.repo, root };
    let plan = match plan(header, &old) {
        Ok(plan) => plan,
        Err(error) => return Ok((Brought::default(), vec![format!("the delta: {error}")])),
    };
    if let Err(error) = check_space(pull, transaction, &plan) {
        return without_space(opened, error);
    }
    let mut work = Work { pull, server, transaction, opened, plan: &plan, old, brought: Brought::default() };
    work.metadata()?;
    let broken = work.groups()?;
    Ok((work.brought, broken))
}

/// Loose objects need less: what was downloaded of the delta goes, and they say themselves if that is still too little.
fn without_space(opened: &Opened, error: Error) -> Result<(Brought, Vec<String>)> {
    if error.exit() != Exit::Space {
        return Err(error);
    }
    opened.parts.clear();
    Ok((Brought::default(), vec![format!("the delta: {error}")]))
}

fn check_space(pull: &Pull<'_>, transaction: &Transaction<'_>, plan: &Plan) -> Result<()> {
    let missing = plan.objects.iter().filter(|object| !has(transaction, object));
    let needed = missing.filter_map(|object| object.size).fold(0, u64::saturating_add);
    let usable = pull.repo.usable_space()?;
    if needed > usable {
        let place = pull.repo.path().display();
        return Err(Error::space(format_args!(
            "{place}: expected {needed} bytes of free space, got {usable}"
        )));
    }
    Ok(())
}

fn has(transaction: &Transaction<'_>, object: &PlannedObject) -> bool {
    transaction.has(&ObjectName::new(ObjectKind::File, object.checksum))
}

struct Work<'a> {
    pull: &'a Pull<'a>,
    server: &'a Server,
    transaction: &'a Transaction<'a>,
    opened: &'a Opened,
    plan: &'a Plan,
    old: Old<'a>,
    brought: Brought,
}

impl<'a> Work<'a> {
    /// Dirtrees, dirmetas and symlinks, which came in the header.
    fn metadata(&mut self) -> Result<()> {
        let plan = self.plan;
        for (kind, objects) in [(ObjectKind::DirTree, &plan.dirtrees), (ObjectKind::DirMeta, &plan.dirmetas)]
        {
            for (checksum, bytes) in objects {
                self.transaction.write_metadata(kind, bytes, Some(checksum))?;
                self.brought.objects += 1;
            }
        }
        let mut new = self.new_content();
        let made = apply_symlinks(plan, &mut new);
        self.take(new)?;
        Ok(made?)
    }

    fn new_content(&self) -> New<'a> {
        New { transaction: self.transaction, open: None, disk: None, made: Vec::new(), bytes: 0 }
    }

    /// What was made stays, whatever happened afterwards.
    fn take(&mut self, new: New<'_>) -> Result<u64> {
        let New { made, bytes, disk, .. } = new;
        self.brought.objects += made.len() as u64;
        self.brought.hashed.extend(made);
        match disk {
            Some(error) => Err(error.into()),
            None => Ok(bytes),
        }
    }

    #[inline(never)]
    fn groups(&mut self) -> Result<Vec<String>> {
        let (mut broken, mut kept, mut since) = (Vec::new(), Vec::new(), 0u64);
        for number in 0..self.opened.header.groups.len() {
            let objects = self.opened.header.objects_of(number);
            let objects = self.plan.objects.get(objects).unwrap_or_default();
            if objects.iter().all(|object| has(self.transaction, object)) {
                continue;
            }
            match self.group(number, objects) {
                Ok(bytes) => since += bytes,
                Err(error) => match error.exit() {
                    Exit::Corrupt => broken.push(format!("group {number} of the delta: {error}")),
                    // refused: the server has no such file or no Range, and will not have them for the other groups
                    exit @ (Exit::Failed | Exit::Space) => {
                        broken.push(format!("the delta from group {number} on: {error}"));
                        if exit == Exit::Space {
                            self.transaction.checkpoint()?;
                            self.opened.parts.clear();
                        }
                        break;
                    }
                    _ => return Err(error),
                },
            }
            kept.push(number);
            if since >= CHECKPOINT {
                self.transaction.checkpoint()?;
                kept.drain(..).for_each(|number| self.opened.parts.remove(number));
                since = 0;
            }
            self.show();
        }
        Ok(broken)
    }

    #[inline(never)]
    fn group(&mut self, number: usize, objects: &[PlannedObject]) -> Result<u64> {
        let opened = self.opened;
        for source in objects.iter().flat_map(|object| &object.sources) {
            if !self.pull.repo.has(&ObjectName::new(ObjectKind::File, *source)) {
                return Err(Error::corrupt(format_args!("expected old object {source}, got none")));
            }
            if let Some(machine) = missing_machine(&self.old, source, opened.header.profile) {
                return Err(Error::corrupt(format_args!(
                    "object {source}: expected a program that this build predicts, got one for ELF machine {machine}"
                )));
            }
        }
        let (start, size) = opened.header.range_of(&opened.prelude, number);
        let checksum = opened.header.groups.get(number).map_or([0; 32], |group| group.checksum);
        let piece = Piece { path: &opened.path, start, size, checksum: Checksum(checksum) };
        let usable = self.pull.repo.usable_space()?;
        let file = opened.parts.fetch(self.server, &number.to_string(), &piece, usable)?;
        let bytes = Group { file, size };
        let mut new = self.new_content();
        let backend = opened.prelude.backend;
        let made =
            apply_group(&opened.header, backend, self.plan, number, &bytes, BUDGET, &self.old, &mut new);
        let bytes = self.take(new)?;
        made.map_err(|error| Error::corrupt(format_args!("{error}")))?;
        Ok(bytes)
    }

    fn show(&self) {
        let known = self.plan.objects.len() + self.plan.dirtrees.len() + self.plan.dirmetas.len();
        let bytes = self.server.meter.load(std::sync::atomic::Ordering::Relaxed);
        self.pull.screen.count(Count { done: self.brought.objects, known: known as u64, bytes });
    }
}
