//! One step of a loader's plan.
//!
//! The steps of `crate::plan` change files below the sysroot; loaders also keep their state in files that have to
//! keep their blocks, in raw devices and in firmware variables.

use crate::plan;

/// The end of the name of a file that is not finished; what a killed run leaves is found by it.
pub const DRAFT: &str = ".rootling-tmp";

/// One change; after a `Disk(Sync)` all before it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A change of files below the sysroot.
    Disk(plan::Step),
    /// Writes a new file of any bytes below the sysroot.
    WriteBytes {
        /// Its path.
        path: String,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// Writes over bytes of a file or device without changing its length or its blocks, and waits for them.
    Overwrite {
        /// Below the sysroot, or absolute for a device.
        path: String,
        /// Where they begin.
        offset: u64,
        /// All that change.
        bytes: Vec<u8>,
    },
    /// Sets a firmware variable in one write.
    SetVariable {
        /// `NAME-GUID`, as in efivarfs.
        name: String,
        /// Of the file: four bytes of attributes, then the data.
        bytes: Vec<u8>,
    },
    /// Removes a firmware variable, or nothing.
    RemoveVariable {
        /// `NAME-GUID`, as in efivarfs.
        name: String,
    },
}

/// A list of steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// In order.
    pub steps: Vec<Step>,
}

impl Change {
    /// A link by which a loader finds its file in the list in use.
    pub fn link(target: &str, path: &str) -> Change {
        let link = plan::Step::Link { target: target.into(), path: path.into() };
        let steps = [link, plan::Step::Sync].map(Step::Disk);
        Change { steps: steps.into() }
    }

    /// This, then a list that is swapped in.
    pub fn then(mut self, plan: plan::Plan) -> Change {
        self.steps.extend(Change::from(plan).steps);
        self
    }

    /// A list made ready, this, then the list is swapped in: where there is no room for the list, nothing has changed.
    pub fn before(self, mut plan: plan::Plan) -> Change {
        let swap = plan.steps.iter().position(|step| matches!(step, plan::Step::Rename { .. }));
        let swap = plan.steps.split_off(swap.unwrap_or_default());
        let mut change = Change::from(plan);
        change.steps.extend(self.steps);
        change.steps.extend(swap.into_iter().map(Step::Disk));
        change
    }

    pub(crate) fn disk(&mut self, step: plan::Step) {
        self.steps.push(Step::Disk(step));
    }

    pub(crate) fn sync(&mut self) {
        self.disk(plan::Step::Sync);
    }

    /// A file is replaced as a whole: written under another name, made durable, put in its place, made durable.
    ///
    /// The old file goes only then: a loader that replays no journal may see it until the second sync.
    pub(crate) fn replace(&mut self, path: &str, bytes: Vec<u8>) {
        let draft = format!("{path}{DRAFT}");
        self.steps.push(Step::WriteBytes { path: draft.clone(), bytes });
        self.sync();
        self.disk(plan::Step::Rename { from: draft.clone(), to: path.into() });
        self.sync();
        self.disk(plan::Step::Remove(draft));
    }

    /// Bytes are written over in place.
    pub(crate) fn overwrite(&mut self, path: &str, offset: u64, bytes: Vec<u8>) {
        self.steps.push(Step::Overwrite { path: path.into(), offset, bytes });
        self.sync();
    }
}

impl From<plan::Plan> for Change {
    fn from(plan: plan::Plan) -> Change {
        Change { steps: plan.steps.into_iter().map(Step::Disk).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{BootVersion, Plan, Step as DiskStep};

    #[test]
    fn a_list_without_room_changes_nothing_else() {
        let rename = DiskStep::Rename { from: "boot/loader.tmp".into(), to: "boot/loader".into() };
        let list = DiskStep::Write { path: "boot/loader.1/grub.cfg".into(), text: String::new() };
        let steps = vec![list.clone(), DiskStep::Sync, rename.clone(), DiskStep::Sync];
        let plan = Plan { steps, after: BootVersion::default(), is_swap: true };
        let mut change = Change::default();
        change.overwrite("boot/grub/grubenv", 0, vec![1]);
        let counter = change.steps.clone();
        let steps = change.before(plan).steps;
        let wanted: Vec<Step> = [list, DiskStep::Sync].map(Step::Disk).into_iter().chain(counter).collect();
        assert_eq!(steps[..wanted.len()], wanted);
        assert_eq!(steps[wanted.len()..], [rename, DiskStep::Sync].map(Step::Disk));
    }
}
