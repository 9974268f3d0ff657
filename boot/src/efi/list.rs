//! The firmware's entries as a copy of a list of deployments that lies elsewhere.
//!
//! ```text
//! ours        Boot#### of a file below \EFI\rootling; its description ends with the deployment's name
//! confirmed   BootOrder = all of the list, then the entries of others
//! armed       Boot#### = first; BootNext = ####; BootOrder = the rest of the list, first, then the entries of others
//! tried       as armed, without BootNext: the firmware has used it up
//! ```
//! That what is on trial comes into `BootOrder` last says that `BootNext` was set: without it a loss of power before
//! that would look like a try that failed. It is behind what it falls back to.

use super::firmware::{Firmware, NEXT, ORDER, set};
use super::load_option::{ACTIVE, LoadOption};
use super::order::{Number, encode_numbers};
use super::variable::global;
use crate::Result;
use crate::error::Error;
use crate::loader::{Change, Step};

/// Where the files of deployments are on the ESP.
pub const FOLDER: &str = "EFI/rootling";
const OURS: &str = "\\EFI\\rootling\\";
const NAME: &str = "Rootling ";

/// Where the firmware has an entry of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// None that is to boot.
    Absent,
    /// `BootNext`.
    Next,
    /// First in `BootOrder`.
    First,
    /// Behind others.
    Behind,
}

/// What the first of the list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// What boots.
    Confirmed,
    /// What is to be tried.
    Next,
    /// What has been tried.
    Tried,
}

/// What an entry of a deployment is called.
pub fn description(deployment: &str) -> String {
    format!("{NAME}{deployment}")
}

impl LoadOption {
    fn deployment(&self) -> Option<&str> {
        self.path.file_name().filter(|file| file.starts_with(OURS))?;
        self.description.strip_prefix(NAME)
    }

    /// Firmware may put the way to the disk before a partition.
    fn serves(&self, wanted: &LoadOption) -> bool {
        self.attributes & ACTIVE != 0
            && self.description == wanted.description
            && self.data == wanted.data
            && self.path.0.ends_with(&wanted.path.0)
    }
}

impl Firmware {
    /// How it stands with a deployment.
    pub fn place(&self, deployment: &str) -> Place {
        let is = |number: &Number| self.deployment(*number) == Some(deployment);
        if self.next.as_ref().is_some_and(is) {
            Place::Next
        } else if self.order.first().is_some_and(is) {
            Place::First
        } else if self.order.iter().any(is) {
            Place::Behind
        } else {
            Place::Absent
        }
    }

    fn deployment(&self, number: Number) -> Option<&str> {
        self.option(number)?.deployment()
    }

    fn is_of_others(&self, number: Number) -> bool {
        self.unreadable.contains(&number)
            || self.option(number).is_some_and(|option| option.deployment().is_none())
    }

    /// The number of an entry, which is written where there is none like it.
    fn number(&mut self, wanted: &LoadOption, change: &mut Change) -> Result<Number> {
        if let Some((number, _)) = self.options.iter().find(|(_, there)| there.serves(wanted)) {
            return Ok(*number);
        }
        let taken = |number: &Number| {
            self.option(*number).is_some()
                || self.unreadable.contains(number)
                || self.order.contains(number)
                || self.next == Some(*number)
        };
        let free = (0..=u16::MAX).map(Number).find(|number| !taken(number));
        let none = Error::NoRoom { what: "efi load options", limit: 65536, needs: 65537 };
        let number = free.ok_or(none)?;
        change.steps.push(set(number.variable(), wanted.encode()?));
        self.options.push((number, wanted.clone()));
        Ok(number)
    }

    fn set_order(&mut self, order: &[Number], change: &mut Change) {
        if self.order != order {
            change.steps.push(set(global(ORDER), encode_numbers(order)));
            self.order = order.to_vec();
        }
    }

    fn end_next(&mut self, change: &mut Change) {
        if self.next.take().is_some() {
            change.steps.push(Step::RemoveVariable { name: global(NEXT) });
        }
    }
}

/// Makes the firmware's entries those of a list, whose files are on the ESP; no steps where they are.
pub fn follow(firmware: &Firmware, list: &[LoadOption], first: First) -> Result<Change> {
    let (mut now, mut change) = (firmware.clone(), Change::default());
    let (tried, confirmed) = match list.split_first() {
        Some((tried, rest)) if first != First::Confirmed && !rest.is_empty() => (Some(tried), rest),
        _ => (None, list),
    };
    // numbers without an option are what the firmware dropped
    let others: Vec<Number> = firmware.order.iter().copied().filter(|n| firmware.is_of_others(*n)).collect();
    let mut used = Vec::new();
    for option in confirmed {
        used.push(now.number(option, &mut change)?);
    }
    let without = [used.as_slice(), &others].concat();
    if let Some(tried) = tried {
        let with = |number: Number| [used.as_slice(), &[number], &others].concat();
        let there = now.options.iter().find(|(_, there)| there.serves(tried)).map(|(number, _)| *number);
        let is = |number: &Number| now.deployment(*number) == tried.deployment();
        if first == First::Next
            && now.order.iter().any(is)
            && there.is_none_or(|number| now.order != with(number))
        {
            now.set_order(&without, &mut change);
        }
        let number = now.number(tried, &mut change)?;
        if first == First::Next && now.next != Some(number) {
            change.steps.push(set(global(NEXT), encode_numbers(&[number])));
        }
        now.set_order(&with(number), &mut change);
        used.push(number);
    } else {
        now.set_order(&without, &mut change);
    }
    if first != First::Next && firmware.next.is_some_and(|next| !firmware.is_of_others(next)) {
        now.end_next(&mut change);
    }
    // what nothing names any more goes last
    let ours = firmware.options.iter().filter(|(_, option)| option.deployment().is_some());
    let stale = ours.map(|(number, _)| *number).filter(|number| !used.contains(number));
    change.steps.extend(stale.map(|number| Step::RemoveVariable { name: number.variable() }));
    Ok(change)
}

/// What was to be tried neither is any more, nor boots; what it falls back to does.
pub fn withdraw(firmware: &Firmware, deployments: &[&str]) -> Change {
    let (mut now, mut change) = (firmware.clone(), Change::default());
    let is = |number: &Number| firmware.deployment(*number).is_some_and(|name| deployments.contains(&name));
    let rest: Vec<Number> = firmware.order.iter().copied().filter(|number| !is(number)).collect();
    if !rest.is_empty() {
        now.set_order(&rest, &mut change);
    }
    if firmware.next.as_ref().is_some_and(is) {
        now.end_next(&mut change);
    }
    change
}

/// What was on trial boots from now on.
pub fn promote(firmware: &Firmware, deployment: &str) -> Change {
    let (mut now, mut change) = (firmware.clone(), Change::default());
    let is = |number: &Number| firmware.deployment(*number) == Some(deployment);
    let numbers = firmware.options.iter().map(|(number, _)| *number);
    let (mut order, rest): (Vec<_>, Vec<_>) = firmware.order.iter().copied().partition(is);
    if order.is_empty() {
        order.extend(numbers.filter(is));
    }
    if !order.is_empty() {
        now.set_order(&[order, rest].concat(), &mut change);
    }
    if firmware.next.as_ref().is_some_and(is) {
        now.end_next(&mut change);
    }
    change
}
