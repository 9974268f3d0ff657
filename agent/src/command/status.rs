//! `status`.

use std::path::Path;

use rootling_object::Commit;
use rootling_store::sysroot::{Deployment, Sysroot};

use super::Scene;
use crate::device;
use crate::error::Result;
use crate::json::Json;
use crate::text::{moment, printable};

/// A deployment as it is shown.
struct Row<'a> {
    deployment: &'a Deployment,
    commit: Option<Commit>,
    origin: Option<String>,
    signature: Result<String, String>,
    states: Vec<&'static str>,
}

pub fn run(scene: &Scene<'_>, json: bool) -> Result<()> {
    let sysroot = device::look(&scene.global.sysroot)?;
    let rows: Vec<Row<'_>> = (0..sysroot.deployments().len()).map(|index| row(&sysroot, index)).collect();
    match json {
        true => println!("{}", as_json(&rows)),
        false if rows.is_empty() => scene.screen.say("no deployments"),
        false => rows.iter().for_each(|row| scene.screen.say(&as_text(row))),
    }
    if !json && let Ok(Some(promises)) = sysroot.promises() {
        scene.screen.say(&promises.to_string());
    }
    Ok(())
}

fn row(sysroot: &Sysroot, index: usize) -> Row<'_> {
    let deployment = &sysroot.deployments()[index];
    let follows = deployment.origin.refspec().ok().flatten();
    let signature = match &follows {
        Some(follows) => signature(sysroot, sysroot.path(), deployment, follows),
        None => Err("no origin".into()),
    };
    Row {
        deployment,
        commit: sysroot.repo().load_commit(&deployment.checksum).ok(),
        origin: follows.map(|follows| follows.to_string()),
        signature,
        states: states(sysroot, index),
    }
}

fn signature(
    sysroot: &Sysroot,
    path: &Path,
    deployment: &Deployment,
    follows: &rootling_object::Refspec,
) -> Result<String, String> {
    match device::trusted(sysroot.repo(), path, &deployment.checksum, follows) {
        Ok(verified) => Ok(verified.by().to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn states(sysroot: &Sysroot, index: usize) -> Vec<&'static str> {
    let deployment = &sysroot.deployments()[index];
    let stateroot = deployment.stateroot.as_str();
    let mut states = Vec::new();
    if sysroot.booted().is_some_and(|booted| booted.is(deployment)) {
        states.push("booted");
    }
    if index == 0 {
        states.push("default");
    }
    if sysroot.booted().is_some() && sysroot.pending(stateroot).any(|pending| pending.is(deployment)) {
        states.push("pending");
    }
    if sysroot.rollback_target(stateroot).is_some_and(|target| target.is(deployment)) {
        states.push("rollback");
    }
    if deployment.is_pinned() {
        states.push("pinned");
    }
    let armed = sysroot.boot_state().ok().flatten().and_then(|state| state.armed);
    if armed.is_some_and(|armed| armed.id.as_str() == deployment.name()) {
        states.push("on trial");
    }
    states
}

fn as_text(row: &Row<'_>) -> String {
    let mark = if row.states.contains(&"booted") { '*' } else { ' ' };
    let version = row.commit.as_ref().and_then(Commit::version).map(printable);
    let time = row.commit.as_ref().map(|commit| moment(commit.timestamp));
    let mut lines = vec![
        format!("{mark} {} {} ({})", row.deployment.stateroot, row.deployment.name(), row.states.join(", ")),
        format!("    origin: {}", row.origin.as_deref().unwrap_or("none")),
    ];
    match (version, time) {
        (Some(version), Some(time)) => lines.push(format!("    version: {version} ({time})")),
        (None, Some(time)) => lines.push(format!("    time: {time}")),
        _ => lines.push("    commit: missing or broken; run rootling fsck".into()),
    }
    lines.push(match &row.signature {
        Ok(by) => format!("    signature: {}", printable(by)),
        Err(why) => format!("    signature: NOT VERIFIED: {}", printable(why)),
    });
    lines.join("\n")
}

/// Keys as `rpm-ostree status --json` names them, where it has them.
fn as_json(rows: &[Row<'_>]) -> String {
    Json::object(|j| {
        j.list("deployments", |j| {
            for (index, row) in rows.iter().enumerate() {
                j.item(|j| fill(j, index, row));
            }
        });
    })
}

fn fill(j: &mut Json, index: usize, row: &Row<'_>) {
    let Row { deployment, commit, origin, signature, states } = row;
    j.number("index", index as u64);
    j.str("id", &format!("{}-{}", deployment.stateroot, deployment.name()));
    j.str("osname", &deployment.stateroot);
    j.str("checksum", &deployment.checksum.to_string());
    j.number("serial", deployment.serial.into());
    j.opt("version", commit.as_ref().and_then(Commit::version));
    match commit {
        Some(commit) => j.number("timestamp", commit.timestamp),
        None => j.opt("timestamp", None),
    }
    j.opt("origin", origin.as_deref());
    for state in ["booted", "default", "pending", "rollback", "pinned"] {
        j.bool(state, states.contains(&state));
    }
    j.bool("verified", signature.is_ok());
    j.str("signature", signature.as_ref().unwrap_or_else(|why| why));
}
