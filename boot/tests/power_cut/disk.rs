//! A disk that loses power.
//!
//! Since the last sync every write may be on the disk or not, in any combination; the writes of one step may be
//! there in part. A write in place is torn at sectors, in any order, and at any byte. Firmware variables are set
//! at once and as a whole.

use rootling_boot::loader::Step;
use rootling_boot::plan;
use std::collections::BTreeMap;

const SECTOR: usize = 512;

#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    File(Vec<u8>),
    Link(String),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disk {
    pub nodes: BTreeMap<String, Node>,
    pub variables: BTreeMap<String, Vec<u8>>,
}

/// Any fixed sequence will do.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

impl Disk {
    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Disk(step) => self.apply_disk(step),
            Step::WriteBytes { path, bytes } => self.put(path, bytes.clone()),
            Step::Overwrite { path, offset, bytes } => {
                let Some(Node::File(file)) = self.nodes.get_mut(path) else { panic!("{path} is not there") };
                let at = usize::try_from(*offset).unwrap();
                file[at..at + bytes.len()].copy_from_slice(bytes);
            }
            Step::SetVariable { name, bytes } => drop(self.variables.insert(name.clone(), bytes.clone())),
            Step::RemoveVariable { name } => drop(self.variables.remove(name)),
        }
    }

    fn apply_disk(&mut self, step: &plan::Step) {
        match step {
            plan::Step::Remove(path) => {
                let below = format!("{path}/");
                self.nodes.retain(|p, _| p != path && !p.starts_with(&below));
            }
            plan::Step::MakeDir(_) | plan::Step::Sync => {}
            plan::Step::Write { path, text } => self.put(path, text.clone().into_bytes()),
            plan::Step::Link { target, path } => {
                self.nodes.insert(path.clone(), Node::Link(target.clone()));
            }
            plan::Step::Install { from, to, .. } => {
                if !self.nodes.contains_key(to) {
                    self.put(to, from.clone().into_bytes());
                }
            }
            plan::Step::Rename { from, to } => {
                if let Some(node) = self.nodes.remove(from) {
                    self.nodes.insert(to.clone(), node);
                }
            }
        }
    }

    /// A part of a step.
    fn tear(&mut self, step: &Step, random: &mut Random) {
        match step {
            Step::WriteBytes { path, bytes } => self.put(path, bytes[..random.below(bytes.len())].to_vec()),
            Step::Disk(plan::Step::Write { path, text }) => {
                self.put(path, text.as_bytes()[..random.below(text.len())].to_vec());
            }
            Step::Overwrite { path, offset, bytes } => {
                let Some(Node::File(file)) = self.nodes.get_mut(path) else { panic!("{path} is not there") };
                let at = usize::try_from(*offset).unwrap();
                if random.below(2) == 0 {
                    let end = random.below(bytes.len() + 1);
                    file[at..at + end].copy_from_slice(&bytes[..end]);
                } else {
                    for (old, new) in file[at..at + bytes.len()].chunks_mut(SECTOR).zip(bytes.chunks(SECTOR))
                    {
                        if random.below(2) == 0 {
                            old.copy_from_slice(new);
                        }
                    }
                }
            }
            _ => self.apply(step),
        }
    }

    pub fn put(&mut self, path: &str, bytes: Vec<u8>) {
        self.nodes.insert(path.into(), Node::File(bytes));
    }

    /// A file's bytes, links followed in every folder of its path.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        match self.nodes.get(&self.real(path)?)? {
            Node::File(bytes) => Some(bytes.clone()),
            Node::Link(_) => None,
        }
    }

    pub fn text(&self, path: &str) -> Option<String> {
        String::from_utf8(self.read(path)?).ok()
    }

    /// The path behind all links.
    pub fn real(&self, path: &str) -> Option<String> {
        let (mut done, mut left): (Vec<String>, Vec<String>) =
            (Vec::new(), path.split('/').rev().map(String::from).collect());
        let mut links = 0;
        while let Some(part) = left.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => drop(done.pop()),
                _ => {
                    done.push(part);
                    if let Some(Node::Link(target)) = self.nodes.get(&done.join("/")) {
                        done.pop();
                        left.extend(target.split('/').rev().map(String::from));
                        links += 1;
                        assert!(links < 40, "links in a circle at {path}");
                    }
                }
            }
        }
        Some(done.join("/"))
    }

    /// Names in a folder.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let below = format!("{}/", self.real(folder).unwrap_or_default());
        let inside = self.nodes.keys().filter_map(|path| path.strip_prefix(&below));
        inside.filter(|name| !name.contains('/')).map(String::from).collect()
    }
}

/// Applies steps, and shows `judge` every kind of state that a cut can leave.
pub fn cut_everywhere(disk: &mut Disk, steps: &[Step], mut judge: impl FnMut(&Disk, &str)) -> usize {
    let mut random = Random(7);
    let mut states = 0;
    let (mut synced, mut since): (Disk, Vec<&Step>) = (disk.clone(), Vec::new());
    for step in steps {
        since.push(step);
        for round in 0..60 {
            let mut cut = synced.clone();
            for (at, pending) in since.iter().enumerate() {
                let last = at + 1 == since.len();
                // the first rounds are prefixes with the last write torn or missing, the others any subset
                match if round < 20 { usize::from(last) * (1 + round % 2) } else { random.below(3) } {
                    0 => cut.apply(pending),
                    1 => cut.tear(pending, &mut random),
                    _ => {}
                }
                if let Step::SetVariable { .. } | Step::RemoveVariable { .. } = pending {
                    cut.variables = disk.variables.clone();
                }
            }
            judge(&cut, &format!("{step:?}"));
            states += 1;
        }
        disk.apply(step);
        judge(disk, &format!("after {step:?}"));
        states += 1;
        if *step == Step::Disk(plan::Step::Sync) {
            (synced, since) = (disk.clone(), Vec::new());
        }
    }
    states
}
