//! `boot status`: what the loader can and cannot promise, and how it stands with a trial.

use std::fs;

use rootling_boot::loader::{Counting, Kind, Outcome, Trial};
use rootling_store::sysroot::loader;

use super::Scene;
use crate::deny::DenyList;
use crate::device;
use crate::error::Result;
use crate::health;
use crate::json::Json;
use crate::text::printable;

/// What reboots a system in which this program does not start, where systemd is to start it.
const TIMERS: [&str; 2] = [
    "usr/lib/systemd/system/sysinit.target.wants/rootling-deadline.timer",
    "etc/systemd/system/sysinit.target.wants/rootling-deadline.timer",
];
/// Either keeps it from that where it is empty, or a link to what is: a mask.
const MASKS: [&str; 2] =
    ["etc/systemd/system/rootling-deadline.timer", "etc/systemd/system/rootling-deadline.service"];
/// The same without systemd.
const SCRIPT: &str = "etc/init.d/rootling";

/// systemd's own step.
const BLESS: &str = "usr/lib/systemd/system/systemd-bless-boot.service";
/// What keeps it from a deployment: our drop-in, or a mask.
const KEEPERS: [&str; 3] = [
    "usr/lib/systemd/system/systemd-bless-boot.service.d/50-rootling.conf",
    "etc/systemd/system/systemd-bless-boot.service.d/50-rootling.conf",
    "etc/systemd/system/systemd-bless-boot.service",
];

pub fn run(scene: &Scene<'_>, json: bool) -> Result<()> {
    let sysroot = device::look(&scene.global.sysroot)?;
    let root = device::root(&sysroot);
    let (promises, state) = (sysroot.promises()?, sysroot.boot_state()?);
    let present = sysroot.booted().or(sysroot.deployments().first());
    let denied = present.map(|present| DenyList::open(&sysroot, &present.stateroot)).transpose()?;
    let failed: Vec<(&str, &str)> = denied.iter().flat_map(DenyList::entries).collect();
    let armed = state.as_ref().and_then(|state| state.armed.as_ref());
    let left = match state.as_ref().map(|state| state.trial) {
        Some(Trial::Left(left)) => left,
        _ => 0,
    };
    let says = match state.as_ref().map(|state| state.outcome) {
        Some(Outcome::OnTrial) => "on-trial",
        Some(Outcome::FellBack) => "fell-back",
        Some(Outcome::NotTriedYet) => "not-tried-yet",
        _ => "nothing",
    };
    let next = sysroot.deployments().first();
    let any = |places: &[&str]| places.iter().any(|place| fs::symlink_metadata(root.join(place)).is_ok());
    let masked = MASKS.iter().any(|place| fs::metadata(root.join(place)).is_ok_and(|unit| unit.len() == 0));
    let shown = sysroot.shows_tries();
    let outside = shown.is_ok() && (any(&TIMERS) && !masked || any(&[SCRIPT]))
        || next.is_some_and(|next| health::is_asked(&next.kernel_args()));
    if json {
        let text = Json::object(|j| {
            j.opt("loader", promises.map(|promises| promises.loader));
            let tries = promises.map_or(0, |promises| match promises.counting {
                Counting::Never => 0,
                Counting::Once => 1,
                Counting::UpTo(most) => most,
            });
            j.number("tries-at-most", tries.into());
            j.opt("torn", promises.and_then(|promises| promises.torn));
            j.opt("note", promises.and_then(|promises| promises.note));
            j.opt("armed", armed.map(|armed| armed.id.as_str()));
            j.number("tries", armed.map_or(0, |armed| armed.tries).into());
            j.number("tries-left", left.into());
            j.str("outcome", says);
            j.list("built-in", |j| loader::built().for_each(|kind| j.item(|j| j.str("loader", kind.name()))));
            j.bool("deadline", outside);
            j.list("failed", |j| {
                failed.iter().for_each(|(commit, why)| {
                    j.item(|j| {
                        j.str("checksum", commit);
                        j.str("reason", why);
                    });
                });
            });
        });
        println!("{text}");
        return Ok(());
    }
    let say = |text: &str| scene.screen.say(text);
    match promises {
        Some(promises) => say(&promises.to_string()),
        None => say("no boot loader is managed: entries only, counts no boots, no fallback by itself"),
    }
    let built: Vec<&str> = loader::built().map(Kind::name).collect();
    say(&format!("boot loaders in this build: {}", built.join(" ")));
    if let Some(armed) = armed {
        say(&format!("armed: {}, {left} of {} tries left; this boot: {says}", armed.id, armed.tries));
    }
    if sysroot.loader().is_some_and(|loader| loader.kind() == Kind::SystemdBoot)
        && any(&[BLESS])
        && !any(&KEEPERS)
    {
        say("systemd-bless-boot.service runs beside this program: mask it, or install its drop-in");
    }
    if let Err(error) = &shown {
        say(&error.to_string());
    }
    if !outside {
        say("no deadline outside of this program: a system in which it does not start is not left by itself");
    }
    failed.iter().for_each(|(commit, why)| say(&format!("failed before: {commit} {}", printable(why))));
    Ok(())
}
