//! Verifying a delta by decoding all of it, and applying it to a repo.

use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use rootling_delta::make::Workers;
use rootling_delta::{NewContent, Plan, PlannedObject, apply_group, apply_symlinks, plan};
use rootling_object::{Checksum, Dict, ObjectKind, RefName, Refspec};
use rootling_store::{Repo, Transaction};

use super::BUDGET;
use super::opened::Opened;
use super::trees::{Discard, Start, Trees, check_whole};

/// Decodes every object of a delta and compares it with its name; returns what the delta makes.
pub fn verify(repo: &Repo, opened: &Opened, workers: &dyn Workers) -> Result<(Plan, Discard)> {
    let (header, backend) = (&opened.header, opened.prelude.backend);
    let from = header.from.map(Checksum);
    from.iter().try_for_each(|from| check_whole(repo, from))?;
    let trees = Trees { repo, cache: None };
    let start = Start::new(&trees, from)?;
    let plan = plan(header, &start)?;
    let mut all = Discard::default();
    apply_symlinks(&plan, &mut all)?;
    let done = Mutex::new(Vec::new());
    workers.each(header.groups.len(), &|number| {
        let mut made = Discard::default();
        let bytes = opened.group(number);
        let result = Start::new(&trees, from).and_then(|start| {
            Ok(apply_group(header, backend, &plan, number, &bytes, BUDGET, &start, &mut made)?)
        });
        done.lock().expect("no worker panics").push((number, result.map(|()| made)));
    });
    let mut done = done.into_inner().expect("no worker panics");
    done.sort_by_key(|(number, _)| *number);
    for (_, made) in done {
        let made = made?;
        all.objects += made.objects;
        all.bytes += made.bytes;
    }
    Ok((plan, all))
}

/// Makes the new commit in `repo`, which has the old one, and lets `name` name it.
pub fn apply(repo: &Repo, opened: &Opened, name: Option<&str>) -> Result<Checksum> {
    let (header, backend) = (&opened.header, opened.prelude.backend);
    let (from, to) = (header.from.map(Checksum), Checksum(header.to));
    let name = name.map(RefName::parse).transpose()?;
    from.iter().try_for_each(|from| check_whole(repo, from))?;
    let trees = Trees { repo, cache: None };
    let start = Start::new(&trees, from)?;
    let plan = plan(header, &start)?;
    repo.mark_partial(&to)?;
    let transaction = repo.transaction()?;
    let mut writer = Writer { transaction: &transaction, content: Vec::new() };
    apply_symlinks(&plan, &mut writer)?;
    for number in 0..header.groups.len() {
        apply_group(header, backend, &plan, number, &opened.group(number), BUDGET, &start, &mut writer)?;
    }
    for (kind, objects) in [(ObjectKind::DirTree, &plan.dirtrees), (ObjectKind::DirMeta, &plan.dirmetas)] {
        for (checksum, bytes) in objects {
            transaction.write_metadata(kind, bytes, Some(checksum))?;
        }
    }
    transaction.write_metadata(ObjectKind::Commit, &header.commit, Some(&to))?;
    if let Some(detached) = &header.detached {
        let detached = Dict::decode("detached metadata", detached).context("delta")?;
        transaction.write_detached(&to, &detached);
    }
    if let Some(name) = name {
        transaction.set_ref(&Refspec { remote: None, name }, Some(to));
    }
    transaction.mark_complete(&to);
    transaction.commit()?;
    Ok(to)
}

/// Refuses a delta that does not lead to the commit its list is of.
pub fn check_to(opened: &Opened, to: &Checksum) -> Result<()> {
    if opened.header.to != to.0 {
        bail!("delta: expected one to {to}, got one to {}", Checksum(opened.header.to));
    }
    Ok(())
}

/// Objects into a transaction, which checks them against their names.
struct Writer<'a> {
    transaction: &'a Transaction<'a>,
    content: Vec<u8>,
}

impl NewContent for Writer<'_> {
    fn begin(&mut self, _: &PlannedObject) -> rootling_delta::Result<()> {
        self.content.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> rootling_delta::Result<()> {
        self.content.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self, object: &PlannedObject) -> rootling_delta::Result<()> {
        let size = self.content.len() as u64;
        let mut content = self.content.as_slice();
        let written =
            self.transaction.write_content(&object.header, size, &mut content, Some(&object.checksum));
        written.map(|_| ()).map_err(|error| rootling_delta::Error::io(error.to_string()))
    }
}
